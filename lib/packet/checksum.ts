/**
 * The Internet checksum (RFC 1071) and the pseudo-headers that some protocols put in front of it. Plain loops over
 * numbers; nothing is allocated.
 */
import { requireRoom } from "./bytes.ts";

/** Folds a sum of 16-bit words into 16 bits with end-around carry. A packet that sums to 0xffff is intact. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/**
 * Folded sum of the big-endian 16-bit words of `bytes[start..end)` plus `initial`, itself a sum. An odd last byte
 * counts as the high half of a word, so only the last piece of a sum made of pieces may be odd. Throws RangeError
 * outside the array.
 */
export function sumWords(bytes: Uint8Array, initial = 0, start = 0, end: number = bytes.length): number {
  requireRoom(bytes, start, end - start);
  let sum = initial;
  const even = end - ((end - start) & 1);
  for (let i = start; i < even; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  if (even < end) sum += (bytes[even] as number) << 8;
  return foldSum(sum);
}

/**
 * The checksum to write (0..0xffff) for `bytes[start..end)`, whose checksum field must be zero; `initial` is the
 * pseudo-header's sum. RFC 1071 §1. Throws RangeError outside the array.
 */
export function internetChecksum(
  bytes: Uint8Array,
  initial = 0,
  start = 0,
  end: number = bytes.length,
): number {
  return 0xffff - sumWords(bytes, initial, start, end);
}

/** True when `bytes[start..end)`, checksum included, sums up right. RFC 1071 §1. */
export function isChecksumGood(
  bytes: Uint8Array,
  initial = 0,
  start = 0,
  end: number = bytes.length,
): boolean {
  return sumWords(bytes, initial, start, end) === 0xffff;
}

/**
 * Sum of a pseudo-header: source, destination, protocol (next header) and payload length in bytes. The arithmetic is
 * the same for IPv4 (RFC 9293 §3.1) and IPv6 (RFC 8200 §8.1); the addresses' length tells which it is.
 */
export function pseudoHeaderSum(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  return foldSum(sumWords(destination, sumWords(source)) + protocol + foldSum(length));
}
