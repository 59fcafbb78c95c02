import { describe, expect, test } from "bun:test";
import { encodeFilter, type FilterInstruction } from "../../../../lib/libc/mod.ts";
import { decodeGre, decodeIpv4, encodeGre, encodeIpv4 } from "../../../../lib/packet/mod.ts";
import { senderFor } from "../../../../mod/tunnel/watch/arp.ts";
import { keepaliveFilter } from "../../../../mod/tunnel/watch/gre_filter.ts";
import { encodeKeepalive, readKeepalive } from "../../../../mod/tunnel/watch/gre_packet.ts";
import { bytes, tunnel } from "./helpers.ts";

const A = tunnel({ type: "gre", ikey: 1, okey: 2 });
const B = tunnel({ type: "gre", local: A.remote, remote: A.local, ikey: 2, okey: 1 });

function ip(
  source: string,
  destination: string,
  payload: Uint8Array,
  more: { protocol?: number; ttl?: number } = {},
) {
  return encodeIpv4({
    tos: 0,
    identification: 7,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 47,
    source: bytes(source),
    destination: bytes(destination),
    ...more,
  }, payload);
}

/** What a tunnel's interface makes of a packet that is sent through it. */
function wrapped(
  from: typeof A,
  packet: Uint8Array,
  more: { key?: number | null; protocol?: number; checksum?: boolean; sequence?: number | null } = {},
): Uint8Array {
  const header = { protocol: 0x0800, checksum: false, key: from.okey, sequence: null, ...more };
  return ip(from.local, from.remote, encodeGre(header, packet));
}

describe("GRE keepalives", () => {
  test("are bit by bit what routers send: an empty GRE packet of type 0 to oneself", () => {
    const packet = decodeIpv4(encodeKeepalive(A, 0x1234));
    if (!packet.ok) throw new Error(packet.reason);
    expect(packet.header).toMatchObject({
      source: bytes(A.remote),
      destination: bytes(A.local),
      protocol: 47,
      ttl: 255,
      identification: 0x1234,
    });
    expect(decodeGre(packet.payload)).toMatchObject({ ok: true, header: { protocol: 0, key: 1 } });
    expect(packet.payload.length).toBe(8);
    expect(encodeKeepalive(tunnel({ type: "gre" }), 1).length).toBe(24);
  });

  test("are forwarded by the peer with one hop less, and known again by their number", () => {
    const seen = readKeepalive(B, wrapped(A, encodeKeepalive(A, 77)));
    if (seen.type !== "question") throw new Error(seen.type);
    expect(decodeIpv4(seen.packet)).toMatchObject({ ok: true, header: { ttl: 254, source: bytes(B.local) } });
    expect(readKeepalive(A, seen.packet)).toEqual({ type: "answer", sequence: 77 });
  });

  test("answer for the tunnel of their key alone", () => {
    const answer = encodeKeepalive(A, 77);
    for (const other of [3, null]) {
      expect(readKeepalive({ ...A, ikey: other }, answer)).toEqual({ type: "other" });
      expect(readKeepalive(A, encodeKeepalive({ ...A, ikey: other }, 77))).toEqual({ type: "other" });
    }
  });

  test("are known behind every option, a checksum that is not filled in yet included", () => {
    const packet = wrapped(A, encodeKeepalive(A, 5), { checksum: true, sequence: 9 });
    packet[24] = packet[24]! ^ 0xff;
    expect(readKeepalive(B, packet).type).toBe("question");
  });

  test.each<[string, Uint8Array]>([
    ["of another key", wrapped(A, encodeKeepalive(A, 1), { key: 3 })],
    ["without the key", wrapped(A, encodeKeepalive(A, 1), { key: null })],
    ["that would lead elsewhere", wrapped(A, ip(B.local, "192.0.2.99", new Uint8Array(4)))],
    ["from somebody else inside", wrapped(A, ip("192.0.2.99", B.remote, new Uint8Array(4)))],
    ["at the end of its hops", wrapped(A, ip(B.local, B.remote, new Uint8Array(4), { ttl: 1 }))],
    [
      "that is none inside",
      wrapped(
        A,
        ip(
          B.local,
          B.remote,
          encodeGre({ protocol: 0x0800, checksum: false, key: null, sequence: null }, new Uint8Array(4)),
        ),
      ),
    ],
    ["that is a ping", wrapped(A, ip(B.local, B.remote, new Uint8Array(8), { protocol: 1 }))],
    [
      "from another host",
      ip(
        "192.0.2.99",
        B.local,
        encodeGre({ protocol: 0, checksum: false, key: null, sequence: null }, new Uint8Array(0)),
      ),
    ],
    ["cut off", wrapped(A, encodeKeepalive(A, 1)).subarray(0, 30)],
    ["of nothing", new Uint8Array(0)],
  ])("a packet %s is none", (_, packet) => {
    expect(readKeepalive(B, packet)).toEqual({ type: "other" });
  });
});

/** Runs a classic BPF program as linux/filter.h has it: how many bytes pass. */
function runFilter(program: readonly FilterInstruction[], packet: Uint8Array): number {
  const memory = new Array<number>(16).fill(0);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  let a = 0;
  let x = 0;
  try {
    for (let at = 0; at < program.length; at++) {
      const [code, jt, jf, k] = program[at]!;
      if (code === 0x20) a = view.getUint32(k);
      else if (code === 0x48) a = view.getUint16(x + k);
      else if (code === 0x50) a = view.getUint8(x + k);
      else if (code === 0xb1) x = 4 * (view.getUint8(k) & 15);
      else if (code === 0x60) a = memory[k]!;
      else if (code === 0x02) memory[k] = a;
      else if (code === 0x04) a = (a + k) >>> 0;
      else if (code === 0x07) x = a;
      else if (code === 0x87) a = x;
      else if (code === 0x15) at += a === k ? jt : jf;
      else if (code === 0x45) at += (a & k) !== 0 ? jt : jf;
      else if (code === 0x06) return k;
      else throw new Error(`no such instruction: ${code}`);
    }
  } catch (error) {
    // A read past the end of the packet drops it.
    if (error instanceof RangeError) return 0;
    throw error;
  }
  throw new Error("the program ran past its end");
}

describe("the socket filter", () => {
  const filter = keepaliveFilter(B);

  test("lets keepalives pass, with every combination of options", () => {
    for (const checksum of [false, true]) {
      for (const key of [null, 2]) {
        for (const sequence of [null, 3]) {
          const question = wrapped(A, encodeKeepalive(A, 1), { checksum, key, sequence });
          expect(runFilter(filter, question)).toBeGreaterThan(0);
          const data = wrapped(A, ip("10.0.0.1", "10.0.0.2", new Uint8Array(64), { protocol: 6 }), {
            checksum,
            key,
            sequence,
          });
          expect(runFilter(filter, data)).toBe(0);
        }
      }
    }
    expect(runFilter(filter, encodeKeepalive(B, 1))).toBeGreaterThan(0);
  });

  test("keeps everything else away", () => {
    expect(runFilter(keepaliveFilter(A), wrapped(A, encodeKeepalive(A, 1)))).toBe(0);
    expect(runFilter(filter, wrapped(A, new Uint8Array(60), { protocol: 0x6558 }))).toBe(0);
    expect(runFilter(filter, wrapped(A, new Uint8Array(60), { protocol: 0x86dd }))).toBe(0);
    expect(runFilter(filter, new Uint8Array(10))).toBe(0);
  });

  test("is laid out as struct sock_filter", () => {
    expect([...encodeFilter([[0x15, 1, 2, 0x01020304]])]).toEqual([0x15, 0, 1, 2, 4, 3, 2, 1]);
  });
});

test("ARP is asked with our address of the target's subnet, or with none", () => {
  const addresses = [
    { address: "10.1.1.2", prefix: 24, peer: null },
    { address: "10.2.0.1", prefix: 32, peer: "10.2.0.2" },
    { address: "2001:db8::1", prefix: 64, peer: null },
  ];
  expect(senderFor(bytes("10.1.1.77"), addresses)).toEqual(bytes("10.1.1.2"));
  expect(senderFor(bytes("10.2.0.2"), addresses)).toEqual(bytes("10.2.0.1"));
  expect(senderFor(bytes("10.1.2.1"), addresses)).toEqual(bytes("0.0.0.0"));
});
