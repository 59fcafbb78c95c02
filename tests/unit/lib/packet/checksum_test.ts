import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  foldSum,
  internetChecksum,
  isChecksumGood,
  pseudoHeaderSum,
  sumWords,
} from "../../../../lib/packet/checksum.ts";
import { fromHex } from "./hex.ts";

test("the example of RFC 1071 §3", () => {
  const bytes = fromHex("0001 f203 f4f5 f6f7");
  expect(sumWords(bytes)).toBe(0xddf2);
  expect(internetChecksum(bytes)).toBe(0x220d);
});

test("an odd last byte is the high half of a word", () => {
  expect(sumWords(fromHex("0001 f2"))).toBe(0xf201);
});

test("an IPv4 header that a router sent", () => {
  const header = fromHex("45c0002c00010000ff70cf8c0a010101e0000012");
  expect(isChecksumGood(header)).toBe(true);
  header[10] = 0;
  header[11] = 0;
  expect(internetChecksum(header)).toBe(0xcf8c);
});

test("pseudo-headers equal the sum of their bytes as the RFCs draw them", () => {
  const ipv4 = fromHex("0a010101 e0000012 00 70 000c");
  expect(pseudoHeaderSum(ipv4.slice(0, 4), ipv4.slice(4, 8), 0x70, 12)).toBe(sumWords(ipv4));
  const ipv6 = fromHex(
    "fe80000000000000000000fffe000001 ff020000000000000000000000000012 00012345 000000 3a",
  );
  expect(pseudoHeaderSum(ipv6.slice(0, 16), ipv6.slice(16, 32), 0x3a, 0x12345)).toBe(sumWords(ipv6));
});

test("folding keeps the value modulo 0xffff and never loses 0xffff", () => {
  expect(foldSum(0)).toBe(0);
  expect(foldSum(0xffff)).toBe(0xffff);
  expect(foldSum(0x1fffe)).toBe(0xffff);
  expect(foldSum(0xffff * 0x8000)).toBe(0xffff);
  expect(foldSum(2 ** 48 - 1)).toBe(0xffff);
});

test("a written checksum verifies, in any piece of a buffer and with any initial sum", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 2, maxLength: 101 }),
      fc.nat(0xffff),
      fc.nat(5),
      (bytes, initial, before) => {
        const buffer = new Uint8Array(before + bytes.length + 3).fill(0xa5);
        buffer.set(bytes, before);
        buffer[before] = 0;
        buffer[before + 1] = 0;
        const end = before + bytes.length;
        const checksum = internetChecksum(buffer, initial, before, end);
        buffer[before] = checksum >> 8;
        buffer[before + 1] = checksum & 0xff;
        expect(isChecksumGood(buffer, initial, before, end)).toBe(true);
      },
    ),
  );
});

test("a range outside the array throws", () => {
  expect(() => sumWords(new Uint8Array(4), 0, 0, 5)).toThrow(RangeError);
  expect(() => sumWords(new Uint8Array(4), 0, 3, 2)).toThrow(RangeError);
});
