/**
 * Who was master when, by what passed the wire.
 *
 * @module
 */
import type { SeenAdvert } from "../lab.ts";

/** A time for which one router spoke as master, without a pause or a goodbye. */
interface Reign {
  readonly from: string;
  readonly startMs: number;
  endMs: number;
}

function reigns(adverts: readonly SeenAdvert[], intervalMs: number): Reign[] {
  const all: Reign[] = [];
  const current = new Map<string, Reign>();
  for (const { from, atMs, priority } of adverts) {
    const before = current.get(from);
    if (priority === 0) current.delete(from);
    else if (before !== undefined && atMs - before.endMs < 3 * intervalMs) before.endMs = atMs;
    else {
      const reign = { from, startMs: atMs, endMs: atMs };
      current.set(from, reign);
      all.push(reign);
    }
  }
  return all;
}

/** The longest time for which two routers spoke as masters of the same virtual router, in milliseconds. */
export function longestOverlap(adverts: readonly SeenAdvert[], intervalMs: number): number {
  const all = reigns(adverts, intervalMs);
  let longest = 0;
  for (const one of all) {
    for (const other of all) {
      if (one.from >= other.from) continue;
      const overlap = Math.min(one.endMs, other.endMs) - Math.max(one.startMs, other.startMs);
      longest = Math.max(longest, overlap);
    }
  }
  return longest;
}
