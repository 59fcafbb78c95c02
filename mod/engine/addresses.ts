/**
 * Keeps the kernel's addresses as the pure address step wants them.
 *
 * @module
 */
import { ENODEV, monotonicNs } from "../../lib/libc/mod.ts";
import {
  type Address,
  IFA_F_PERMANENT,
  NETLINK_ROUTE,
  NetlinkConnection,
  type RouteEvent,
} from "../../lib/netlink/mod.ts";
import { equalBytes, formatAddress, isLinkLocal } from "../../lib/packet/mod.ts";
import type { AddressEffect, AddressStep, Placement } from "../address/model.ts";
import { putAddresses, removeAddresses } from "../address/shell.ts";
import {
  drop,
  forget,
  keyOf,
  lost,
  nextDue,
  NO_ADDRESSES,
  own,
  placementKey,
  postponed,
  present,
  rename,
  sameInKernel,
  timer,
} from "../address/step.ts";
import type { LinkTable } from "../link/model.ts";
import { hangingOn, holdersOf, isMachinesOwn } from "../link/step.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** What the keeper tells its owner. */
export interface AddressListener {
  /** The kernel refused an address of this instance; it is tried again later if it is still wanted then. */
  readonly refused: (instance: string, placement: Placement, error: string) => void;
  /** The kernel took an address that it had refused before. */
  readonly settled: (instance: string, placement: Placement) => void;
  /** An address that someone else removed was put back. */
  readonly repaired: (instance: string, placement: Placement, fight: boolean) => void;
  /** An address could not be removed. */
  readonly stuck: (error: string) => void;
  /** The machine's interfaces and addresses. */
  readonly links: () => LinkTable;
  /** The keeper's deadline changed. */
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
}

export class AddressKeeper {
  /** Requests about addresses and links; synchronous, answered by the kernel at once. */
  readonly netlink = new NetlinkConnection(NETLINK_ROUTE);
  readonly #listener: AddressListener;
  readonly #timer = new Timer((now) => this.#apply(timer(this.#state, now)));
  #state = NO_ADDRESSES;
  /** Keys of those that the kernel refused last. */
  readonly #refused = new Set<string>();
  /** Keys of those that were removed here and of which the kernel has still to tell, with how often. */
  readonly #removed = new Map<string, number>();
  /** Addresses that may move from one instance to another now, and what was to be removed of them. */
  #moving: { readonly addresses: ReadonlySet<string>; readonly removals: Map<string, Placement> } | null =
    null;

  constructor(listener: AddressListener) {
    this.#listener = listener;
  }

  /** Makes an instance have exactly these addresses. */
  own(instance: string, placements: readonly Placement[], links: LinkTable, now: MonotonicNs): void {
    const permanent = this.#permanentBefore(placements, links);
    if (permanent.length > 0) this.#remove(permanent);
    this.#apply(own(this.#state, instance, placements, now));
  }

  /** Of IPv6 addresses that are to have a lease those that are there for good, by others: see {@link sameInKernel}. */
  #permanentBefore(placements: readonly Placement[], links: LinkTable): readonly Placement[] {
    return placements.flatMap((placement) => {
      const { ifindex, address, leaseNs } = placement;
      if (address.length !== 16 || leaseNs === null || this.#state.owned.has(keyOf(placement))) return [];
      return (links.addresses.get(ifindex) ?? []).filter(({ local, flags }) =>
        (flags & IFA_F_PERMANENT) !== 0 && equalBytes(local, address)
      ).map(({ prefix }) => ({ ...placement, prefix }));
    });
  }

  /** Takes all addresses of an instance away. */
  drop(instance: string): void {
    this.#apply(drop(this.#state, instance));
  }

  /** Leaves the addresses of an instance in the kernel and forgets them. */
  forget(instance: string): void {
    this.#state = forget(this.#state, instance);
    this.#schedule();
  }

  /** The instance `from` is called `to` from now on. */
  rename(from: string, to: string): void {
    this.#state = rename(this.#state, from, to);
  }

  /**
   * Lets these addresses, as text, move between instances in any order: of them those that nobody owns in the end are
   * removed then, and the others stay in the kernel throughout.
   */
  move(addresses: ReadonlySet<string>, act: () => void): void {
    const removals = new Map<string, Placement>();
    this.#moving = { addresses, removals };
    try {
      act();
    } finally {
      this.#moving = null;
      const left = [...removals].filter(([key]) => !this.#state.owned.has(key));
      if (left.length > 0) this.#remove(left.map(([, placement]) => placement));
    }
  }

  /** Notes what happened to addresses; what was taken away is put back when this wake-up's deadlines are served. */
  observe(events: readonly RouteEvent[], now: MonotonicNs): void {
    for (const event of events) {
      if (event.type !== "address-gone" && event.type !== "address-new") continue;
      const { ifindex, local, prefix } = event.address;
      const key = placementKey(ifindex, formatAddress(local), prefix);
      // Of an IPv6 address that was put at once after it the kernel tells a while later.
      if (event.type === "address-gone" && this.#wasOurDoing(key)) continue;
      if (!this.#state.owned.has(key)) continue;
      this.#state = event.type === "address-gone" ? lost(this.#state, key, now) : present(this.#state, key);
    }
    this.#schedule();
  }

  #wasOurDoing(key: string): boolean {
    const left = this.#removed.get(key);
    if (left === undefined) return false;
    if (left === 1) this.#removed.delete(key);
    else this.#removed.set(key, left - 1);
    return true;
  }

  /** Events were missed: what the machine does not have any more of ours was taken away. */
  recount(links: LinkTable, now: MonotonicNs): void {
    this.#removed.clear();
    const there = new Set<string>();
    for (const { ifindex, local, prefix } of [...links.addresses.values()].flat()) {
      there.add(placementKey(ifindex, formatAddress(local), prefix));
    }
    for (const key of this.#state.owned.keys()) {
      if (!there.has(key) && !this.#refused.has(key)) this.#state = lost(this.#state, key, now);
    }
    this.#schedule();
  }

  /**
   * Removes such of these addresses as are on the machine without being ours: a run before this one left them. (A
   * link-local one may be another's on another link.) What the instance's interface would be without any IPv4 address
   * stays: it is the machine's own, and how people reach it.
   *
   * @param base Index of the instance's interface.
   * @returns What was removed, as `10.9.0.100/24`.
   */
  removeLeftovers(placements: readonly Placement[], base: number | null, links: LinkTable): string[] {
    const isVirtual = (local: Uint8Array) => placements.some(({ address }) => equalBytes(address, local));
    // What is to be removed at the end of a move was ours until now.
    const isOurs = (key: string) => this.#state.owned.has(key) || this.#moving?.removals.has(key) === true;
    const leftovers = placements.flatMap((placement) =>
      holdersOf(links, placement.address)
        .filter(({ ifindex, local, prefix }) =>
          (ifindex === placement.ifindex || !isLinkLocal(local)) &&
          !isOurs(placementKey(ifindex, formatAddress(local), prefix)) &&
          !(ifindex === base && isMachinesOwn(links.addresses.get(ifindex) ?? [], local, isVirtual))
        )
        .map(({ ifindex, prefix }) => ({ ...placement, ifindex, prefix }))
    );
    if (leftovers.length > 0) this.#remove(leftovers);
    return leftovers.map(({ text, prefix }) => `${text}/${prefix}`);
  }

  close(): void {
    this.netlink.close();
  }

  #apply({ state, effects }: AddressStep): void {
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    this.#schedule();
  }

  #schedule(): void {
    this.#listener.schedule(this.#timer, nextDue(this.#state));
  }

  #perform(effect: AddressEffect): void {
    switch (effect.type) {
      case "put":
        return this.#put(effect.placements);
      case "remove":
        return this.#remove(this.#retain(effect.placements));
      case "repaired":
        // What the kernel refused was not put back.
        if (this.#refused.has(keyOf(effect.placement))) return;
        return this.#listener.repaired(effect.instance, effect.placement, effect.fight);
    }
  }

  /** Keeps back those that may be another instance's in a moment; returns the others. */
  #retain(placements: readonly Placement[]): readonly Placement[] {
    const moving = this.#moving;
    if (moving === null) return placements;
    return placements.filter((placement) => {
      if (!moving.addresses.has(placement.text)) return true;
      moving.removals.set(keyOf(placement), placement);
      return false;
    });
  }

  #put(placements: readonly Placement[]): void {
    const unlike = placements.flatMap((placement) => {
      const kept = this.#moving?.removals.get(keyOf(placement));
      return kept === undefined || sameInKernel(kept, placement) ? [] : [kept];
    });
    if (unlike.length > 0) this.#remove(unlike);
    const refusals = putAddresses(this.netlink, placements);
    if (this.#refused.size > 0) this.#settle(placements, new Set(refusals.map(({ placement }) => placement)));
    for (const { placement, error } of refusals) {
      const key = keyOf(placement);
      const owner = this.#state.owned.get(key)?.instance;
      if (owner === undefined) continue;
      this.#state = postponed(this.#state, key, monotonicNs());
      this.#refused.add(key);
      // That the interface is gone is about to be told, and is over when another one comes: no reason to wait for longer.
      if (error.errno !== ENODEV) this.#listener.refused(owner, placement, error.message);
    }
  }

  /** Tells of those that were refused before and are not now. */
  #settle(placements: readonly Placement[], refused: ReadonlySet<Placement>): void {
    for (const placement of placements) {
      const key = keyOf(placement);
      if (refused.has(placement) || !this.#refused.delete(key)) continue;
      const owner = this.#state.owned.get(key)?.instance;
      if (owner !== undefined) this.#listener.settled(owner, placement);
    }
  }

  #remove(placements: readonly Placement[]): void {
    if (placements.length === 0) return;
    for (const placement of placements) this.#refused.delete(keyOf(placement));
    const hanging = this.#hangingOn(placements);
    const { removed, refused } = removeAddresses(this.netlink, placements);
    for (const { error } of refused) this.#listener.stuck(error.message);
    for (const key of removed.map(keyOf)) this.#removed.set(key, (this.#removed.get(key) ?? 0) + 1);
    if (hanging.length === 0) return;
    for (const { error } of putAddresses(this.netlink, hanging)) this.#listener.stuck(error.message);
  }

  /**
   * Addresses that would go with these, to be put anew: the machine's own and other virtual ones. A virtual address is
   * the first of its subnet where an operator calls a real one virtual, or where the real ones came after it, as with an
   * interface that was made anew.
   */
  #hangingOn(placements: readonly Placement[]): Placement[] {
    const links = this.#listener.links();
    return [...Map.groupBy(placements, ({ ifindex }) => ifindex)].flatMap(([ifindex, those]) => {
      const removed = those.map(({ address, prefix }) => ({ local: address, prefix }));
      const keyIn = ({ local, prefix }: Address) => placementKey(ifindex, formatAddress(local), prefix);
      const ours = (entry: Address) => this.#state.owned.get(keyIn(entry))?.placement;
      const hanging = hangingOn(links, ifindex, removed, (entry) => ours(entry) !== undefined)
        // What we removed a moment ago is still to be told of by the kernel.
        .filter((entry) => ours(entry) !== undefined || !this.#removed.has(keyIn(entry)));
      // The machine's own are to be the first of their subnet again.
      const [own, virtual] = [hanging.filter((entry) => !ours(entry)), hanging.filter(ours)];
      return [...own, ...virtual].map((entry): Placement =>
        ours(entry) ?? {
          ifindex,
          interface: those[0]!.interface,
          address: entry.local,
          text: formatAddress(entry.local),
          prefix: entry.prefix,
          label: entry.label,
          scope: entry.scope,
          broadcast: entry.broadcast,
          leaseNs: null,
        }
      );
    });
  }
}
