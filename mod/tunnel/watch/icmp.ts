/**
 * Asks the far end by echo request (RFC 792, RFC 4443 §4), through the tunnel's interface alone.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  alloc,
  bindToDevice,
  closeFd,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IPV6,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  Ipv6Receiver,
  openSocket,
  receive,
  sendTo,
  setIntOption,
  setOption,
  SOCK_RAW,
  sockaddrIn,
  sockaddrIn6,
  viewOf,
} from "../../../lib/libc/mod.ts";
import {
  decodeEcho,
  decodeIpv4,
  encodeEcho,
  type IcmpContext,
  isLinkLocal,
} from "../../../lib/packet/mod.ts";
import type { TunnelConfig } from "../model.ts";
import { drain, type ProbedLink, type Prober, sendFailure } from "./prober.ts";

const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;
const ECHO_REPLY = 0;
const ECHO_REPLY_V6 = 129;
const PACKET_ROOM = 512;
const DATA = new Uint8Array(16);

/** Asks the kernel to hand over echo replies only. */
function setFilter(fd: number, six: boolean, doing: string): void {
  const blocked = alloc(six ? 32 : 4).fill(0xff);
  const type = six ? ECHO_REPLY_V6 : ECHO_REPLY;
  const view = viewOf(blocked);
  const word = (type >> 5) * 4;
  view.setUint32(word, view.getUint32(word, true) & ~(1 << (type & 31)), true);
  setOption(fd, six ? IPPROTO_ICMPV6 : SOL_RAW, six ? ICMPV6_FILTER : ICMP_FILTER, blocked, doing);
}

/** Sequence number of the reply to `identifier` in a message from the target; null when it is something else. */
function answerIn(message: Uint8Array, context: IcmpContext, identifier: number): number | null {
  const seen = decodeEcho(message, context);
  if (!seen.ok || seen.echo.kind !== "reply" || seen.echo.identifier !== identifier) return null;
  return seen.echo.sequence;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Opens a raw socket. `identifier`: 16 bits that no other prober of this machine has. Throws SyscallError. */
export function openIcmpProber(
  config: TunnelConfig,
  link: ProbedLink,
  target: Uint8Array,
  identifier: number,
): Prober {
  const six = target.length === 16;
  const doing = `open a socket for ICMP on ${config.name}`;
  const fd = openSocket(six ? AF_INET6 : AF_INET, SOCK_RAW, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, doing);
  try {
    setFilter(fd, six, doing);
    bindToDevice(fd, config.name);
    if (six) {
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, doing);
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, doing);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const to = six ? sockaddrIn6(target, 0, isLinkLocal(target) ? link.index : 0) : sockaddrIn(target);
  // The kernel itself fills in ICMPv6's checksum, so these need not be the true addresses.
  const sending: IcmpContext = six
    ? { family: "ipv6", source: target, destination: target }
    : { family: "ipv4" };
  const out = alloc(PACKET_ROOM);
  const readSix = six ? new Ipv6Receiver(PACKET_ROOM) : null;
  const buffer = readSix?.buffer ?? alloc(PACKET_ROOM);

  function readOne(onAnswer: (sequence: number | null) => void): number {
    const size = readSix === null ? receive(fd, buffer) : readSix.receive(fd);
    if (size <= 0) return size;
    const bytes = buffer.subarray(0, Math.min(size, PACKET_ROOM));
    let sequence: number | null = null;
    if (readSix !== null) {
      const { source, destination } = readSix.arrival;
      if (same(source, target)) {
        sequence = answerIn(bytes, { family: "ipv6", source, destination }, identifier);
      }
    } else {
      const packet = decodeIpv4(bytes);
      if (packet.ok && same(packet.header.source, target)) {
        sequence = answerIn(packet.payload, { family: "ipv4" }, identifier);
      }
    }
    if (sequence !== null) onAnswer(sequence);
    return size;
  }

  return {
    method: "icmp",
    fd,
    send(sequence) {
      const message = encodeEcho({ kind: "request", identifier, sequence, data: DATA }, sending);
      out.set(message);
      return sendFailure(sendTo(fd, out.subarray(0, message.length), to));
    },
    receive: (onAnswer) => drain(() => readOne(onAnswer)),
    close: () => closeFd(fd),
  };
}
