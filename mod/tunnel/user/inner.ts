/**
 * What a tunnel must know of the packets inside it: their TTL, TOS and Don't Fragment bit where the outer header
 * inherits them, congestion marks (RFC 6040), keepalives, and its own packets come back. Pure, nothing allocated.
 *
 * @module
 */
import { PROTOCOL } from "./wire.ts";

/** ECN field (RFC 3168 §5). */
const ECN_MASK = 3;
const ECN_CE = 3;
const ECN_ECT0 = 2;
const VLAN = 0x8100;
const QINQ = 0x88a8;
const GRE = 47;
const DF = 0x4000;

/** The last packet looked at by {@link inspect}. One record, written anew for each packet. */
export interface Inner {
  /** EtherType: {@link PROTOCOL}.ipv4, .ipv6, or 0 for what is neither. */
  protocol: number;
  /** Where its IP header starts; where the frame starts when there is none. */
  at: number;
  /** 0 when it is not IP. */
  ttl: number;
  tos: number;
  dontFragment: boolean;
  /** Payload's protocol number; -1 when it is not IP. */
  next: number;
}

/** A record for {@link inspect}. */
export function emptyInner(): Inner {
  return { protocol: 0, at: 0, ttl: 0, tos: 0, dontFragment: false, next: -1 };
}

/** Looks at the packet (or with `tap` the Ethernet frame, VLAN tags or not) from `start` to `end`. */
export function inspect(inner: Inner, view: DataView, tap: boolean, start: number, end: number): void {
  let at = start;
  let protocol = 0;
  if (tap) {
    at += 14;
    if (at <= end) protocol = view.getUint16(at - 2);
    while ((protocol === VLAN || protocol === QINQ) && at + 4 <= end) {
      at += 4;
      protocol = view.getUint16(at - 2);
    }
  } else if (start < end) {
    const version = view.getUint8(start) >> 4;
    protocol = version === 4 ? PROTOCOL.ipv4 : version === 6 ? PROTOCOL.ipv6 : 0;
  }
  inner.at = at;
  if (protocol === PROTOCOL.ipv4 && at + 20 <= end) {
    inner.protocol = protocol;
    inner.ttl = view.getUint8(at + 8);
    inner.tos = view.getUint8(at + 1);
    inner.dontFragment = (view.getUint16(at + 6) & DF) !== 0;
    inner.next = view.getUint8(at + 9);
  } else if (protocol === PROTOCOL.ipv6 && at + 40 <= end) {
    inner.protocol = protocol;
    inner.ttl = view.getUint8(at + 7);
    inner.tos = view.getUint16(at) >> 4 & 0xff;
    inner.dontFragment = false;
    inner.next = view.getUint8(at + 6);
  } else {
    inner.protocol = 0;
    inner.ttl = 0;
    inner.tos = 0;
    inner.dontFragment = false;
    inner.next = -1;
  }
}

/** The outer TOS: `base` (1 = the inner one) with the inner packet's congestion bits (RFC 6040 §4.1, as Linux has it). */
export function outerTos(base: number, innerTos: number): number {
  const dscp = (base & 1 ? innerTos : base) & ~ECN_MASK;
  const ecn = innerTos & ECN_MASK;
  return dscp | (ecn === ECN_CE ? ECN_ECT0 : ecn);
}

/**
 * Passes a congestion mark of the outer header on to the packet inside. False when the packet must be dropped: it was
 * marked though it does not take part (RFC 6040 §4.2).
 */
export function inheritMark(inner: Inner, view: DataView, tos: number): boolean {
  if ((tos & ECN_MASK) !== ECN_CE || inner.protocol === 0) return true;
  const ecn = inner.tos & ECN_MASK;
  if (ecn === 0) return false;
  if (ecn === ECN_CE) return true;
  if (inner.protocol === PROTOCOL.ipv6) {
    view.setUint16(inner.at, view.getUint16(inner.at) | ECN_CE << 4);
    return true;
  }
  view.setUint8(inner.at + 1, inner.tos | ECN_CE);
  // RFC 1624 §3: HC' = ~(~HC + ~m + m').
  const sum = (0xffff - view.getUint16(inner.at + 10)) + ECN_CE - ecn;
  view.setUint16(inner.at + 10, 0xffff - (sum > 0xffff ? sum - 0xffff : sum));
  return true;
}

function holds(view: DataView, at: number, address: Uint8Array): boolean {
  for (let index = 0; index < address.length; index++) {
    if (view.getUint8(at + index) !== address[index]) return false;
  }
  return true;
}

/** Whether a packet is GRE from one address to another: with both swapped the two questions asked below. */
export function isGreBetween(
  inner: Inner,
  view: DataView,
  source: Uint8Array,
  destination: Uint8Array,
): boolean {
  if (inner.next !== GRE) return false;
  if (source.length === 4) {
    return inner.protocol === PROTOCOL.ipv4 && holds(view, inner.at + 12, source) &&
      holds(view, inner.at + 16, destination);
  }
  return inner.protocol === PROTOCOL.ipv6 && holds(view, inner.at + 8, source) &&
    holds(view, inner.at + 24, destination);
}

/** Where the payload of the IP packet starts; an IPv6 header with extensions never carries a keepalive. */
export function payloadStart(inner: Inner, view: DataView): number {
  return inner.protocol === PROTOCOL.ipv4 ? inner.at + (view.getUint8(inner.at) & 15) * 4 : inner.at + 40;
}

/** Where the IP packet ends by its own length, Ethernet padding excluded. */
export function packetEnd(inner: Inner, view: DataView): number {
  return inner.protocol === PROTOCOL.ipv4
    ? inner.at + view.getUint16(inner.at + 2)
    : inner.at + 40 + view.getUint16(inner.at + 4);
}
