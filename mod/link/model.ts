/**
 * The machine's interfaces and addresses as the engine knows them.
 *
 * @module
 */
import type { Address, Link } from "../../lib/netlink/mod.ts";

/** One consistent picture; a change makes a new one. */
export interface LinkTable {
  readonly links: ReadonlyMap<number, Link>;
  readonly indexByName: ReadonlyMap<string, number>;
  /** By interface index, in the kernel's order. */
  readonly addresses: ReadonlyMap<number, readonly Address[]>;
}

export const NO_LINKS: LinkTable = { links: new Map(), indexByName: new Map(), addresses: new Map() };
