/**
 * Judges what is said of network interfaces, and delays that do more than they should.
 *
 * @module
 */
import type { RawConfig } from "../schema.ts";
import { readInterfaceName } from "../schema/base.ts";
import { VRRP_DEFAULTS } from "../schema/vrrp.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import { formatDuration } from "../units.ts";
import { writtenKeys } from "./context.ts";
import type { Check } from "./context.ts";

/** Why a text cannot be the name of an interface, or null. */
function nameProblem(name: string): readonly [what: string, instead: string | null] | null {
  const refuse = (what: string, instead: string | null): never => {
    throw Object.assign(new Error(what), { instead });
  };
  try {
    readInterfaceName(name, refuse);
    return null;
  } catch (error) {
    const { message, instead } = error as Error & { readonly instead: string | null };
    return [message, instead];
  }
}

/** Every interface whose state an instance or a group depends on. */
function interfacesInUse(raw: RawConfig): ReadonlySet<string> {
  const instances = Object.values(raw.vrrp ?? {}).filter((instance) => instance !== undefined);
  const groups = Object.values(raw.groups ?? {}).filter((group) => group !== undefined);
  const tracks = [...instances, ...groups].flatMap(({ track }) => track ?? []);
  const names = [
    ...instances.map((instance) => instance.interface),
    ...tracks.map((track) => track?.interface),
  ];
  return new Set(names.filter((name) => name !== undefined));
}

/** The others do not wait for a link that may come back. */
function checkDelay(check: Check, raw: RawConfig, name: string, instance: RawInstance): void {
  const device = instance.interface;
  if (device === undefined) return;
  const { debounce } = instance;
  const down = (debounce ?? raw.links?.[device]?.debounce)?.down ?? 0;
  const { advert_interval = VRRP_DEFAULTS.advertIntervalMs, down_adverts = VRRP_DEFAULTS.downAdverts } =
    instance;
  const patience = down_adverts * advert_interval;
  if (down === 0 || down < patience) return;
  check.report({
    path: [...(debounce === undefined ? ["links", device] : ["vrrp", name]), "debounce", "down"],
    what: `is ${formatDuration(down)}, but the others take \`${name}\` over within ${
      formatDuration(patience)
    } of silence: it would be master beside them until then`,
    instead: `write less than ${formatDuration(patience)}`,
    severity: "warning",
  });
}

/** Checks `links`, and the delays of every instance. */
export function checkLinks(check: Check, raw: RawConfig): void {
  const used = interfacesInUse(raw);
  for (const name of writtenKeys(check, ["links"])) {
    const problem = nameProblem(name);
    if (problem !== null) {
      const [what, instead] = problem;
      check.report({ path: ["links", name], what, instead, at: "key" });
    } else if (!used.has(name)) {
      check.report({
        path: ["links", name],
        what: "has no effect: no instance runs on it or tracks it",
        instead: "remove it",
        at: "key",
        severity: "warning",
      });
    }
  }
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    if (instance !== undefined) checkDelay(check, raw, name, instance);
  }
}
