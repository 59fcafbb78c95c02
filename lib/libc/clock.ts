/**
 * The two clocks: monotonic for deadlines (the same origin in every process of the machine), real time for humans.
 *
 * @module
 */
import { alloc, viewOf } from "./memory.ts";
import { c } from "./symbols.ts";

/** Nanoseconds of CLOCK_MONOTONIC. A double holds them exactly for 104 days of uptime and to 2 ns for years after. */
export type MonotonicNs = number;

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;

const timespec = alloc(16);
const words = new Uint32Array(timespec.buffer);

/** Now, in nanoseconds since boot (CLOCK_MONOTONIC). */
export function monotonicNs(): MonotonicNs {
  c.clock_gettime(CLOCK_MONOTONIC, timespec);
  return (words[0]! + words[1]! * 0x1_0000_0000) * 1e9 + words[2]!;
}

/** Now, in milliseconds since 1970 (CLOCK_REALTIME), with fractions. */
export function realtimeMs(): number {
  c.clock_gettime(CLOCK_REALTIME, timespec);
  return (words[0]! + words[1]! * 0x1_0000_0000) * 1e3 + words[2]! / 1e6;
}

const itimerspec = alloc(32);
const itimerView = viewOf(itimerspec);
const TFD_TIMER_ABSTIME = 1;
const TFD_NONBLOCK_CLOEXEC = 0o2004000;

/**
 * One absolute deadline as a descriptor that becomes readable when it is due. Unlike a time-out given to epoll it is
 * absolute, has no timer slack and works on every kernel since 2.6.27.
 */
export class DeadlineTimer {
  readonly fd: number;
  #armed: MonotonicNs = Infinity;

  constructor() {
    this.fd = c.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK_CLOEXEC);
    if (this.fd < 0) throw new Error("Cannot create a timer");
  }

  /** Sets the deadline, replacing the one before; `Infinity` disarms. Costs nothing when it did not change. */
  arm(due: MonotonicNs): void {
    if (due === this.#armed) return;
    this.#armed = due;
    // A value of zero would disarm; a deadline in the past fires at once.
    const at = due === Infinity ? 0 : Math.max(due, 1);
    const seconds = Math.floor(at / 1e9);
    itimerView.setUint32(16, seconds >>> 0, true);
    itimerView.setUint32(20, Math.floor(seconds / 0x1_0000_0000), true);
    itimerView.setUint32(24, Math.floor(at - seconds * 1e9), true);
    c.timerfd_settime(this.fd, TFD_TIMER_ABSTIME, itimerspec, null);
  }

  /** To be called when the descriptor was reported readable: the next {@link arm} sets the timer even to the same time. */
  fired(): void {
    this.#armed = NaN;
  }

  close(): void {
    c.close(this.fd);
  }
}
