/**
 * Judges what instances and groups track, and that nothing depends on itself by that.
 *
 * @module
 */
import type { Family } from "../../vrrp/config.ts";
import { familyOfRoute } from "../build_route.ts";
import type { Path } from "../document.ts";
import { nearest } from "../names.ts";
import { pathText } from "../read.ts";
import type { RawConfig } from "../schema.ts";
import type { RawGroup } from "../schema/group.ts";
import { ROUTE_DEFAULTS } from "../schema/route.ts";
import type { RawInstance, RawTrack } from "../schema/vrrp.ts";
import { familiesOf } from "./address.ts";
import { isWritten, writtenKeys } from "./context.ts";
import type { Check } from "./context.ts";

/** What can be tracked. */
const KINDS = ["probe", "interface", "tunnel", "instance", "route"] as const;

/** Keys that belong to one kind. */
const DETAILS = [["state", "instance", "an instance"], ["family", "route", "a route"]] as const;

/** The IP version of a tracked route: as written, else that of whoever tracks it. */
export function trackedFamily(track: Pick<RawTrack, "family">, families: readonly Family[]): Family {
  return track.family ?? (families.length === 1 ? families[0]! : "ipv4");
}

/** The IP versions of a group's virtual addresses. */
export function familiesOfGroup(raw: RawConfig, { members }: Pick<RawGroup, "members">): readonly Family[] {
  const instances = (members ?? []).flatMap((name) => name === undefined ? [] : raw.vrrp?.[name] ?? []);
  return [...new Set(instances.flatMap(familiesOf))];
}

/** What the default route of an IP version is called in `route:NAME`. */
export function routeName(family: Family): string {
  return family === "ipv4" ? "default" : "default:ipv6";
}

/** Tells when a name stands for nothing in its section, and returns whether it stands for something. */
function isKnown(check: Check, path: Path, name: string, kind: "probe" | "tunnel" | "instance"): boolean {
  const section = kind === "instance" ? "vrrp" : `${kind}s`;
  // Under a misspelt `probes` are probes all the same.
  if (check.meant.has(section)) return false;
  const known = writtenKeys(check, [section]);
  if (known.includes(name)) return true;
  const guess = nearest(name, known);
  const instead = guess !== null
    ? `did you mean \`${guess}\`?`
    : known.length > 0 && known.length <= 12
    ? `the ${kind}s are ${known.join(", ")}`
    : `write it under \`${section}:\``;
  const what = `names \`${name}\`, but there is no such ${kind}`;
  check.report({ path: [...path, kind], what, instead, doubtful: true });
  return false;
}

function checkTarget(check: Check, path: Path, track: RawTrack, raw: RawConfig): void {
  const { probe, tunnel, instance } = track;
  if (tunnel !== undefined) isKnown(check, path, tunnel, "tunnel");
  if (instance !== undefined) isKnown(check, path, instance, "instance");
  if (probe === undefined || !isKnown(check, path, probe, "probe")) return;
  const target = raw.probes?.[probe];
  const weightless = (track.weight ?? 0) === 0 &&
    (track.weight === 0 || !isWritten(check, [...path, "weight"]));
  if (target?.type === "file" && target.expect === "integer" && weightless) {
    const what = `names \`${probe}\`, which gives a number, but there is no weight to multiply it by`;
    check.report({ path: [...path, "probe"], what, instead: "add weight: 1" });
  }
}

/** Tells of what has a meaning for other kinds only. */
function checkDetails(check: Check, path: Path): void {
  for (const [key, kind, thing] of DETAILS) {
    if (!isWritten(check, [...path, key]) || isWritten(check, [...path, kind])) continue;
    if (check.meant.has(pathText([...path, kind]))) continue;
    const what = `has a meaning for ${thing} only`;
    check.report({ path: [...path, key], what, instead: `remove it, or track ${thing}`, at: "key" });
  }
}

/** Warns when what is tracked is what the instance itself brings as master. */
function checkOwnRoute(
  check: Check,
  path: Path,
  track: RawTrack,
  { routes }: Pick<RawInstance, "routes">,
  families: readonly Family[],
): void {
  const own = routes?.some((route) =>
    route?.to?.kind === "all" && familyOfRoute(route) === trackedFamily(track, families) &&
    (route.table ?? ROUTE_DEFAULTS.table) === ROUTE_DEFAULTS.table
  );
  if (own !== true) return;
  const what = "is what the instance itself brings as master: without, it would wait for itself";
  check.report({ path: [...path, "route"], what, instead: "remove one of the two", severity: "warning" });
}

/**
 * Checks what an instance, or a group, tracks.
 *
 * @param families Of the virtual addresses of whoever tracks.
 */
export function checkTrack(
  check: Check,
  path: Path,
  instance: Pick<RawInstance, "track" | "interface" | "routes">,
  families: readonly Family[],
  raw: RawConfig,
): void {
  const seen = new Set<string>();
  instance.track?.forEach((track, i) => {
    if (track === undefined) return;
    const at = [...path, "track", i];
    const kinds = KINDS.filter((kind) => isWritten(check, [...at, kind]));
    const guessed = KINDS.some((kind) => check.meant.has(`${path.join(".")}.track[${i}].${kind}`));
    if (kinds.length === 0 && !guessed) {
      check.report({
        path: at,
        what: "names nothing to track",
        instead: "write probe: NAME, interface: NAME, tunnel: NAME, instance: NAME or route: default",
        doubtful: true,
      });
    } else if (kinds.length > 1) {
      const what = `stands beside \`${kinds[0]}\``;
      check.report({ path: [...at, kinds[1]!], what, instead: "one entry tracks one thing", at: "key" });
    }
    checkTarget(check, at, track, raw);
    checkDetails(check, at);
    if (track.route !== undefined) checkOwnRoute(check, at, track, instance, families);
    for (const kind of KINDS) {
      const name = kind === "route" && track.route !== undefined
        ? routeName(trackedFamily(track, families))
        : track[kind];
      if (name === undefined) continue;
      if (seen.has(`${kind}:${name}`)) {
        check.report({
          path: [...at, kind],
          what: kind === "route"
            ? "names a default route that is tracked already"
            : `names \`${name}\`, which is tracked already`,
          instead: "remove one",
        });
      }
      seen.add(`${kind}:${name}`);
      if (kind === "interface" && name === instance.interface && (track.weight ?? 0) === 0) {
        const what = `names \`${name}\`, the instance's own interface, which is watched anyway`;
        check.report({ path: [...at, kind], what, instead: "remove it", severity: "warning" });
      }
      const watched = kind === "tunnel" && raw.tunnels?.[name]?.keepalive !== undefined;
      if (watched && name === instance.interface && (track.weight ?? 0) === 0) {
        const what =
          `names \`${name}\`, the instance's own interface: when the other router dies, nobody answers ` +
          "there, and this one would go to FAULT instead of taking over";
        check.report({
          path: [...at, kind],
          what,
          instead: "add a weight, or remove it",
          severity: "warning",
        });
      }
    }
  });
}

// --- Circles ------------------------------------------------------------------------------------------------------

interface Dependence {
  /** Who depends, and on whom: a group where there is one, whose members share one state. */
  readonly from: string;
  readonly to: string;
  readonly path: Path;
  /** The instance that is named. */
  readonly target: string;
}

function dependences(raw: RawConfig): readonly Dependence[] {
  const groups = Object.entries(raw.groups ?? {});
  const nodes = new Map(
    groups.flatMap(([name, group]) =>
      (group?.members ?? []).map((member) => [member, `group ${name}`] as const)
    ),
  );
  const nodeOf = (unit: string) => nodes.get(unit) ?? `instance ${unit}`;
  const found: Dependence[] = [];
  const add = (from: string, path: Path, tracks: RawInstance["track"]) =>
    tracks?.forEach((track, index) => {
      const target = track?.instance;
      if (target === undefined || raw.vrrp?.[target] === undefined) return;
      found.push({ from, to: nodeOf(target), path: [...path, "track", index, "instance"], target });
    });
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    add(nodeOf(name), ["vrrp", name], instance?.track);
  }
  for (const [name, group] of groups) add(`group ${name}`, ["groups", name], group?.track);
  return found;
}

/** Tells each entry that closes a circle: no instance may depend on itself, by whatever way. */
export function checkCircles(check: Check, raw: RawConfig): void {
  const edges = dependences(raw);
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]): void => {
    if (done.has(node)) return;
    for (const { to, path, target } of edges.filter(({ from }) => from === node)) {
      const at = [...way, node].indexOf(to);
      if (at < 0) {
        visit(to, [...way, node]);
        continue;
      }
      const between = [...way, node].slice(at + 1);
      const what = between.length === 0 && to === `instance ${target}`
        ? `names \`${target}\`, the instance itself`
        : between.length === 0
        ? `names \`${target}\`, which shares one state with it in ${to}`
        : `names \`${target}\`, which depends on it: ${[to, ...between, to].join(" → ")}`;
      check.report({ path, what, instead: "remove it" });
    }
    done.add(node);
  };
  for (const { from } of edges) visit(from, []);
}
