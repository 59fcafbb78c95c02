/**
 * How long two routers are master at once, and what excuses it: a packet between them that was lost or late, a pause,
 * a change of priority. Without an excuse since, two masters must find each other within one advertisement interval;
 * a take-over among routers that hear each other must be settled within the time of an answer.
 *
 * @module
 */
import type { Ns } from "../../mod/vrrp/timers.ts";

/** The longest that a packet travels in a healthy network. */
export const HEALTHY_DELAY: Ns = 500_000;
/** An advertisement that goes, an answer that may wait for the rate limit, and an answer that comes. */
export const SETTLING: Ns = 5_000_000 + 2 * HEALTHY_DELAY + 1000;

/** After so long a master announces once more, when others that announced have had the time to let go. */
export const ANNOUNCING: Ns = 30_000_000;

/**
 * What numbers of authentication headers cost that crossed on the way: the better of two masters answers once more for
 * each other router that made it speak at the same moment as the worse one.
 */
export const CROSSING: Ns = 4 * 5_000_000;

interface Pair {
  /** When both became master; null while one or none is. */
  began: Ns | null;
  /** Since when there is no excuse. */
  since: Ns;
  /** Nothing excuses even the beginning. */
  clean: boolean;
  lastExcuse: Ns;
}

export class Duality {
  readonly #pairs: Pair[][];
  /** The longest time that two were master, excuses or not. */
  longest: Ns = 0;
  /** The longest without an excuse. */
  longestUnexcused: Ns = 0;
  count = 0;
  /** When two became master at once, the last time. */
  lastBegan: Ns = -Infinity;

  readonly #settling: Ns;

  /** @param authenticated Advertisements are numbered and refused when their number is not new. */
  constructor(size: number, authenticated: boolean) {
    this.#settling = SETTLING + (authenticated ? CROSSING : 0);
    const pair = () => ({ began: null, since: 0, clean: false, lastExcuse: -Infinity });
    this.#pairs = Array.from({ length: size }, () => Array.from({ length: size }, pair));
  }

  #pair(a: number, b: number): Pair {
    return this.#pairs[Math.min(a, b)]![Math.max(a, b)]!;
  }

  /** A packet between the two was lost. */
  excuse(a: number, b: number, now: Ns): void {
    const pair = this.#pair(a, b);
    pair.lastExcuse = Math.max(pair.lastExcuse, now);
    if (pair.since < pair.lastExcuse) [pair.since, pair.clean] = [pair.lastExcuse, false];
  }

  /** A packet between the two takes this long. */
  delayed(a: number, b: number, now: Ns, delay: Ns): void {
    if (delay > HEALTHY_DELAY) this.excuse(a, b, now + delay);
  }

  /** Something befell one router that changes what it hears or who is better. */
  excuseAll(id: number, now: Ns): void {
    for (let other = 0; other < this.#pairs.length; other++) if (other !== id) this.excuse(id, other, now);
  }

  /** Throws when two were master for longer than can be explained. */
  observe(a: number, b: number, both: boolean, interval: Ns, now: Ns): void {
    const pair = this.#pair(a, b);
    if (both && pair.began === null) {
      pair.began = now;
      pair.since = Math.max(now, pair.lastExcuse);
      pair.clean = pair.lastExcuse < now;
      this.count++;
      this.lastBegan = now;
    }
    if (pair.began === null) return;
    const unexcused = Math.max(0, now - pair.since);
    const allowed = pair.clean ? this.#settling : interval + this.#settling;
    if (unexcused > allowed) {
      throw new Error(
        `Routers ${a} and ${b} are master at once for ${
          unexcused / 1e6
        } ms without an excuse (${pair.clean})`,
      );
    }
    this.longest = Math.max(this.longest, now - pair.began);
    this.longestUnexcused = Math.max(this.longestUnexcused, unexcused);
    if (!both) pair.began = null;
  }
}
