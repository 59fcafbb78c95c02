/** A kernel of a few lines: answers each request of a datagram by a function. */
import {
  MessageBuilder,
  type NetlinkMessage,
  type NetlinkTransport,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseMessages,
} from "../../../../lib/netlink/mod.ts";

const EAGAIN = 11;

/** What the receive side gives next: a datagram, or a negated errno. */
export type Reply = Uint8Array | number;

/** One message as a datagram. */
export function datagram(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return new MessageBuilder().message(type, flags, sequence, payload).finish();
}

/** Several datagrams as one. */
export function joined(...datagrams: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(datagrams.flatMap((each) => [...each]));
}

/** NLMSG_ERROR as a kernel with CAP_ACK and EXT_ACK sends it; errno 0 acknowledges. */
export function errorReply(
  request: NetlinkMessage,
  errno: number,
  text?: string,
  offset?: number,
): Uint8Array {
  const payload = new MessageBuilder().i32(-errno).u32(16 + request.payload.length).u16(request.type)
    .u16(request.flags).u32(request.sequence).u32(0);
  if (text !== undefined) payload.attrText(1, text);
  if (offset !== undefined) payload.attrU32(2, offset);
  const flags = NLM_F_CAPPED | (text !== undefined || offset !== undefined ? NLM_F_ACK_TLVS : 0);
  return datagram(NLMSG_ERROR, flags, request.sequence, payload.finish());
}

/** NLMSG_DONE, as at the end of a dump. */
export function doneReply(request: NetlinkMessage, flags: number = 0, errno: number = 0): Uint8Array {
  return datagram(NLMSG_DONE, 2 | flags, request.sequence, new MessageBuilder().i32(-errno).finish());
}

/** The answer of a kernel that is content: an acknowledgement if one was asked for. */
export function content(request: NetlinkMessage): Reply[] {
  return request.flags & NLM_F_ACK ? [errorReply(request, 0)] : [];
}

/** A transport that hands each request to `answer` and queues what it returns. */
export class FakeKernel implements NetlinkTransport {
  readonly requests: NetlinkMessage[] = [];
  /** Sizes of the datagrams that were sent. */
  readonly datagrams: number[] = [];
  readonly queue: Reply[] = [];
  closed = false;
  /** What the next sends return instead of working. */
  refuse = 0;

  constructor(
    readonly answer: (request: NetlinkMessage, index: number) => readonly Reply[] = content,
    readonly sendLimit: number = 200_000,
    readonly replyLimit: number = 10_000,
  ) {}

  send(bytes: Uint8Array): number {
    if (this.refuse !== 0) return -this.refuse;
    this.datagrams.push(bytes.length);
    const copy = bytes.slice();
    const parsed = parseMessages(copy);
    if (!parsed.ok) throw new Error(`the request is malformed: ${parsed.reason}`);
    for (const request of parsed.messages) {
      this.requests.push(request);
      this.queue.push(...this.answer(request, this.requests.length - 1));
    }
    return bytes.length;
  }

  receive(buffer: Uint8Array): number {
    const reply = this.queue.shift();
    if (reply === undefined) return -EAGAIN;
    if (typeof reply === "number") return reply;
    buffer.set(reply.subarray(0, buffer.length));
    return reply.length;
  }

  close(): void {
    this.closed = true;
  }
}
