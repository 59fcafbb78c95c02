/**
 * The links that instances depend on, each as it counts for those that give it the same time.
 *
 * @module
 */
import { look, type WatchedLink } from "../link/debounce.ts";
import type { LinkTable } from "../link/model.ts";
import { linkFault, linkNamed } from "../link/step.ts";
import type { DebounceConfig } from "../vrrp/config.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** What the watched links need of the routers around them. */
export interface WatchedLinksHost {
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** A change has lasted for long enough to count. */
  readonly changed: (now: MonotonicNs) => void;
}

export class WatchedLinks {
  readonly #host: WatchedLinksHost;
  readonly #timer: Timer;
  /** By interface and delays. */
  #known: ReadonlyMap<string, WatchedLink> = new Map();
  #looked = new Map<string, WatchedLink>();

  constructor(host: WatchedLinksHost) {
    this.#host = host;
    this.#timer = new Timer((now) => host.changed(now));
  }

  /** What counts of a link now. `debounce` = how long its changes have to last; undefined = they count at once. */
  look(
    name: string,
    debounce: DebounceConfig | undefined,
    links: LinkTable,
    now: MonotonicNs,
  ): WatchedLink {
    const fault = linkFault(links, name);
    if (debounce === undefined) return { fault, seen: fault, due: Infinity };
    const key = `${name} ${debounce.downMs} ${debounce.upMs}`;
    const before = this.#looked.get(key) ?? this.#known.get(key) ?? null;
    const watched = look(before, { name, fault, exists: linkNamed(links, name) !== null }, debounce, now);
    this.#looked.set(key, watched);
    return watched;
  }

  /** Every instance has looked: forgets what none of them asked for, and sees to it that what is to come is noticed. */
  settle(): void {
    if (this.#known.size === 0 && this.#looked.size === 0) return;
    this.#known = this.#looked;
    this.#looked = new Map();
    let due = Infinity;
    for (const watched of this.#known.values()) due = Math.min(due, watched.due);
    this.#host.schedule(this.#timer, due);
  }
}
