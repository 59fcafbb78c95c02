/**
 * Removing what is ours when the engine is gone: nobody renews or answers for it any more.
 *
 * @module
 */
import {
  listAddresses,
  listLinks,
  NETLINK_ROUTE,
  NetlinkConnection,
  removeAddress,
} from "../../lib/netlink/mod.ts";
import { formatAddress } from "../../lib/packet/mod.ts";
import type { Config } from "../config/model.ts";
import { isMachinesOwn } from "../link/step.ts";
import { planItems } from "../route/plan.ts";
import { removeLeftovers } from "../route/shell.ts";
import { removeDeadVmacs } from "../vmac/shell.ts";
import { vmacOf } from "../vmac/step.ts";

/**
 * Removes the addresses, routes, rules and virtual MAC interfaces of this config from this machine. An owner's virtual addresses are left: they
 * are the machine's; and so is what is to be kept.
 *
 * @returns What was removed, as `10.9.0.100/24 from eth1`, `route default via 10.9.0.1`.
 */
export function removeOurs({ vrrp, static: always }: Pick<Config, "vrrp" | "static">): string[] {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  const removed: string[] = [];
  try {
    const names = new Map(listLinks(connection).map(({ index, name }) => [index, name]));
    const indexes = new Map([...names].map(([index, name]) => [name, index]));
    for (const { routes, rules } of always.keep ? vrrp : [...vrrp, always]) {
      const { items } = planItems(routes, rules, (name) => indexes.get(name) ?? null);
      if (items.length > 0) removed.push(...removeLeftovers(connection, items));
    }
    const ours = new Set(
      vrrp.filter(({ priority }) => priority !== 255).flatMap(({ interface: base, addresses, extra }) =>
        [...addresses, ...extra].map(({ address, prefix, dev }) => `${address}/${prefix} from ${dev ?? base}`)
      ),
    );
    if (!always.keep) {
      for (const { address, prefix, dev } of always.addresses) ours.add(`${address}/${prefix} from ${dev}`);
    }
    const there = Map.groupBy(listAddresses(connection), ({ ifindex }) => ifindex);
    const bases = new Set(vrrp.map(({ interface: base }) => base));
    const virtual = new Set([...ours].map((text) => text.split("/")[0]!));
    const isVirtual = (address: Uint8Array) => virtual.has(formatAddress(address));
    for (const { ifindex, local, prefix } of [...there.values()].flat()) {
      const device = names.get(ifindex) ?? String(ifindex);
      const text = `${formatAddress(local)}/${prefix} from ${device}`;
      if (!ours.has(text)) continue;
      if (bases.has(device) && isMachinesOwn(there.get(ifindex)!, local, isVirtual)) continue;
      if (removeAddress(connection, { ifindex, address: local, prefix, device }, { missing: "ok" })) {
        removed.push(text);
      }
    }
    removed.push(...removeDeadVmacs(connection, vrrp.map(vmacOf).filter((vmac) => vmac !== null)));
  } finally {
    connection.close();
  }
  return removed;
}
