/**
 * A segment of network on paper: packets that are lost, late, repeated, out of order, or cut off.
 *
 * @module
 */
import type { Ns } from "../../mod/vrrp/timers.ts";
import type { Random } from "./random.ts";

/** How the network treats a packet. */
export interface Weather {
  /** Probability of loss. */
  readonly loss: number;
  /** Probability that a packet comes twice. */
  readonly repeat: number;
  readonly minDelay: Ns;
  readonly maxDelay: Ns;
  /** Packets from one to another keep their order, as switches keep it. */
  readonly orderly: boolean;
}

/** When copies of one packet arrive at each other router; an empty list = lost. */
export class Network {
  weather: Weather;
  /** `open[from][to]`: partitions need not be symmetric. */
  readonly open: boolean[][];
  #epoch = 0;
  /** When the last orderly packet of a path arrives. */
  readonly #arrivals = new Map<number, Ns>();
  readonly #random: Random;

  constructor(size: number, weather: Weather, random: Random) {
    this.weather = weather;
    this.#random = random;
    this.open = Array.from({ length: size }, () => new Array<boolean>(size).fill(true));
  }

  /** Packets of an earlier epoch never arrive. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Loses all that is on its way. */
  sweep(): void {
    this.#epoch++;
    this.#arrivals.clear();
  }

  /** Opens every path. */
  heal(): void {
    for (const row of this.open) row.fill(true);
  }

  /** Delays after which copies of a packet that leaves now arrive. */
  carry(from: number, to: number, now: Ns): Ns[] {
    const { loss, repeat, orderly } = this.weather;
    if (!this.open[from]![to] || this.#random.chance(loss)) return [];
    if (this.#random.chance(repeat)) return [this.#delay(), this.#delay()];
    const delay = this.#delay();
    if (!orderly) return [delay];
    const path = from * this.open.length + to;
    const arrival = Math.max(now + delay, (this.#arrivals.get(path) ?? 0) + 1);
    this.#arrivals.set(path, arrival);
    return [arrival - now];
  }

  #delay(): Ns {
    const { minDelay, maxDelay } = this.weather;
    return Math.round(minDelay + this.#random.next() * (maxDelay - minDelay));
  }
}
