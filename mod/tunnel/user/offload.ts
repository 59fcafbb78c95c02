/**
 * Packets whose checksum nobody has computed yet, and bundles of TCP segments: what the kernel hands to a raw socket
 * when the sender is on the same host (veth), or when it merged segments on arrival (GRO). Written into the device as
 * they are they would be thrown away as damaged; the header in front of a packet (struct virtio_net_hdr) says what
 * they lack, and the kernel does the rest. Pure, nothing allocated.
 *
 * @module
 */
import { type Inner, packetEnd, payloadStart } from "./inner.ts";
import { PROTOCOL } from "./wire.ts";

const TCP = 6;
const UDP = 17;
const NEEDS_CHECKSUM = 1;
const GSO_TCP4 = 1;
const GSO_TCP6 = 4;
const GSO_ECN = 0x80;
const TCP_CWR = 0x80;

/** struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset. */
const LENGTH = 10;

function pseudoSum(inner: Inner, view: DataView, length: number): number {
  const six = inner.protocol === PROTOCOL.ipv6;
  const start = inner.at + (six ? 8 : 12);
  const end = start + (six ? 32 : 8);
  let sum = inner.next + (length & 0xffff) + (length >>> 16);
  for (let at = start; at < end; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/**
 * Where the checksum field of a packet lies that holds nothing but the pseudo-header's sum, or -1. One finished
 * checksum in 65,536 looks the same by chance: then the kernel computes it again, which changes nothing.
 */
export function unfinishedChecksum(inner: Inner, view: DataView, end: number): number {
  if (inner.next !== TCP && inner.next !== UDP) return -1;
  const start = payloadStart(inner, view);
  const stop = packetEnd(inner, view);
  const field = start + (inner.next === TCP ? 16 : 6);
  if (stop > end || field + 2 > stop) return -1;
  // A fragment's payload begins elsewhere.
  if (inner.protocol === PROTOCOL.ipv4 && (view.getUint16(inner.at + 6) & 0x3fff) !== 0) return -1;
  return view.getUint16(field) === pseudoSum(inner, view, stop - start) ? field : -1;
}

/** Writes the header of a packet that needs nothing, in front of `start`. */
export function writePlainHeader(view: DataView, start: number): void {
  view.setUint32(start - LENGTH, 0);
  view.setUint32(start - LENGTH + 4, 0);
  view.setUint16(start - LENGTH + 8, 0);
}

/**
 * Writes the header of a packet whose checksum field at `field` is unfinished, in front of `start`. A TCP packet larger
 * than `mtu` is a bundle, to be taken apart where it leaves. False when it cannot be described: a bundle of datagrams.
 */
export function writeUnfinishedHeader(
  inner: Inner,
  view: DataView,
  start: number,
  field: number,
  mtu: number,
): boolean {
  const transport = payloadStart(inner, view);
  const tcp = inner.next === TCP;
  let type = 0;
  let size = 0;
  let headers = 0;
  if (packetEnd(inner, view) - inner.at > mtu) {
    if (!tcp) return false;
    const data = transport + (view.getUint8(transport + 12) >> 4) * 4;
    type = (inner.protocol === PROTOCOL.ipv4 ? GSO_TCP4 : GSO_TCP6) |
      (view.getUint8(transport + 13) & TCP_CWR ? GSO_ECN : 0);
    size = mtu - (data - inner.at);
    headers = data - start;
    if (size <= 0) return false;
  }
  const at = start - LENGTH;
  view.setUint8(at, NEEDS_CHECKSUM);
  view.setUint8(at + 1, type);
  view.setUint16(at + 2, headers, true);
  view.setUint16(at + 4, size, true);
  view.setUint16(at + 6, transport - start, true);
  view.setUint16(at + 8, field - transport, true);
  return true;
}
