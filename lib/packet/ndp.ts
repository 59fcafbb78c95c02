/**
 * Neighbour advertisements (RFC 4861 §4.4), the IPv6 counterpart of gratuitous ARP (§7.2.6), and the solicitations that ask
 * for them (§4.3).
 */
import { ipv6MulticastMac } from "./address.ts";
import {
  copyBytes,
  readU16,
  readU32,
  readU8,
  requireLength,
  requireRoom,
  writeBytes,
  writeU16,
  writeU32,
  writeU8,
} from "./bytes.ts";
import { internetChecksum, isChecksumGood, pseudoHeaderSum } from "./checksum.ts";
import { encodeEthernetInto, ETHER_TYPE, ETHERNET_HEADER_LENGTH } from "./ethernet.ts";
import { IP_PROTOCOL } from "./ipv4.ts";
import { encodeIpv6Into, IPV6_HEADER_LENGTH } from "./ipv6.ts";

/** ff02::1 */
export const ALL_NODES: Uint8Array = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** Bytes of a neighbour advertisement with its link-layer option. */
export const NEIGHBOUR_ADVERTISEMENT_LENGTH = 32;
/** Bytes of a frame made by `encodeUnsolicitedAdvertisement`. */
export const UNSOLICITED_ADVERTISEMENT_LENGTH: number = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH +
  NEIGHBOUR_ADVERTISEMENT_LENGTH;

/** Bytes of a frame made by `encodeSolicitation`. */
export const SOLICITATION_LENGTH: number = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH + 32;

const FIXED_LENGTH = 24;
const TYPE_NEIGHBOUR_SOLICITATION = 135;
const TYPE_NEIGHBOUR_ADVERTISEMENT = 136;
const OPTION_SOURCE_LINK_LAYER = 1;
const OPTION_TARGET_LINK_LAYER = 2;
const FLAG_ROUTER = 0x80000000;
const FLAG_SOLICITED = 0x40000000;
const FLAG_OVERRIDE = 0x20000000;

const allNodesMac = ipv6MulticastMac(ALL_NODES);

/** What a neighbour advertisement says. `mac` is the target link-layer option; null when there is none. */
export interface NeighbourAdvertisement {
  readonly target: Uint8Array;
  readonly mac: Uint8Array | null;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
}

/** The IPv6 header's part in an ICMPv6 message. */
export interface NdpContext {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly hopLimit: number;
}

/** Why a message was not read (RFC 4861 §7.1.2). */
export const NDP_DROP_REASONS = ["truncated", "hop-limit", "type", "checksum", "option"] as const;
/** One of `NDP_DROP_REASONS`. */
export type NdpDropReason = (typeof NDP_DROP_REASONS)[number];

/** All fields are copies. */
export type NdpDecode =
  | { readonly ok: true; readonly advertisement: NeighbourAdvertisement }
  | { readonly ok: false; readonly reason: NdpDropReason };

/**
 * Writes the ICMPv6 message (24 bytes, 32 with a MAC) at `offset` and returns where it ends. `source` and
 * `destination` are the IPv6 header's. Throws RangeError.
 */
export function encodeNeighbourAdvertisementInto(
  buffer: Uint8Array,
  offset: number,
  advertisement: NeighbourAdvertisement,
  source: Uint8Array,
  destination: Uint8Array,
): number {
  const { target, mac, router, solicited, override } = advertisement;
  const end = offset + (mac === null ? FIXED_LENGTH : NEIGHBOUR_ADVERTISEMENT_LENGTH);
  requireRoom(buffer, offset, end - offset);
  requireLength("target", target, 16);
  requireLength("source", source, 16);
  requireLength("destination", destination, 16);
  writeU32(buffer, offset, TYPE_NEIGHBOUR_ADVERTISEMENT * 0x1000000);
  const flags = (router ? FLAG_ROUTER : 0) + (solicited ? FLAG_SOLICITED : 0) +
    (override ? FLAG_OVERRIDE : 0);
  writeU32(buffer, offset + 4, flags);
  writeBytes(buffer, offset + 8, target);
  if (mac !== null) {
    requireLength("MAC", mac, 6);
    writeU8(buffer, offset + 24, OPTION_TARGET_LINK_LAYER);
    writeU8(buffer, offset + 25, 1);
    writeBytes(buffer, offset + 26, mac);
  }
  const pseudo = pseudoHeaderSum(source, destination, IP_PROTOCOL.icmpv6, end - offset);
  writeU16(buffer, offset + 2, internetChecksum(buffer, pseudo, offset, end));
  return end;
}

/** Reads an ICMPv6 message that should be a neighbour advertisement. */
export function decodeNeighbourAdvertisement(message: Uint8Array, context: NdpContext): NdpDecode {
  if (message.length < FIXED_LENGTH) return { ok: false, reason: "truncated" };
  if (readU16(message, 0) !== TYPE_NEIGHBOUR_ADVERTISEMENT << 8) return { ok: false, reason: "type" };
  if (context.hopLimit !== 255) return { ok: false, reason: "hop-limit" };
  const pseudo = pseudoHeaderSum(context.source, context.destination, IP_PROTOCOL.icmpv6, message.length);
  if (!isChecksumGood(message, pseudo)) return { ok: false, reason: "checksum" };
  let mac: Uint8Array | null = null;
  for (let at = FIXED_LENGTH; at < message.length;) {
    // RFC 4861 §4.6: an option's length counts units of 8 bytes and is never zero.
    const length = at + 2 > message.length ? 0 : readU8(message, at + 1) * 8;
    if (length === 0 || at + length > message.length) return { ok: false, reason: "option" };
    if (readU8(message, at) === OPTION_TARGET_LINK_LAYER) mac = copyBytes(message, at + 2, 6);
    at += length;
  }
  const flags = readU32(message, 4);
  const advertisement = {
    target: copyBytes(message, 8, 16),
    mac,
    router: (flags & FLAG_ROUTER) !== 0,
    solicited: (flags & FLAG_SOLICITED) !== 0,
    override: (flags & FLAG_OVERRIDE) !== 0,
  };
  return { ok: true, advertisement };
}

/**
 * Writes a frame to ff02::1 that tells every node "`address` is at `mac`" at `offset` and returns where it ends:
 * source address and target are `address`, override set, hop limit 255; `router` when the node forwards. Throws
 * RangeError.
 */
export function encodeUnsolicitedAdvertisementInto(
  buffer: Uint8Array,
  offset: number,
  address: Uint8Array,
  mac: Uint8Array,
  router: boolean,
): number {
  requireRoom(buffer, offset, UNSOLICITED_ADVERTISEMENT_LENGTH);
  const packet = encodeEthernetInto(buffer, offset, {
    destination: allNodesMac,
    source: mac,
    etherType: ETHER_TYPE.ipv6,
  });
  const message = encodeIpv6Into(buffer, packet, {
    trafficClass: 0,
    flowLabel: 0,
    hopLimit: 255,
    nextHeader: IP_PROTOCOL.icmpv6,
    source: address,
    destination: ALL_NODES,
  }, NEIGHBOUR_ADVERTISEMENT_LENGTH);
  const advertisement = { target: address, mac, router, solicited: false, override: true };
  return encodeNeighbourAdvertisementInto(buffer, message, advertisement, address, ALL_NODES);
}

/** The same as a frame of its own (86 bytes). Throws RangeError. */
export function encodeUnsolicitedAdvertisement(
  address: Uint8Array,
  mac: Uint8Array,
  router: boolean,
): Uint8Array {
  const frame = new Uint8Array(UNSOLICITED_ADVERTISEMENT_LENGTH);
  encodeUnsolicitedAdvertisementInto(frame, 0, address, mac, router);
  return frame;
}

/** ff02::1:ff00:0/104 and the address's last 24 bits (RFC 4291 §2.7.1). */
function solicitedNode(target: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(target.subarray(13), 13);
  return group;
}

/**
 * A frame that asks who has `target`, to the group of those who may; the answer goes to `source` at `mac`. Throws
 * RangeError.
 */
export function encodeSolicitation(target: Uint8Array, source: Uint8Array, mac: Uint8Array): Uint8Array {
  requireLength("target", target, 16);
  const destination = solicitedNode(target);
  const frame = new Uint8Array(SOLICITATION_LENGTH);
  const packet = encodeEthernetInto(frame, 0, {
    destination: ipv6MulticastMac(destination),
    source: mac,
    etherType: ETHER_TYPE.ipv6,
  });
  const at = encodeIpv6Into(frame, packet, {
    trafficClass: 0,
    flowLabel: 0,
    hopLimit: 255,
    nextHeader: IP_PROTOCOL.icmpv6,
    source,
    destination,
  }, SOLICITATION_LENGTH - ETHERNET_HEADER_LENGTH - IPV6_HEADER_LENGTH);
  writeU8(frame, at, TYPE_NEIGHBOUR_SOLICITATION);
  writeBytes(frame, at + 8, target);
  writeU8(frame, at + 24, OPTION_SOURCE_LINK_LAYER);
  writeU8(frame, at + 25, 1);
  writeBytes(frame, at + 26, mac);
  const pseudo = pseudoHeaderSum(source, destination, IP_PROTOCOL.icmpv6, SOLICITATION_LENGTH - at);
  writeU16(frame, at + 2, internetChecksum(frame, pseudo, at, SOLICITATION_LENGTH));
  return frame;
}
