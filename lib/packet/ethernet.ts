/** Ethernet II frames, without VLAN tag and frame check sequence. */
import { copyBytes, readU16, requireLength, requireRange, writeBytes, writeU16 } from "./bytes.ts";

/** Bytes of the header. */
export const ETHERNET_HEADER_LENGTH = 14;

/** EtherType numbers (IANA "IEEE 802 numbers"). */
export const ETHER_TYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, teb: 0x6558 } as const;

/** Who sends a frame to whom, and what is in it. MACs have 6 bytes. */
export interface EthernetHeader {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly etherType: number;
}

/** Why a frame was not read. */
export const ETHERNET_DROP_REASONS = ["truncated"] as const;
/** One of `ETHERNET_DROP_REASONS`. */
export type EthernetDropReason = (typeof ETHERNET_DROP_REASONS)[number];

/** `payload` is a view of the input and may end in padding; the MACs are copies. */
export type EthernetDecode =
  | { readonly ok: true; readonly header: EthernetHeader; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: EthernetDropReason };

/** Writes the 14-byte header at `offset` and returns where the payload starts. Throws RangeError. */
export function encodeEthernetInto(buffer: Uint8Array, offset: number, header: EthernetHeader): number {
  requireLength("destination MAC", header.destination, 6);
  requireLength("source MAC", header.source, 6);
  requireRange("EtherType", header.etherType, 0, 0xffff);
  writeBytes(buffer, offset, header.destination);
  writeBytes(buffer, offset + 6, header.source);
  writeU16(buffer, offset + 12, header.etherType);
  return offset + ETHERNET_HEADER_LENGTH;
}

/** A frame with its payload; not padded, the network card does that. Throws RangeError. */
export function encodeEthernet(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + payload.length);
  writeBytes(frame, encodeEthernetInto(frame, 0, header), payload);
  return frame;
}

/** Reads a frame. */
export function decodeEthernet(frame: Uint8Array): EthernetDecode {
  if (frame.length < ETHERNET_HEADER_LENGTH) return { ok: false, reason: "truncated" };
  const header = {
    destination: copyBytes(frame, 0, 6),
    source: copyBytes(frame, 6, 6),
    etherType: readU16(frame, 12),
  };
  return { ok: true, header, payload: frame.subarray(ETHERNET_HEADER_LENGTH) };
}
