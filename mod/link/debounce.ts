/**
 * Letting a change of a link count only when it has lasted: keepalived's `interface_up_down_delays`. Pure.
 *
 * @module
 */
import type { DebounceConfig } from "../vrrp/config.ts";

/** Nanoseconds of the monotonic clock. */
type MonotonicNs = number;

const NS_PER_MS = 1e6;

/** A link that is watched with delays. */
export interface WatchedLink {
  /** Why it counts as unusable, in words; null = it counts as usable. */
  readonly fault: string | null;
  /** The same as it was last seen. */
  readonly seen: string | null;
  /** When what is seen counts, should it last; Infinity = it does already. */
  readonly due: MonotonicNs;
}

/** What is seen of a link. */
export interface Sight {
  readonly name: string;
  /** Why it cannot be used, in words; null = it can. */
  readonly fault: string | null;
  /** Whether there is such an interface: one that is deleted is no link that flaps. */
  readonly exists: boolean;
}

/**
 * Takes a look at a link, at any time and as often as one likes. What is seen first counts at once, and so does the end
 * of the interface itself.
 *
 * @param before What is known of it; null = it was never looked at.
 */
export function look(
  before: WatchedLink | null,
  { name, fault, exists }: Sight,
  { downMs, upMs }: DebounceConfig,
  now: MonotonicNs,
): WatchedLink {
  const counts = before === null || !exists || (fault === null) === (before.fault === null);
  if (counts) return { fault, seen: fault, due: Infinity };
  const delayMs = fault === null ? upMs : downMs;
  const due = before.due === Infinity ? now + delayMs * NS_PER_MS : before.due;
  if (now >= due) return { fault, seen: fault, due: Infinity };
  const shown = fault === null ? `interface ${name} has been back for less than ${upMs / 1000} s` : null;
  return { fault: shown, seen: fault, due };
}

/** Whether the link is down and does not count as down yet. */
export function isFalling({ fault, seen }: WatchedLink): boolean {
  return fault === null && seen !== null;
}
