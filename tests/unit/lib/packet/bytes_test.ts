import { expect, test } from "bun:test";
import {
  copyBytes,
  equalBytes,
  readU16,
  readU32,
  readU8,
  requireLength,
  requireRange,
  writeBytes,
  writeU16,
  writeU32,
  writeU8,
  writeZeros,
} from "../../../../lib/packet/bytes.ts";
import { fromHex, toHex } from "./hex.ts";

test("numbers are big endian and unsigned", () => {
  const bytes = fromHex("ff fe fd fc fb");
  expect(readU8(bytes, 4)).toBe(0xfb);
  expect(readU16(bytes, 1)).toBe(0xfefd);
  expect(readU32(bytes, 0)).toBe(0xfffefdfc);
  const out = new Uint8Array(8);
  writeU8(out, 0, 0x12);
  writeU16(out, 1, 0x8001);
  writeU32(out, 3, 0xfffefdfc);
  expect(toHex(out)).toBe("128001fffefdfc00");
});

test("nothing reads or writes past the end", () => {
  const bytes = new Uint8Array(4);
  const calls = [
    () => readU8(bytes, 4),
    () => readU8(bytes, -1),
    () => readU16(bytes, 3),
    () => readU32(bytes, 1),
    () => writeU8(bytes, 4, 1),
    () => writeU16(bytes, 3, 1),
    () => writeU32(bytes, 1, 1),
    () => writeU16(bytes, -1, 1),
    () => writeBytes(bytes, 3, Uint8Array.of(1, 2)),
    () => writeZeros(bytes, 3, 2),
    () => copyBytes(bytes, 3, 2),
    () => copyBytes(bytes, Number.NaN, 2),
  ];
  for (const call of calls) expect(call).toThrow(RangeError);
  expect(() => readU16(bytes, 3)).toThrow("Cannot use 2 bytes at offset 3: the buffer holds 4");
});

test("writeBytes copies short and long sources alike", () => {
  for (const length of [0, 1, 16, 17, 100]) {
    const source = Uint8Array.from({ length }, (_, i) => i + 1);
    const out = new Uint8Array(length + 2);
    writeBytes(out, 1, source);
    expect(Array.from(out)).toEqual([0, ...source, 0]);
  }
});

test("writeZeros touches its range only", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  writeZeros(bytes, 1, 2);
  expect(toHex(bytes)).toBe("01000004");
});

test("copyBytes is independent of its source", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const copy = copyBytes(bytes, 1, 2);
  bytes.fill(9);
  expect(toHex(copy)).toBe("0203");
});

test("equalBytes compares length and content", () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
});

test("range and length errors name the value met", () => {
  expect(() => requireRange("vrid", 256, 1, 255)).toThrow("Cannot encode vrid 256: outside 1..255");
  expect(() => requireRange("vrid", 1.5, 1, 255)).toThrow(RangeError);
  expect(() => requireRange("vrid", Number.NaN, 1, 255)).toThrow(RangeError);
  expect(() => requireLength("MAC", new Uint8Array(5), 6)).toThrow(
    "Cannot encode MAC of 5 bytes: must have 6",
  );
});
