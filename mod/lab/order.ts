/**
 * Putting what several sources tell into the order in which it happened.
 *
 * @module
 */

/** Longer than an event takes from a node to us, shorter than anybody notices. */
const HOLD_MS = 60;

/** Takes entries as they come, and hands them on in order of their times, a moment later. */
export interface Ordered<Entry> {
  readonly add: (entry: Entry) => void;
  /** Hands on everything now. */
  readonly flush: () => void;
}

/** Holds each entry back for a moment, so that one that happened before it may still overtake it. */
export function orderedByTime<Entry extends { readonly atMs: number }>(
  emit: (entry: Entry) => void,
  holdMs: number = HOLD_MS,
): Ordered<Entry> {
  let held: Entry[] = [];
  const release = (count: number) => {
    const out = held.slice(0, count);
    held = held.slice(count);
    out.forEach(emit);
  };
  return {
    add(entry) {
      const at = held.findLastIndex(({ atMs }) => atMs <= entry.atMs) + 1;
      held = held.toSpliced(at, 0, entry);
      // What happened before it has had its time, too.
      setTimeout(() => release(held.indexOf(entry) + 1), holdMs);
    },
    flush: () => release(held.length),
  };
}
