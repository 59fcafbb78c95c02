/**
 * Counters of instances, and what of them has still to be told.
 *
 * @module
 */
import { type DropReason, type InstanceCounters, noDrops } from "../bus/messages.ts";

type Numeric = Exclude<keyof InstanceCounters, "dropped">;

const NAMES: readonly Numeric[] = [
  "sent",
  "received",
  "priorityZeroSent",
  "priorityZeroReceived",
  "sendErrors",
  "announced",
  "repaired",
  "addressMismatch",
  "intervalMismatch",
];

/** The counters of one instance; they only grow. */
export class Counters {
  sent = 0;
  received = 0;
  priorityZeroSent = 0;
  priorityZeroReceived = 0;
  sendErrors = 0;
  announced = 0;
  repaired = 0;
  addressMismatch = 0;
  intervalMismatch = 0;
  readonly dropped = noDrops();
  #droppedChanged = true;
  readonly #told = new Map<Numeric, number>();

  /** Counts a dropped packet. */
  drop(reason: DropReason): void {
    this.dropped[reason]++;
    this.#droppedChanged = true;
  }

  /** The counters that changed since the last call, or null when none did. */
  changes(): Partial<InstanceCounters> | null {
    const changed: { -readonly [K in keyof InstanceCounters]?: InstanceCounters[K] } = {};
    let any = false;
    for (const name of NAMES) {
      if (this.#told.get(name) === this[name]) continue;
      this.#told.set(name, this[name]);
      changed[name] = this[name];
      any = true;
    }
    if (this.#droppedChanged) {
      this.#droppedChanged = false;
      changed.dropped = { ...this.dropped };
      any = true;
    }
    return any ? changed : null;
  }

  /** Makes the next {@link changes} tell everything, for a reader that knows nothing. */
  retell(): void {
    this.#told.clear();
    this.#droppedChanged = true;
  }
}

/** How late deadlines are served: a histogram with cumulative buckets. */
export class Lateness {
  static readonly BOUNDS_MS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1000];
  readonly counts: number[] = new Array(Lateness.BOUNDS_MS.length + 1).fill(0);
  sumMs = 0;

  /** Counts one deadline that was served `lateNs` after it was due. */
  observe(lateNs: number): void {
    const ms = Math.max(lateNs, 0) / 1e6;
    this.sumMs += ms;
    let bucket = 0;
    while (bucket < Lateness.BOUNDS_MS.length && ms > Lateness.BOUNDS_MS[bucket]!) bucket++;
    this.counts[bucket]!++;
  }

  /** Counts of deadlines served within each bound, the last one without bound. */
  cumulative(): number[] {
    let total = 0;
    return this.counts.map((count) => total += count);
  }
}
