/**
 * What rtnetlink says by itself: one union of all that can happen. Pure.
 *
 * @module
 */
import { type Address, decodeAddress, RTM_DELADDR, RTM_NEWADDR } from "./address.ts";
import type { NetlinkMessage } from "./codec.ts";
import { decodeLink, type Link } from "./link.ts";
import { RTM_DELLINK, RTM_NEWLINK } from "./link_message.ts";
import { decodeRoute, type Route, RTM_DELROUTE, RTM_NEWROUTE } from "./route.ts";
import { decodeRule, RTM_DELRULE, RTM_NEWRULE, type Rule } from "./rule.ts";

/** Group numbers of NETLINK_ROUTE, for a listener. */
export const RTNLGRP = {
  LINK: 1,
  IPV4_IFADDR: 5,
  IPV4_ROUTE: 7,
  IPV4_RULE: 8,
  IPV6_IFADDR: 9,
  IPV6_ROUTE: 11,
  IPV6_RULE: 19,
} as const;

/** Something appeared or changed (`-new`), or went (`-gone`). */
export type RouteEvent =
  | { readonly type: "link-new" | "link-gone"; readonly link: Link }
  | { readonly type: "address-new" | "address-gone"; readonly address: Address }
  | { readonly type: "route-new" | "route-gone"; readonly route: Route }
  | { readonly type: "rule-new" | "rule-gone"; readonly rule: Rule };

/** Reads an event; null for what is malformed or about something else (bridge ports, neighbours, route cache). */
export function parseRouteEvent(message: NetlinkMessage): RouteEvent | null {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = decodeLink(message);
      return link && { type: message.type === RTM_NEWLINK ? "link-new" : "link-gone", link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(message);
      return address && { type: message.type === RTM_NEWADDR ? "address-new" : "address-gone", address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(message);
      return route && { type: message.type === RTM_NEWROUTE ? "route-new" : "route-gone", route };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = decodeRule(message);
      return rule && { type: message.type === RTM_NEWRULE ? "rule-new" : "rule-gone", rule };
    }
    default:
      return null;
  }
}
