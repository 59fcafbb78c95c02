/**
 * Hearing of some events only: a filter in the kernel keeps the rest from waking anybody.
 *
 * @module
 */
import { attachFilter, type FilterInstruction } from "../libc/mod.ts";
import { NetlinkListener } from "./listener.ts";
import { NETLINK_ROUTE } from "./transport.ts";

/**
 * Constant of `LOAD_WORD` that finds the attribute of type X, from offset A on: A becomes its offset, or 0. (Loads are in network
 * order, netlink's numbers are not: they look swapped.)
 */
export const FIND_ATTRIBUTE = 0xffff_f00c;

/** Of struct nlmsghdr, and where struct rtmsg begins. */
export const TYPE_AT = 4;
export const FLAGS_AT = 6;
export const RTMSG_AT = 16;

/** Opens a socket in groups of NETLINK_ROUTE that hears what the filter lets through. Throws SyscallError. */
export function listenFiltered(
  groups: readonly number[],
  filter: readonly FilterInstruction[],
  doing: string,
): NetlinkListener {
  const listener = new NetlinkListener(NETLINK_ROUTE, groups);
  attachFilter(listener.fd, filter, doing);
  return listener;
}
