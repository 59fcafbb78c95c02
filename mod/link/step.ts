/**
 * Keeps the picture of interfaces up to date and answers questions about it.
 *
 * @module
 */
import type { Address, Link, RouteEvent } from "../../lib/netlink/mod.ts";
import { compareAddresses, equalBytes, familyOf, isLinkLocal } from "../../lib/packet/mod.ts";
import type { Family, VrrpConfig } from "../vrrp/config.ts";
import { type LinkTable, NO_LINKS } from "./model.ts";

/** IFA_F_TENTATIVE and IFA_F_DADFAILED. */
const NOT_USABLE = 0x48;
/** As many addresses of an interface are told by name. */
const MOST_NAMED = 3;

/** A table from complete dumps. */
export function linkTable(links: readonly Link[], addresses: readonly Address[]): LinkTable {
  const events: RouteEvent[] = [];
  for (const link of links) events.push({ type: "link-new", link });
  for (const address of addresses) events.push({ type: "address-new", address });
  return applyRouteEvents(NO_LINKS, events);
}

/** The table after a batch of events; the same object when nothing in them matters here (a renewed lease). */
export function applyRouteEvents(table: LinkTable, events: readonly RouteEvent[]): LinkTable {
  const draft = new Draft(table);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

function sameEntry(a: Address, b: Address): boolean {
  return a.prefix === b.prefix && equalBytes(a.local, b.local);
}

/** Copies each map once for a whole batch, and only when it has to change. */
class Draft {
  readonly #before: LinkTable;
  #links: Map<number, Link> | null = null;
  #indexByName: Map<string, number> | null = null;
  #addresses: Map<number, readonly Address[]> | null = null;
  readonly #copiedLists = new Map<number, Address[]>();

  constructor(before: LinkTable) {
    this.#before = before;
  }

  apply(event: RouteEvent): void {
    switch (event.type) {
      case "link-new":
        return this.#setLink(event.link);
      case "link-gone":
        return this.#removeLink(event.link.index);
      case "address-new":
        return this.#setAddress(event.address);
      case "address-gone":
        return this.#removeAddress(event.address);
    }
  }

  finish(): LinkTable {
    if (this.#links === null && this.#addresses === null) return this.#before;
    return {
      links: this.#links ?? this.#before.links,
      indexByName: this.#indexByName ?? this.#before.indexByName,
      addresses: this.#addresses ?? this.#before.addresses,
    };
  }

  #setLink(link: Link): void {
    const before = (this.#links ?? this.#before.links).get(link.index);
    this.#links ??= new Map(this.#before.links);
    this.#links.set(link.index, link);
    const index = (this.#indexByName ?? this.#before.indexByName).get(link.name);
    // Events of a link that had the name before may come after what is known of this one already.
    if (before?.name === link.name && index === link.index) return;
    this.#forgetName(before);
    this.#indexByName!.set(link.name, link.index);
  }

  #removeLink(index: number): void {
    const before = (this.#links ?? this.#before.links).get(index);
    if (before === undefined) return;
    this.#links ??= new Map(this.#before.links);
    this.#links.delete(index);
    this.#forgetName(before);
    this.#addresses ??= new Map(this.#before.addresses);
    this.#addresses.delete(index);
    this.#copiedLists.delete(index);
  }

  #forgetName(link: Link | undefined): void {
    this.#indexByName ??= new Map(this.#before.indexByName);
    if (link !== undefined && this.#indexByName.get(link.name) === link.index) {
      this.#indexByName.delete(link.name);
    }
  }

  #list(ifindex: number): readonly Address[] {
    return (this.#addresses ?? this.#before.addresses).get(ifindex) ?? [];
  }

  #ownList(ifindex: number): Address[] {
    let list = this.#copiedLists.get(ifindex);
    if (list === undefined) {
      list = [...this.#list(ifindex)];
      this.#copiedLists.set(ifindex, list);
      this.#addresses ??= new Map(this.#before.addresses);
      this.#addresses.set(ifindex, list);
    }
    return list;
  }

  #setAddress(address: Address): void {
    const at = this.#list(address.ifindex).findIndex((entry) => sameEntry(entry, address));
    // A renewed lease changes the lifetimes alone.
    if (at >= 0 && this.#list(address.ifindex)[at]!.flags === address.flags) return;
    const list = this.#ownList(address.ifindex);
    if (at < 0) list.push(address);
    else list[at] = address;
  }

  #removeAddress(address: Address): void {
    const at = this.#list(address.ifindex).findIndex((entry) => sameEntry(entry, address));
    if (at >= 0) this.#ownList(address.ifindex).splice(at, 1);
  }
}

/** An interface by name. */
export function linkNamed(table: LinkTable, name: string): Link | null {
  const index = table.indexByName.get(name);
  return index === undefined ? null : table.links.get(index) ?? null;
}

/** Why an interface cannot be used, in words; null = it can. Usable = administratively up and with carrier. */
export function linkFault(table: LinkTable, name: string): string | null {
  const link = linkNamed(table, name);
  if (link === null) return `interface ${name} does not exist`;
  if (!link.up) return `interface ${name} is down`;
  if (!link.running) return `interface ${name} has no carrier`;
  return null;
}

/** An interface that carries addresses and by which nobody is reached. */
export interface CarrierFault {
  readonly dev: string;
  /** What is wrong, with what it carries. */
  readonly text: string;
}

/**
 * Interfaces other than a router's own that carry addresses of it and by which nobody is reached: mastership does
 * not hang on them unless they are tracked, but the service may. What is not there at all is told elsewhere.
 */
export function carrierFaults(config: VrrpConfig, table: LinkTable): CarrierFault[] {
  const { addresses, extra, interface: own, vmac, track } = config;
  const told = new Set([
    own,
    vmac?.name,
    // Their fault is that of the router.
    ...track.flatMap(({ kind, name, weight }) => kind === "interface" && weight === null ? [name] : []),
  ]);
  const carried = new Map<string, string[]>();
  for (const { address, prefix, dev } of [...addresses, ...extra]) {
    if (dev === null || told.has(dev) || linkNamed(table, dev) === null) continue;
    carried.set(dev, [...carried.get(dev) ?? [], `${address}/${prefix}`]);
  }
  return [...carried].flatMap(([dev, texts]) => {
    const fault = linkFault(table, dev);
    if (fault === null) return [];
    const more = texts.length > MOST_NAMED ? ` and ${texts.length - MOST_NAMED} more` : "";
    const which = texts.slice(0, MOST_NAMED).join(", ") + more;
    return [{ dev, text: fault.replace(dev, `${dev}, which carries ${which},`) }];
  });
}

/**
 * The address to advertise from: the wanted one if the interface has it, else the first of the family that is no
 * virtual address of ours, permanent ones of global scope before others. IPv6 advertisements come from the link-local address (RFC 5798 §5.1.2.1).
 */
export function sourceAddress(
  table: LinkTable,
  name: string,
  family: Family,
  wanted: Uint8Array | null,
  isVirtual: (address: Uint8Array) => boolean,
): Uint8Array | null {
  const link = linkNamed(table, name);
  const list = link === null ? [] : table.addresses.get(link.index) ?? [];
  if (wanted !== null) return list.find(({ local }) => equalBytes(local, wanted))?.local ?? null;
  // Whether it is virtual comes last: hundreds of routers on one interface ask about hundreds of addresses.
  const find = (likely: (address: Address) => boolean) =>
    list.find((address) =>
      likely(address) && familyOf(address.local) === family &&
      // An address that is still being checked for duplicates, or was found to be one, cannot be spoken from.
      (address.flags & NOT_USABLE) === 0 && (family === "ipv4" || isLinkLocal(address.local)) &&
      !isVirtual(address.local)
    );
  // Of several the one that looks least like another daemon's virtual address: for everybody, and there to stay.
  const best = find(({ scope, validS }) => scope === 0 && validS === null) ??
    find(({ scope }) => scope === 0) ?? find(() => true);
  return best?.local ?? null;
}

/** Whether any interface has this address now; used to find what a crashed run left behind. */
export function holdersOf(table: LinkTable, address: Uint8Array): readonly Address[] {
  const holders: Address[] = [];
  for (const list of table.addresses.values()) {
    for (const entry of list) {
      if (entry.local.length === address.length && compareAddresses(entry.local, address) === 0) {
        holders.push(entry);
      }
    }
  }
  return holders;
}

/**
 * Whether an IPv4 address on the interface that a router advertises from is the machine's own though it is virtual by
 * config: the interface would be without any address if it were removed, and one of them is there to stay.
 *
 * @param there All addresses of the interface.
 */
export function isMachinesOwn(
  there: readonly Address[],
  address: Uint8Array,
  isVirtual: (address: Uint8Array) => boolean,
): boolean {
  const own = there.filter(({ local }) => local.length === 4);
  return address.length === 4 && own.some(({ validS }) => validS === null) &&
    own.every(({ local }) => isVirtual(local));
}

/** IFA_F_SECONDARY: another address of the same subnet was there first. */
const SECONDARY = 0x01;

/** An address by what names it on an interface. */
type Named = Pick<Address, "local" | "prefix">;

/**
 * The IPv4 addresses of an interface that the kernel takes away with others unless `promote_secondaries` is set: those of
 * a subnet whose first address is removed. Such with a lifetime are left to whoever renews them.
 *
 * @param removed What is to be removed.
 * @param isOurs Which ones we renew.
 */
export function hangingOn(
  table: LinkTable,
  ifindex: number,
  removed: readonly Named[],
  isOurs: (entry: Address) => boolean,
): Address[] {
  const list = table.addresses.get(ifindex) ?? [];
  const isSecondary = ({ flags }: Address) => (flags & SECONDARY) !== 0;
  const isRemoved = ({ local, prefix }: Named) =>
    removed.some((named) => named.prefix === prefix && equalBytes(named.local, local));
  // On a machine with hundreds of virtual addresses few are the first of a subnet, unless each is one by itself.
  const firsts = list.filter((entry) =>
    !isSecondary(entry) && entry.local.length === 4 && entry.prefix < 32 && isRemoved(entry)
  );
  // As good as always.
  if (firsts.length === 0) return [];
  return list.filter((entry) =>
    isSecondary(entry) && entry.local.length === 4 && firsts.some((first) => sameSubnet(first, entry)) &&
    // What has a far end of its own is put together in other ways.
    equalBytes(entry.address, entry.local) && !isRemoved(entry) &&
    (entry.validS === null || isOurs(entry))
  );
}

function sameSubnet(a: Named, b: Named): boolean {
  return a.prefix === b.prefix && subnetOf(a) === subnetOf(b);
}

function subnetOf({ local, prefix }: Named): number {
  return Math.floor(local.reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** (32 - prefix));
}
