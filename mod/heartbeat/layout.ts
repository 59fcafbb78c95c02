/**
 * How a heartbeat lies in memory: a header, then a slot for each virtual router. All numbers little endian.
 *
 *     header   0  magic "APHB"   4  layout version   8  pid   12  slots   16  boot ID, 36 bytes of text
 *     slot     0  identity, 64 bytes of UTF-8 padded with zeros   64  spoke at, float64
 *             72  AH sequence, uint32   76  master, 0 or 1
 *             80  silence, float64
 *
 * @module
 */
import type { Heartbeat, Sign } from "./model.ts";

const MAGIC = 0x42485041;
const LAYOUT = 2;
const HEADER = 64;
const SLOT = 88;
const IDENTITY = 64;
const BOOT_ID = 36;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes for so many virtual routers. */
export function heartbeatSize(slots: number): number {
  return HEADER + slots * SLOT;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes a whole heartbeat; `bytes` has at least {@link heartbeatSize}. Throws RangeError for a long identity. */
export function encodeHeartbeat(bytes: Uint8Array, heartbeat: Heartbeat): void {
  bytes.fill(0);
  const words = view(bytes);
  words.setUint32(4, LAYOUT, true);
  words.setInt32(8, heartbeat.pid, true);
  words.setUint32(12, heartbeat.signs.length, true);
  bytes.set(encoder.encode(heartbeat.bootId).subarray(0, BOOT_ID), 16);
  heartbeat.signs.forEach((sign, index) => {
    const identity = encoder.encode(sign.identity);
    if (identity.length > IDENTITY) {
      throw new RangeError(`Cannot encode identity "${sign.identity}": over 64 bytes`);
    }
    bytes.set(identity, HEADER + index * SLOT);
    encodeSign(words, index, sign);
  });
  // Last, so that half a heartbeat is none.
  words.setUint32(0, MAGIC, true);
}

/** Writes what changes of one slot. */
export function encodeSign(words: DataView, slot: number, sign: Omit<Sign, "identity">): void {
  const at = HEADER + slot * SLOT + IDENTITY;
  words.setFloat64(at, sign.spokeAt, true);
  words.setUint32(at + 8, sign.ahSequence, true);
  words.setUint8(at + 12, sign.master ? 1 : 0);
  words.setFloat64(at + 16, sign.silenceNs, true);
}

/** Reads a heartbeat; null for anything else. */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat | null {
  if (bytes.length < HEADER) return null;
  const words = view(bytes);
  if (words.getUint32(0, true) !== MAGIC || words.getUint32(4, true) !== LAYOUT) return null;
  const count = words.getUint32(12, true);
  if (bytes.length < heartbeatSize(count)) return null;
  const signs: Sign[] = [];
  for (let index = 0; index < count; index++) {
    const at = HEADER + index * SLOT;
    signs.push({
      identity: text(bytes.subarray(at, at + IDENTITY)),
      spokeAt: words.getFloat64(at + IDENTITY, true),
      ahSequence: words.getUint32(at + IDENTITY + 8, true),
      master: words.getUint8(at + IDENTITY + 12) === 1,
      silenceNs: words.getFloat64(at + IDENTITY + 16, true),
    });
  }
  return { bootId: text(bytes.subarray(16, 16 + BOOT_ID)), pid: words.getInt32(8, true), signs };
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
