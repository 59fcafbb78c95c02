/**
 * What the kernel refused and what is tried again until it succeeds: told when it is refused, and not once more at each
 * attempt.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** How long to wait between two attempts, in nanoseconds. */
const RETRY_PAUSE = 5e9;

/** What is needed to try again, and to tell. */
export interface UndoneHost {
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** Something was refused, in words. */
  readonly stuck: (error: string) => void;
}

/** Acts that are still to be done. Each has to find out by itself whether it is still wanted. */
export class Undone {
  readonly #host: UndoneHost;
  readonly #timer = new Timer(() => this.retry());
  /** By what it is about. */
  readonly #acts = new Map<string, () => void>();

  constructor(host: UndoneHost) {
    this.#host = host;
  }

  /** Does something that may throw an Error: then it is tried again, or what is attempted about the same after it. */
  attempt(about: string, act: () => void): void {
    try {
      act();
      this.#acts.delete(about);
    } catch (error) {
      if (!this.#acts.has(about)) this.#host.stuck((error as Error).message);
      this.#acts.set(about, act);
    }
    this.#schedule();
  }

  /** Tries everything again now. */
  retry(): void {
    for (const [about, act] of [...this.#acts]) this.attempt(about, act);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#acts.size === 0) this.#host.schedule(this.#timer, Infinity);
    else if (this.#timer.due === Infinity) this.#host.schedule(this.#timer, monotonicNs() + RETRY_PAUSE);
  }
}
