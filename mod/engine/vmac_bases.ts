/**
 * The settings of the interfaces below macvlans: changed for the first macvlan with IPv4 addresses, given back after the
 * last.
 *
 * @module
 */
import { getLink, type Link, type NetlinkConnection } from "../../lib/netlink/mod.ts";
import type { BaseSettings, Vmac } from "../vmac/model.ts";
import { readIpv4, setBase } from "../vmac/shell.ts";
import { baseChanges, baseReturns } from "../vmac/step.ts";
import type { Undone } from "./undone.ts";

interface Base {
  readonly before: BaseSettings;
  /** Names of the macvlans above it; none = its settings could not be given back so far. */
  readonly users: Set<string>;
}

/** All interfaces whose settings were changed. */
export class VmacBases {
  readonly #netlink: NetlinkConnection;
  readonly #undone: Undone;
  /** By index. */
  readonly #bases = new Map<number, Base>();

  /** @param undone Takes on what cannot be given back. */
  constructor(netlink: NetlinkConnection, undone: Undone) {
    this.#netlink = netlink;
    this.#undone = undone;
  }

  /**
   * Changes the base's settings for the first of its macvlans with IPv4 addresses; returns what they were before.
   *
   * @param left What the settings were before a dead engine changed them. Throws Error.
   */
  use(vmac: Vmac, base: Link, left: BaseSettings): BaseSettings {
    for (const [index, { users }] of this.#bases) {
      // A base of the same name that was made anew begins with settings of its own.
      if (index !== base.index && users.delete(vmac.name) && users.size === 0) this.#bases.delete(index);
    }
    if (!vmac.ipv4) return {};
    let known = this.#bases.get(base.index);
    if (known === undefined || known.users.size === 0) {
      const changed = setBase(base.name, baseChanges(base.name, readIpv4));
      const before = { ...changed, ...left, ...known?.before };
      this.#bases.set(base.index, known = { before, users: new Set() });
    }
    known.users.add(vmac.name);
    return known.before;
  }

  /** A macvlan is gone; the last one of a base gives its settings back. */
  release(name: string): void {
    for (const [index, base] of this.#bases) {
      if (!base.users.delete(name) || base.users.size > 0) continue;
      this.#undone.attempt(`the settings of interface ${index}`, () => this.#restore(index, base));
    }
  }

  /** Throws Error. */
  #restore(index: number, base: Base): void {
    // Another macvlan may stand on it since.
    if (this.#bases.get(index) !== base || base.users.size > 0) return;
    const link = getLink(this.#netlink, index);
    if (link !== null) setBase(link.name, baseReturns(link.name, base.before, readIpv4));
    this.#bases.delete(index);
  }
}
