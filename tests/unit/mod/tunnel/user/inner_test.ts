import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../../../lib/packet/address.ts";
import { internetChecksum, isChecksumGood, pseudoHeaderSum } from "../../../../../lib/packet/checksum.ts";
import { encodeIpv4 } from "../../../../../lib/packet/ipv4.ts";
import {
  emptyInner,
  inheritMark,
  type Inner,
  inspect,
  isGreBetween,
  outerTos,
  packetEnd,
  payloadStart,
} from "../../../../../mod/tunnel/user/inner.ts";
import { unfinishedChecksum, writeUnfinishedHeader } from "../../../../../mod/tunnel/user/offload.ts";
import { PROTOCOL } from "../../../../../mod/tunnel/user/wire.ts";

const A = parseAddress("192.0.2.1")!;
const B = parseAddress("192.0.2.2")!;
const A6 = parseAddress("2001:db8::1")!;
const B6 = parseAddress("2001:db8::2")!;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function ipv4(
  payload: Uint8Array,
  wanted: { tos?: number; ttl?: number; protocol?: number; df?: boolean } = {},
) {
  const { tos = 0, ttl = 9, protocol = 6, df = false } = wanted;
  return encodeIpv4({
    tos,
    identification: 7,
    dontFragment: df,
    moreFragments: false,
    fragmentOffset: 0,
    ttl,
    protocol,
    source: A,
    destination: B,
  }, payload);
}

function ipv6(payload: Uint8Array, tos = 0, hopLimit = 9, next = 6): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  viewOf(packet).setUint32(0, 6 << 28 | tos << 20);
  viewOf(packet).setUint16(4, payload.length);
  packet[6] = next;
  packet[7] = hopLimit;
  packet.set(A6, 8);
  packet.set(B6, 24);
  packet.set(payload, 40);
  return packet;
}

function frame(type: number, payload: Uint8Array, tag: readonly number[] = []): Uint8Array {
  return Uint8Array.of(...new Uint8Array(12), ...tag, type >> 8, type & 255, ...payload);
}

function looked(packet: Uint8Array, tap = false): Inner {
  const inner = emptyInner();
  inspect(inner, viewOf(packet), tap, 0, packet.length);
  return inner;
}

describe("looking at the packet inside", () => {
  test("IPv4 and IPv6, bare or in a frame, tagged or not", () => {
    const four = ipv4(new Uint8Array(4), { tos: 0xb8, ttl: 33, df: true, protocol: 17 });
    const fields = { ttl: 33, tos: 0xb8, dontFragment: true, next: 17, protocol: PROTOCOL.ipv4 };
    expect(looked(four)).toEqual({ ...fields, at: 0 });
    expect(looked(frame(0x0800, four), true)).toEqual({ ...fields, at: 14 });
    expect(looked(frame(0x0800, four, [0x81, 0, 0, 5]), true)).toEqual({ ...fields, at: 18 });
    expect(looked(frame(0x0800, four, [0x88, 0xa8, 0, 6, 0x81, 0, 0, 5]), true)).toEqual({
      ...fields,
      at: 22,
    });
    expect(looked(ipv6(new Uint8Array(4), 0xb9, 77, 58))).toEqual({
      protocol: PROTOCOL.ipv6,
      at: 0,
      ttl: 77,
      tos: 0xb9,
      dontFragment: false,
      next: 58,
    });
  });

  test("what is no IP, or cut short, has nothing to inherit", () => {
    const arp = looked(frame(0x0806, new Uint8Array(28)), true);
    expect(arp).toMatchObject({ protocol: 0, ttl: 0, tos: 0, next: -1 });
    for (let length = 0; length < 20; length++) {
      expect(looked(ipv4(new Uint8Array(0)).subarray(0, length)).protocol).toBe(0);
      expect(looked(frame(0x0800, ipv4(new Uint8Array(0))).subarray(0, 14 + length), true).protocol).toBe(0);
    }
    expect(looked(ipv6(new Uint8Array(0)).subarray(0, 39)).protocol).toBe(0);
  });

  test("tells GRE between two addresses from any other packet", () => {
    const gre = ipv4(new Uint8Array(4), { protocol: 47 });
    expect(isGreBetween(looked(gre), viewOf(gre), A, B)).toBe(true);
    expect(isGreBetween(looked(gre), viewOf(gre), B, A)).toBe(false);
    const tcp = ipv4(new Uint8Array(4), { protocol: 6 });
    expect(isGreBetween(looked(tcp), viewOf(tcp), A, B)).toBe(false);
    const six = ipv6(new Uint8Array(4), 0, 9, 47);
    expect(isGreBetween(looked(six), viewOf(six), A6, B6)).toBe(true);
    expect(isGreBetween(looked(six), viewOf(six), A, B)).toBe(false);
  });

  test("finds payload and end, padding left out", () => {
    const padded = frame(0x0800, Uint8Array.of(...ipv4(new Uint8Array(6)), ...new Uint8Array(20)));
    const inner = looked(padded, true);
    expect(payloadStart(inner, viewOf(padded))).toBe(34);
    expect(packetEnd(inner, viewOf(padded))).toBe(40);
    const six = ipv6(new Uint8Array(6));
    expect(payloadStart(looked(six), viewOf(six))).toBe(40);
    expect(packetEnd(looked(six), viewOf(six))).toBe(46);
  });
});

describe("congestion marks", () => {
  test("outer TOS: configured or inherited, the inner ECN field always, CE as ECT(0)", () => {
    expect(outerTos(0, 0)).toBe(0);
    expect(outerTos(0xc0, 0xb8)).toBe(0xc0);
    expect(outerTos(1, 0xb8)).toBe(0xb8);
    expect(outerTos(0xc0, 0xb9)).toBe(0xc1);
    expect(outerTos(1, 0xba)).toBe(0xba);
    expect(outerTos(0, 0x03)).toBe(0x02);
  });

  test("a mark outside is passed on, with a good header checksum", () => {
    for (const tos of [0x01, 0x02, 0xb9, 0xba]) {
      const packet = ipv4(new Uint8Array(2), { tos });
      expect(inheritMark(looked(packet), viewOf(packet), 0x03)).toBe(true);
      expect(packet[1]).toBe(tos | 3);
      expect(isChecksumGood(packet, 0, 0, 20)).toBe(true);
    }
    const six = ipv6(new Uint8Array(2), 0xb9);
    expect(inheritMark(looked(six), viewOf(six), 0x03)).toBe(true);
    expect(looked(six).tos).toBe(0xbb);
  });

  test("a mark on what does not take part drops it; no mark changes nothing", () => {
    const packet = ipv4(new Uint8Array(2), { tos: 0 });
    expect(inheritMark(looked(packet), viewOf(packet), 0x03)).toBe(false);
    const before = [...packet];
    expect(inheritMark(looked(packet), viewOf(packet), 0x02)).toBe(true);
    expect([...packet]).toEqual(before);
    expect(inheritMark(looked(frame(0x0806, new Uint8Array(28)), true), viewOf(packet), 0x03)).toBe(true);
  });
});

describe("unfinished checksums", () => {
  const tcp = (length: number) => {
    const segment = new Uint8Array(length);
    segment[12] = 5 << 4;
    for (let at = 20; at < length; at++) segment[at] = at * 7;
    return segment;
  };

  /** A packet with TCP or UDP inside whose checksum holds the pseudo-header's sum alone, or is complete. */
  function packetOf(six: boolean, segment: Uint8Array, protocol: 6 | 17, finished: boolean): Uint8Array {
    const [source, destination] = six ? [A6, B6] : [A, B];
    const field = protocol === 6 ? 16 : 6;
    const pseudo = pseudoHeaderSum(source!, destination!, protocol, segment.length);
    viewOf(segment).setUint16(field, 0);
    viewOf(segment).setUint16(field, finished ? internetChecksum(segment, pseudo) : pseudo);
    return six ? ipv6(segment, 0, 9, protocol) : ipv4(segment, { protocol });
  }

  test.each([[false, 6], [true, 6], [false, 17], [true, 17]] as const)(
    "IPv6: %p, protocol %p",
    (six, protocol) => {
      const offset = (six ? 40 : 20) + (protocol === 6 ? 16 : 6);
      const unfinished = packetOf(six, tcp(300), protocol, false);
      expect(unfinishedChecksum(looked(unfinished), viewOf(unfinished), unfinished.length)).toBe(offset);
      const finished = packetOf(six, tcp(300), protocol, true);
      expect(unfinishedChecksum(looked(finished), viewOf(finished), finished.length)).toBe(-1);
    },
  );

  test("a packet that ends before its own length, a fragment, and other protocols have none", () => {
    const packet = packetOf(false, tcp(40), 6, false);
    expect(unfinishedChecksum(looked(packet), viewOf(packet), packet.length - 1)).toBe(-1);
    viewOf(packet).setUint16(6, 0x2000);
    expect(unfinishedChecksum(looked(packet), viewOf(packet), packet.length)).toBe(-1);
    const icmp = ipv4(new Uint8Array(40), { protocol: 1 });
    expect(unfinishedChecksum(looked(icmp), viewOf(icmp), icmp.length)).toBe(-1);
  });

  test("the header in front says what is missing; a bundle is to be cut to fit", () => {
    const memory = new Uint8Array(10 + 14 + 20 + 4000);
    memory.set(frame(0x0800, packetOf(false, tcp(4000), 6, false)), 10);
    const view = viewOf(memory);
    const inner = emptyInner();
    inspect(inner, view, true, 10, memory.length);
    const field = unfinishedChecksum(inner, view, memory.length);
    expect(field).toBe(10 + 14 + 20 + 16);
    expect(writeUnfinishedHeader(inner, view, 10, field, 1400)).toBe(true);
    const header = [
      view.getUint8(0),
      view.getUint8(1),
      ...[2, 4, 6, 8].map((at) => view.getUint16(at, true)),
    ];
    expect(header).toEqual([1, 1, 14 + 20 + 20, 1400 - 40, 34, 16]);
    expect(writeUnfinishedHeader(inner, view, 10, field, 5000)).toBe(true);
    expect([view.getUint8(0), view.getUint8(1), view.getUint16(4, true)]).toEqual([1, 0, 0]);
  });

  test("a bundle of datagrams cannot be described", () => {
    const packet = packetOf(false, tcp(4000), 17, false);
    const memory = new Uint8Array(10 + packet.length);
    memory.set(packet, 10);
    const inner = emptyInner();
    inspect(inner, viewOf(memory), false, 10, memory.length);
    const field = unfinishedChecksum(inner, viewOf(memory), memory.length);
    expect(writeUnfinishedHeader(inner, viewOf(memory), 10, field, 1400)).toBe(false);
  });
});
