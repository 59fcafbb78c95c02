import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeGre, encodeGre } from "../../../../../lib/packet/gre.ts";
import { internetChecksum } from "../../../../../lib/packet/checksum.ts";
import {
  type GreEnd,
  greEnd,
  isGreIntact,
  isInSequence,
  leadingNumbers,
  PROTOCOL,
  readGre,
  REFUSED,
  sumBytes,
  writeGre,
} from "../../../../../mod/tunnel/user/wire.ts";

const key = fc.option(fc.integer({ min: 0, max: 0xffffffff }), { nil: null });
const ends = fc.record({ checksum: fc.boolean(), sequence: fc.boolean(), ikey: key, okey: key });
const payloads = fc.uint8Array({ maxLength: 200 });
const PLAIN = { checksum: false, sequence: false, ikey: null, okey: null };

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether a packet is taken, as the datapath puts the three questions together. */
function takes(gre: GreEnd, packet: Uint8Array): number {
  const view = viewOf(packet);
  const start = readGre(gre, view, 0, packet.length);
  if (start < 0) return start;
  if (gre.checksum && !isGreIntact(view, 0, packet.length)) return REFUSED.checksum;
  if (gre.sequence && !isInSequence(gre, view, start)) return REFUSED.sequence;
  return start;
}

function numbered(sequence: number): Uint8Array {
  return encodeGre(
    { protocol: PROTOCOL.teb, checksum: false, key: null, sequence },
    Uint8Array.of(1, 2, 3),
  );
}

describe("the fast GRE codec", () => {
  test("sums as RFC 1071 has it, from any place, of any length", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), (bytes, skip) => {
      const start = Math.min(skip, bytes.length);
      expect(0xffff - sumBytes(viewOf(bytes), start, bytes.length)).toBe(internetChecksum(bytes, 0, start));
    }));
    const large = new Uint8Array(65535).fill(0xff);
    expect(sumBytes(viewOf(large), 0, large.length)).toBe(0xffff - internetChecksum(large));
  });

  test("writes what the other codec reads", () => {
    fc.assert(fc.property(ends, payloads, fc.nat(0xffffffff), (end, payload, next) => {
      const gre = greEnd(end);
      gre.nextSent = next;
      const memory = new Uint8Array(32 + payload.length).fill(0xa5);
      memory.set(payload, 32);
      const at = writeGre(gre, viewOf(memory), PROTOCOL.teb, 32, memory.length);
      expect(at).toBe(32 - gre.headerLength);
      const read = decodeGre(memory.subarray(at));
      if (!read.ok) throw new Error(read.reason);
      expect(read.header).toEqual({
        protocol: PROTOCOL.teb,
        checksum: end.checksum,
        key: end.okey,
        sequence: end.sequence ? next : null,
      });
      expect([...read.payload]).toEqual([...payload]);
      expect(gre.nextSent).toBe(end.sequence ? (next + 1) % 2 ** 32 : next);
    }));
  });

  test("reads what the other codec writes, and finds its payload", () => {
    fc.assert(fc.property(ends, payloads, fc.nat(0xffffffff), (end, payload, sequence) => {
      const packet = encodeGre({
        protocol: PROTOCOL.ipv4,
        checksum: end.checksum,
        key: end.ikey,
        sequence: end.sequence ? sequence : null,
      }, payload);
      const start = takes(greEnd(end), packet);
      expect([...packet.subarray(start)]).toEqual([...payload]);
    }));
  });

  test("refuses as the other codec does, and never reads beyond the end", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 24 }), (packet) => {
      const other = decodeGre(packet);
      const gre = greEnd(PLAIN);
      const start = readGre(gre, viewOf(packet), 0, packet.length);
      if (other.ok && other.header.key === null && !other.header.checksum) {
        expect(start).toBe(packet.length - other.payload.length);
      } else if (!other.ok && other.reason !== "checksum") {
        expect(start).toBe(REFUSED[other.reason]);
      } else {
        expect(start).toBeLessThan(0);
      }
    }));
  });

  test("drops another key, a key that is not agreed, and one that is missing", () => {
    const packet = (key: number | null) =>
      encodeGre({ protocol: PROTOCOL.teb, checksum: false, key, sequence: null }, new Uint8Array(20));
    const keyed = greEnd({ ...PLAIN, ikey: 42 });
    expect(takes(keyed, packet(42))).toBe(8);
    expect(takes(keyed, packet(43))).toBe(REFUSED.key);
    expect(takes(keyed, packet(null))).toBe(REFUSED.key);
    expect(takes(greEnd(PLAIN), packet(42))).toBe(REFUSED.key);
    expect(takes(greEnd({ ...PLAIN, ikey: 0xffffffff }), packet(0xffffffff))).toBe(8);
  });

  test("drops a wrong checksum, one that is missing, and one that is not agreed", () => {
    const packet = (checksum: boolean) =>
      encodeGre({ protocol: PROTOCOL.teb, checksum, key: null, sequence: null }, Uint8Array.of(1, 2, 3));
    const summed = greEnd({ ...PLAIN, checksum: true });
    expect(takes(summed, packet(true))).toBe(8);
    const damaged = packet(true);
    damaged[9]! ^= 1;
    expect(takes(summed, damaged)).toBe(REFUSED.checksum);
    const unfinished = packet(true);
    unfinished.fill(0, 4, 6);
    expect(takes(summed, unfinished)).toBe(8);
    expect(takes(summed, packet(false))).toBe(REFUSED.checksum);
    expect(takes(greEnd(PLAIN), packet(true))).toBe(REFUSED.checksum);
  });
});

describe("sequence numbers", () => {
  test("older packets and repeated ones are dropped, gaps are not, over the end of the circle", () => {
    const gre = greEnd({ ...PLAIN, sequence: true });
    const taken = [0xfffffffe, 0xffffffff, 0, 2, 1, 2, 3, 9, 8].map((number) =>
      takes(gre, numbered(number)) > 0
    );
    expect(taken).toEqual([true, true, true, true, false, false, true, true, false]);
  });

  test("a packet without one is dropped; one that is not agreed is passed over", () => {
    const packet = encodeGre({ protocol: 0, checksum: false, key: null, sequence: null }, new Uint8Array(4));
    expect(takes(greEnd({ ...PLAIN, sequence: true }), packet)).toBe(REFUSED.sequence);
    expect(takes(greEnd(PLAIN), numbered(7))).toBe(8);
  });

  test("a far end that starts anew is heard after four packets", () => {
    const gre = greEnd({ ...PLAIN, sequence: true });
    takes(gre, numbered(5000));
    const taken = [0, 1, 2, 3, 4].map((number) => takes(gre, numbered(number)) > 0);
    expect(taken).toEqual([false, false, false, true, true]);
  });

  test("late packets that are mixed with current ones never count as a new start", () => {
    const gre = greEnd({ ...PLAIN, sequence: true });
    takes(gre, numbered(100));
    for (let number = 0; number < 20; number++) {
      expect(takes(gre, numbered(number))).toBe(REFUSED.sequence);
      expect(takes(gre, numbered(101 + number))).toBeGreaterThan(0);
    }
  });

  test("leading numbers bring any far end that does as Linux does to take the next one", () => {
    fc.assert(fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (expected, next) => {
      let far = expected;
      for (const number of [...leadingNumbers(next), next]) {
        if ((number - far | 0) >= 0) far = number + 1 >>> 0;
      }
      expect(far).toBe(next + 1 >>> 0);
    }));
  });
});
