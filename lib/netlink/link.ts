/**
 * Links: interfaces as rtnetlink shows them. Pure.
 *
 * @module
 */
import { AttributeCursor, type NetlinkMessage } from "./codec.ts";
import {
  IFINFO,
  IFLA_ADDRESS,
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MACVLAN_MODE,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_OPERSTATE,
  MACVLAN_MODES,
  type MacvlanMode,
  RTM_DELLINK,
  RTM_NEWLINK,
} from "./link_message.ts";
import { decodeTunnel, isTunnelType, type Tunnel } from "./tunnel.ts";

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_MULTICAST = 0x1000;
const IFF_LOWER_UP = 0x10000;

const AF_UNSPEC = 0;
const OPERSTATES = [
  "unknown",
  "not-present",
  "down",
  "lower-layer-down",
  "testing",
  "dormant",
  "up",
] as const;

/** RFC 2863 operational state. */
export type OperState = typeof OPERSTATES[number];

/** An interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `gretap`…; null for hardware and the loopback. */
  readonly kind: string | null;
  /** Someone set it up (IFF_UP). */
  readonly up: boolean;
  /** It can carry packets: carrier there and operational (IFF_RUNNING and IFF_LOWER_UP). */
  readonly running: boolean;
  /** IFF_… bits. */
  readonly flags: number;
  /** Bytes. */
  readonly mtu: number;
  /** Six bytes on Ethernet; a tunnel has its local IP address here, a device without one has no bytes. */
  readonly mac: Uint8Array;
  /** Index of the bridge or bond that it is a port of. */
  readonly master: number | null;
  /** Index of the device below it (macvlan, VLAN, bound tunnel) or of a veth's other end, maybe in another namespace. */
  readonly link: number | null;
  readonly operstate: OperState;
  readonly macvlanMode: MacvlanMode | null;
  /** A remark that somebody left on it (`ip link set … alias`). */
  readonly alias: string | null;
  /** What a GRE link does; null for any other kind. */
  readonly tunnel: Tunnel | null;
}

/**
 * Reads an RTM_NEWLINK or RTM_DELLINK. Null when it is malformed, and for what a bridge says about its ports (family
 * AF_BRIDGE): an RTM_DELLINK of that kind means that a port left, not that the link is gone.
 */
export function decodeLink(message: NetlinkMessage): Link | null {
  const { payload } = message;
  if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return null;
  if (payload.length < IFINFO || payload[0] !== AF_UNSPEC) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const flags = view.getUint32(8, true);
  let name = "";
  let mtu = 0;
  let mac: Uint8Array = new Uint8Array(0);
  let master = 0;
  let link = 0;
  let operstate: OperState = "unknown";
  let kind: string | null = null;
  let data: AttributeCursor | null = null;
  let alias: string | null = null;
  const attributes = new AttributeCursor(payload, IFINFO);
  while (attributes.next()) {
    switch (attributes.type) {
      case IFLA_IFNAME:
        name = attributes.text();
        break;
      case IFLA_MTU:
        mtu = attributes.u32();
        break;
      case IFLA_ADDRESS:
        mac = attributes.bytes();
        break;
      case IFLA_MASTER:
        master = attributes.u32();
        break;
      case IFLA_LINK:
        link = attributes.u32();
        break;
      case IFLA_OPERSTATE:
        operstate = OPERSTATES[attributes.u8()] ?? "unknown";
        break;
      case IFLA_IFALIAS:
        alias = attributes.text();
        break;
      case IFLA_LINKINFO: {
        const info = attributes.nested();
        while (info.next()) {
          if (info.type === IFLA_INFO_KIND) kind = info.text();
          else if (info.type === IFLA_INFO_DATA) data = info.nested();
        }
        break;
      }
    }
  }
  let macvlanMode: MacvlanMode | null = null;
  let tunnel: Tunnel | null = null;
  if (data !== null && kind === "macvlan") macvlanMode = decodeMacvlanMode(data);
  if (data !== null && kind !== null && isTunnelType(kind)) tunnel = decodeTunnel(kind, data);
  // A message without a name is about something else than the link itself (wireless events).
  if (!attributes.ok || name === "") return null;
  return {
    index: view.getInt32(4, true),
    name,
    kind,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    flags,
    mtu,
    mac,
    master: master === 0 ? null : master,
    link: link === 0 ? null : link,
    operstate,
    macvlanMode,
    alias,
    tunnel,
  };
}

function decodeMacvlanMode(data: AttributeCursor): MacvlanMode | null {
  let mode: MacvlanMode | null = null;
  while (data.next()) {
    if (data.type !== IFLA_MACVLAN_MODE) continue;
    const value = data.u32();
    for (const [name, number] of Object.entries(MACVLAN_MODES)) {
      if (number === value) mode = name as MacvlanMode;
    }
  }
  return mode;
}
