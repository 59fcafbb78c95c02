/**
 * Netlink messages and attributes: reading what the kernel sends and writing what it is asked. Pure; numbers are in
 * host order, which is little endian on every machine this runs on (RFC 3549 §2.2, linux/netlink.h).
 *
 * @module
 */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
/** The table changed while it was dumped: entries may be missing or doubled. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** In an NLMSG_ERROR: the request is not repeated behind its header. */
export const NLM_F_CAPPED = 0x100;
/** In an NLMSG_ERROR or NLMSG_DONE: extended acknowledgement attributes follow. */
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

/** Bytes of struct nlmsghdr. */
export const NLMSG_HEADER = 16;

const ATTRIBUTE_HEADER = 4;
const NLA_TYPE_MASK = 0x3fff;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

const decoder = new TextDecoder();

function align4(size: number): number {
  return (size + 3) & ~3;
}

/** One netlink message. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port of the socket that the message is meant for or comes from; 0 = the kernel. */
  readonly port: number;
  /** What follows the header: a window into the datagram, valid as long as that is. */
  readonly payload: Uint8Array;
}

/** One request, encoded: may be kept and sent again and again. */
export interface NetlinkRequest {
  /** nlmsg_type. */
  readonly type: number;
  /** nlmsg_flags beside NLM_F_REQUEST and NLM_F_ACK, which are set where it is sent. */
  readonly flags: number;
  /** The request's name for errors: `RTM_NEWADDR`. */
  readonly name: string;
  /** The rest of "Cannot …": `add 10.0.0.1/24 to eth1`. */
  readonly doing: string;
  /** The family's struct and the attributes. */
  readonly payload: Uint8Array;
}

/** The messages of one datagram; when `ok` is false, those before the first one that is malformed. */
export type ParsedDatagram =
  | { readonly ok: true; readonly messages: readonly NetlinkMessage[] }
  | {
    readonly ok: false;
    readonly reason: "short-header" | "bad-length";
    readonly messages: readonly NetlinkMessage[];
  };

/** Splits a datagram into its messages. Never throws; payloads are windows into `datagram`. */
export function parseMessages(datagram: Uint8Array): ParsedDatagram {
  const messages: NetlinkMessage[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at < datagram.length) {
    if (datagram.length - at < NLMSG_HEADER) return { ok: false, reason: "short-header", messages };
    const length = view.getUint32(at, true);
    if (length < NLMSG_HEADER || length > datagram.length - at) {
      return { ok: false, reason: "bad-length", messages };
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      payload: datagram.subarray(at + NLMSG_HEADER, at + length),
    });
    at += align4(length);
  }
  return { ok: true, messages };
}

/** What the kernel says about a request. */
export interface Acknowledgement {
  /** 0 = done. */
  readonly errno: number;
  /** The kernel's own words, where it has any. */
  readonly text: string | null;
  /** Which byte of the request, from its header on, it did not like. */
  readonly offset: number | null;
}

/** Reads an NLMSG_ERROR (also the good one, errno 0) or an NLMSG_DONE; null when it is neither or too short. */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement | null {
  const { type, flags, payload } = message;
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  // A dump that ends well may carry no number at all.
  if (type === NLMSG_DONE && payload.length < 4) return { errno: 0, text: null, offset: null };
  if (payload.length < (type === NLMSG_ERROR ? 4 + NLMSG_HEADER : 4)) return null;
  const errno = Math.abs(view.getInt32(0, true));
  let text: string | null = null;
  let offset: number | null = null;
  if (flags & NLM_F_ACK_TLVS) {
    let start = 4;
    if (type === NLMSG_ERROR) {
      // Not align4: bit operations would turn a hostile length negative.
      const request = Math.ceil(view.getUint32(4, true) / 4) * 4;
      start += flags & NLM_F_CAPPED ? NLMSG_HEADER : Math.max(request, NLMSG_HEADER);
    }
    const attributes = new AttributeCursor(payload, start);
    while (attributes.next()) {
      if (attributes.type === NLMSGERR_ATTR_MSG) text = attributes.text();
      else if (attributes.type === NLMSGERR_ATTR_OFFS) offset = attributes.u32();
    }
  }
  return { errno, text, offset };
}

/**
 * Walks the attributes of a message. Errors stick: after an attribute that is malformed or shorter than what was asked
 * of it, every read gives 0, "" or no bytes and {@link next} gives false; look at {@link ok} once, at the end.
 *
 * ```ts
 * const attributes = new AttributeCursor(message.payload, 8);
 * while (attributes.next()) if (attributes.type === IFA_LABEL) label = attributes.text();
 * if (!attributes.ok) return null;
 * ```
 */
export class AttributeCursor {
  /** The attribute's type, flags taken off. */
  type: number = 0;
  /** Bytes of the attribute's value. */
  length: number = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #parent: AttributeCursor | null;
  #next: number;
  #at = 0;
  #ok = true;

  /** @param start Where the attributes begin: the size of the struct before them. */
  constructor(bytes: Uint8Array, start: number = 0, parent: AttributeCursor | null = null) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#parent = parent;
    this.#next = start;
    if (start > bytes.length) this.#fail();
  }

  /** False once anything was malformed, in here or in an attribute nested in it. */
  get ok(): boolean {
    return this.#ok;
  }

  #fail(): void {
    this.#ok = false;
    if (this.#parent !== null) this.#parent.#fail();
  }

  /** Goes to the next attribute; false at the end or after an error. */
  next(): boolean {
    this.length = 0;
    const left = this.#bytes.length - this.#next;
    // Fewer bytes than a header are padding.
    if (!this.#ok || left < ATTRIBUTE_HEADER) return false;
    const size = this.#view.getUint16(this.#next, true);
    if (size < ATTRIBUTE_HEADER || size > left) {
      this.#fail();
      return false;
    }
    this.type = this.#view.getUint16(this.#next + 2, true) & NLA_TYPE_MASK;
    this.length = size - ATTRIBUTE_HEADER;
    this.#at = this.#next + ATTRIBUTE_HEADER;
    this.#next += align4(size);
    return true;
  }

  #has(size: number, offset: number): boolean {
    if (this.#ok && offset + size <= this.length) return true;
    this.#fail();
    return false;
  }

  u8(offset: number = 0): number {
    return this.#has(1, offset) ? this.#view.getUint8(this.#at + offset) : 0;
  }

  u16(offset: number = 0): number {
    return this.#has(2, offset) ? this.#view.getUint16(this.#at + offset, true) : 0;
  }

  u32(offset: number = 0): number {
    return this.#has(4, offset) ? this.#view.getUint32(this.#at + offset, true) : 0;
  }

  /** A counter; exact up to 2^53. */
  u64(offset: number = 0): number {
    return this.u32(offset) + this.u32(offset + 4) * 0x1_0000_0000;
  }

  /** A number in network order. */
  be16(offset: number = 0): number {
    return this.#has(2, offset) ? this.#view.getUint16(this.#at + offset) : 0;
  }

  /** A number in network order. */
  be32(offset: number = 0): number {
    return this.#has(4, offset) ? this.#view.getUint32(this.#at + offset) : 0;
  }

  /** A copy of the value from `offset` on. */
  bytes(offset: number = 0): Uint8Array {
    if (!this.#has(0, offset)) return new Uint8Array(0);
    return this.#bytes.slice(this.#at + offset, this.#at + this.length);
  }

  /** A window onto the value from `offset` on, valid as long as the datagram is. */
  window(offset: number = 0): Uint8Array {
    if (!this.#has(0, offset)) return new Uint8Array(0);
    return this.#bytes.subarray(this.#at + offset, this.#at + this.length);
  }

  /** The value as text up to its first NUL; bytes that are not UTF-8 become replacement characters. */
  text(): string {
    const value = this.window();
    const end = value.indexOf(0);
    return decoder.decode(end < 0 ? value : value.subarray(0, end));
  }

  /** The attributes inside this one, after `start` bytes of it; an error in there sticks here too. */
  nested(start: number = 0): AttributeCursor {
    return new AttributeCursor(this.window(), start, this);
  }
}
