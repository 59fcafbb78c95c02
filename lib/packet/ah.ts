/**
 * The IPsec authentication header (RFC 4302) with HMAC-MD5-96 (RFC 2403), as VRRPv2 uses it for authentication type
 * 2 over IPv4 (RFC 2338 §5.3.6.3) and as keepalived puts it on the wire.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isMulticast } from "./address.ts";
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
  writeZeros,
} from "./bytes.ts";
import { IP_PROTOCOL, IPV4_HEADER_LENGTH } from "./ipv4.ts";

/** Bytes of the header with its integrity check value. */
export const AH_LENGTH = 24;
/** Bytes of the integrity check value. */
export const AH_ICV_LENGTH = 12;

const ICV_OFFSET = 12;
/** RFC 4302 §2.2: 32-bit words of the header minus 2. */
const PAYLOAD_LENGTH = AH_LENGTH / 4 - 2;

/** The fields of a header. keepalived's SPI is the source address read as a number. */
export interface AhHeader {
  readonly nextHeader: number;
  readonly spi: number;
  readonly sequence: number;
  readonly icv: Uint8Array;
}

/** Why a header was not read. `length`: not the length of a 12-byte integrity check value. */
export const AH_DROP_REASONS = ["truncated", "length"] as const;
/** One of `AH_DROP_REASONS`. */
export type AhDropReason = (typeof AH_DROP_REASONS)[number];

/** `payload` is a view of the input; the integrity check value is a copy and not yet verified. */
export type AhDecode =
  | { readonly ok: true; readonly header: AhHeader; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: AhDropReason };

/**
 * Writes the 24-byte header with an integrity check value of zero at `offset` and returns where the payload
 * starts; `signAh` fills the value in. Throws RangeError.
 */
export function encodeAhInto(
  buffer: Uint8Array,
  offset: number,
  header: Omit<AhHeader, "icv">,
): number {
  requireRoom(buffer, offset, AH_LENGTH);
  requireRange("next header", header.nextHeader, 0, 0xff);
  requireRange("SPI", header.spi, 0, 0xffffffff);
  requireRange("sequence", header.sequence, 0, 0xffffffff);
  writeU8(buffer, offset, header.nextHeader);
  writeU8(buffer, offset + 1, PAYLOAD_LENGTH);
  writeU16(buffer, offset + 2, 0);
  writeU32(buffer, offset + 4, header.spi);
  writeU32(buffer, offset + 8, header.sequence);
  writeZeros(buffer, offset + ICV_OFFSET, AH_ICV_LENGTH);
  return offset + AH_LENGTH;
}

/** Reads the payload of an IPv4 packet of protocol 51. `verifyAh` says whether it is authentic. */
export function decodeAh(payload: Uint8Array): AhDecode {
  if (payload.length < AH_LENGTH) return { ok: false, reason: "truncated" };
  if (readU8(payload, 1) !== PAYLOAD_LENGTH) return { ok: false, reason: "length" };
  const header = {
    nextHeader: readU8(payload, 0),
    spi: readU32(payload, 4),
    sequence: readU32(payload, 8),
    icv: copyBytes(payload, ICV_OFFSET, AH_ICV_LENGTH),
  };
  return { ok: true, header, payload: payload.subarray(AH_LENGTH) };
}

/**
 * Computes the integrity check value of a whole packet (IPv4 header, AH, payload; it ends where the total length
 * says) and writes it in place. The IPv4 checksum does not matter, being mutable. `key` is the 8 bytes of the
 * password, padded with zeros. Throws RangeError when the headers are not there.
 */
export function signAh(packet: Uint8Array, key: Uint8Array): void {
  const at = ahOffset(packet);
  if (at === null) {
    throw new RangeError(`Cannot sign a packet of ${packet.length} bytes: no IPv4 and AH header`);
  }
  writeBytes(packet, at + ICV_OFFSET, integrityCheckValue(packet, at, key));
}

/**
 * True when a whole packet (IPv4 header, AH, payload; bytes behind the total length are ignored) carries the integrity check value that `key`
 * makes. Constant time; false for anything malformed.
 */
export function verifyAh(packet: Uint8Array, key: Uint8Array): boolean {
  const at = ahOffset(packet);
  if (at === null) return false;
  const icv = packet.subarray(at + ICV_OFFSET, at + AH_LENGTH);
  return timingSafeEqual(icv, integrityCheckValue(packet, at, key));
}

/** The SPI that keepalived uses: the source IPv4 address as a number. Throws RangeError. */
export function ahSpi(source: Uint8Array): number {
  requireLength("source", source, 4);
  return readU32(source, 0);
}

/** Where the AH starts in an IPv4 packet; null unless version, protocol and lengths fit. */
function ahOffset(packet: Uint8Array): number | null {
  if (packet.length < IPV4_HEADER_LENGTH + AH_LENGTH) return null;
  const first = readU8(packet, 0);
  const at = (first & 0x0f) * 4;
  const total = readU16(packet, 2);
  const fits = at >= IPV4_HEADER_LENGTH && total >= at + AH_LENGTH && total <= packet.length;
  return fits && first >> 4 === 4 && readU8(packet, 9) === IP_PROTOCOL.ah ? at : null;
}

function integrityCheckValue(packet: Uint8Array, at: number, key: Uint8Array): Uint8Array {
  const copy = packet.slice(0, readU16(packet, 2));
  // RFC 4302 §3.3.3.1.1: fields that routers may change count as zero. The time to live is one of them, but
  // keepalived covers it in multicast packets, which no router forwards.
  copy[1] = 0;
  writeZeros(copy, 6, 2);
  if (!isMulticast(copy.subarray(16, 20))) copy[8] = 0;
  writeZeros(copy, 10, 2);
  writeZeros(copy, at + ICV_OFFSET, AH_ICV_LENGTH);
  return createHmac("md5", key).update(copy).digest().subarray(0, AH_ICV_LENGTH);
}
