/** IPv4 headers (RFC 791). Options are skipped when read and never written. */
import {
  copyBytes,
  readU16,
  readU8,
  requireLength,
  requireRange,
  requireRoom,
  writeBytes,
  writeU16,
  writeU8,
} from "./bytes.ts";
import { internetChecksum, isChecksumGood } from "./checksum.ts";

/** Bytes of a header without options. */
export const IPV4_HEADER_LENGTH = 20;

/** IP protocol (next header) numbers used here (IANA "Protocol Numbers"). */
export const IP_PROTOCOL = { icmp: 1, gre: 47, ah: 51, icmpv6: 58, vrrp: 112 } as const;

/** DSCP CS6, what routing protocols send with. */
export const TOS_INTERNET_CONTROL = 0xc0;

/** The fields of a header. Lengths and checksum are computed. `fragmentOffset` counts units of 8 bytes. */
export interface Ipv4Header {
  readonly tos: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Why a packet was not read. `length`: the total length does not fit the header or the bytes at hand. */
export const IPV4_DROP_REASONS = ["truncated", "version", "header-length", "length", "checksum"] as const;
/** One of `IPV4_DROP_REASONS`. */
export type Ipv4DropReason = (typeof IPV4_DROP_REASONS)[number];

/**
 * `payload` is a view of the input that ends where the total length says, so Ethernet padding is not in it; the
 * addresses are copies. `headerLength` counts the options.
 */
export type Ipv4Decode =
  | {
    readonly ok: true;
    readonly header: Ipv4Header;
    readonly headerLength: number;
    readonly payload: Uint8Array;
  }
  | { readonly ok: false; readonly reason: Ipv4DropReason };

/**
 * Writes a 20-byte header for a payload of `payloadLength` bytes at `offset`, checksum included, and returns where
 * the payload starts. Throws RangeError.
 */
export function encodeIpv4Into(
  buffer: Uint8Array,
  offset: number,
  header: Ipv4Header,
  payloadLength: number,
): number {
  requireRoom(buffer, offset, IPV4_HEADER_LENGTH);
  requireRange("TOS", header.tos, 0, 0xff);
  requireRange("identification", header.identification, 0, 0xffff);
  requireRange("fragment offset", header.fragmentOffset, 0, 0x1fff);
  requireRange("TTL", header.ttl, 0, 0xff);
  requireRange("protocol", header.protocol, 0, 0xff);
  requireRange("payload length", payloadLength, 0, 0xffff - IPV4_HEADER_LENGTH);
  requireLength("source", header.source, 4);
  requireLength("destination", header.destination, 4);
  const flags = (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0);
  writeU8(buffer, offset, 0x45);
  writeU8(buffer, offset + 1, header.tos);
  writeU16(buffer, offset + 2, IPV4_HEADER_LENGTH + payloadLength);
  writeU16(buffer, offset + 4, header.identification);
  writeU16(buffer, offset + 6, flags | header.fragmentOffset);
  writeU8(buffer, offset + 8, header.ttl);
  writeU8(buffer, offset + 9, header.protocol);
  writeU16(buffer, offset + 10, 0);
  writeBytes(buffer, offset + 12, header.source);
  writeBytes(buffer, offset + 16, header.destination);
  const end = offset + IPV4_HEADER_LENGTH;
  writeU16(buffer, offset + 10, internetChecksum(buffer, 0, offset, end));
  return end;
}

/** A packet with its payload. Throws RangeError. */
export function encodeIpv4(header: Ipv4Header, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + payload.length);
  writeBytes(packet, encodeIpv4Into(packet, 0, header, payload.length), payload);
  return packet;
}

/** Reads a packet as a raw socket or a frame hands it over. */
export function decodeIpv4(packet: Uint8Array): Ipv4Decode {
  if (packet.length < IPV4_HEADER_LENGTH) return { ok: false, reason: "truncated" };
  const first = readU8(packet, 0);
  if (first >> 4 !== 4) return { ok: false, reason: "version" };
  const headerLength = (first & 0x0f) * 4;
  if (headerLength < IPV4_HEADER_LENGTH) return { ok: false, reason: "header-length" };
  if (headerLength > packet.length) return { ok: false, reason: "truncated" };
  const totalLength = readU16(packet, 2);
  if (totalLength < headerLength || totalLength > packet.length) return { ok: false, reason: "length" };
  if (!isChecksumGood(packet, 0, 0, headerLength)) return { ok: false, reason: "checksum" };
  const fragment = readU16(packet, 6);
  const header = {
    tos: readU8(packet, 1),
    identification: readU16(packet, 4),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: fragment & 0x1fff,
    ttl: readU8(packet, 8),
    protocol: readU8(packet, 9),
    source: copyBytes(packet, 12, 4),
    destination: copyBytes(packet, 16, 4),
  };
  return { ok: true, header, headerLength, payload: packet.subarray(headerLength, totalLength) };
}
