/**
 * Asking the kernel: requests, dumps and batches, each finished when the call returns.
 *
 * @module
 */
import { alloc, EAGAIN, EMSGSIZE, ENOBUFS, monotonicNs, SyscallError } from "../libc/mod.ts";
import { MessageBuilder } from "./builder.ts";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HEADER,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  parseMessages,
} from "./codec.ts";
import { type NetlinkTransport, SocketTransport } from "./transport.ts";

const ETIMEDOUT = 110;
const EPROTO = 71;
const RECEIVE_BUFFER = 64 << 10;
const DUMP_ATTEMPTS = 10;
const DEFAULT_TIMEOUT_MS = 2000;

/** A socket for requests. Every call blocks until the kernel has answered, which it does at once, or for `timeoutMs`. */
export class NetlinkConnection {
  readonly #transport: NetlinkTransport;
  readonly #timeoutMs: number;
  readonly #buffer = alloc(RECEIVE_BUFFER);
  readonly #out = new MessageBuilder(16 << 10);
  #sequence = 0;
  #unfinished = false;

  /**
   * @param protocol NETLINK_ROUTE or NETLINK_GENERIC, in the calling thread's namespace; or a transport (tests).
   * @param timeoutMs How long to wait for an answer. Throws SyscallError.
   */
  constructor(protocol: number | NetlinkTransport, timeoutMs: number = DEFAULT_TIMEOUT_MS) {
    this.#transport = typeof protocol === "number" ? new SocketTransport(protocol) : protocol;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends one request and waits for its acknowledgement.
   *
   * @returns What the kernel sent before it (a "get" answers so), copied.
   * @throws SyscallError with the kernel's own text when it refuses; ETIMEDOUT when it is silent.
   */
  request(request: NetlinkRequest): readonly NetlinkMessage[] {
    const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_ACK);
    const replies: NetlinkMessage[] = [];
    const failure = this.#receive(sequence, 1, (message) => {
      if (message.type === NLMSG_ERROR) return acknowledge(message);
      replies.push({ ...message, payload: message.payload.slice() });
      return null;
    });
    if (failure.errno !== 0) throw errorOf(request, failure);
    return replies;
  }

  /**
   * Reads a whole table. `decode` sees each entry in place (copy what is kept; use no connection inside it) and says
   * what it is, or null for one to leave out. Begins anew when the table changed meanwhile.
   *
   * @throws SyscallError: the kernel refused; EAGAIN: the table changed during each of ten attempts.
   */
  dump<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T | null): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_DUMP);
      const entries: T[] = [];
      let interrupted = false;
      const failure = this.#receive(sequence, 1, (message) => {
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return acknowledge(message);
        const entry = decode(message);
        if (entry !== null) entries.push(entry);
        return null;
      });
      if (failure.errno !== 0) throw errorOf(request, failure);
      if (!interrupted) return entries;
    }
    throw new SyscallError(request.name, EAGAIN, request.doing, "the table kept changing while it was read");
  }

  /**
   * Sends many requests in as few datagrams as the socket takes. One that fails does not stop the others.
   *
   * @returns For each request, in order, null or why it failed. Never throws for what the kernel says.
   */
  batch(requests: readonly NetlinkRequest[]): (SyscallError | null)[] {
    const results: (SyscallError | null)[] = new Array(requests.length).fill(null);
    let start = 0;
    while (start < requests.length) {
      const end = this.#pack(requests, start);
      this.#runChunk(requests, start, end, results);
      start = end;
    }
    return results;
  }

  /**
   * Sends requests between a begin and an end mark, as nfnetlink wants them: all are done, or none.
   *
   * @throws SyscallError of the first that the kernel refused, or of what stopped the whole.
   */
  transaction(begin: NetlinkRequest, requests: readonly NetlinkRequest[], end: NetlinkRequest): void {
    if (requests.length === 0) return;
    this.#discard();
    if (this.#sequence + requests.length + 2 >= 0xffff_ffff) this.#sequence = 0;
    const first = this.#sequence + 1;
    const all = [begin, ...requests, end];
    this.#out.reset();
    all.forEach(({ type, flags, payload }, index) => {
      // The marks are not acknowledged by every kernel; the last request is.
      const ack = index === requests.length ? NLM_F_ACK : 0;
      this.#out.message(type, flags | NLM_F_REQUEST | ack, this.#nextSequence(), payload);
    });
    const sent = this.#transport.send(this.#out.window());
    if (sent < 0) throw new SyscallError(begin.name, -sent, begin.doing);
    let refused: SyscallError | null = null;
    const failure = this.#receive(first, all.length, (message) => {
      if (message.type !== NLMSG_ERROR) return null;
      const index = message.sequence - first;
      const verdict = acknowledge(message);
      if (verdict.errno !== 0) refused ??= errorOf(all[index]!, verdict);
      // What is wrong with a mark is wrong with the whole, and nothing follows.
      return index === requests.length || index === 0 || index === all.length - 1 ? DONE : null;
    });
    if (refused !== null) throw refused;
    if (failure.errno !== 0) throw errorOf(begin, failure);
  }

  close(): void {
    this.#transport.close();
  }

  /** The number of the next request; 0 is what events carry. */
  #nextSequence(): number {
    this.#sequence = this.#sequence >= 0xffff_ffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }

  #send(request: NetlinkRequest, flags: number): number {
    this.#discard();
    const sequence = this.#nextSequence();
    this.#out.reset().message(request.type, request.flags | flags, sequence, request.payload);
    const sent = this.#transport.send(this.#out.window());
    if (sent < 0) throw new SyscallError(request.name, -sent, request.doing);
    return sequence;
  }

  /** Writes requests from `start` on into the datagram while there is room; returns the one after the last. */
  #pack(requests: readonly NetlinkRequest[], start: number): number {
    // A chunk's numbers must follow each other: begin at 1 when the end of the range is near.
    if (this.#sequence + (requests.length - start) >= 0xffff_ffff) this.#sequence = 0;
    this.#out.reset();
    const count = Math.min(requests.length - start, this.#transport.replyLimit);
    let end = start;
    for (; end < start + count; end++) {
      const request = requests[end]!;
      const size = NLMSG_HEADER + request.payload.length;
      if (end > start && this.#out.size + size > this.#transport.sendLimit) break;
      this.#out.message(
        request.type,
        request.flags | NLM_F_REQUEST,
        this.#nextSequence(),
        request.payload,
      );
    }
    return end;
  }

  #runChunk(
    requests: readonly NetlinkRequest[],
    start: number,
    end: number,
    results: (SyscallError | null)[],
  ): void {
    const count = end - start;
    const first = this.#sequence - count + 1;
    // Errors are always told, so only the last needs an acknowledgement: it closes the chunk.
    const last = requests[end - 1]!;
    this.#out.patchU16(
      this.#out.size - align4(NLMSG_HEADER + last.payload.length) + 6,
      last.flags | NLM_F_REQUEST | NLM_F_ACK,
    );
    const told = new Uint8Array(count);
    const failRest = (errno: number, text: string | null) => {
      for (let index = 0; index < count; index++) {
        if (told[index] === 0) results[start + index] = errorOf(requests[start + index]!, { errno, text });
      }
    };
    this.#discard();
    const sent = this.#transport.send(this.#out.window());
    if (sent < 0) return failRest(-sent, null);
    const failure = this.#receive(first, count, (message) => {
      if (message.type !== NLMSG_ERROR) return null;
      const index = message.sequence - first;
      const acknowledgement = acknowledge(message);
      told[index] = 1;
      if (acknowledgement.errno !== 0) {
        results[start + index] = errorOf(requests[start + index]!, acknowledgement);
      }
      return index === count - 1 ? DONE : null;
    });
    if (failure.errno !== 0) failRest(failure.errno, failure.text);
  }

  /**
   * Receives until `take` gives a verdict on one of `count` requests numbered from `first`, or until nothing about them
   * came for a while. Answers to others, late ones of a request given up, are dropped.
   */
  #receive(first: number, count: number, take: (message: NetlinkMessage) => Verdict | null): Verdict {
    let deadlineNs = monotonicNs() + this.#timeoutMs * 1e6;
    this.#unfinished = true;
    for (;;) {
      const size = this.#transport.receive(this.#buffer, this.#timeoutMs);
      if (size === -EAGAIN) return TIMED_OUT;
      if (size < 0) {
        return { errno: -size, text: size === -ENOBUFS ? "the kernel's replies were lost" : null };
      }
      if (size > this.#buffer.length) return { errno: EMSGSIZE, text: `a reply of ${size} bytes was cut` };
      const parsed = parseMessages(this.#buffer.subarray(0, size));
      let progress = false;
      for (const message of parsed.messages) {
        const index = message.sequence - first;
        if (index < 0 || index >= count) continue;
        if (message.type === NLMSG_NOOP || message.type === NLMSG_OVERRUN) continue;
        progress = true;
        const verdict = take(message);
        if (verdict !== null) {
          this.#unfinished = false;
          return verdict;
        }
      }
      if (!parsed.ok) return { errno: EPROTO, text: "a malformed reply" };
      const nowNs = monotonicNs();
      if (progress) deadlineNs = nowNs + this.#timeoutMs * 1e6;
      else if (nowNs >= deadlineNs) return TIMED_OUT;
    }
  }

  /** Empties the socket after a request that was given up: a dump half read would make the next one fail (EBUSY). */
  #discard(): void {
    if (!this.#unfinished) return;
    const deadlineNs = monotonicNs() + this.#timeoutMs * 1e6;
    while (monotonicNs() < deadlineNs) {
      const size = this.#transport.receive(this.#buffer, 0);
      if (size < 0 && size !== -ENOBUFS) break;
    }
    this.#unfinished = false;
  }
}

/** How a request ended: errno 0 = done. */
type Verdict = Pick<Acknowledgement, "errno" | "text">;

const DONE: Verdict = { errno: 0, text: null };
const TIMED_OUT: Verdict = { errno: ETIMEDOUT, text: "the kernel did not answer" };

function align4(size: number): number {
  return (size + 3) & ~3;
}

function acknowledge(message: NetlinkMessage): Verdict {
  return decodeAcknowledgement(message) ?? { errno: EPROTO, text: "a malformed acknowledgement" };
}

function errorOf(request: NetlinkRequest, { errno, text }: Verdict): SyscallError {
  return new SyscallError(request.name, errno, request.doing, text ?? undefined);
}

/** What a caller takes for success: the thing to add is already there, the thing to remove is already gone. */
export interface Tolerance {
  readonly existing?: "ok";
  readonly missing?: "ok";
}

/**
 * Performs one request and swallows the errors in `tolerated`.
 *
 * @returns False when the kernel refused with one of them. Throws SyscallError for every other.
 */
export function attempt(
  connection: NetlinkConnection,
  request: NetlinkRequest,
  tolerated: readonly number[],
): boolean {
  try {
    connection.request(request);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && tolerated.includes(error.errno)) return false;
    throw error;
  }
}
