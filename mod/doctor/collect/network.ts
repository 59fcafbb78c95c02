/**
 * Interfaces, addresses and routes.
 *
 * @module
 */
import {
  IFA_F_DADFAILED,
  IFA_F_TENTATIVE,
  IFF_MULTICAST,
  IFF_NOARP,
  listAddresses,
  listLinks,
  listRoutes,
  NETLINK_ROUTE,
  NetlinkConnection,
  RT_TABLE_MAIN,
} from "../../../lib/netlink/mod.ts";
import { formatAddress, isLinkLocal } from "../../../lib/packet/mod.ts";
import type { Facts } from "../model.ts";

const MAC_LENGTH = 6;

/** The interfaces of this namespace, and the routes of its main table. Throws SyscallError. */
export function readNetwork(): Pick<Facts, "links" | "routes"> {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    const links = listLinks(connection);
    const addresses = listAddresses(connection);
    const names = new Map(links.map(({ index, name }) => [index, name]));
    const byIndex = new Map(links.map((link) => [link.index, link]));
    const masterOf = (index: number | null) => {
      const master = index === null ? undefined : byIndex.get(index);
      return master === undefined ? null : { name: master.name, kind: master.kind };
    };
    const routes = listRoutes(connection, { table: RT_TABLE_MAIN }).filter(({ type }) => type === "unicast");
    return {
      links: links.map(({ index, name, kind, up, running, flags, mtu, mac, master }) => ({
        index,
        name,
        kind,
        up,
        running,
        multicast: (flags & IFF_MULTICAST) !== 0,
        mtu,
        master: masterOf(master),
        mac: mac.length === MAC_LENGTH && (flags & IFF_NOARP) === 0 && mac.some((byte) => byte !== 0)
          ? mac
          : null,
        addresses: addresses.filter(({ ifindex }) => ifindex === index).map((entry) => ({
          address: formatAddress(entry.local),
          family: entry.family,
          prefix: entry.prefix,
          linkLocal: isLinkLocal(entry.local),
          usable: (entry.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0,
          validS: entry.validS,
        })),
      })),
      routes: routes.flatMap(({ family, destination, ifindex, nexthops, metric }) => {
        const dev = names.get(ifindex ?? nexthops[0]?.ifindex ?? -1);
        if (dev === undefined) return [];
        const { address = null, prefix = 0 } = destination ?? {};
        return [{ family, destination: address, prefix, dev, metric: metric ?? 0 }];
      }),
    };
  } finally {
    connection.close();
  }
}
