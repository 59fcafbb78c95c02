/**
 * What a tunnel's keeper asks the far end with.
 *
 * @module
 */
import { EAGAIN, errnoText } from "../../../lib/libc/mod.ts";
import type { KeepaliveMethod } from "../model.ts";

/** One way to ask the far end whether it is there: a socket of its own. */
export interface Prober {
  readonly method: KeepaliveMethod;
  /** Becomes readable when answers wait. */
  readonly fd: number;
  /** Sends question `sequence` (16 bits). Null, or why it did not leave, in words. Never throws. */
  send(sequence: number): string | null;
  /**
   * Reads everything that waits. `onAnswer` gets the number of the question that was answered; null where answers
   * carry none. Never throws.
   */
  receive(onAnswer: (sequence: number | null) => void): void;
  close(): void;
}

/** What an interface must be known by to be asked through. */
export interface ProbedLink {
  readonly index: number;
  /** Six bytes on a tap. */
  readonly mac: Uint8Array;
}

/** How many datagrams are read in one go: a flood must not hold up everything else. */
const MAX_DATAGRAMS = 256;

/** Calls `read` until it says that nothing is left (a negated errno), at most so often. */
export function drain(read: () => number): void {
  for (let count = 0; count < MAX_DATAGRAMS; count++) {
    if (read() < 0) return;
  }
}

/** Words for the result of a send. */
export function sendFailure(result: number): string | null {
  if (result >= 0) return null;
  return result === -EAGAIN ? "the send buffer is full" : errnoText(-result);
}
