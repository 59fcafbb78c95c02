/**
 * Hearing of interfaces and addresses from the kernel.
 *
 * @module
 */
import { BPF, type FilterInstruction } from "../../lib/libc/mod.ts";
import {
  FIND_ATTRIBUTE,
  listAddresses,
  listenFiltered,
  listLinks,
  type NetlinkConnection,
  type NetlinkListener,
  parseRouteEvent,
  type RouteEvent,
  RTM_NEWADDR,
  RTNLGRP,
  TYPE_AT,
} from "../../lib/netlink/mod.ts";
import type { LinkTable } from "./model.ts";
import { linkTable } from "./step.ts";

const AF_INET = 2;
const IFA_CACHEINFO = 6;
/** Where struct ifaddrmsg begins (its family), and where its attributes do. */
const FAMILY_AT = 16;
const ATTRIBUTES_AT = 24;
/** From the head of IFA_CACHEINFO: when the address was made, and when it was last touched. */
const CREATED_BEHIND = 12;
const UPDATED_BEHIND = 16;

/**
 * An engine with many addresses renews them all the time, and the kernel tells of each renewal: an IPv4 address that was
 * touched after it was made is no news (an IPv6 one may be: its duplicate check ends).
 */
const NO_RENEWALS: readonly FilterInstruction[] = [
  [BPF.LOAD_HALF, 0, 0, TYPE_AT],
  [BPF.JUMP_EQUAL, 0, 12, RTM_NEWADDR << 8],
  [BPF.LOAD_BYTE, 0, 0, FAMILY_AT],
  [BPF.JUMP_EQUAL, 0, 10, AF_INET],
  [BPF.LOAD_X_CONSTANT, 0, 0, IFA_CACHEINFO],
  [BPF.LOAD_CONSTANT, 0, 0, ATTRIBUTES_AT],
  [BPF.LOAD_WORD, 0, 0, FIND_ATTRIBUTE],
  [BPF.JUMP_EQUAL, 6, 0, 0],
  [BPF.COPY_TO_X, 0, 0, 0],
  [BPF.LOAD_WORD_BEHIND_X, 0, 0, CREATED_BEHIND],
  [BPF.STORE, 0, 0, 0],
  [BPF.LOAD_WORD_BEHIND_X, 0, 0, UPDATED_BEHIND],
  [BPF.LOAD_X_STORED, 0, 0, 0],
  [BPF.JUMP_EQUAL_X, 0, 1, 0],
  [BPF.RETURN, 0, 0, 0xffff_ffff],
  [BPF.RETURN, 0, 0, 0],
];

/** Opens the socket on which link and address events arrive; open it before {@link readLinks}. */
export function listenLinks(): NetlinkListener {
  const groups = [RTNLGRP.LINK, RTNLGRP.IPV4_IFADDR, RTNLGRP.IPV6_IFADDR];
  return listenFiltered(groups, NO_RENEWALS, "listen to changes of links and addresses");
}

/** The machine's interfaces and addresses as they are now. */
export function readLinks(connection: NetlinkConnection): LinkTable {
  return linkTable(listLinks(connection), listAddresses(connection));
}

/** The events that wait, and whether some were lost, so that {@link readLinks} is to be called. */
export function drainLinks(
  listener: NetlinkListener,
): { readonly events: RouteEvent[]; readonly lost: boolean } {
  const events: RouteEvent[] = [];
  const result = listener.drain((message) => {
    const event = parseRouteEvent(message);
    if (event !== null) events.push(event);
  });
  return { events, lost: result === "overrun" };
}
