/**
 * Netlink: the kernel's interface to links, addresses, routes, rules, and (generic) the rest.
 *
 * @module
 */
export * from "./address.ts";
export * from "./builder.ts";
export * from "./calls.ts";
export * from "./codec.ts";
export * from "./conn.ts";
export * from "./event.ts";
export * from "./filter.ts";
export * from "./generic.ts";
export * from "./link.ts";
export { interfaceName, type MacvlanMode, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from "./link_message.ts";
export * from "./link_request.ts";
export * from "./listener.ts";
export * from "./nftables.ts";
export * from "./route.ts";
export * from "./rule.ts";
export * from "./transport.ts";
export * from "./tunnel.ts";
