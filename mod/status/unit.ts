/**
 * Virtual routers as the operator named them. An instance with addresses of both families is two routers in the engine,
 * which move together; here they are one again.
 *
 * @module
 */
import type { InstanceCounters, InstanceReport, InstanceState } from "../bus/messages.ts";

/** One instance of the operator's: a router, or one of each family, IPv4 first. */
export interface Unit {
  readonly name: string;
  readonly legs: readonly [InstanceReport, ...InstanceReport[]];
}

/** The operator's names of those routers that have another one in the engine. */
export type UnitNames = ReadonlyMap<string, string>;

/** What there is in the routers' names that the operator did not write. */
export function unitNames(routers: readonly { readonly name: string; readonly unit: string }[]): UnitNames {
  return new Map(routers.filter(({ name, unit }) => name !== unit).map(({ name, unit }) => [name, unit]));
}

/** The instances of these routers, in the order in which they come first. */
export function unitsOf(reports: readonly InstanceReport[]): Unit[] {
  const units = new Map<string, [InstanceReport, ...InstanceReport[]]>();
  for (const report of reports) {
    const legs = units.get(report.unit);
    if (legs === undefined) units.set(report.unit, [report]);
    else if (report.family === "ipv4") legs.unshift(report);
    else legs.push(report);
  }
  return [...units].map(([name, legs]) => ({ name, legs }));
}

/** The worst first: what moves together is no better than the worst of it. */
const STATES: readonly InstanceState[] = ["fault", "init", "backup", "master"];

/** The state of several that move together. `states` must not be empty. */
export function stateTogether(states: readonly InstanceState[]): InstanceState {
  return STATES.find((state) => states.includes(state))!;
}

/** Several that move together, as one. */
export interface Together {
  readonly state: InstanceState;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** The first that is in this state. */
  readonly lead: InstanceReport;
}

/**
 * What several routers are together, and since when: in fault since the first of them was, in any other state since the
 * last of them reached it. `reports` must not be empty.
 */
export function together(reports: readonly InstanceReport[]): Together {
  const state = stateTogether(reports.map((report) => report.state));
  const those = reports.filter((report) => report.state === state);
  const times = those.map(({ sinceMs }) => sinceMs);
  const sinceMs = state === "fault" ? Math.min(...times) : Math.max(...times);
  return { state, sinceMs, lead: those[0]! };
}

/** The counters of both legs, added up. */
export function addCounters(a: InstanceCounters, b: InstanceCounters): InstanceCounters {
  const sum = Object.fromEntries(
    Object.entries(a).map(([key, value]) => {
      const other = b[key as keyof InstanceCounters];
      return [key, typeof value === "number" ? value + (other as number) : value];
    }),
  ) as unknown as InstanceCounters;
  const dropped = Object.fromEntries(
    Object.entries(a.dropped).map(([reason, count]) => [reason, count + b.dropped[reason as never]]),
  ) as unknown as InstanceCounters["dropped"];
  return { ...sum, dropped };
}

/** `web`, `web:ipv6` */
const NAME = String.raw`[\w.@-]+(?::\w+)?`;
/** `group site: web is backup (why)` */
const FOLLOWED = new RegExp(String.raw`^(group [\w.@-]+: )(${NAME})( is \w+) \((.*)\)$`, "s");
/** `group site: web: why` */
const SHARED = new RegExp(String.raw`^(group [\w.@-]+: )(${NAME}): (.*)$`, "s");
const ALIAS = /[\w.@-]+:\w+/g;

/**
 * What the engine says of routers, in the operator's names, and nothing twice for having been said of each family.
 *
 * @param own The instance that it is said of: what one of its legs tells of the other is its own affair.
 */
export function inUnits(text: string, names: UnitNames, own: string | null = null): string {
  const unitOf = (name: string) => names.get(name) ?? name;
  const followed = FOLLOWED.exec(text);
  if (followed !== null) {
    const [, group, name, is, why] = followed;
    const unit = unitOf(name!);
    const inner = inUnits(why!, names, unit);
    return unit === own ? inner : `${group}${unit}${is} (${inner})`;
  }
  const parts = text.split("; ").map((part) => {
    const shared = SHARED.exec(part);
    if (shared === null) return part.replace(ALIAS, unitOf);
    const [, group, name, why] = shared;
    const unit = unitOf(name!);
    const inner = inUnits(why!, names, unit);
    return unit === own ? inner : `${group}${unit}: ${inner}`;
  });
  return [...new Set(parts)].join("; ");
}

/** As {@link inUnits}, for a list of which each item is one thing. */
export function allInUnits(texts: readonly string[], names: UnitNames, own: string): string[] {
  return [...new Set(texts.map((text) => inUnits(text, names, own)))];
}
