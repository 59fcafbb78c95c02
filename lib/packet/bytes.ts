/**
 * Big-endian access to byte arrays. Everything checks its bounds and throws RangeError: decoders look at the
 * length first, so a throw here is a bug of ours and not something a packet can cause.
 *
 * No DataView and no `.buffer` on purpose: touching them moves a small typed array in memory (JavaScriptCore), and
 * a pointer that a system call holds would then be stale.
 */

/** Throws RangeError unless `length` bytes fit in `bytes` at `offset`. */
export function requireRoom(bytes: Uint8Array, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
    throw new RangeError(`Cannot use ${length} bytes at offset ${offset}: the buffer holds ${bytes.length}`);
  }
}

/** Throws RangeError unless `value` is a whole number in `min..max`; `name` says what it is. */
export function requireRange(name: string, value: number, min: number, max: number): void {
  if (!(Number.isInteger(value) && value >= min && value <= max)) {
    throw new RangeError(`Cannot encode ${name} ${value}: outside ${min}..${max}`);
  }
}

/** Throws RangeError unless `bytes` has exactly `length` bytes; `name` says what it is. */
export function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw new RangeError(`Cannot encode ${name} of ${bytes.length} bytes: must have ${length}`);
  }
}

/** Unsigned 8-bit value at `offset`. Throws RangeError past the end. */
export function readU8(bytes: Uint8Array, offset: number): number {
  const value = bytes[offset];
  if (value === undefined) requireRoom(bytes, offset, 1);
  return value as number;
}

/** Unsigned 16-bit value at `offset`. Throws RangeError past the end. */
export function readU16(bytes: Uint8Array, offset: number): number {
  requireRoom(bytes, offset, 2);
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

/** Unsigned 32-bit value at `offset`. Throws RangeError past the end. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset) * 0x10000 + readU16(bytes, offset + 2);
}

/** Writes the low 8 bits of `value`. Throws RangeError past the end. */
export function writeU8(bytes: Uint8Array, offset: number, value: number): void {
  requireRoom(bytes, offset, 1);
  bytes[offset] = value;
}

/** Writes the low 16 bits of `value`. Throws RangeError past the end. */
export function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  requireRoom(bytes, offset, 2);
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

/** Writes the low 32 bits of `value`. Throws RangeError past the end. */
export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  writeU16(bytes, offset, value >>> 16);
  writeU16(bytes, offset + 2, value & 0xffff);
}

/** Copies all of `source` into `bytes` at `offset`. Throws RangeError when it does not fit. */
export function writeBytes(bytes: Uint8Array, offset: number, source: Uint8Array): void {
  requireRoom(bytes, offset, source.length);
  // A loop beats set() for the 4 to 16 bytes of an address.
  if (source.length > 16) bytes.set(source, offset);
  else for (let i = 0; i < source.length; i++) bytes[offset + i] = source[i] as number;
}

/** Zeroes `length` bytes at `offset`. Throws RangeError past the end. */
export function writeZeros(bytes: Uint8Array, offset: number, length: number): void {
  requireRoom(bytes, offset, length);
  bytes.fill(0, offset, offset + length);
}

/** A copy of `length` bytes at `offset`, independent of a receive buffer that is used again. Throws RangeError. */
export function copyBytes(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  requireRoom(bytes, offset, length);
  return bytes.slice(offset, offset + length);
}

/** True when both arrays hold the same bytes. Not constant time: see `verifyAh` for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
