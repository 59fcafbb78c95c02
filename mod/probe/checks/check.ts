/**
 * What every kind of check is to its runner, and the time limit they share.
 *
 * @module
 */
import type { ProbeResult } from "../model.ts";

/** A check that can be run again and again, one run at a time. */
export interface Check {
  /** One run. Never rejects for what it finds; ends within the time-out. An aborted run ends at once. */
  run(signal: AbortSignal): Promise<ProbeResult>;
  /** True while something of an earlier run is still being cleared away: no new run may start. */
  busy?(): boolean;
  /** Lets go of what is kept between runs. */
  close?(): void;
}

/** The result before its duration is known. */
export type Outcome =
  | { readonly ok: true; readonly value?: number }
  | { readonly ok: false; readonly error: string };

/** Ends a run; calls after the first do nothing. */
export type Settle = (outcome: Outcome) => void;

/** Ends a run with a failure. */
export function failure(error: string): Outcome {
  return { ok: false, error };
}

/**
 * How much later than due the time-out's timer must fire for the delay to be blamed on this process (it was stopped,
 * or the machine slept) rather than on what is checked. Milliseconds.
 */
const PAUSED_MS = 100;

/**
 * Runs something that calls back, with a time limit. `start` begins and returns how to give up; that function is called
 * exactly once, after the outcome, whatever it was. `missing` says what did not come in time: `no answer from …`.
 */
export function runWithin(
  timeoutMs: number,
  signal: AbortSignal,
  missing: () => string,
  start: (settle: Settle) => () => void,
): Promise<ProbeResult> {
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const startMs = performance.now();
  let cancel: (() => void) | null = null;
  let settled = false;
  let extended = false;
  let timer = setTimeout(expire, timeoutMs);
  const stop = () => settle(failure("stopped"));

  function settle(outcome: Outcome): void {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    cancel?.();
    resolve({ ...outcome, latencyMs: performance.now() - startMs });
  }

  function expire(): void {
    // Timers come before I/O: after a pause of this process the answer may be waiting unread. It gets a second limit.
    if (!extended && performance.now() - startMs > timeoutMs + PAUSED_MS) {
      extended = true;
      timer = setTimeout(expire, timeoutMs);
      return;
    }
    settle(failure(`timed out after ${timeoutMs}ms: ${missing()}`));
  }

  signal.addEventListener("abort", stop);
  if (signal.aborted) {
    stop();
    return promise;
  }
  try {
    cancel = start(settle);
  } catch (thrown) {
    settle(failure(thrown instanceof Error ? thrown.message : String(thrown)));
  }
  if (settled) cancel?.();
  return promise;
}
