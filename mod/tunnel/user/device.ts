/**
 * The tunnel's own network device: a TAP or TUN that lives as long as somebody has its descriptor.
 *
 * @module
 */
import {
  closeFd,
  EACCES,
  EBUSY,
  ENOENT,
  EPERM,
  interfaceMtu,
  openTun,
  setInterfaceMac,
  setInterfaceMtu,
  setInterfaceQueue,
  setInterfaceUp,
  setTunCarrier,
  SyscallError,
  tunDevice,
} from "../../../lib/libc/mod.ts";
import { isTap, type UserTunnelSettings } from "./settings.ts";

/** Packets that may wait for us: enough for what arrives while a batch is under way, too few to delay for long. */
const QUEUE_PACKETS = 1024;

/** An open device. */
export interface TunnelDevice {
  readonly fd: number;
  readonly tap: boolean;
  /** Bytes. */
  mtu: number;
}

function explain(error: SyscallError, settings: UserTunnelSettings): string {
  const doing = `Cannot create tunnel ${settings.name}`;
  switch (error.errno) {
    case ENOENT:
      return `${doing}: there is no /dev/net/tun (modprobe tun; in a container, pass the device in)`;
    case EPERM:
    case EACCES:
      return `${doing}: CAP_NET_ADMIN is missing, or /dev/net/tun is forbidden here`;
    case EBUSY:
      return `${doing}: another interface has its name`;
    default:
      return `${doing}: ${error.message}`;
  }
}

/**
 * A hardware address that is the same after each start, so that neighbours need not learn a new one: locally
 * administered, made of the tunnel's name and addresses.
 */
export function stableMac(settings: Pick<UserTunnelSettings, "name" | "local" | "remote">): Uint8Array {
  const text = `${settings.name} ${settings.local} ${settings.remote}`;
  const mac = Uint8Array.of(0x02, 0, 0, 0, 0, 0);
  // FNV-1a, twice with different beginnings: 40 bits are wanted.
  for (const [seed, at] of [[0x811c9dc5, 1], [0x01000193, 4]] as const) {
    let hash: number = seed;
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
    }
    for (let index = at; index < Math.min(at + 3, 6); index++) {
      mac[index] = hash & 0xff;
      hash >>>= 8;
    }
  }
  return mac;
}

/**
 * Goes on with a device that a process before this one made, as it is but for an mtu that is configured. Null when the
 * tunnel needs another kind of device. Throws Error as {@link openDevice} does.
 */
export function adoptDevice(settings: UserTunnelSettings, fd: number): TunnelDevice | null {
  const { name, mtu } = settings;
  const tap = isTap(settings);
  const found = tunDevice(fd);
  if (found?.name !== name || found.mode !== (tap ? "tap" : "tun")) return null;
  try {
    if (mtu !== null && mtu !== interfaceMtu(name)) setInterfaceMtu(name, mtu);
    return { fd, tap, mtu: interfaceMtu(name) };
  } catch (error) {
    throw error instanceof SyscallError ? new Error(explain(error, settings), { cause: error }) : error;
  }
}

/** In a container without root outside this is forbidden, and the kernel's own 500 packets have to do. */
function enlargeQueue(name: string): void {
  try {
    setInterfaceQueue(name, QUEUE_PACKETS);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EPERM) throw error;
  }
}

/** Makes the device, set up but without a carrier. Throws an Error whose message is a sentence for the operator. */
export function openDevice(settings: UserTunnelSettings): TunnelDevice {
  const { name } = settings;
  const tap = isTap(settings);
  let fd = -1;
  try {
    fd = openTun(name, tap ? "tap" : "tun");
    setTunCarrier(fd, false);
    if (tap) setInterfaceMac(name, stableMac(settings));
    enlargeQueue(name);
    if (settings.mtu !== null) setInterfaceMtu(name, settings.mtu);
    setInterfaceUp(name);
    return { fd, tap, mtu: interfaceMtu(name) };
  } catch (error) {
    if (fd >= 0) closeFd(fd);
    throw error instanceof SyscallError ? new Error(explain(error, settings), { cause: error }) : error;
  }
}
