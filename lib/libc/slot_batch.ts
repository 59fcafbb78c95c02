/**
 * Many datagrams on a connected socket with one system call, each way: recvmmsg and sendmmsg over slots of one piece of memory,
 * whose headers are laid out once.
 *
 * @module
 */
import type { Pointer } from "bun:ffi";
import { resultOf } from "./errno.ts";
import { addressOf, alloc, viewOf } from "./memory.ts";
import { IOVEC, MMSGHDR, MSGHDR } from "./msghdr.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "./socket.ts";
import { c } from "./symbols.ts";

const HEADER = MMSGHDR.size;
const VECTOR = IOVEC.size;
const WORD = 4;

/**
 * A number of slots of equal size in one piece of memory, each of which holds one datagram. Nothing is allocated after
 * construction. The sockets are connected: no addresses are told.
 */
export class SlotBatch {
  readonly capacity: number;
  readonly slotSize: number;
  /** All slots, one behind the other. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** The same memory, for numbers. */
  readonly view: DataView;
  /** The slots' ancillary data (struct cmsghdr), `controlSize` bytes each. */
  readonly control: DataView;
  readonly controlSize: number;
  readonly #controlMemory: Uint8Array;
  readonly #headers: Uint8Array;
  readonly #vectors: Uint8Array;
  readonly #headerWords: Uint32Array;
  readonly #vectorWords: Uint32Array;
  readonly #vectorView: DataView;
  readonly #memoryAt: number;
  readonly #headersAt: number;

  /** @param controlSize Bytes of ancillary data a slot; a multiple of 8. */
  constructor(capacity: number, slotSize: number, controlSize: number = 0) {
    this.capacity = capacity;
    this.slotSize = slotSize;
    this.controlSize = controlSize;
    this.memory = alloc(capacity * slotSize);
    this.view = viewOf(this.memory);
    this.#controlMemory = alloc(Math.max(8, capacity * controlSize));
    this.control = viewOf(this.#controlMemory);
    this.#headers = alloc(capacity * HEADER);
    this.#vectors = alloc(capacity * VECTOR);
    this.#headerWords = new Uint32Array(this.#headers.buffer);
    this.#vectorWords = new Uint32Array(this.#vectors.buffer);
    this.#vectorView = viewOf(this.#vectors);
    this.#memoryAt = addressOf(this.memory);
    this.#headersAt = addressOf(this.#headers);
    const view = viewOf(this.#headers);
    const vectorsAt = addressOf(this.#vectors);
    const controlAt = addressOf(this.#controlMemory);
    for (let slot = 0; slot < capacity; slot++) {
      view.setBigUint64(slot * HEADER + MSGHDR.vectors, BigInt(vectorsAt + slot * VECTOR), true);
      view.setBigUint64(slot * HEADER + MSGHDR.vectorCount, 1n, true);
      if (controlSize > 0) {
        view.setBigUint64(slot * HEADER + MSGHDR.control, BigInt(controlAt + slot * controlSize), true);
      }
      this.place(slot, 0, slotSize);
    }
  }

  /** Says where in its slot a datagram lies, or is to be received, and how long it is (at most). */
  place(slot: number, offset: number, length: number): void {
    const at = this.#memoryAt + slot * this.slotSize + offset;
    this.#vectorView.setUint32(slot * VECTOR + IOVEC.base, at >>> 0, true);
    this.#vectorView.setUint32(slot * VECTOR + IOVEC.base + WORD, Math.floor(at / 0x1_0000_0000), true);
    this.#vectorView.setUint32(slot * VECTOR + IOVEC.length, length, true);
  }

  /** Changes the length alone. */
  setLength(slot: number, length: number): void {
    this.#vectorWords[(slot * VECTOR + IOVEC.length) / WORD] = length;
  }

  /** How much of the slot's ancillary data is sent with it, or may be received. */
  setControlLength(slot: number, length: number): void {
    this.#headerWords[(slot * HEADER + MSGHDR.controlLength) / WORD] = length;
  }

  /** How much ancillary data was received. */
  controlLength(slot: number): number {
    return this.#headerWords[(slot * HEADER + MSGHDR.controlLength) / WORD]!;
  }

  /** Bytes received into a slot by the last {@link receive}. */
  receivedLength(slot: number): number {
    return this.#headerWords[(slot * HEADER + MMSGHDR.length) / WORD]!;
  }

  /** Receives into the slots from the first on: how many datagrams came, or the negated errno. */
  receive(fd: number): number {
    if (this.controlSize > 0) {
      for (let slot = 0; slot < this.capacity; slot++) this.setControlLength(slot, this.controlSize);
    }
    return resultOf(c.recvmmsg(fd, this.#headersAt as Pointer, this.capacity, MSG_DONTWAIT, null));
  }

  /** Sends the slots `from` to `to` (exclusive): how many were sent, or the negated errno of the first. */
  send(fd: number, from: number, to: number): number {
    const at = (this.#headersAt + from * HEADER) as Pointer;
    return resultOf(c.sendmmsg(fd, at, to - from, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  /** Reads one datagram from a device into a slot: its length, or the negated errno. */
  read(fd: number, slot: number, offset: number): number {
    const at = (this.#memoryAt + slot * this.slotSize + offset) as Pointer;
    return resultOf(c.read(fd, at, this.slotSize - offset));
  }

  /** Writes `length` bytes of {@link memory} from `start` on to a device: bytes written, or the negated errno. */
  write(fd: number, start: number, length: number): number {
    return resultOf(c.write(fd, (this.#memoryAt + start) as Pointer, length));
  }
}
