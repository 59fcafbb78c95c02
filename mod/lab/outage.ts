/**
 * What a client saw: answers, and the times without one. Pure.
 *
 * @module
 */

/** The end of one request. Times in milliseconds since 1970. */
export type Outcome =
  | { readonly ok: true; readonly atMs: number; readonly rttMs: number; readonly who: string }
  | { readonly ok: false; readonly atMs: number; readonly why: string };

export type Answer = Extract<Outcome, { ok: true }>;

/** An outcome as one line of the client's output. */
export function encodeOutcome(outcome: Outcome): string {
  const at = outcome.atMs.toFixed(3);
  return outcome.ok ? `A ${at} ${outcome.rttMs.toFixed(3)} ${outcome.who}` : `F ${at} ${outcome.why}`;
}

/** Reads a line of the client's output; null when it is none. */
export function decodeOutcome(line: string): Outcome | null {
  const answer = /^A ([\d.]+) ([\d.]+) (\S+)$/.exec(line);
  if (answer !== null) {
    return { ok: true, atMs: Number(answer[1]), rttMs: Number(answer[2]), who: answer[3]! };
  }
  const failure = /^F ([\d.]+) (.+)$/.exec(line);
  return failure && { ok: false, atMs: Number(failure[1]), why: failure[2]! };
}

/** What happened to the client in a span of time. */
export interface Span {
  /** Longest time from one answer to the next that reaches into the span, in milliseconds. */
  readonly outageMs: number;
  readonly answered: number;
  readonly unanswered: number;
  /** Who answered, each once, in order of the first answer. */
  readonly servedBy: readonly string[];
}

/**
 * Sums up the outcomes from `fromMs` to `toMs`. A time without an answer counts whole, also the part of it before the
 * span, and also when no answer has come until its end.
 *
 * @param outcomes In the order in which they came.
 */
export function summarize(outcomes: readonly Outcome[], fromMs: number, toMs: number): Span {
  let before: number | null = null;
  let outageMs = 0;
  let answered = 0;
  let unanswered = 0;
  const servedBy: string[] = [];
  for (const outcome of outcomes) {
    if (outcome.atMs > toMs) continue;
    const inside = outcome.atMs >= fromMs;
    if (!outcome.ok) {
      if (inside) unanswered++;
      continue;
    }
    if (inside) {
      answered++;
      if (!servedBy.includes(outcome.who)) servedBy.push(outcome.who);
      outageMs = Math.max(outageMs, outcome.atMs - (before ?? fromMs));
    }
    before = outcome.atMs;
  }
  return { outageMs: Math.max(outageMs, toMs - (before ?? fromMs)), answered, unanswered, servedBy };
}
