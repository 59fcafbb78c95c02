/**
 * Several datagrams from wherever they lie, each with a destination of its own, sent with one system call (sendmmsg).
 *
 * @module
 */
import type { Pointer } from "bun:ffi";
import { resultOf } from "./errno.ts";
import { addressOf, alloc } from "./memory.ts";
import { IOVEC, MMSGHDR, MSGHDR } from "./msghdr.ts";
import { MSG_DONTWAIT } from "./socket.ts";
import { c } from "./symbols.ts";

const WORD = 4;
/** Sizes and places in words of 4 bytes. */
const HEADER = MMSGHDR.size / WORD;
const VECTOR = IOVEC.size / WORD;
const NAME = MSGHDR.name / WORD;
const NAME_LENGTH = MSGHDR.nameLength / WORD;
const VECTORS = MSGHDR.vectors / WORD;
const VECTOR_COUNT = MSGHDR.vectorCount / WORD;
const BASE = IOVEC.base / WORD;
const LENGTH = IOVEC.length / WORD;

const HIGH = 0x1_0000_0000;

/** Nothing is allocated after construction. */
export class SendBatch {
  readonly capacity: number;
  readonly #headers: Uint32Array;
  readonly #vectors: Uint32Array;
  readonly #headersAt: number;
  /** What the headers point to stays referenced. */
  readonly #packets: (Uint8Array | null)[];
  readonly #addresses: (Uint8Array | null)[];
  #length = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    const headers = alloc(capacity * HEADER * WORD);
    const vectors = alloc(capacity * VECTOR * WORD);
    this.#headers = new Uint32Array(headers.buffer);
    this.#vectors = new Uint32Array(vectors.buffer);
    this.#headersAt = addressOf(headers);
    this.#packets = new Array<null>(capacity).fill(null);
    this.#addresses = new Array<null>(capacity).fill(null);
    const vectorsAt = addressOf(vectors);
    for (let slot = 0; slot < capacity; slot++) {
      setPointer(this.#headers, slot * HEADER + VECTORS, vectorsAt + slot * VECTOR * WORD);
      this.#headers[slot * HEADER + VECTOR_COUNT] = 1;
    }
  }

  /** How many datagrams wait to be sent. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds a datagram; neither it nor its destination, made by one of the `sockaddr…` functions, may change before
   * {@link send}. Throws RangeError when the batch is full.
   */
  add(packet: Uint8Array, address: Uint8Array): void {
    const slot = this.#length;
    if (slot === this.capacity) throw new RangeError(`A batch holds ${slot} datagrams`);
    this.#length++;
    this.#packets[slot] = packet;
    this.#addresses[slot] = address;
    setPointer(this.#headers, slot * HEADER + NAME, addressOf(address));
    this.#headers[slot * HEADER + NAME_LENGTH] = address.byteLength;
    setPointer(this.#vectors, slot * VECTOR + BASE, addressOf(packet));
    this.#vectors[slot * VECTOR + LENGTH] = packet.byteLength;
  }

  /** Sends all that was added, in that order, whatever becomes of each: `done` is told 0 or the errno. */
  send(fd: number, done: (index: number, errno: number) => void): void {
    const length = this.#length;
    for (let from = 0; from < length;) {
      const at = (this.#headersAt + from * HEADER * WORD) as Pointer;
      const sent = resultOf(c.sendmmsg(fd, at, length - from, MSG_DONTWAIT));
      if (sent < 0) done(from++, -sent);
      for (let count = 0; count < sent; count++) done(from++, 0);
    }
    this.#length = 0;
  }
}

function setPointer(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = Math.floor(address / HIGH);
}
