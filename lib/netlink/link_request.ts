/**
 * The requests that list, make, change and remove links. Pure.
 *
 * @module
 */
import type { MessageBuilder } from "./builder.ts";
import type { NetlinkRequest } from "./codec.ts";
import {
  beginLink,
  IFINFO,
  ifinfomsg,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_EXT_MASK,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_LINK,
  IFLA_MACVLAN_MODE,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  interfaceName,
  MACVLAN_MODES,
  type MacvlanMode,
  newLinkRequest,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "./link_message.ts";

const AF_INET6 = 10;
const IFF_UP = 0x1;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const VETH_INFO_PEER = 1;
const IFLA_BR_MCAST_SNOOPING = 23;

/** Two Ethernet ends; what goes into one comes out of the other. */
export interface VethOptions {
  /** Namespace that the peer end is made in (an open descriptor). */
  readonly peerNetnsFd?: number;
  readonly mac?: Uint8Array;
  readonly peerMac?: Uint8Array;
}

/** Request for a veth pair. */
export function createVethRequest(name: string, peer: string, options: VethOptions = {}): NetlinkRequest {
  const builder = beginLink(name, "veth").nest(VETH_INFO_PEER).zero(IFINFO)
    .attrText(IFLA_IFNAME, interfaceName(peer));
  if (options.peerMac) builder.attrBytes(IFLA_ADDRESS, options.peerMac);
  if (options.peerNetnsFd !== undefined) builder.attrU32(IFLA_NET_NS_FD, options.peerNetnsFd);
  builder.end().end().end();
  if (options.mac) builder.attrBytes(IFLA_ADDRESS, options.mac);
  return newLinkRequest(builder, `create veth pair ${name} and ${peer}`);
}

/** A bridge's options; what is left out stays as the kernel has it. */
export interface BridgeOptions {
  /** Off lets multicast pass to every port, as VRRP needs where nobody sends joins. */
  readonly mcastSnooping?: boolean;
}

/** Request for a bridge. */
export function createBridgeRequest(name: string, options: BridgeOptions = {}): NetlinkRequest {
  const builder = beginLink(name, "bridge");
  if (options.mcastSnooping !== undefined) {
    builder.attrU8(IFLA_BR_MCAST_SNOOPING, options.mcastSnooping ? 1 : 0);
  }
  return newLinkRequest(builder.end().end(), `create bridge ${name}`);
}

/** Request for a dummy interface. */
export function createDummyRequest(name: string): NetlinkRequest {
  return newLinkRequest(beginLink(name, "dummy").end().end(), `create dummy interface ${name}`);
}

/** A macvlan: another MAC address on the same wire. */
export interface MacvlanSpec {
  readonly name: string;
  /** Index of the interface below. */
  readonly base: number;
  /** Its name, for errors. */
  readonly baseName?: string;
  /** Default: private. */
  readonly mode?: MacvlanMode;
  readonly mac?: Uint8Array;
}

/** Request for a macvlan. */
export function createMacvlanRequest(spec: MacvlanSpec): NetlinkRequest {
  const builder = beginLink(spec.name, "macvlan")
    .attrU32(IFLA_MACVLAN_MODE, MACVLAN_MODES[spec.mode ?? "private"]).end().end().attrU32(
      IFLA_LINK,
      spec.base,
    );
  if (spec.mac) builder.attrBytes(IFLA_ADDRESS, spec.mac);
  return newLinkRequest(
    builder,
    `create macvlan ${spec.name} on ${spec.baseName ?? `interface ${spec.base}`}`,
  );
}

/** Says that IPv6 makes no address of its own on this link. Kernels refuse or ignore it in a request that creates one. */
function addrGenModeNone(builder: MessageBuilder): void {
  builder.nest(IFLA_AF_SPEC).nest(AF_INET6).attrU8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE).end()
    .end();
}

/** What to change on a link; what is left out stays. */
export interface LinkChange {
  readonly up?: boolean;
  /** Index of a bridge or bond to join; null = leave it. */
  readonly master?: number | null;
  /** Namespace to move it to (an open descriptor). */
  readonly netnsFd?: number;
  /** Bytes. */
  readonly mtu?: number;
  readonly mac?: Uint8Array;
  readonly name?: string;
  /** A remark of at most 255 bytes; empty = none. */
  readonly alias?: string;
  /** Number of the group that it belongs to, for {@link deleteGroupRequest}. */
  readonly group?: number;
  /** No automatic fe80:: address from the next time it is set up. */
  readonly addrGenModeNone?: boolean;
}

/** Struct and attribute that name a link: by index, or by name. */
function target(link: number | string, flags: number = 0, change: number = 0): MessageBuilder {
  if (typeof link === "number") return ifinfomsg(link, flags, change);
  return ifinfomsg(0, flags, change).attrText(IFLA_IFNAME, interfaceName(link));
}

function nameOf(link: number | string): string {
  return typeof link === "number" ? `interface ${link}` : link;
}

/**
 * Request that changes a link, named by index or name; a new name needs the index. `label` is its name, for errors.
 * Throws RangeError.
 */
export function setLinkRequest(link: number | string, change: LinkChange, label?: string): NetlinkRequest {
  const builder = target(link, change.up ? IFF_UP : 0, change.up === undefined ? 0 : IFF_UP);
  if (change.name !== undefined) {
    if (typeof link === "string") throw new RangeError(`Cannot rename ${link} without its index`);
    builder.attrText(IFLA_IFNAME, interfaceName(change.name));
  }
  if (change.mtu !== undefined) builder.attrU32(IFLA_MTU, change.mtu);
  if (change.mac) builder.attrBytes(IFLA_ADDRESS, change.mac);
  if (change.master !== undefined) builder.attrU32(IFLA_MASTER, change.master ?? 0);
  if (change.netnsFd !== undefined) builder.attrU32(IFLA_NET_NS_FD, change.netnsFd);
  if (change.alias !== undefined) builder.attrBytes(IFLA_IFALIAS, new TextEncoder().encode(change.alias));
  if (change.group !== undefined) builder.attrU32(IFLA_GROUP, change.group);
  if (change.addrGenModeNone) addrGenModeNone(builder);
  return {
    type: RTM_NEWLINK,
    flags: 0,
    name: "RTM_NEWLINK",
    doing: describe(change, label ?? nameOf(link)),
    payload: builder.finish(),
  };
}

function describe(change: LinkChange, link: string): string {
  const fields = Object.keys(change).filter((field) => change[field as keyof LinkChange] !== undefined);
  if (fields.length !== 1) return `change ${link}`;
  if (change.up !== undefined) return `set ${link} ${change.up ? "up" : "down"}`;
  if (change.master === null) return `release ${link} from its master`;
  if (change.master !== undefined) return `attach ${link} to interface ${change.master}`;
  if (change.netnsFd !== undefined) return `move ${link} to another network namespace`;
  if (change.mtu !== undefined) return `set the mtu of ${link} to ${change.mtu}`;
  if (change.name !== undefined) return `rename ${link} to ${change.name}`;
  return `change ${change.mac ? "the MAC address of " : ""}${link}`;
}

/** Request that removes a link, named by index or name. `label` is its name, for errors. */
export function deleteLinkRequest(link: number | string, label?: string): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    name: "RTM_DELLINK",
    doing: `remove ${label ?? nameOf(link)}`,
    payload: target(link).finish(),
  };
}

/** Request that removes every link of a group at once, which takes the kernel no longer than one. */
export function deleteGroupRequest(group: number): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    name: "RTM_DELLINK",
    doing: `remove the interfaces of group ${group}`,
    payload: ifinfomsg().attrU32(IFLA_GROUP, group).finish(),
  };
}

/** Request for all links. */
export function listLinksRequest(): NetlinkRequest {
  return {
    type: RTM_GETLINK,
    flags: 0,
    name: "RTM_GETLINK",
    doing: "list interfaces",
    payload: ifinfomsg().attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).finish(),
  };
}

/** Request for one link, by name or index. */
export function getLinkRequest(link: string | number): NetlinkRequest {
  const builder = target(link).attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return {
    type: RTM_GETLINK,
    flags: 0,
    name: "RTM_GETLINK",
    doing: `find ${nameOf(link)}`,
    payload: builder.finish(),
  };
}
