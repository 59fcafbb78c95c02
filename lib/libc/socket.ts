/**
 * Sockets: options, addresses, and sends and receives that report an ordinary failure as a negated errno.
 *
 * @module
 */
import { alloc, cString, viewOf } from "./memory.ts";
import { check, resultOf } from "./errno.ts";
import { c } from "./symbols.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;

export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_GRE = 47;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_VRRP = 112;
export const IPPROTO_RAW = 255;

export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
export const SO_PRIORITY = 12;
export const SO_ATTACH_FILTER = 26;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;

export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_MULTICAST_ALL = 49;

export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_JOIN_GROUP = 20;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;
export const IPV6_TCLASS = 67;

export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_TRUNC = 0x20;

/**
 * Opens a non-blocking socket that is closed on exec.
 *
 * @param doing What it is for, as the rest of "Cannot …".
 */
export function openSocket(domain: number, type: number, protocol: number, doing: string): number {
  return check(c.socket(domain, type | SOCK_NONBLOCK_CLOEXEC, protocol), "socket", doing);
}

/** Two connected stream sockets, blocking, closed on exec. */
export function socketPair(): readonly [number, number] {
  const pair = alloc(8);
  check(c.socketpair(AF_UNIX, SOCK_STREAM | 0o2000000, 0, pair), "socketpair", "create a socket pair");
  return [viewOf(pair).getInt32(0, true), viewOf(pair).getInt32(4, true)];
}

/** Sets an option whose value is raw bytes. Throws SyscallError. */
export function setOption(fd: number, level: number, name: number, value: Uint8Array, doing: string): void {
  check(c.setsockopt(fd, level, name, value, value.byteLength), "setsockopt", doing);
}

/** Sets an option whose value is an int. Throws SyscallError. */
export function setIntOption(fd: number, level: number, name: number, value: number, doing: string): void {
  const cell = alloc(4);
  viewOf(cell).setInt32(0, value, true);
  setOption(fd, level, name, cell, doing);
}

/**
 * Sizes what waits in a socket to be read or sent, in bytes. Who has CAP_NET_ADMIN in a user namespace of its own only (a
 * container without root outside) gets no more than net.core.{r,w}mem_max. Throws SyscallError.
 */
export function setBufferSize(fd: number, buffer: "receive" | "send", size: number): void {
  const [force, plain] = buffer === "receive" ? [SO_RCVBUFFORCE, SO_RCVBUF] : [SO_SNDBUFFORCE, SO_SNDBUF];
  const cell = alloc(4);
  viewOf(cell).setInt32(0, size, true);
  if (c.setsockopt(fd, SOL_SOCKET, force, cell, 4) === 0) return;
  setOption(fd, SOL_SOCKET, plain, cell, `size the ${buffer} buffer of a socket`);
}

/** Reads an option whose value is an int. Throws SyscallError. */
export function getIntOption(fd: number, level: number, name: number, doing: string): number {
  const cell = alloc(4);
  const length = alloc(4);
  viewOf(length).setUint32(0, 4, true);
  check(c.getsockopt(fd, level, name, cell, length), "getsockopt", doing);
  return viewOf(cell).getInt32(0, true);
}

/** Reads an option whose value is raw bytes into `value`: 0, or the negated errno. */
export function readOption(fd: number, level: number, name: number, value: Uint8Array): number {
  const length = alloc(4);
  viewOf(length).setUint32(0, value.byteLength, true);
  return resultOf(c.getsockopt(fd, level, name, value, length));
}

/** Binds a socket to a device by name: it then receives from and sends through this device alone. */
export function bindToDevice(fd: number, device: string): void {
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, cString(device), `bind socket to ${device}`);
}

/** Binds a socket to a local address. */
export function bindSocket(fd: number, address: Uint8Array, doing: string): void {
  check(c.bind(fd, address, address.byteLength), "bind", doing);
}

/** Connects a datagram or raw socket: 0, or the negated errno (no route, source address missing). */
export function connectSocket(fd: number, address: Uint8Array): number {
  return resultOf(c.connect(fd, address, address.byteLength));
}

/** struct sockaddr_in; the port in host order. */
export function sockaddrIn(address: Uint8Array, port: number = 0): Uint8Array<ArrayBuffer> {
  const buffer = alloc(16);
  const view = viewOf(buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  buffer.set(address, 4);
  return buffer;
}

/** struct sockaddr_in6; the scope is the interface index that a link-local address needs. */
export function sockaddrIn6(
  address: Uint8Array,
  port: number = 0,
  scope: number = 0,
): Uint8Array<ArrayBuffer> {
  const buffer = alloc(28);
  const view = viewOf(buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  buffer.set(address, 8);
  view.setUint32(24, scope, true);
  return buffer;
}

/** struct sockaddr_ll: a device by index, an EtherType (0 = receive nothing), and the destination MAC if any. */
export function sockaddrLl(ifindex: number, etherType: number, mac?: Uint8Array): Uint8Array<ArrayBuffer> {
  const buffer = alloc(20);
  const view = viewOf(buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, etherType);
  view.setInt32(4, ifindex, true);
  if (mac) {
    buffer[11] = mac.length;
    buffer.set(mac, 12);
  }
  return buffer;
}

/** struct sockaddr_nl. */
export function sockaddrNl(groups: number = 0, pid: number = 0): Uint8Array<ArrayBuffer> {
  const buffer = alloc(12);
  const view = viewOf(buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(4, pid, true);
  view.setUint32(8, groups, true);
  return buffer;
}

/** struct ip_mreqn: an IPv4 group on the interface with this index. */
export function ipMreqn(group: Uint8Array, ifindex: number): Uint8Array<ArrayBuffer> {
  const buffer = alloc(12);
  buffer.set(group, 0);
  viewOf(buffer).setInt32(8, ifindex, true);
  return buffer;
}

/** struct ipv6_mreq: an IPv6 group on the interface with this index. */
export function ipv6Mreq(group: Uint8Array, ifindex: number): Uint8Array<ArrayBuffer> {
  const buffer = alloc(20);
  buffer.set(group, 0);
  viewOf(buffer).setInt32(16, ifindex, true);
  return buffer;
}

/** Sends to an address made by one of the `sockaddr…` functions: bytes sent, or the negated errno. */
export function sendTo(
  fd: number,
  bytes: Uint8Array,
  address: Uint8Array,
  flags: number = MSG_DONTWAIT,
): number {
  return resultOf(c.sendto(fd, bytes, bytes.byteLength, flags, address, address.byteLength));
}

/** Sends on a connected socket: bytes sent, or the negated errno. */
export function sendBytes(
  fd: number,
  bytes: Uint8Array,
  flags: number = MSG_DONTWAIT | MSG_NOSIGNAL,
): number {
  return resultOf(c.send(fd, bytes, bytes.byteLength, flags));
}

/** Receives one datagram or what a stream has: bytes received, 0 at a stream's end, or the negated errno. */
export function receive(fd: number, buffer: Uint8Array, flags: number = MSG_DONTWAIT): number {
  return resultOf(c.recv(fd, buffer, buffer.byteLength, flags));
}

const lengthCell = alloc(4);
const lengthView = viewOf(lengthCell);

/** As {@link receive}, with the sender's sockaddr written into `address` (28 bytes hold any used here). */
export function receiveFrom(
  fd: number,
  buffer: Uint8Array,
  address: Uint8Array,
  flags: number = MSG_DONTWAIT,
): number {
  lengthView.setUint32(0, address.byteLength, true);
  return resultOf(c.recvfrom(fd, buffer, buffer.byteLength, flags, address, lengthCell));
}

/** Calls ioctl with a struct as its argument: the result, or the negated errno. */
export function ioctl(fd: number, request: number, argument: Uint8Array): number {
  return resultOf(c.ioctl(fd, request, argument));
}
