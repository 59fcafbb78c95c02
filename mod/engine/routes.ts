/**
 * Keeps the kernel's routes and rules as the pure route step wants them.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import type { NetlinkConnection, NetlinkListener, RouteEvent } from "../../lib/netlink/mod.ts";
import { formatAddress } from "../../lib/packet/mod.ts";
import type { Item, RouteEffect, RouteStep, Surroundings } from "../route/model.ts";
import { changeItems, drainRoutes, listenRoutes, prepareItems, removeLeftovers } from "../route/shell.ts";
import {
  drop,
  errorsOf,
  forget,
  nextDue,
  NO_ROUTES,
  observe,
  own,
  rename,
  settle,
  timer,
} from "../route/step.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** What the keeper tells its owner. */
export interface RouteListener {
  /** The kernel refused an item of this instance. */
  readonly refused: (instance: string, item: Item, error: string) => void;
  /** An item that was refused before is in place now. */
  readonly settled: (instance: string, item: Item) => void;
  /** An item that was gone was put back. */
  readonly repaired: (instance: string, item: Item, fight: boolean) => void;
  /** An item could not be removed. */
  readonly stuck: (error: string) => void;
  /** The keeper's deadline changed. */
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** Something is to be read when this descriptor is readable. */
  readonly watch: (fd: number, read: () => void) => void;
}

const NOTHING: Surroundings = {
  gone: [],
  come: [],
  replaced: [],
  touched: new Set(),
  lostSources: new Set(),
  hopeful: false,
  lost: false,
};

export class RouteKeeper {
  readonly #netlink: NetlinkConnection;
  readonly #listener: RouteListener;
  readonly #timer = new Timer((now) => this.#apply(timer(this.#state, now), now));
  #events: NetlinkListener | null = null;
  #state = NO_ROUTES;

  constructor(netlink: NetlinkConnection, listener: RouteListener) {
    this.#netlink = netlink;
    this.#listener = listener;
  }

  /** Gets ready for items that will be owned some day, so that a fail-over only has to send. */
  prepare(items: readonly Item[]): void {
    if (items.length === 0) return;
    prepareItems(items);
    if (this.#events !== null) return;
    this.#events = listenRoutes();
    this.#listener.watch(this.#events.fd, () => this.#readEvents());
  }

  /** Makes an instance have exactly these items. */
  own(instance: string, items: readonly Item[], now: MonotonicNs): void {
    this.#apply(own(this.#state, instance, items), now);
  }

  /** Takes all items of an instance away. */
  drop(instance: string, now: MonotonicNs): void {
    this.#apply(drop(this.#state, instance), now);
  }

  /** Leaves the items of an instance in the kernel and forgets them. */
  forget(instance: string): void {
    this.#state = forget(this.#state, instance);
    this.#schedule();
  }

  /** The instance `from` is called `to` from now on. */
  rename(from: string, to: string): void {
    this.#state = rename(this.#state, from, to);
  }

  /** Why the kernel does not take what an instance should have, in words. */
  errorsOf(instance: string): readonly string[] {
    return errorsOf(this.#state, instance);
  }

  /**
   * Takes in what happened to interfaces and addresses, with which routes come and go silently.
   *
   * @param changed Whether it made a difference: what was refused may be taken now.
   */
  observeLinks(events: readonly RouteEvent[], lost: boolean, changed: boolean, now: MonotonicNs): void {
    if (this.#state.owned.size === 0) return;
    const touched = new Set<number>();
    const lostSources = new Set<string>();
    for (const event of events) {
      if (event.type === "link-new" || event.type === "link-gone") touched.add(event.link.index);
      else if (event.type === "address-gone") {
        touched.add(event.address.ifindex);
        lostSources.add(formatAddress(event.address.local));
      }
    }
    this.#observe({ ...NOTHING, touched, lostSources, hopeful: changed, lost }, now);
  }

  #readEvents(): void {
    if (this.#events !== null) this.#observe({ ...NOTHING, ...drainRoutes(this.#events) }, monotonicNs());
  }

  #observe(seen: Surroundings, now: MonotonicNs): void {
    this.#state = observe(this.#state, seen, now);
    this.#schedule();
  }

  /** Removes such of these items as an earlier run left behind; returns what was removed. */
  removeLeftovers(items: readonly Item[]): string[] {
    return removeLeftovers(this.#netlink, items.filter(({ key }) => !this.#state.owned.has(key)));
  }

  close(): void {
    this.#events?.close();
    this.#events = null;
  }

  #apply({ state, effects }: RouteStep, now: MonotonicNs): void {
    this.#state = state;
    for (const effect of effects) this.#perform(effect, now);
    this.#schedule();
  }

  #schedule(): void {
    this.#listener.schedule(this.#timer, nextDue(this.#state));
  }

  #perform(effect: RouteEffect, now: MonotonicNs): void {
    switch (effect.type) {
      case "change": {
        const { outcomes, stuck } = changeItems(this.#netlink, effect.remove, effect.put);
        for (const { message } of stuck) this.#listener.stuck(message);
        return this.#apply(settle(this.#state, outcomes, now), now);
      }
      case "repaired":
        return this.#listener.repaired(effect.instance, effect.item, effect.fight);
      case "refused":
        return this.#listener.refused(effect.instance, effect.item, effect.error);
      case "settled":
        return this.#listener.settled(effect.instance, effect.item);
    }
  }
}
