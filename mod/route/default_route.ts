/**
 * Whether this machine has a default route, and hearing that it may have changed.
 *
 * @module
 */
import { BPF, type FilterInstruction } from "../../lib/libc/mod.ts";
import {
  listenFiltered,
  listRoutesRequest,
  NETLINK_ROUTE,
  NetlinkConnection,
  type NetlinkListener,
  parseRouteEvent,
  type Route,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTMSG_AT,
  RTNLGRP,
  TYPE_AT,
} from "../../lib/netlink/mod.ts";
import type { Family } from "../vrrp/config.ts";

/** Whether packets to anywhere leave by this route: it is unicast, for every source, and in the main table. */
export function isDefaultRoute({ destination, from, table, type }: Route): boolean {
  return destination === null && from === null && table === RT_TABLE_MAIN && type === "unicast";
}

/** Numbers of the interfaces that a route leaves by. */
export function interfacesOf({ ifindex, nexthops }: Route): number[] {
  return [ifindex, ...nexthops.map((hop) => hop.ifindex)].filter((index) => index !== null);
}

/** Ends a dump before its end. */
const ENOUGH = new Error("enough was read");

/**
 * The default routes of the main table. Of IPv4 routes the kernel tells in the order of their destinations, so that only
 * the beginning of a table of whatever size is read; IPv6's root comes last. Throws SyscallError.
 */
export function readDefaultRoutes(family: Family): Route[] {
  const found: Route[] = [];
  // One of its own: the dump is cut off by closing it.
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    connection.dump(listRoutesRequest({ family, table: RT_TABLE_MAIN }), (message) => {
      // rtm_dst_len: most of a large table is passed over unread.
      if (family === "ipv6" && message.payload[1] !== 0) return null;
      const event = parseRouteEvent(message);
      if (event?.type !== "route-new") return null;
      const { route } = event;
      if (isDefaultRoute(route)) found.push(route);
      else if (isBehindDefaults(route)) throw ENOUGH;
      return null;
    });
  } catch (error) {
    if (error !== ENOUGH) throw error;
  } finally {
    connection.close();
  }
  return found;
}

function isBehindDefaults({ family, table, destination }: Route): boolean {
  return family === "ipv4" && table === RT_TABLE_MAIN && destination !== null &&
    destination.address.some((byte) => byte !== 0);
}

const DESTINATION_LENGTH_AT = RTMSG_AT + 1;

const FILTER: readonly FilterInstruction[] = [
  [BPF.LOAD_HALF, 0, 0, TYPE_AT],
  [BPF.JUMP_EQUAL, 1, 0, RTM_NEWROUTE << 8],
  [BPF.JUMP_EQUAL, 0, 3, RTM_DELROUTE << 8],
  [BPF.LOAD_BYTE, 0, 0, DESTINATION_LENGTH_AT],
  [BPF.JUMP_EQUAL, 0, 1, 0],
  [BPF.RETURN, 0, 0, 0xffff_ffff],
  [BPF.RETURN, 0, 0, 0],
];

/** Opens the socket on which changes of default routes arrive; open it before {@link readDefaultRoutes}. */
export function listenDefaultRoutes(): NetlinkListener {
  const groups = [RTNLGRP.IPV4_ROUTE, RTNLGRP.IPV6_ROUTE];
  return listenFiltered(groups, FILTER, "listen to changes of default routes");
}

/** The IP versions whose default routes may have changed. */
export function drainDefaultRoutes(listener: NetlinkListener): ReadonlySet<Family> {
  const families = new Set<Family>();
  const result = listener.drain((message) => {
    const event = parseRouteEvent(message);
    if (event?.type === "route-new" || event?.type === "route-gone") families.add(event.route.family);
  });
  return result === "overrun" ? new Set<Family>(["ipv4", "ipv6"]) : families;
}
