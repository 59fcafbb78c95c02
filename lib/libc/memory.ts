/**
 * Memory that is handed to C. The one rule: allocate it here. A small `new Uint8Array(n)` lives inside the garbage
 * collector's heap and moves when its `.buffer` is first touched; an ArrayBuffer made first never does.
 *
 * @module
 */
import { ptr } from "bun:ffi";

/** A zeroed buffer of `size` bytes whose address stays the same for as long as it is referenced. */
export function alloc(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}

/** A DataView over the whole of a buffer made by {@link alloc}. Linux on x64 and arm64 is little endian. */
export function viewOf(buffer: Uint8Array): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The address of a buffer, to be stored inside a C struct. The caller must keep the buffer referenced. */
export function addressOf(buffer: Uint8Array): number {
  return Number(ptr(buffer));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text as a NUL-terminated C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  const buffer = alloc(bytes.length + 1);
  buffer.set(bytes);
  return buffer;
}

/** The text of a C string inside `buffer`, up to its first NUL or the buffer's end. */
export function textOf(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return decoder.decode(end < 0 ? buffer : buffer.subarray(0, end));
}

/** A NULL-terminated array of C strings (`argv`, `envp`) and the buffers that must stay referenced with it. */
export function cStringArray(
  texts: readonly string[],
): { readonly pointers: Uint8Array; readonly keep: Uint8Array[] } {
  const keep = texts.map(cString);
  const pointers = alloc(8 * (texts.length + 1));
  const view = viewOf(pointers);
  keep.forEach((text, index) => view.setBigUint64(8 * index, BigInt(addressOf(text)), true));
  return { pointers, keep };
}
