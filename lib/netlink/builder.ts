/**
 * Writing netlink messages: structs, attributes and nested attributes into one buffer that grows.
 *
 * @module
 */
import { NLMSG_HEADER } from "./codec.ts";

const NLA_F_NESTED = 0x8000;
const MAX_ATTRIBUTE = 0xffff;
const encoder = new TextEncoder();

/**
 * Appends to a growing buffer. The plain calls (`u8`, `u16`, `bytes`…) write struct fields where they stand, the
 * `attr…` calls write one padded attribute, `nest`/`end` put attributes inside an attribute. All throw RangeError for
 * a value that its field cannot hold. The buffer is made ArrayBuffer first, so it may be handed to C.
 */
export class MessageBuilder {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #size = 0;
  readonly #open: number[] = [];

  constructor(capacity: number = 512) {
    this.#bytes = new Uint8Array(new ArrayBuffer(capacity));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Reserves `count` zeroed bytes and says where they begin. Call it first: it may replace the buffer and its view. */
  #take(count: number): number {
    const at = this.#size;
    const end = at + count;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(new ArrayBuffer(Math.max(end, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    } else {
      this.#bytes.fill(0, at, end);
    }
    this.#size = end;
    return at;
  }

  u8(value: number): this {
    const at = this.#take(1);
    this.#view.setUint8(at, inRange(value, 0xff));
    return this;
  }

  u16(value: number): this {
    const at = this.#take(2);
    this.#view.setUint16(at, inRange(value, 0xffff), true);
    return this;
  }

  u32(value: number): this {
    const at = this.#take(4);
    this.#view.setUint32(at, inRange(value, 0xffffffff), true);
    return this;
  }

  i32(value: number): this {
    const at = this.#take(4);
    this.#view.setInt32(at, inRange(value, 0x7fffffff, -0x80000000), true);
    return this;
  }

  /** `count` zero bytes. */
  zero(count: number): this {
    this.#take(count);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Reserves a whole attribute, padding included, and says where its value begins. */
  #attribute(type: number, length: number): number {
    if (length + 4 > MAX_ATTRIBUTE) throw new RangeError(`Cannot encode an attribute of ${length} bytes`);
    const at = this.#take((length + 7) & ~3);
    this.#view.setUint16(at, length + 4, true);
    this.#view.setUint16(at + 2, inRange(type, 0xffff), true);
    return at + 4;
  }

  attrU8(type: number, value: number): this {
    const at = this.#attribute(type, 1);
    this.#view.setUint8(at, inRange(value, 0xff));
    return this;
  }

  attrU16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, inRange(value, 0xffff), true);
    return this;
  }

  attrU32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, inRange(value, 0xffffffff), true);
    return this;
  }

  /** In network order. */
  attrBe16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, inRange(value, 0xffff));
    return this;
  }

  /** In network order. */
  attrBe32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, inRange(value, 0xffffffff));
    return this;
  }

  attrBytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Text with a closing NUL, as the kernel wants names. */
  attrText(type: number, text: string): this {
    const value = encoder.encode(text);
    if (value.includes(0)) {
      throw new RangeError(`Cannot encode text with a NUL byte: ${JSON.stringify(text)}`);
    }
    const at = this.#attribute(type, value.length + 1);
    this.#bytes.set(value, at);
    return this;
  }

  /** An attribute that says something by being there. */
  attrFlag(type: number): this {
    this.#attribute(type, 0);
    return this;
  }

  /**
   * Opens an attribute that others go into, until {@link end}.
   *
   * @param flagged False for the old nests that must not carry NLA_F_NESTED (RTA_MULTIPATH's own struct style).
   */
  nest(type: number, flagged: boolean = true): this {
    this.#open.push(this.#size);
    this.#attribute(flagged ? type | NLA_F_NESTED : type, 0);
    return this;
  }

  /** Closes the attribute opened last. */
  end(): this {
    const at = this.#open.pop();
    if (at === undefined) throw new RangeError("Cannot close an attribute: none is open");
    const length = this.#size - at;
    if (length > MAX_ATTRIBUTE) throw new RangeError(`Cannot encode an attribute of ${length} bytes`);
    this.#view.setUint16(at, length, true);
    this.#take(((length + 3) & ~3) - length);
    return this;
  }

  /** Appends a whole message: header, payload, padding. */
  message(type: number, flags: number, sequence: number, payload: Uint8Array, port: number = 0): this {
    const length = NLMSG_HEADER + payload.length;
    const at = this.#take((length + 3) & ~3);
    this.#view.setUint32(at, length, true);
    this.#view.setUint16(at + 4, inRange(type, 0xffff), true);
    this.#view.setUint16(at + 6, inRange(flags, 0xffff), true);
    this.#view.setUint32(at + 8, inRange(sequence, 0xffffffff), true);
    this.#view.setUint32(at + 12, inRange(port, 0xffffffff), true);
    this.#bytes.set(payload, at + NLMSG_HEADER);
    return this;
  }

  /** Writes a u16 over what stands at `at`, for lengths that are known late. */
  patchU16(at: number, value: number): this {
    if (at + 2 > this.#size) {
      throw new RangeError(`Cannot write at ${at}: only ${this.#size} bytes are there`);
    }
    this.#view.setUint16(at, inRange(value, 0xffff), true);
    return this;
  }

  /** A window onto what was written, valid until the next write. Throws RangeError while an attribute is open. */
  window(): Uint8Array<ArrayBuffer> {
    if (this.#open.length > 0) throw new RangeError("Cannot finish a message: an attribute is still open");
    return this.#bytes.subarray(0, this.#size);
  }

  /** A copy of what was written. Throws RangeError while an attribute is open. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.window().slice();
  }

  /** Forgets what was written and keeps the memory. */
  reset(): this {
    this.#size = 0;
    this.#open.length = 0;
    return this;
  }
}

function inRange(value: number, max: number, min: number = 0): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot encode ${value}: it must be an integer from ${min} to ${max}`);
  }
  return value;
}
