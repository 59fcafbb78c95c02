/**
 * Files as memory: writing them costs a store and no system call, and what was written survives the process.
 *
 * @module
 */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from "node:fs";
import { SyscallError } from "./errno.ts";
import { addressOf } from "./memory.ts";
import { c, errno } from "./symbols.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** mmap's result when it failed. */
const MAP_FAILED = -1;

/**
 * Maps a file of `size` zeros, made or emptied and readable by its owner only, until {@link unmapFile}. Throws
 * SyscallError or the error of making the file: no space left on device.
 */
export function mapFile(path: string, size: number): Uint8Array<ArrayBuffer> {
  const fd = openSync(path, "a+", 0o600);
  try {
    ftruncateSync(fd, 0);
    // Written, not only made longer: where the file system is full this fails, while a store into a hole of the file
    // would end the process.
    for (let rest = size; rest > 0;) rest -= writeSync(fd, new Uint8Array(rest));
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  // "a+" opens for appending, which a writable mapping does not accept.
  const writable = openSync(path, "r+");
  try {
    const pointer = c.mmap(null, size, PROT_READ_WRITE, MAP_SHARED, writable, 0);
    if (pointer === null || Number(pointer) === MAP_FAILED) {
      throw new SyscallError("mmap", errno(), `map ${path} into memory`);
    }
    return new Uint8Array(toArrayBuffer(pointer as Pointer, 0, size));
  } finally {
    closeSync(writable);
  }
}

/** Gives back what {@link mapFile} returned. Whoever touches it afterwards ends the process. */
export function unmapFile(bytes: Uint8Array): void {
  c.munmap(addressOf(bytes) as Pointer, bytes.byteLength);
}
