/**
 * The heartbeat's file.
 *
 * @module
 */
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { mapFile, unmapFile, viewOf } from "../../lib/libc/mod.ts";
import { decodeHeartbeat, encodeHeartbeat, encodeSign, heartbeatSize } from "./layout.ts";
import type { Heartbeat, Sign } from "./model.ts";

/** Name of the file in the runtime directory. */
const FILE = "heartbeat";

/** The kernel's name for this boot. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** What an engine of this boot left behind in a runtime directory, or null. */
export function readHeartbeat(runtimeDir: string): Heartbeat | null {
  try {
    const heartbeat = decodeHeartbeat(readFileSync(join(runtimeDir, FILE)));
    return heartbeat?.bootId === bootId() ? heartbeat : null;
  } catch {
    return null;
  }
}

/** Writes signs of life, each by a store into shared memory. */
export class HeartbeatWriter {
  readonly #bytes: Uint8Array;
  /** Null = closed. */
  #words: DataView | null;

  /** Begins a new heartbeat in place of the one before. Throws Error when the file cannot be made. */
  constructor(runtimeDir: string, signs: readonly Sign[]) {
    mkdirSync(runtimeDir, { recursive: true, mode: 0o750 });
    // Another engine may be writing to the file of before, whose memory must not shrink under it.
    const path = join(runtimeDir, FILE);
    const fresh = `${path}.${process.pid}`;
    const bytes = mapFile(fresh, heartbeatSize(signs.length));
    encodeHeartbeat(bytes, { bootId: bootId(), pid: process.pid, signs });
    renameSync(fresh, path);
    this.#bytes = bytes;
    this.#words = viewOf(bytes);
  }

  /** Notes the state of the virtual router in a slot. */
  sign(slot: number, sign: Omit<Sign, "identity">): void {
    if (this.#words !== null) encodeSign(this.#words, slot, sign);
  }

  /** Writes no more; the file stays. */
  close(): void {
    if (this.#words === null) return;
    this.#words = null;
    unmapFile(this.#bytes);
  }
}
