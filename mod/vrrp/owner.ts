/**
 * Hearing the owner of an address that this machine has meanwhile: it advertises from the address itself (priority 255),
 * and the kernel drops whatever comes from an address of its own, before any raw socket.
 *
 * @module
 */
import {
  AF_PACKET,
  attachFilter,
  bindSocket,
  BPF,
  closeFd,
  type FilterInstruction,
  IPPROTO_VRRP,
  openSocket,
  SOCK_DGRAM,
  sockaddrLl,
  viewOf,
  WHOLE_PACKET,
} from "../../lib/libc/mod.ts";
import { ETHER_TYPE } from "../../lib/packet/mod.ts";

/** Where a filter finds whether a packet came or left (linux/filter.h), and what says that it left. */
const PACKET_TYPE_AT = -0x1000 + 4;
const PACKET_OUTGOING = 4;
/** Of an IPv4 header. */
const PROTOCOL_AT = 9;
const SOURCE_AT = 12;

/**
 * Opens a packet socket that hears the advertisements of these IPv4 addresses on a link, and nothing else. Each packet is
 * one as of a raw socket. Throws SyscallError.
 */
export function openOwnerSocket(ifindex: number, name: string, owners: readonly Uint8Array[]): number {
  const doing = `hear the owner of an address on ${name}`;
  const fd = openSocket(AF_PACKET, SOCK_DGRAM, 0, doing);
  try {
    attachFilter(fd, ownerFilter(owners), doing);
    bindSocket(fd, sockaddrLl(ifindex, ETHER_TYPE.ipv4), doing);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function ownerFilter(owners: readonly Uint8Array[]): readonly FilterInstruction[] {
  return [
    [BPF.LOAD_BYTE, 0, 0, PROTOCOL_AT],
    [BPF.JUMP_EQUAL, 1, 0, IPPROTO_VRRP],
    [BPF.RETURN, 0, 0, 0],
    [BPF.LOAD_WORD, 0, 0, PACKET_TYPE_AT],
    [BPF.JUMP_EQUAL, 0, 1, PACKET_OUTGOING],
    [BPF.RETURN, 0, 0, 0],
    [BPF.LOAD_WORD, 0, 0, SOURCE_AT],
    ...owners.flatMap((owner): FilterInstruction[] => [
      [BPF.JUMP_EQUAL, 0, 1, viewOf(owner).getUint32(0)],
      [BPF.RETURN, 0, 0, WHOLE_PACKET],
    ]),
    [BPF.RETURN, 0, 0, 0],
  ];
}
