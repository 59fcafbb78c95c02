/** ARP for IPv4 over Ethernet (RFC 826) and gratuitous ARP (RFC 5227 §3, RFC 5944 §4.6). */
import { BROADCAST_MAC } from "./address.ts";
import {
  copyBytes,
  readU16,
  readU8,
  requireLength,
  requireRoom,
  writeBytes,
  writeU16,
  writeU8,
} from "./bytes.ts";
import { encodeEthernetInto, ETHER_TYPE, ETHERNET_HEADER_LENGTH } from "./ethernet.ts";

/** Bytes of an ARP packet for IPv4 over Ethernet. */
export const ARP_LENGTH = 28;
/** Bytes of a frame made by `encodeGratuitousArp`. */
export const GRATUITOUS_ARP_LENGTH: number = ETHERNET_HEADER_LENGTH + ARP_LENGTH;

/** What an ARP packet asks or says. */
export type ArpOperation = "request" | "reply";

/** The fields of an ARP packet; MACs have 6 bytes, addresses 4. */
export interface Arp {
  readonly operation: ArpOperation;
  readonly senderMac: Uint8Array;
  readonly senderAddress: Uint8Array;
  readonly targetMac: Uint8Array;
  readonly targetAddress: Uint8Array;
}

/** Why a packet was not read. `kind`: not IPv4 over Ethernet. `operation`: neither request nor reply. */
export const ARP_DROP_REASONS = ["truncated", "kind", "operation"] as const;
/** One of `ARP_DROP_REASONS`. */
export type ArpDropReason = (typeof ARP_DROP_REASONS)[number];

/** All fields are copies. */
export type ArpDecode =
  | { readonly ok: true; readonly arp: Arp }
  | { readonly ok: false; readonly reason: ArpDropReason };

/** Writes the 28 bytes at `offset` and returns where they end. Throws RangeError. */
export function encodeArpInto(buffer: Uint8Array, offset: number, arp: Arp): number {
  requireRoom(buffer, offset, ARP_LENGTH);
  requireLength("sender MAC", arp.senderMac, 6);
  requireLength("sender address", arp.senderAddress, 4);
  requireLength("target MAC", arp.targetMac, 6);
  requireLength("target address", arp.targetAddress, 4);
  writeU16(buffer, offset, 1);
  writeU16(buffer, offset + 2, ETHER_TYPE.ipv4);
  writeU8(buffer, offset + 4, 6);
  writeU8(buffer, offset + 5, 4);
  writeU16(buffer, offset + 6, arp.operation === "request" ? 1 : 2);
  writeBytes(buffer, offset + 8, arp.senderMac);
  writeBytes(buffer, offset + 14, arp.senderAddress);
  writeBytes(buffer, offset + 18, arp.targetMac);
  writeBytes(buffer, offset + 24, arp.targetAddress);
  return offset + ARP_LENGTH;
}

/** An ARP packet without its Ethernet header. Throws RangeError. */
export function encodeArp(arp: Arp): Uint8Array {
  const packet = new Uint8Array(ARP_LENGTH);
  encodeArpInto(packet, 0, arp);
  return packet;
}

/** Reads the payload of an ARP frame; padding behind it is ignored. */
export function decodeArp(payload: Uint8Array): ArpDecode {
  if (payload.length < ARP_LENGTH) return { ok: false, reason: "truncated" };
  const kind = readU16(payload, 0) === 1 && readU16(payload, 2) === ETHER_TYPE.ipv4 &&
    readU8(payload, 4) === 6 && readU8(payload, 5) === 4;
  if (!kind) return { ok: false, reason: "kind" };
  const operation = readU16(payload, 6);
  if (operation !== 1 && operation !== 2) return { ok: false, reason: "operation" };
  const arp: Arp = {
    operation: operation === 1 ? "request" : "reply",
    senderMac: copyBytes(payload, 8, 6),
    senderAddress: copyBytes(payload, 14, 4),
    targetMac: copyBytes(payload, 18, 6),
    targetAddress: copyBytes(payload, 24, 4),
  };
  return { ok: true, arp };
}

/**
 * Writes a broadcast frame that tells everybody "`address` is at `mac`" at `offset` and returns where it ends.
 * `request` is keepalived's form: sender and target are the address, target MAC all ones. `reply` names `mac` as
 * target MAC, as RFC 5944 §4.6 wants it. Throws RangeError.
 */
export function encodeGratuitousArpInto(
  buffer: Uint8Array,
  offset: number,
  address: Uint8Array,
  mac: Uint8Array,
  operation: ArpOperation = "request",
): number {
  requireRoom(buffer, offset, GRATUITOUS_ARP_LENGTH);
  const body = encodeEthernetInto(buffer, offset, {
    destination: BROADCAST_MAC,
    source: mac,
    etherType: ETHER_TYPE.arp,
  });
  return encodeArpInto(buffer, body, {
    operation,
    senderMac: mac,
    senderAddress: address,
    targetMac: operation === "request" ? BROADCAST_MAC : mac,
    targetAddress: address,
  });
}

/** The same as a frame of its own (42 bytes). Throws RangeError. */
export function encodeGratuitousArp(
  address: Uint8Array,
  mac: Uint8Array,
  operation: ArpOperation = "request",
): Uint8Array {
  const frame = new Uint8Array(GRATUITOUS_ARP_LENGTH);
  encodeGratuitousArpInto(frame, 0, address, mac, operation);
  return frame;
}
