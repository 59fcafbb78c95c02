/**
 * Ping from inside a namespace without a process of its own: a second process costs a guest more than the packets do.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  alloc,
  closeFd,
  inNetns,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  openSocket,
  receive,
  sendTo,
  SOCK_RAW,
  sockaddrIn,
  sockaddrIn6,
} from "../../../lib/libc/mod.ts";
import { encodeEcho } from "../../../lib/packet/icmp.ts";
import { parseAddress } from "../../../lib/packet/address.ts";
import { pause } from "../../netns/lab.ts";

const ECHO_REPLY = { ipv4: 0, ipv6: 129 } as const;
const RESEND_MS = 100;
const POLL_MS = 2;

/** What may differ from one 56-byte ping that is given up after two seconds. */
export interface PingOptions {
  /** Bytes of data. */
  readonly size?: number;
  readonly timeoutMs?: number;
}

let identifier = process.pid & 0xffff;

/**
 * Whether an address answers an echo request that leaves from a namespace; requests are repeated until one is answered.
 *
 * @param address Text form, IPv4 or IPv6, not link-local.
 */
export async function answersPing(
  namespace: string,
  address: string,
  options: PingOptions = {},
): Promise<boolean> {
  const bytes = parseAddress(address);
  if (bytes === null) throw new RangeError(`Cannot ping ${address}: not an address`);
  const family = bytes.length === 4 ? "ipv4" : "ipv6";
  const six = family === "ipv6";
  const socket = inNetns(
    namespace,
    () =>
      openSocket(six ? AF_INET6 : AF_INET, SOCK_RAW, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, `ping ${address}`),
  );
  identifier = (identifier + 1) & 0xffff;
  const target = six ? sockaddrIn6(bytes) : sockaddrIn(bytes);
  const echo = {
    kind: "request",
    identifier,
    sequence: 1,
    data: new Uint8Array(options.size ?? 56),
  } as const;
  // The kernel itself fills in ICMPv6's checksum, so these need not be the true addresses.
  const request = encodeEcho(echo, six ? { family, source: bytes, destination: bytes } : { family: "ipv4" });
  const buffer = alloc(9216);
  const deadline = performance.now() + (options.timeoutMs ?? 2000);
  try {
    for (let resend = 0; performance.now() < deadline;) {
      if (performance.now() >= resend) {
        sendTo(socket, request, target);
        resend = performance.now() + RESEND_MS;
      }
      for (let size; (size = receive(socket, buffer)) > 0;) {
        const message = buffer.subarray(six ? 0 : (buffer[0]! & 15) * 4, size);
        if (message[0] === ECHO_REPLY[family] && ((message[4]! << 8) | message[5]!) === identifier) {
          return true;
        }
      }
      await pause(POLL_MS);
    }
    return false;
  } finally {
    closeFd(socket);
  }
}
