/** GRE (RFC 2784) with key and sequence number (RFC 2890). */
import { readU16, readU32, requireRange, requireRoom, writeBytes, writeU16, writeU32 } from "./bytes.ts";
import { internetChecksum, isChecksumGood } from "./checksum.ts";

/** What GRE carries: EtherTypes, `teb` being whole Ethernet frames; `keepalive` is the empty innermost packet. */
export const GRE_PROTOCOL = { keepalive: 0, ipv4: 0x0800, teb: 0x6558, ipv6: 0x86dd } as const;

const FLAG_CHECKSUM = 0x8000;
const FLAG_KEY = 0x2000;
const FLAG_SEQUENCE = 0x1000;
/** RFC 2784 §2.2: bits 1, 4 and 5 (RFC 1701 routing, strict route, recursion) must be zero; 6 to 12 are ignored. */
const FLAGS_REFUSED = 0x4c00;
const VERSION_MASK = 0x0007;

/** The fields of a header; key and sequence have 32 bits and are left out when null. */
export interface GreHeader {
  readonly protocol: number;
  readonly checksum: boolean;
  readonly key: number | null;
  readonly sequence: number | null;
}

/** Why a packet was not read. */
export const GRE_DROP_REASONS = ["truncated", "version", "flags", "checksum"] as const;
/** One of `GRE_DROP_REASONS`. */
export type GreDropReason = (typeof GRE_DROP_REASONS)[number];

/** `payload` is a view of the input. */
export type GreDecode =
  | { readonly ok: true; readonly header: GreHeader; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: GreDropReason };

/** Bytes of the header: 4 to 16. */
export function greHeaderLength(header: GreHeader): number {
  return 4 + (header.checksum ? 4 : 0) + (header.key === null ? 0 : 4) + (header.sequence === null ? 0 : 4);
}

/**
 * Writes the header at `offset` and returns where the payload starts. The payload must already be there, right
 * behind the header and `payloadLength` bytes long, because the checksum covers it; no byte is moved. Throws
 * RangeError.
 */
export function encodeGreInto(
  buffer: Uint8Array,
  offset: number,
  header: GreHeader,
  payloadLength: number,
): number {
  const start = offset + greHeaderLength(header);
  requireRoom(buffer, offset, start - offset + payloadLength);
  requireRange("protocol", header.protocol, 0, 0xffff);
  let at = offset + 4;
  let flags = 0;
  if (header.checksum) {
    flags |= FLAG_CHECKSUM;
    writeU32(buffer, at, 0);
    at += 4;
  }
  if (header.key !== null) {
    requireRange("key", header.key, 0, 0xffffffff);
    flags |= FLAG_KEY;
    writeU32(buffer, at, header.key);
    at += 4;
  }
  if (header.sequence !== null) {
    requireRange("sequence", header.sequence, 0, 0xffffffff);
    flags |= FLAG_SEQUENCE;
    writeU32(buffer, at, header.sequence);
  }
  writeU16(buffer, offset, flags);
  writeU16(buffer, offset + 2, header.protocol);
  if (header.checksum) {
    writeU16(buffer, offset + 4, internetChecksum(buffer, 0, offset, start + payloadLength));
  }
  return start;
}

/** Header and payload. Throws RangeError. */
export function encodeGre(header: GreHeader, payload: Uint8Array): Uint8Array {
  const start = greHeaderLength(header);
  const packet = new Uint8Array(start + payload.length);
  writeBytes(packet, start, payload);
  encodeGreInto(packet, 0, header, payload.length);
  return packet;
}

/** Reads the payload of an IP packet of protocol 47. */
export function decodeGre(packet: Uint8Array): GreDecode {
  if (packet.length < 4) return { ok: false, reason: "truncated" };
  const flags = readU16(packet, 0);
  if ((flags & VERSION_MASK) !== 0) return { ok: false, reason: "version" };
  if ((flags & FLAGS_REFUSED) !== 0) return { ok: false, reason: "flags" };
  const checksum = (flags & FLAG_CHECKSUM) !== 0;
  const hasKey = (flags & FLAG_KEY) !== 0;
  const hasSequence = (flags & FLAG_SEQUENCE) !== 0;
  const keyAt = checksum ? 8 : 4;
  const sequenceAt = hasKey ? keyAt + 4 : keyAt;
  const start = hasSequence ? sequenceAt + 4 : sequenceAt;
  if (packet.length < start) return { ok: false, reason: "truncated" };
  if (checksum && !isChecksumGood(packet)) return { ok: false, reason: "checksum" };
  const header = {
    protocol: readU16(packet, 2),
    checksum,
    key: hasKey ? readU32(packet, keyAt) : null,
    sequence: hasSequence ? readU32(packet, sequenceAt) : null,
  };
  return { ok: true, header, payload: packet.subarray(start) };
}
