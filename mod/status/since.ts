/**
 * Where a reader of the history begins.
 *
 * @module
 */

/** After an event, or at a time. */
export type Since =
  | { readonly type: "id"; readonly id: number }
  | { readonly type: "time"; readonly ms: number };

/** Reads the number of an event, or a time like `2026-11-20T03:00:00Z`; null for anything else. */
export function readSince(text: string): Since | null {
  if (/^\d{1,15}$/.test(text)) return { type: "id", id: Number(text) };
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? null : { type: "time", ms };
}
