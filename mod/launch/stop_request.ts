/**
 * A request to stop that comes while the program is still being started.
 *
 * @module
 */
import { resetSignals, SIGINT, SIGTERM } from "../../lib/libc/mod.ts";

const NAMES = ["SIGTERM", "SIGINT"] as const;

/** Takes the signals that ask to stop, from now on. */
export class StopRequest {
  #asked = false;

  constructor() {
    for (const name of NAMES) process.on(name, () => this.#asked = true);
  }

  /** Whether it was asked to stop until now; from now on the signals do what they do by themselves. */
  async end(): Promise<boolean> {
    // Not by removing the listeners: what has come and was not told yet would be lost.
    resetSignals([SIGTERM, SIGINT]);
    await new Promise((resolve) => setImmediate(resolve));
    return this.#asked;
  }
}
