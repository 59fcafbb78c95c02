/**
 * What control says of the things that instances track, and how long it holds once the control process that said it is
 * gone.
 *
 * @module
 */
import type { Tracked } from "./conditions.ts";
import type { MonotonicNs } from "./deadlines.ts";

/** How long the last values are held when control is gone, in nanoseconds. */
const GRACE = 30e9;

const UNKNOWN: Tracked = { value: "unknown", error: null };

export class TrackedValues {
  readonly #known = new Map<string, Tracked>();
  /** Those whose teller is gone, and since when. */
  readonly #doubted = new Map<string, MonotonicNs>();

  /** What is known of a source, as `TrackConfig` names it. */
  get(source: string): Tracked {
    return this.#known.get(source) ?? UNKNOWN;
  }

  /** Control says this of a source now. */
  tell(source: string, tracked: Tracked): void {
    this.#known.set(source, tracked);
    this.#doubted.delete(source);
  }

  /** Control is gone: what it does not tell again in time is to be forgotten. */
  doubt(now: MonotonicNs): void {
    for (const source of this.#known.keys()) if (!this.#doubted.has(source)) this.#doubted.set(source, now);
  }

  /** When something is to be forgotten; Infinity = nothing is. */
  nextDue(): MonotonicNs {
    let due = Infinity;
    for (const since of this.#doubted.values()) due = Math.min(due, since + GRACE);
    return due;
  }

  /** Forgets what is too old; returns the sources. */
  forgetOld(now: MonotonicNs): string[] {
    const old = [...this.#doubted].filter(([, since]) => now >= since + GRACE).map(([source]) => source);
    for (const source of old) {
      this.#known.delete(source);
      this.#doubted.delete(source);
    }
    return old;
  }
}
