/**
 * Keeps the macvlans that bear virtual MAC addresses: made at start and at a reload, put back when somebody removes
 * them, silent until their router is master.
 *
 * @module
 */
import {
  deleteLink,
  deleteLinks,
  getLink,
  type Link,
  type NetlinkConnection,
  setLink,
} from "../../lib/netlink/mod.ts";
import { equalBytes } from "../../lib/packet/mod.ts";
import type { LinkTable } from "../link/model.ts";
import { applyRouteEvents, linkNamed } from "../link/step.ts";
import type { Vmac } from "../vmac/model.ts";
import {
  adoptVmac,
  isKeeperAlive,
  isWireless,
  makeVmac,
  readIpv4,
  restVmac,
  wakeVmac,
} from "../vmac/shell.ts";
import { arpObstacle, baseFault, judge, sameVmac } from "../vmac/step.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";
import { Undone } from "./undone.ts";
import { VmacBases } from "./vmac_bases.ts";

/** A macvlan that is removed more often than this within {@link FIGHT_WINDOW} is fought over. */
const FIGHT_COUNT = 10;
const FIGHT_WINDOW = 10e9;
/** How long to wait before making one that is fought over, or that the kernel refused. */
const RETRY_PAUSE = 5e9;

/** What the keeper needs of the engine, and tells it. */
export interface VmacHost {
  readonly netlink: NetlinkConnection;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** It is time for another {@link VmacKeeper.sync}. */
  readonly retry: (now: MonotonicNs) => void;
  /** A macvlan, by its name, is there anew or up again. */
  readonly repaired: (name: string, text: string) => void;
  /** Something was left undone. */
  readonly stuck: (error: string) => void;
}

interface Entry {
  vmac: Vmac;
  ifindex: number | null;
  /** Why it is not there, in words. */
  error: string | null;
  /** Whether it accepts packets, because its router is master; null = not known of one that was adopted. */
  awake: boolean | null;
  /** It was there once. */
  known: boolean;
  repairs: readonly MonotonicNs[];
  /** Nothing is tried before, unless the base is another or in another state than this one. */
  pausedUntil: MonotonicNs;
  pausedOn: Link | null;
}

/** All macvlans of this node. */
export class VmacKeeper {
  readonly #host: VmacHost;
  readonly #undone: Undone;
  readonly #bases: VmacBases;
  readonly #timer = new Timer((now) => this.#host.retry(now));
  readonly #entries = new Map<string, Entry>();

  constructor(host: VmacHost) {
    this.#host = host;
    this.#undone = new Undone(host);
    this.#bases = new VmacBases(host.netlink, this.#undone);
  }

  /**
   * Makes, adopts, repairs and removes macvlans until they are the wanted ones.
   *
   * @returns The interfaces as they are afterwards.
   */
  sync(wanted: readonly Vmac[], links: LinkTable, now: MonotonicNs): LinkTable {
    if (wanted.length === 0 && this.#entries.size === 0) return links;
    const byName = new Map(wanted.map((vmac) => [vmac.name, vmac]));
    let table = this.#removeUnwanted(byName, links);
    let retryAt = Infinity;
    for (const vmac of byName.values()) {
      let entry = this.#entries.get(vmac.name);
      if (entry === undefined) this.#entries.set(vmac.name, entry = newEntry(vmac));
      table = this.#settle(entry, table, now);
      if (entry.vmac.ipv4 !== vmac.ipv4 || entry.vmac.ipv6 !== vmac.ipv6) this.#carry(entry, vmac, table);
      if (entry.error === null) continue;
      retryAt = Math.min(retryAt, entry.pausedUntil > now ? entry.pausedUntil : now + RETRY_PAUSE);
    }
    this.#host.schedule(this.#timer, retryAt);
    return table;
  }

  /** Why a macvlan is not there, in words; null when it is, or when its base is not. */
  errorOf(name: string): string | null {
    return this.#entries.get(name)?.error ?? null;
  }

  /** Index of a macvlan; null while it is not there. */
  indexOf(name: string): number | null {
    return this.#entries.get(name)?.ifindex ?? null;
  }

  /** Whether a macvlan accepts packets now, or may do so. */
  isAwake(name: string): boolean {
    const entry = this.#entries.get(name);
    return entry !== undefined && entry.ifindex !== null && entry.awake !== false;
  }

  /** Lets a macvlan accept packets: its router is master. */
  wake(vmac: Vmac): void {
    this.#turn(vmac, true);
  }

  /** Lets a macvlan discard everything: its router is master no more. */
  rest(vmac: Vmac): void {
    this.#turn(vmac, false);
  }

  /** Removes all macvlans. */
  removeAll(links: LinkTable): void {
    this.#removeUnwanted(new Map(), links);
    // The last chance for what was refused before.
    this.#undone.retry();
    this.#host.schedule(this.#timer, Infinity);
  }

  #turn(vmac: Vmac, awake: boolean): void {
    const entry = this.#entries.get(vmac.name);
    if (entry === undefined || entry.ifindex === null || !sameVmac(entry.vmac, vmac)) return;
    if (entry.awake === awake) return;
    entry.awake = awake;
    this.#undone.attempt(`whether ${vmac.name} is awake`, () => this.#settleTurn(entry));
  }

  /** Throws Error. */
  #settleTurn(entry: Entry): void {
    if (!this.#isKept(entry) || entry.awake === null) return;
    if (entry.awake) wakeVmac(entry.vmac);
    else restVmac(entry.vmac);
  }

  /** Whether a macvlan is there, wanted, and ours. */
  #isKept(entry: Entry): boolean {
    return this.#entries.get(entry.vmac.name) === entry && entry.ifindex !== null;
  }

  #removeUnwanted(wanted: ReadonlyMap<string, Vmac>, links: LinkTable): LinkTable {
    const doomed: Link[] = [];
    for (const [name, { vmac, ifindex }] of this.#entries) {
      const next = wanted.get(name);
      if (next !== undefined && sameVmac(next, vmac)) continue;
      this.#entries.delete(name);
      this.#bases.release(name);
      const link = ifindex === null ? undefined : links.links.get(ifindex);
      if (link !== undefined) doomed.push(link);
    }
    return this.#delete(doomed, links);
  }

  #delete(doomed: readonly Link[], links: LinkTable): LinkTable {
    if (doomed.length === 0) return links;
    for (const link of this.#deleteTogether(doomed)) {
      this.#undone.attempt(`whether ${link.name} is there`, () => this.#deleteAlone(link));
    }
    return applyRouteEvents(links, doomed.map((link) => ({ type: "link-gone", link })));
  }

  /** Removes macvlans in the time that the kernel needs for one; returns those that are still there. */
  #deleteTogether(doomed: readonly Link[]): readonly Link[] {
    try {
      const left = deleteLinks(this.#host.netlink, doomed.map(({ index }) => index));
      return doomed.filter(({ index }) => left.includes(index));
    } catch {
      // Which of them the kernel did not want to remove, and why, is found out with each alone.
      return doomed;
    }
  }

  /** Throws Error. */
  #deleteAlone(doomed: Link): void {
    const link = getLink(this.#host.netlink, doomed.index);
    // It may have gone by itself, another have got its number, or a router want it again since.
    if (link === null || link.kind !== doomed.kind || !equalBytes(link.mac, doomed.mac)) return;
    if ([...this.#entries.values()].some(({ ifindex }) => ifindex === link.index)) return;
    deleteLink(this.#host.netlink, link.index, link.name, { missing: "ok" });
  }

  #settle(entry: Entry, links: LinkTable, now: MonotonicNs): LinkTable {
    const { vmac } = entry;
    const base = linkNamed(links, vmac.base);
    if (base === null) {
      // The macvlan went with it, unless it was only renamed. That it is missing is told by the instance itself.
      const left = links.links.get(entry.ifindex ?? -1);
      entry.ifindex = null;
      entry.error = null;
      entry.awake = false;
      this.#bases.release(vmac.name);
      return this.#delete(left === undefined ? [] : [left], links);
    }
    const first = judge(vmac, base, links, entry.ifindex, isKeeperAlive);
    if (first.type === "fits") {
      entry.error = null;
      return links;
    }
    // Nothing can be made on it; that it is down, or about to go, is told by the instance itself.
    if (!base.up && first.type === "make") {
      entry.ifindex = null;
      entry.awake = false;
      return links;
    }
    if (now < entry.pausedUntil && (entry.pausedOn === null || entry.pausedOn === base)) {
      entry.error ??= `${vmac.name} is not there`;
      return links;
    }
    try {
      const fresh = this.#fresh(entry, links);
      return this.#mend(entry, base, fresh, now);
    } catch (error) {
      this.#fail(entry, (error as Error).message, now + RETRY_PAUSE, base);
      return links;
    }
  }

  /** The table with the macvlan as it is at this moment: what is known of it may be older than our own last change. */
  #fresh({ vmac, ifindex }: Entry, links: LinkTable): LinkTable {
    const link = getLink(this.#host.netlink, vmac.name);
    if (link !== null) return applyRouteEvents(links, [{ type: "link-new", link }]);
    const gone = linkNamed(links, vmac.name) ?? (ifindex === null ? undefined : links.links.get(ifindex));
    return gone === undefined || gone === null || getLink(this.#host.netlink, gone.index) !== null
      ? links
      : applyRouteEvents(links, [{ type: "link-gone", link: gone }]);
  }

  /** Throws Error. */
  #mend(entry: Entry, base: Link, links: LinkTable, now: MonotonicNs): LinkTable {
    const { vmac } = entry;
    const { name } = vmac;
    const verdict = judge(vmac, base, links, entry.ifindex, isKeeperAlive);
    switch (verdict.type) {
      case "fits":
        entry.error = null;
        return links;
      case "refuse":
        this.#fail(entry, verdict.fault, now, base);
        return links;
      case "adopt": {
        adoptVmac(this.#host.netlink, verdict.link, this.#bases.use(vmac, base, verdict.mark.before));
        entry.ifindex = verdict.link.index;
        // Until it is known whether its router is master, it stays as it was.
        entry.awake = null;
        entry.known = true;
        return this.#mend(entry, base, links, now);
      }
      case "set-up": {
        if (this.#isFought(entry, now)) return links;
        setLink(this.#host.netlink, verdict.link.index, { up: true }, name);
        const table = applyRouteEvents(links, [{ type: "link-new", link: { ...verdict.link, up: true } }]);
        entry.error = null;
        this.#host.repaired(name, `${name} was set down by someone else and is up again`);
        return table;
      }
      case "make": {
        entry.ifindex = null;
        entry.awake = false;
        if (entry.known && this.#isFought(entry, now)) return this.#delete(verdict.remove, links);
        const removed = this.#delete(verdict.remove, links);
        const obstacle = obstacleOf(vmac, base);
        if (obstacle !== null) {
          this.#fail(entry, obstacle, now + RETRY_PAUSE, base);
          return removed;
        }
        return applyRouteEvents(removed, [{
          type: "link-new",
          link: this.#make(entry, base, verdict.remove),
        }]);
      }
    }
  }

  /** @param removed What had to go for it. Throws Error. */
  #make(entry: Entry, base: Link, removed: readonly Link[]): Link {
    const { vmac, known } = entry;
    let made: Link;
    try {
      made = makeVmac(this.#host.netlink, vmac, base, this.#bases.use(vmac, base, {}));
    } catch (error) {
      this.#bases.release(vmac.name);
      throw error;
    }
    entry.ifindex = made.index;
    entry.error = null;
    entry.known = true;
    const how = removed.some(({ name }) => name === vmac.name) ? "was changed by someone else" : "was gone";
    if (known) this.#host.repaired(vmac.name, `${vmac.name} ${how} and made anew on ${vmac.base}`);
    return made;
  }

  /** Notes a repair; one that comes too often is put off, and the router waits in FAULT. */
  #isFought(entry: Entry, now: MonotonicNs): boolean {
    entry.repairs = [...entry.repairs.filter((at) => now - at < FIGHT_WINDOW), now];
    if (entry.repairs.length <= FIGHT_COUNT) return false;
    entry.repairs = [];
    this.#fail(
      entry,
      `${entry.vmac.name} keeps being removed or set down by someone else`,
      now + RETRY_PAUSE,
      null,
    );
    return true;
  }

  #fail(entry: Entry, error: string, pausedUntil: MonotonicNs, pausedOn: Link | null): void {
    entry.error = error;
    entry.pausedOn = pausedOn;
    entry.pausedUntil = pausedUntil;
  }

  /** Prepares a macvlan for addresses of another IP version. */
  #carry(entry: Entry, vmac: Vmac, links: LinkTable): void {
    entry.vmac = vmac;
    const { ifindex } = entry;
    const base = linkNamed(links, vmac.base);
    if (ifindex === null || base === null) return;
    this.#undone.attempt(`what ${vmac.name} carries`, () => {
      // One that was made anew since is ready for them.
      if (!this.#isKept(entry) || entry.ifindex !== ifindex) return;
      this.#bases.use(entry.vmac, base, {});
      if (entry.awake === true) wakeVmac(entry.vmac);
    });
  }
}

function newEntry(vmac: Vmac): Entry {
  return {
    vmac,
    ifindex: null,
    error: null,
    awake: false,
    known: false,
    repairs: [],
    pausedUntil: 0,
    pausedOn: null,
  };
}

/** What stands in the way of a macvlan, in words; null = nothing. */
function obstacleOf({ name, ipv4 }: Vmac, base: Link): string | null {
  if (isWireless(base.name)) {
    return `interface ${base.name} is wireless: access points take no frames from a virtual MAC`;
  }
  return baseFault(base) ?? (ipv4 ? arpObstacle(name, readIpv4) : null);
}
