/**
 * GRE keepalives of a `gre` tunnel: asks through the tunnel, hears what comes back, and answers the peer's own, which
 * the kernel drops unless it is told to take packets from its own address (accept_local).
 *
 * @module
 */
import {
  AF_INET,
  AF_PACKET,
  alloc,
  attachFilter,
  closeFd,
  IP_HDRINCL,
  IPPROTO_GRE,
  IPPROTO_IP,
  openSocket,
  receive,
  sendTo,
  setIntOption,
  setOption,
  SOCK_DGRAM,
  SOCK_RAW,
  sockaddrIn,
  sockaddrLl,
  viewOf,
} from "../../../lib/libc/mod.ts";
import { ETHER_TYPE } from "../../../lib/packet/mod.ts";
import { bytesOf } from "../diff.ts";
import type { TunnelConfig } from "../model.ts";
import { keepaliveFilter } from "./gre_filter.ts";
import { encodeKeepalive, readKeepalive } from "./gre_packet.ts";
import { drain, type ProbedLink, type Prober, sendFailure } from "./prober.ts";

const IP_UNICAST_IF = 50;
const PACKET_ROOM = 512;

function openRaw(config: TunnelConfig, under: number | null): number {
  const doing = `open a socket for GRE keepalives of ${config.name}`;
  const fd = openSocket(AF_INET, SOCK_RAW, IPPROTO_GRE, doing);
  try {
    // Only keepalives of this peer are to wait in the socket.
    attachFilter(fd, keepaliveFilter(config), doing);
    setIntOption(fd, IPPROTO_IP, IP_HDRINCL, 1, doing);
    if (under !== null) {
      const index = alloc(4);
      viewOf(index).setUint32(0, under);
      setOption(fd, IPPROTO_IP, IP_UNICAST_IF, index, doing);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return fd;
}

/**
 * Opens the sockets. `under`: index of the device that the tunnel is bound to, null = none. Throws SyscallError.
 */
export function openGreProber(config: TunnelConfig, link: ProbedLink, under: number | null): Prober {
  const raw = openRaw(config, under);
  let through: number;
  try {
    through = openSocket(AF_PACKET, SOCK_DGRAM, 0, `open a socket on ${config.name}`);
  } catch (error) {
    closeFd(raw);
    throw error;
  }
  // Through the interface itself: the kernel adds key, checksum and sequence number as it does for everything.
  const tunnel = sockaddrLl(link.index, ETHER_TYPE.ipv4);
  const peer = sockaddrIn(bytesOf(config.remote));
  const buffer = alloc(PACKET_ROOM);
  const out = alloc(PACKET_ROOM);

  function sendBytes(fd: number, packet: Uint8Array, to: Uint8Array): number {
    out.set(packet);
    return sendTo(fd, out.subarray(0, packet.length), to);
  }

  return {
    method: "gre",
    fd: raw,
    send: (sequence) => sendFailure(sendBytes(through, encodeKeepalive(config, sequence), tunnel)),
    receive(onAnswer) {
      drain(() => {
        const size = receive(raw, buffer);
        if (size <= 0) return size;
        const seen = readKeepalive(config, buffer.subarray(0, Math.min(size, PACKET_ROOM)));
        if (seen.type === "answer") onAnswer(seen.sequence);
        else if (seen.type === "question") sendBytes(raw, seen.packet, peer);
        return size;
      });
    },
    close() {
      closeFd(raw);
      closeFd(through);
    },
  };
}
