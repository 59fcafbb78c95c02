/**
 * Routes and rules on this machine: which ones are ours now, and whether the kernel has them.
 *
 * @module
 */
import type { RouteSpec, RuleSpec } from "../../lib/netlink/mod.ts";

/** Nanoseconds of the monotonic clock. */
export type MonotonicNs = number;

interface Common {
  /** What the kernel tells it from others by: no two owned items share it. */
  readonly key: string;
  /** As iproute2 would say it, with everything that was configured. */
  readonly text: string;
}

/** A route as it is to be in the kernel. */
export interface RouteItem extends Common {
  readonly kind: "route";
  readonly spec: RouteSpec;
  /** Interfaces that it leaves by; empty = whichever the gateway is on. */
  readonly ifindexes: readonly number[];
}

/** A rule as it is to be in the kernel. */
export interface RuleItem extends Common {
  readonly kind: "rule";
  readonly spec: RuleSpec;
}

export type Item = RouteItem | RuleItem;

/** An item that an instance owns. */
export interface Entry {
  readonly instance: string;
  readonly item: Item;
  /** The kernel had it at some time since it is owned. */
  readonly placed: boolean;
  /** What the kernel has of it is not whole: it is removed before it is put. */
  readonly stale: boolean;
  /** Times at which it was put back of late, to notice a fight with another program. */
  readonly repairs: readonly MonotonicNs[];
  /** When it is to be put; Infinity = it is there for all that is known. */
  readonly putDue: MonotonicNs;
  /** Why the kernel refused it last; null = it did not. */
  readonly error: string | null;
}

export interface RouteState {
  /** By key, in the order in which they are put. */
  readonly owned: ReadonlyMap<string, Entry>;
}

/** What became of an item that was to be put. */
export type Outcome =
  | { readonly type: "added" }
  | { readonly type: "existing" }
  | { readonly type: "refused"; readonly error: string };

export type RouteEffect =
  /** Take these away, the last first, then put those, the first first. */
  | { readonly type: "change"; readonly remove: readonly Item[]; readonly put: readonly Item[] }
  /** It was gone though it is ours, and was put back. */
  | { readonly type: "repaired"; readonly instance: string; readonly item: Item; readonly fight: boolean }
  /** The kernel does not take it, or not for the reason that it gave before. */
  | { readonly type: "refused"; readonly instance: string; readonly item: Item; readonly error: string }
  /** It was refused before, and is in place now. */
  | { readonly type: "settled"; readonly instance: string; readonly item: Item };

export interface RouteStep {
  readonly state: RouteState;
  readonly effects: readonly RouteEffect[];
}

/** What the kernel told, as far as it concerns routes and rules. */
export interface Surroundings {
  /** Ours that are gone, and ours that came, by key. */
  readonly gone: readonly string[];
  readonly come: readonly string[];
  /** Somebody put another in the place of these, by key. */
  readonly replaced: readonly string[];
  /** Interfaces that changed: IPv4 routes vanish with them without a word. */
  readonly touched: ReadonlySet<number>;
  /** Addresses that are gone, in text form: a route that prefers one as its source goes, or forgets it, silently. */
  readonly lostSources: ReadonlySet<string>;
  /** Interfaces or addresses changed, so that what was refused may be taken now. */
  readonly hopeful: boolean;
  /** Some events were missed: everything is looked at again. */
  readonly lost: boolean;
}
