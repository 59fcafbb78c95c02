/**
 * A deadline of the engine and what is to happen then.
 *
 * @module
 */
import { type Deadline, DeadlineQueue, type MonotonicNs, type Ns } from "./deadlines.ts";

export class Timer implements Deadline {
  due: MonotonicNs = Infinity;
  position = -1;
  /** It may be served so much before it is due when the engine is awake then: many wake-ups become one. */
  slack: Ns = 0;
  readonly run: (now: MonotonicNs) => void;
  /** Served before all others: after a pause a master has to notice that it was away before it does anything else. */
  readonly first: boolean;

  /** @param run Called with a time not before the deadline; it was taken out of the queue before. */
  constructor(run: (now: MonotonicNs) => void, first: boolean = false) {
    this.run = run;
    this.first = first;
  }
}

/** All deadlines of the engine. */
export class Deadlines {
  readonly #first = new DeadlineQueue<Timer>();
  readonly #rest = new DeadlineQueue<Timer>();

  /** Sets a timer's deadline; Infinity disarms it. */
  set(timer: Timer, due: MonotonicNs): void {
    (timer.first ? this.#first : this.#rest).set(timer, due);
  }

  /** The timer to serve now: of those whose time has come, or nearly so, the most urgent; null when none has. */
  next(now: MonotonicNs): Timer | null {
    const first = this.#first.first();
    if (first !== null && first.due - first.slack <= now) return first;
    const rest = this.#rest.first();
    return rest !== null && rest.due - rest.slack <= now ? rest : null;
  }

  /** When the first of all is due; Infinity when there is none. */
  nextDue(): MonotonicNs {
    return Math.min(this.#first.nextDue(), this.#rest.nextDue());
  }
}
