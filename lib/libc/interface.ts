/**
 * Interfaces by ioctl: the few settings that a program without a netlink connection needs (netdevice(7)).
 *
 * @module
 */
import { closeFd } from "./file.ts";
import { alloc, viewOf } from "./memory.ts";
import { SyscallError } from "./errno.ts";
import { AF_INET, ioctl, openSocket, SOCK_DGRAM } from "./socket.ts";

const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFMTU = 0x8921;
const SIOCSIFMTU = 0x8922;
const SIOCSIFHWADDR = 0x8924;
const SIOCGIFINDEX = 0x8933;
const SIOCSIFTXQLEN = 0x8943;
const IFF_UP = 0x1;
const ARPHRD_ETHER = 1;
const VALUE = 16;

function request(name: string): Uint8Array<ArrayBuffer> {
  const ifreq = alloc(40);
  new TextEncoder().encodeInto(name, ifreq.subarray(0, 15));
  return ifreq;
}

function call(code: number, call: string, ifreq: Uint8Array, doing: string): void {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, doing);
  const result = ioctl(fd, code, ifreq);
  closeFd(fd);
  if (result < 0) throw new SyscallError(`ioctl ${call}`, -result, doing);
}

/** The index of an interface. Throws SyscallError (ENODEV). */
export function interfaceIndex(name: string): number {
  const ifreq = request(name);
  call(SIOCGIFINDEX, "SIOCGIFINDEX", ifreq, `find interface ${name}`);
  return viewOf(ifreq).getInt32(VALUE, true);
}

/** Sets an interface up. Throws SyscallError. */
export function setInterfaceUp(name: string): void {
  const ifreq = request(name);
  call(SIOCGIFFLAGS, "SIOCGIFFLAGS", ifreq, `read the state of ${name}`);
  const view = viewOf(ifreq);
  view.setUint16(VALUE, view.getUint16(VALUE, true) | IFF_UP, true);
  call(SIOCSIFFLAGS, "SIOCSIFFLAGS", ifreq, `set ${name} up`);
}

/** The MTU of an interface, bytes. Throws SyscallError. */
export function interfaceMtu(name: string): number {
  const ifreq = request(name);
  call(SIOCGIFMTU, "SIOCGIFMTU", ifreq, `read the mtu of ${name}`);
  return viewOf(ifreq).getInt32(VALUE, true);
}

/** Sets the MTU of an interface, bytes. Throws SyscallError (EINVAL: the device does not take it). */
export function setInterfaceMtu(name: string, mtu: number): void {
  const ifreq = request(name);
  viewOf(ifreq).setInt32(VALUE, mtu, true);
  call(SIOCSIFMTU, "SIOCSIFMTU", ifreq, `set the mtu of ${name} to ${mtu}`);
}

/** Sets the hardware address (6 bytes) of an Ethernet interface. Throws SyscallError. */
export function setInterfaceMac(name: string, mac: Uint8Array): void {
  const ifreq = request(name);
  viewOf(ifreq).setUint16(VALUE, ARPHRD_ETHER, true);
  ifreq.set(mac, VALUE + 2);
  call(SIOCSIFHWADDR, "SIOCSIFHWADDR", ifreq, `set the hardware address of ${name}`);
}

/** Sets how many packets may wait to be sent by an interface. Throws SyscallError. */
export function setInterfaceQueue(name: string, packets: number): void {
  const ifreq = request(name);
  viewOf(ifreq).setInt32(VALUE, packets, true);
  call(SIOCSIFTXQLEN, "SIOCSIFTXQLEN", ifreq, `set the queue of ${name} to ${packets} packets`);
}
