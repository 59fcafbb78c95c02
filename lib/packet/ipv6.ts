/** IPv6 headers (RFC 8200). Extension headers are left in the payload. */
import {
  copyBytes,
  readU16,
  readU32,
  readU8,
  requireLength,
  requireRange,
  requireRoom,
  writeBytes,
  writeU16,
  writeU32,
  writeU8,
} from "./bytes.ts";

/** Bytes of the fixed header. */
export const IPV6_HEADER_LENGTH = 40;

/** The fields of a header. The payload length is computed. */
export interface Ipv6Header {
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly hopLimit: number;
  readonly nextHeader: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Why a packet was not read. `length`: the payload length exceeds the bytes at hand. */
export const IPV6_DROP_REASONS = ["truncated", "version", "length"] as const;
/** One of `IPV6_DROP_REASONS`. */
export type Ipv6DropReason = (typeof IPV6_DROP_REASONS)[number];

/** `payload` is a view of the input that ends where the payload length says; the addresses are copies. */
export type Ipv6Decode =
  | { readonly ok: true; readonly header: Ipv6Header; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: Ipv6DropReason };

/** Writes the 40-byte header at `offset` and returns where the payload starts. Throws RangeError. */
export function encodeIpv6Into(
  buffer: Uint8Array,
  offset: number,
  header: Ipv6Header,
  payloadLength: number,
): number {
  requireRoom(buffer, offset, IPV6_HEADER_LENGTH);
  requireRange("traffic class", header.trafficClass, 0, 0xff);
  requireRange("flow label", header.flowLabel, 0, 0xfffff);
  requireRange("hop limit", header.hopLimit, 0, 0xff);
  requireRange("next header", header.nextHeader, 0, 0xff);
  requireRange("payload length", payloadLength, 0, 0xffff);
  requireLength("source", header.source, 16);
  requireLength("destination", header.destination, 16);
  writeU32(buffer, offset, ((6 << 28) | (header.trafficClass << 20) | header.flowLabel) >>> 0);
  writeU16(buffer, offset + 4, payloadLength);
  writeU8(buffer, offset + 6, header.nextHeader);
  writeU8(buffer, offset + 7, header.hopLimit);
  writeBytes(buffer, offset + 8, header.source);
  writeBytes(buffer, offset + 24, header.destination);
  return offset + IPV6_HEADER_LENGTH;
}

/** A packet with its payload. Throws RangeError. */
export function encodeIpv6(header: Ipv6Header, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER_LENGTH + payload.length);
  writeBytes(packet, encodeIpv6Into(packet, 0, header, payload.length), payload);
  return packet;
}

/** Reads a packet. */
export function decodeIpv6(packet: Uint8Array): Ipv6Decode {
  if (packet.length < IPV6_HEADER_LENGTH) return { ok: false, reason: "truncated" };
  const first = readU32(packet, 0);
  if (first >>> 28 !== 6) return { ok: false, reason: "version" };
  const end = IPV6_HEADER_LENGTH + readU16(packet, 4);
  if (end > packet.length) return { ok: false, reason: "length" };
  const header = {
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    hopLimit: readU8(packet, 7),
    nextHeader: readU8(packet, 6),
    source: copyBytes(packet, 8, 16),
    destination: copyBytes(packet, 24, 16),
  };
  return { ok: true, header, payload: packet.subarray(IPV6_HEADER_LENGTH, end) };
}
