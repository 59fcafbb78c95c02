/**
 * Asks the far end of a tap who has its tunnel address (RFC 826): every host answers that, whatever its firewall does
 * to ping.
 *
 * @module
 */
import {
  AF_PACKET,
  alloc,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  SOCK_DGRAM,
  sockaddrLl,
} from "../../../lib/libc/mod.ts";
import { ARP_LENGTH, BROADCAST_MAC, decodeArp, encodeArp, ETHER_TYPE } from "../../../lib/packet/mod.ts";
import { bytesOf } from "../diff.ts";
import type { TunnelConfig } from "../model.ts";
import { drain, type ProbedLink, type Prober, sendFailure } from "./prober.ts";

/** RFC 5227 §1.1: who has no address of the subnet asks with this one. */
const NOBODY = Uint8Array.of(0, 0, 0, 0);
const FRAME_ROOM = 64;

/** Our own address in the target's subnet, or 0.0.0.0. */
export function senderFor(target: Uint8Array, addresses: TunnelConfig["addresses"]): Uint8Array {
  const own = addresses.find(({ address, prefix, peer }) => {
    const bytes = bytesOf(peer ?? address);
    return bytes.length === 4 && sharesPrefix(bytes, target, prefix);
  });
  return own === undefined ? NOBODY : bytesOf(own.address);
}

function sharesPrefix(a: Uint8Array, b: Uint8Array, prefix: number): boolean {
  return a.every((byte, index) => {
    const bits = Math.max(0, Math.min(8, prefix - index * 8));
    return ((byte ^ b[index]!) & (0xff00 >> bits) & 0xff) === 0;
  });
}

/** Opens a socket on the tap. `target`: the peer's IPv4 address inside the tunnel. Throws SyscallError. */
export function openArpProber(config: TunnelConfig, link: ProbedLink, target: Uint8Array): Prober {
  const doing = `open a socket for ARP on ${config.name}`;
  const fd = openSocket(AF_PACKET, SOCK_DGRAM, 0, doing);
  try {
    bindSocket(fd, sockaddrLl(link.index, ETHER_TYPE.arp), doing);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const question = alloc(ARP_LENGTH);
  question.set(encodeArp({
    operation: "request",
    senderMac: link.mac,
    senderAddress: senderFor(target, config.addresses),
    targetMac: new Uint8Array(6),
    targetAddress: target,
  }));
  const everybody = sockaddrLl(link.index, ETHER_TYPE.arp, BROADCAST_MAC);
  const buffer = alloc(FRAME_ROOM);
  return {
    method: "arp",
    fd,
    send: () => sendFailure(sendTo(fd, question, everybody)),
    receive(onAnswer) {
      drain(() => {
        const size = receive(fd, buffer);
        if (size <= 0) return size;
        const seen = decodeArp(buffer.subarray(0, Math.min(size, FRAME_ROOM)));
        const answers = seen.ok && seen.arp.operation === "reply" &&
          seen.arp.senderAddress.every((byte, index) => byte === target[index]);
        if (answers) onAnswer(null);
        return size;
      });
    },
    close: () => closeFd(fd),
  };
}
