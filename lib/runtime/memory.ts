/**
 * The garbage collector, where a program that is never idle in its eyes has to say when.
 *
 * @module
 */

/** Collects garbage now, and returns when that is done. */
export function collectGarbage(): void {
  Bun.gc(true);
}
