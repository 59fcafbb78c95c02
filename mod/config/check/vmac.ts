/**
 * Judges virtual MAC addresses.
 *
 * @module
 */
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import { familiesOf, vmacName } from "./address.ts";
import { isWritten, lineOf } from "./context.ts";
import type { Check } from "./context.ts";

/** The names of an instance's virtual MAC interfaces, and the key that gives each. */
function namesOf(instance: RawInstance): readonly (readonly [key: "name" | "name6", name: string])[] {
  const families = familiesOf(instance);
  return families.flatMap((family) => {
    const name = vmacName(instance, family);
    const key = family === "ipv6" && families.length === 2 ? "name6" : "name";
    return name === null ? [] : [[key, name] as const];
  });
}

/** The names of all virtual MAC interfaces. */
export function vmacNames(raw: RawConfig): readonly string[] {
  return Object.values(raw.vrrp ?? {}).flatMap((instance) =>
    instance === undefined ? [] : namesOf(instance).map(([, name]) => name)
  );
}

/** Where to point at a name: at its key where it is written, else at `vmac`. */
function pathOf(check: Check, path: Path, key: string): Path {
  const full = [...path, "vmac", key];
  return isWritten(check, full) ? full : [...path, "vmac"];
}

function checkDevices(check: Check, path: Path, instance: RawInstance): void {
  instance.addresses?.forEach((vip, index) => {
    if (vip?.dev === undefined || vip.dev === instance.interface) return;
    if (namesOf(instance).some(([, name]) => name === vip.dev)) return;
    const what = `is \`${vip.dev}\`, but the virtual MAC is one on ${instance.interface ?? "the interface"}`;
    const instead = "remove it, or give the address to an instance without vmac";
    check.report({ path: [...path, "addresses", index, "dev"], what, instead });
  });
}

/** Checks the virtual MAC address of one instance. */
function checkVmac(check: Check, path: Path, instance: RawInstance, raw: RawConfig): void {
  const { vmac, peers } = instance;
  if (vmac === undefined) return;
  const both = familiesOf(instance).length === 2;
  if (vmac.name6 !== undefined && !both && instance.addresses !== undefined) {
    const what = "is for instances with addresses of both IP versions";
    check.report({ path: [...path, "vmac", "name6"], what, instead: "write `name`", at: "key" });
  }
  if (vmac.advertise === "vmac" && peers !== undefined) {
    const what = "is `vmac`, but advertisements to `peers` come from the interface's own MAC address";
    check.report({ path: [...path, "vmac", "advertise"], what, instead: "write base, or remove it" });
  }
  checkDevices(check, path, instance);
  const below = raw.tunnels?.[instance.interface ?? ""]?.type;
  if (below === "gre" || below === "ip6gre") {
    const what =
      `needs MAC addresses, but ${instance.interface} is a tunnel of type ${below}, which has none`;
    check.report({
      path: [...path, "vmac"],
      what,
      instead: `write type: ${below}tap, or remove vmac`,
      at: "key",
    });
  }
}

/** Checks all virtual MAC addresses, and that each has an interface of its own. (Its number is of the VRID.) */
export function checkVmacs(check: Check, raw: RawConfig): void {
  const instances = Object.entries(raw.vrrp ?? {}).flatMap(([name, instance]) =>
    instance === undefined ? [] : [[name, instance] as const]
  );
  const bases = new Map(instances.map(([name, instance]) => [instance.interface, name]));
  const names = new Map<string, string>();
  for (const [owner, instance] of instances) {
    const path = ["vrrp", owner];
    checkVmac(check, path, instance, raw);
    if (instance.vmac === undefined) continue;
    for (const [key, name] of namesOf(instance)) {
      const report = (what: string, instead: string) =>
        check.report({ path: pathOf(check, path, key), what, instead, at: "key" });
      const base = bases.get(name);
      const other = names.get(name);
      if (base !== undefined) {
        const line = lineOf(check, ["vrrp", base, "interface"]);
        report(
          `needs the interface name ${name}, on which \`${base}\` (line ${line}) runs`,
          "give it another name",
        );
      } else if (Object.hasOwn(raw.tunnels ?? {}, name)) {
        const line = lineOf(check, ["tunnels", name]);
        report(
          `needs the interface name ${name}, which is that of a tunnel (line ${line})`,
          "give it another name",
        );
      } else if (other !== undefined) {
        const line = lineOf(check, other === owner ? [...path, "vmac"] : ["vrrp", other, "vmac"]);
        const instead = `name it: vmac: { ${key}: ${name}b }`;
        report(`needs the interface name ${name}, which \`${other}\` (line ${line}) has already`, instead);
      } else names.set(name, owner);
    }
  }
}
