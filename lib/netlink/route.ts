/**
 * Routes: as rtnetlink shows them, and the requests that add and remove them. Pure.
 *
 * @module
 */
import { type AddressFamily, familyOf, formatAddress, formatPrefix, type Prefix } from "../packet/address.ts";
import { MessageBuilder } from "./builder.ts";
import {
  AttributeCursor,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from "./codec.ts";
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from "./address.ts";
import { AF, familyFromNumber } from "./family.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

export const RT_TABLE_MAIN = 254;
export const RTPROT_STATIC = 4;

/** Bytes of struct rtmsg and of struct rtnexthop. */
const RTMSG = 12;
const RTNEXTHOP = 8;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RT_SCOPE_NOWHERE = 255;

const ROUTE_TYPES = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
] as const;

/** What becomes of a packet on this route. */
export type RouteType = typeof ROUTE_TYPES[number];

/** One way of a multipath route. */
export interface NextHop {
  readonly gateway: Uint8Array | null;
  readonly ifindex: number | null;
  /** 1 to 256. */
  readonly weight: number;
  /** The gateway is taken to be on the link whatever the addresses say. */
  readonly onlink: boolean;
}

/** A route. */
export interface Route {
  readonly family: AddressFamily;
  /** Null = default. */
  readonly destination: Prefix | null;
  /** Source-specific routing (IPv6). */
  readonly from: Prefix | null;
  /** May be of the other family (IPv4 over an IPv6 gateway). */
  readonly gateway: Uint8Array | null;
  readonly ifindex: number | null;
  /** Lower wins; null = 0. IPv6 routes always have one (1024 by default). */
  readonly metric: number | null;
  readonly table: number;
  /** Preferred source address. */
  readonly source: Uint8Array | null;
  /** RT_SCOPE_… */
  readonly scope: number;
  /** Who made it: RTPROT_… */
  readonly protocol: number;
  readonly type: RouteType;
  readonly onlink: boolean;
  /** Bytes; null = the device's. */
  readonly mtu: number | null;
  /** More than one way; empty when there is one. */
  readonly nexthops: readonly NextHop[];
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE; null when it is malformed, of another family, or a cache entry. */
export function decodeRoute(message: NetlinkMessage): Route | null {
  const { payload } = message;
  if (message.type !== RTM_NEWROUTE && message.type !== RTM_DELROUTE) return null;
  const family = familyFromNumber(payload[0]);
  if (payload.length < RTMSG || family === null) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const flags = view.getUint32(8, true);
  const type = ROUTE_TYPES[view.getUint8(7)];
  if (flags & RTM_F_CLONED || type === undefined) return null;
  const size = family === "ipv4" ? 4 : 16;
  let destination: Uint8Array | null = null;
  let from: Uint8Array | null = null;
  let gateway: Uint8Array | null = null;
  let source: Uint8Array | null = null;
  let ifindex: number | null = null;
  let metric: number | null = null;
  let mtu: number | null = null;
  let table = view.getUint8(4);
  let nexthops: readonly NextHop[] | null = [];
  const attributes = new AttributeCursor(payload, RTMSG);
  while (attributes.next()) {
    switch (attributes.type) {
      case RTA_DST:
        destination = attributes.bytes();
        break;
      case RTA_SRC:
        from = attributes.bytes();
        break;
      case RTA_OIF:
        ifindex = attributes.u32();
        break;
      case RTA_GATEWAY:
        gateway = attributes.bytes();
        break;
      case RTA_VIA:
        gateway = attributes.bytes(2);
        break;
      case RTA_PRIORITY:
        metric = attributes.u32();
        break;
      case RTA_PREFSRC:
        source = attributes.bytes();
        break;
      case RTA_TABLE:
        table = attributes.u32();
        break;
      case RTA_MULTIPATH:
        nexthops = decodeNextHops(attributes.window());
        break;
      case RTA_METRICS: {
        const metrics = attributes.nested();
        while (metrics.next()) if (metrics.type === RTAX_MTU) mtu = metrics.u32();
        break;
      }
    }
  }
  if (!attributes.ok || nexthops === null) return null;
  const destinationBits = view.getUint8(1);
  const fromBits = view.getUint8(2);
  if (destinationBits > size * 8 || fromBits > size * 8) return null;
  if (!fits(destination, size) || !fits(from, size) || !fits(source, size) || !isGateway(gateway)) {
    return null;
  }
  return {
    family,
    destination: prefixOf(destination, destinationBits, size),
    from: prefixOf(from, fromBits, size),
    gateway,
    ifindex,
    metric,
    table,
    source,
    scope: view.getUint8(6),
    protocol: view.getUint8(5),
    type,
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    mtu,
    nexthops,
  };
}

function fits(value: Uint8Array | null, size: number): boolean {
  return value === null || value.length === size;
}

function isGateway(value: Uint8Array | null): boolean {
  return value === null || value.length === 4 || value.length === 16;
}

function prefixOf(address: Uint8Array | null, bits: number, size: number): Prefix | null {
  if (bits === 0) return null;
  return { address: address ?? new Uint8Array(size), prefix: bits };
}

/** Reads the structs of an RTA_MULTIPATH; null when malformed. */
function decodeNextHops(bytes: Uint8Array): readonly NextHop[] | null {
  const nexthops: NextHop[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (bytes.length - at >= RTNEXTHOP) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP || length > bytes.length - at) return null;
    let gateway: Uint8Array | null = null;
    const attributes = new AttributeCursor(bytes.subarray(at, at + length), RTNEXTHOP);
    while (attributes.next()) {
      if (attributes.type === RTA_GATEWAY) gateway = attributes.bytes();
      else if (attributes.type === RTA_VIA) gateway = attributes.bytes(2);
    }
    if (!attributes.ok || !isGateway(gateway)) return null;
    const ifindex = view.getInt32(at + 4, true);
    nexthops.push({
      gateway,
      ifindex: ifindex === 0 ? null : ifindex,
      weight: view.getUint8(at + 3) + 1,
      onlink: (view.getUint8(at + 2) & RTNH_F_ONLINK) !== 0,
    });
    at += (length + 3) & ~3;
  }
  return nexthops;
}

/**
 * A route to add or remove. What is left out: default destination, main table, protocol static, type unicast, the
 * scope that fits. When removing, what is left out matches anything.
 */
export interface RouteSpec extends Partial<Omit<Route, "family">> {
  readonly family: AddressFamily;
  /** Takes the place of a route with the same destination, metric and table. */
  readonly replace?: boolean;
  /** Goes beside such a route (another way of an IPv6 multipath route). */
  readonly append?: boolean;
  /** IPv4: goes before such a route, which waits behind it; only the very same one is refused (EEXIST). */
  readonly prepend?: boolean;
  /** Name of the interface, for errors. */
  readonly device?: string;
}

function writeGateway(builder: MessageBuilder, gateway: Uint8Array, family: AddressFamily): void {
  const own = familyOf(gateway);
  if (own === family) builder.attrBytes(RTA_GATEWAY, gateway);
  else builder.nest(RTA_VIA, false).u16(AF[own]).bytes(gateway).end();
}

function writeRoute(spec: RouteSpec, scope: number, protocol: number, type: number): Uint8Array {
  const { destination, from, source, metric, nexthops = [] } = spec;
  const size = spec.family === "ipv4" ? 4 : 16;
  for (const address of [destination?.address, from?.address, source]) {
    if (address && address.length !== size) {
      throw new RangeError(`Cannot encode an ${spec.family} route: mixed families`);
    }
  }
  for (const prefix of [destination, from]) {
    if (prefix && prefix.prefix > size * 8) {
      throw new RangeError(`Cannot encode prefix length ${prefix.prefix}`);
    }
  }
  const table = spec.table ?? RT_TABLE_MAIN;
  const builder = new MessageBuilder(128).u8(AF[spec.family]).u8(destination?.prefix ?? 0).u8(
    from?.prefix ?? 0,
  )
    .u8(0).u8(table > 255 ? 0 : table).u8(protocol).u8(scope).u8(type).u32(spec.onlink ? RTNH_F_ONLINK : 0);
  if (destination) builder.attrBytes(RTA_DST, destination.address);
  if (from) builder.attrBytes(RTA_SRC, from.address);
  if (spec.gateway) writeGateway(builder, spec.gateway, spec.family);
  if (spec.ifindex) builder.attrU32(RTA_OIF, spec.ifindex);
  if (metric !== undefined && metric !== null) builder.attrU32(RTA_PRIORITY, metric);
  if (source) builder.attrBytes(RTA_PREFSRC, source);
  builder.attrU32(RTA_TABLE, table);
  if (spec.mtu) builder.nest(RTA_METRICS, false).attrU32(RTAX_MTU, spec.mtu).end();
  if (nexthops.length > 0) {
    builder.nest(RTA_MULTIPATH, false);
    for (const hop of nexthops) {
      const at = builder.size;
      builder.u16(0).u8(hop.onlink ? RTNH_F_ONLINK : 0).u8(hop.weight - 1).i32(hop.ifindex ?? 0);
      if (hop.gateway) writeGateway(builder, hop.gateway, spec.family);
      builder.patchU16(at, builder.size - at);
    }
    builder.end();
  }
  return builder.finish();
}

function scopeOf(spec: RouteSpec): number {
  if (spec.scope !== undefined) return spec.scope;
  if (spec.family === "ipv6" || spec.gateway || (spec.nexthops?.length ?? 0) > 0) return RT_SCOPE_UNIVERSE;
  if (spec.type === "local") return RT_SCOPE_HOST;
  return spec.type === undefined || spec.type === "unicast" ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

function describe(spec: RouteSpec): string {
  const via = spec.gateway ? ` via ${formatAddress(spec.gateway)}` : "";
  const dev = spec.device !== undefined
    ? ` dev ${spec.device}`
    : spec.ifindex
    ? ` on interface ${spec.ifindex}`
    : "";
  const table = spec.table !== undefined && spec.table !== RT_TABLE_MAIN ? ` in table ${spec.table}` : "";
  return `route to ${spec.destination ? formatPrefix(spec.destination) : "default"}${via}${dev}${table}`;
}

/** Request that adds a route. Throws RangeError. */
export function addRouteRequest(spec: RouteSpec): NetlinkRequest {
  const type = ROUTE_TYPES.indexOf(spec.type ?? "unicast");
  const beside = spec.append ? NLM_F_APPEND : spec.prepend ? 0 : NLM_F_EXCL;
  const mode = spec.replace ? NLM_F_REPLACE : beside;
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | mode,
    name: "RTM_NEWROUTE",
    doing: `${spec.replace ? "set" : "add"} ${describe(spec)}`,
    payload: writeRoute(spec, scopeOf(spec), spec.protocol ?? RTPROT_STATIC, type),
  };
}

/** Request that removes the first route that matches. Throws RangeError. */
export function removeRouteRequest(spec: RouteSpec): NetlinkRequest {
  const type = spec.type === undefined ? 0 : ROUTE_TYPES.indexOf(spec.type);
  const scope = spec.scope ?? (spec.family === "ipv4" ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE);
  return {
    type: RTM_DELROUTE,
    flags: 0,
    name: "RTM_DELROUTE",
    doing: `remove ${describe(spec)}`,
    payload: writeRoute(spec, scope, spec.protocol ?? 0, type),
  };
}

/** Which routes to list; the kernel leaves out the rest (Linux 4.20). */
export interface RouteFilter {
  readonly family?: AddressFamily;
  readonly table?: number;
  /** RTPROT_… */
  readonly protocol?: number;
}

/** Request for the routes that a filter lets through. */
export function listRoutesRequest(filter: RouteFilter = {}): NetlinkRequest {
  const builder = new MessageBuilder(32).u8(filter.family ? AF[filter.family] : 0).zero(4)
    .u8(filter.protocol ?? 0).zero(RTMSG - 6);
  if (filter.table !== undefined) builder.attrU32(RTA_TABLE, filter.table);
  return {
    type: RTM_GETROUTE,
    flags: 0,
    name: "RTM_GETROUTE",
    doing: "list routes",
    payload: builder.finish(),
  };
}
