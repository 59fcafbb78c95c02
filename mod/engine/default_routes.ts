/**
 * Keeps an eye on this machine's default routes, as far as an instance tracks them.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import type { NetlinkListener, RouteEvent } from "../../lib/netlink/mod.ts";
import {
  drainDefaultRoutes,
  interfacesOf,
  listenDefaultRoutes,
  readDefaultRoutes,
} from "../route/default_route.ts";
import type { Family } from "../vrrp/config.ts";
import type { Tracked } from "./conditions.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** What this needs of the routers around it. */
export interface DefaultRoutesHost {
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly watch: (fd: number, read: () => void) => void;
  /** A default route came or went. */
  readonly changed: (now: MonotonicNs) => void;
  readonly failed: (error: string) => void;
}

/** IPv4 routes go a moment after the kernel told of what takes them away: when to look again, in nanoseconds. */
const LOOK_AGAIN: readonly number[] = [10e6, 100e6, 1e9];
/** Until routes that could not be read are read again. */
const RETRY = 1e9;

const UP: Tracked = { value: "up", error: null };
const DOWN: Tracked = { value: "down", error: "there is no default route" };
const UNKNOWN: Tracked = { value: "unknown", error: null };

export class DefaultRoutes {
  readonly #host: DefaultRoutesHost;
  readonly #timer = new Timer((now) => this.#lookAgain(now));
  readonly #retryTimer = new Timer((now) => this.#retry(now));
  #listener: NetlinkListener | null = null;
  /** Interfaces that the default routes leave by; null where they could not be read. */
  readonly #interfaces = new Map<Family, readonly number[] | null>();
  readonly #present = new Map<Family, boolean>();
  /** Since when, and how often, IPv4's have been looked at after something happened to their interfaces. */
  #looks: { readonly since: MonotonicNs; readonly count: number } | null = null;

  constructor(host: DefaultRoutesHost) {
    this.#host = host;
  }

  /** Whether there is a default route of this family; looked up when it is asked for the first time. */
  tracked(family: Family): Tracked {
    if (!this.#interfaces.has(family)) this.#read(family);
    const present = this.#present.get(family);
    return present === undefined ? UNKNOWN : present ? UP : DOWN;
  }

  /**
   * Takes in what happened to interfaces and addresses: IPv4 routes go with them without a word.
   *
   * @returns Whether that made a difference.
   */
  observeLinks(events: readonly RouteEvent[], lost: boolean, now: MonotonicNs): boolean {
    const interfaces = this.#interfaces.get("ipv4") ?? [];
    if (interfaces.length === 0) return false;
    const touched = lost ||
      events.some((event) =>
        event.type === "address-gone"
          ? interfaces.includes(event.address.ifindex)
          : (event.type === "link-new" || event.type === "link-gone") && interfaces.includes(event.link.index)
      );
    if (!touched) return false;
    this.#looks = { since: now, count: 0 };
    this.#host.schedule(this.#timer, now + LOOK_AGAIN[0]!);
    return this.#read("ipv4");
  }

  close(): void {
    this.#listener?.close();
    this.#listener = null;
  }

  #listen(): void {
    if (this.#listener !== null) return;
    const listener = listenDefaultRoutes();
    this.#listener = listener;
    this.#host.watch(listener.fd, () => this.#readAll(drainDefaultRoutes(listener), monotonicNs()));
  }

  #readAll(families: Iterable<Family>, now: MonotonicNs): void {
    let changed = false;
    for (const family of families) {
      if (this.#interfaces.has(family)) changed = this.#read(family) || changed;
    }
    if (changed) this.#host.changed(now);
  }

  #retry(now: MonotonicNs): void {
    this.#readAll([...this.#interfaces].flatMap(([family, known]) => known === null ? [family] : []), now);
  }

  #lookAgain(now: MonotonicNs): void {
    if (this.#looks === null) return;
    const { since } = this.#looks;
    const count = this.#looks.count + 1;
    this.#looks = count < LOOK_AGAIN.length ? { since, count } : null;
    if (this.#looks !== null) this.#host.schedule(this.#timer, since + LOOK_AGAIN[count]!);
    if (this.#read("ipv4")) this.#host.changed(now);
  }

  /** Reads the default routes of a family; returns whether that made a difference. */
  #read(family: Family): boolean {
    const before = this.#present.get(family);
    try {
      this.#listen();
      const routes = readDefaultRoutes(family);
      this.#interfaces.set(family, routes.flatMap(interfacesOf));
      this.#present.set(family, routes.length > 0);
    } catch (error) {
      // What was known holds until it can be read again.
      this.#interfaces.set(family, null);
      this.#host.schedule(this.#retryTimer, monotonicNs() + RETRY);
      this.#host.failed((error as Error).message);
    }
    return this.#present.get(family) !== before;
  }
}
