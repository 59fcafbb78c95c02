/**
 * Where a tunnel's outer packets start from, and how large they may be on the way to its far end.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  bindToDevice,
  closeFd,
  connectSocket,
  EADDRNOTAVAIL,
  getIntOption,
  interfaceIndex,
  IPPROTO_IP,
  IPPROTO_IPV6,
  openSocket,
  SOCK_DGRAM,
  sockaddrIn,
  sockaddrIn6,
  SyscallError,
} from "../../lib/libc/mod.ts";
import { isLinkLocal } from "../../lib/packet/address.ts";
import { bytesOf, isOverIpv6 } from "./diff.ts";
import { tunnelOverhead } from "./machine/findings.ts";
import type { TunnelConfig } from "./model.ts";

const IP_MTU = 14;
const IPV6_MTU = 24;
const LEAST_MTU = 68;

function sockaddrOf(text: string, { dev, type }: TunnelConfig): Uint8Array {
  const address = bytesOf(text);
  if (!isOverIpv6(type)) return sockaddrIn(address);
  return sockaddrIn6(address, 0, isLinkLocal(address) && dev !== null ? interfaceIndex(dev) : 0);
}

/**
 * Whether packets may have the tunnel's local address as their source: false while no interface has it, nor any route
 * makes it one of this machine's.
 */
export function hasLocalAddress(config: TunnelConfig): boolean {
  const doing = `look for the local address of tunnel ${config.name}`;
  let fd = -1;
  try {
    fd = openSocket(isOverIpv6(config.type) ? AF_INET6 : AF_INET, SOCK_DGRAM, 0, doing);
    bindSocket(fd, sockaddrOf(config.local, config), doing);
    return true;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.errno !== EADDRNOTAVAIL;
  } finally {
    if (fd >= 0) closeFd(fd);
  }
}

/**
 * The mtu in bytes that the kernel gives a new tunnel of which none is configured; null when the way to its far end is
 * not known now. Nothing is sent.
 */
export function defaultMtu(config: TunnelConfig): number | null {
  const { dev, name } = config;
  const six = isOverIpv6(config.type);
  const doing = `find the way of tunnel ${name}`;
  let fd = -1;
  try {
    fd = openSocket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0, doing);
    if (dev !== null) bindToDevice(fd, dev);
    bindSocket(fd, sockaddrOf(config.local, config), doing);
    // The port says nothing: no packet leaves.
    if (connectSocket(fd, sockaddrOf(config.remote, config)) < 0) return null;
    const path = six
      ? getIntOption(fd, IPPROTO_IPV6, IPV6_MTU, doing)
      : getIntOption(fd, IPPROTO_IP, IP_MTU, doing);
    return Math.max(LEAST_MTU, path - tunnelOverhead(config));
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  } finally {
    if (fd >= 0) closeFd(fd);
  }
}
