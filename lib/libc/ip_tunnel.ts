/**
 * The tunnel ioctls (linux/if_tunnel.h), older than netlink's way: IPv4 tunnels without Ethernet, so of the GRE kinds
 * `gre` alone.
 *
 * @module
 */
import { ENODEV, SyscallError } from "./errno.ts";
import { closeFd } from "./file.ts";
import { addressOf, alloc, cString, textOf, viewOf } from "./memory.ts";
import { AF_INET, ioctl, IPPROTO_GRE, openSocket, SOCK_DGRAM } from "./socket.ts";

const SIOCGETTUNNEL = 0x89f0;
const SIOCADDTUNNEL = 0x89f1;
const SIOCDELTUNNEL = 0x89f2;
const SIOCCHGTUNNEL = 0x89f3;
const NAMES: Readonly<Record<number, string>> = {
  [SIOCGETTUNNEL]: "ioctl SIOCGETTUNNEL",
  [SIOCADDTUNNEL]: "ioctl SIOCADDTUNNEL",
  [SIOCDELTUNNEL]: "ioctl SIOCDELTUNNEL",
  [SIOCCHGTUNNEL]: "ioctl SIOCCHGTUNNEL",
};

/** The device that the kernel makes with the module, and that is asked for a new tunnel. */
const FALLBACK = "gre0";
const GRE_CSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQ = 0x1000;
const IP_DF = 0x4000;
const NAME_SIZE = 16;
const PARM_SIZE = 52;
const IFREQ_SIZE = 40;

/** A gre tunnel as the ioctls know it. With a TTL of its own it always sets Don't Fragment. */
export interface IpTunnel {
  readonly name: string;
  /** Index of the device that the outer packets are bound to; 0 = none. */
  readonly link: number;
  readonly ikey: number | null;
  readonly okey: number | null;
  readonly csum: boolean;
  readonly seq: boolean;
  /** 4 bytes each. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** 0 = that of the packet inside. */
  readonly ttl: number;
  /** 1 = that of the packet inside. */
  readonly tos: number;
  readonly pmtudisc: boolean;
}

/** struct ip_tunnel_parm: 52 bytes, an IPv4 header from byte 32 on. */
function encode(tunnel: IpTunnel): Uint8Array<ArrayBuffer> {
  if (tunnel.local.length !== 4 || tunnel.remote.length !== 4) {
    throw new RangeError(`Cannot encode gre tunnel ${tunnel.name}: its addresses must have 4 bytes`);
  }
  const parm = alloc(PARM_SIZE);
  const view = viewOf(parm);
  const flags = (tunnel.csum ? GRE_CSUM : 0) | (tunnel.seq ? GRE_SEQ : 0);
  parm.set(nameBytes(tunnel.name), 0);
  view.setInt32(16, tunnel.link, true);
  view.setUint16(20, flags | (tunnel.ikey === null ? 0 : GRE_KEY));
  view.setUint16(22, flags | (tunnel.okey === null ? 0 : GRE_KEY));
  view.setUint32(24, tunnel.ikey ?? 0);
  view.setUint32(28, tunnel.okey ?? 0);
  parm[32] = 0x45;
  parm[33] = tunnel.tos;
  view.setUint16(38, tunnel.pmtudisc ? IP_DF : 0);
  parm[40] = tunnel.ttl;
  parm[41] = IPPROTO_GRE;
  parm.set(tunnel.local, 44);
  parm.set(tunnel.remote, 48);
  return parm;
}

function decode(parm: Uint8Array): IpTunnel {
  const view = viewOf(parm);
  const iflags = view.getUint16(20);
  const oflags = view.getUint16(22);
  return {
    name: textOf(parm.subarray(0, NAME_SIZE)),
    link: view.getInt32(16, true),
    ikey: iflags & GRE_KEY ? view.getUint32(24) : null,
    okey: oflags & GRE_KEY ? view.getUint32(28) : null,
    csum: (iflags & oflags & GRE_CSUM) !== 0,
    seq: (iflags & oflags & GRE_SEQ) !== 0,
    local: parm.slice(44, 48),
    remote: parm.slice(48, 52),
    ttl: parm[40]!,
    tos: parm[33]!,
    pmtudisc: (view.getUint16(38) & IP_DF) !== 0,
  };
}

function nameBytes(name: string): Uint8Array {
  const bytes = cString(name);
  if (bytes.length > NAME_SIZE || bytes.length < 2) {
    throw new RangeError(`Cannot use "${name}" as an interface name: 1 to 15 characters`);
  }
  return bytes;
}

/** struct ifreq with a pointer to `parm`. */
function ask(request: number, device: string, parm: Uint8Array, doing: string): void {
  const ifreq = alloc(IFREQ_SIZE);
  ifreq.set(nameBytes(device), 0);
  viewOf(ifreq).setBigUint64(NAME_SIZE, BigInt(addressOf(parm)), true);
  const socket = openSocket(AF_INET, SOCK_DGRAM, 0, doing);
  try {
    const result = ioctl(socket, request, ifreq);
    if (result < 0) throw new SyscallError(NAMES[request]!, -result, doing);
  } finally {
    closeFd(socket);
  }
}

/** Makes a gre tunnel, down. Throws SyscallError (EEXIST; ENODEV: no ip_gre here, or no gre0 in this namespace). */
export function addIpTunnel(tunnel: IpTunnel): void {
  ask(SIOCADDTUNNEL, FALLBACK, encode(tunnel), `create gre tunnel ${tunnel.name}`);
}

/** Gives an existing gre tunnel these parameters. Throws SyscallError. */
export function changeIpTunnel(tunnel: IpTunnel): void {
  ask(SIOCCHGTUNNEL, tunnel.name, encode(tunnel), `change gre tunnel ${tunnel.name}`);
}

/** Reads a gre tunnel; null when there is no such device. Throws SyscallError for a device of another kind. */
export function getIpTunnel(name: string): IpTunnel | null {
  const parm = alloc(PARM_SIZE);
  try {
    ask(SIOCGETTUNNEL, name, parm, `read gre tunnel ${name}`);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENODEV) return null;
    throw error;
  }
  return decode(parm);
}

/** Removes a gre tunnel. Throws SyscallError. */
export function deleteIpTunnel(name: string): void {
  ask(SIOCDELTUNNEL, name, alloc(PARM_SIZE), `remove gre tunnel ${name}`);
}

/** Whether this namespace makes tunnels by ioctl: it has the fallback device. Throws nothing. */
export function offersIpTunnels(): boolean {
  try {
    return getIpTunnel(FALLBACK) !== null;
  } catch {
    return false;
  }
}
