/**
 * Judges what instances share: VRIDs on an interface, and addresses.
 *
 * @module
 */
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { RawVip } from "../schema/address.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import { deviceOf, familiesOf, identityOf } from "./address.ts";
import { lineOf } from "./context.ts";
import type { Check } from "./context.ts";

/**
 * A packet tells whom it is for by interface, IP version and VRID alone: so do we, also where each instance talks to peers
 * of its own.
 */
function checkVrids(check: Check, instances: readonly (readonly [string, RawInstance])[]): void {
  const taken = new Map<string, string>();
  for (const [name, instance] of instances) {
    if (instance.interface === undefined || instance.vrid === undefined) continue;
    const families = familiesOf(instance);
    const keys = (families.length === 0 ? ["ipv4"] : families).map((family) =>
      `${instance.interface} ${instance.vrid} ${family}`
    );
    const other = keys.map((key) => taken.get(key)).find((owner) => owner !== undefined);
    if (other !== undefined) {
      const line = lineOf(check, ["vrrp", other, "vrid"]);
      const what =
        `is ${instance.vrid}, which \`${other}\` (line ${line}) has on ${instance.interface} already`;
      check.report({
        path: ["vrrp", name, "vrid"],
        what,
        instead: "write a number that is free on the segment",
      });
    }
    for (const key of keys) if (!taken.has(key)) taken.set(key, name);
  }
}

function checkSharedAddresses(
  check: Check,
  raw: RawConfig,
  instances: readonly (readonly [string, RawInstance])[],
): void {
  const taken = new Map<string, { readonly owner: string; readonly path: Path }>();
  const take = (
    owner: string,
    list: Path,
    vips: readonly (RawVip | undefined)[] | undefined,
    deviceOf: (vip: RawVip) => string | undefined,
  ) =>
    vips?.forEach((vip, index) => {
      if (vip?.address === undefined) return;
      const device = deviceOf(vip);
      const identity = identityOf(raw, vip.address, device);
      if (identity === undefined) return;
      const { text } = vip.address;
      const path = [...list, index];
      const other = taken.get(identity);
      if (other === undefined) return void taken.set(identity, { owner, path });
      if (other.owner === owner) return;
      const line = lineOf(check, other.path);
      const where = identity === text ? "" : " on the same link";
      const what = `is ${text}, which \`${other.owner}\` (line ${line}) has${where} already`;
      check.report({ path: [...path, "address"], what, instead: "give it to one of the two" });
    });
  take("static", ["static", "addresses"], raw.static?.addresses, ({ dev }) => dev);
  for (const [name, instance] of instances) {
    const device = (vip: RawVip) => deviceOf(instance, vip);
    take(name, ["vrrp", name, "addresses"], instance.addresses, device);
    take(name, ["vrrp", name, "extra"], instance.extra, device);
  }
}

/** Checks instances against each other. */
export function checkAcross(check: Check, raw: RawConfig): void {
  const instances = Object.entries(raw.vrrp ?? {}).flatMap(([name, instance]) =>
    instance === undefined ? [] : [[name, instance] as const]
  );
  checkVrids(check, instances);
  checkSharedAddresses(check, raw, instances);
}
