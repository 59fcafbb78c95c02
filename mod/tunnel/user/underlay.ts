/**
 * The sockets of protocol 47 that carry the tunnel's outer packets. They are connected, so the kernel itself sorts out
 * what does not come from the far end.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  alloc,
  attachFilter,
  bindSocket,
  bindToDevice,
  BPF,
  closeFd,
  connectSocket,
  EADDRNOTAVAIL,
  EINVAL,
  errnoText,
  type FilterInstruction,
  getIntOption,
  interfaceIndex,
  IP_HDRINCL,
  IP_TOS,
  IP_TTL,
  IPPROTO_GRE,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  openSocket,
  readOption,
  receive,
  setBufferSize,
  setIntOption,
  SlotBatch,
  SO_ERROR,
  SOCK_RAW,
  sockaddrIn,
  sockaddrIn6,
  SOL_SOCKET,
  SyscallError,
  viewOf,
} from "../../../lib/libc/mod.ts";
import { isLinkLocal, parseAddress } from "../../../lib/packet/address.ts";
import { isOverIpv6, type UserTunnelSettings } from "./settings.ts";

const IP_MTU_DISCOVER = 10;
const IP_MTU = 14;
const IPV6_MTU_DISCOVER = 23;
const IPV6_MTU = 24;
const IPV6_RECVTCLASS = 66;
const PMTUDISC_DONT = 0;
const PMTUDISC_DO = 2;
const SO_DETACH_FILTER = 27;
const SO_MEMINFO = 55;
const MEMINFO_WORDS = 9;
const MEMINFO_DROPS = 8;

const BUFFER = 4 << 20;
const STRAY_BUFFER = 32 << 10;
/** The network header, wherever a filter's packet starts (linux/filter.h). */
const SKF_NET_OFF = -0x100000;

/** Open sockets. `unfragmented` sends with Don't Fragment whatever the tunnel's setting says. */
export interface Underlay {
  readonly fd: number;
  /** The same as `fd` unless the tunnel lets routers fragment. */
  readonly unfragmentedFd: number;
  /** Hears the far end's kind of packets from anybody else. */
  readonly strayFd: number;
  /** The same; over IPv4 it sends packets that have their IP header. */
  readonly wholeFd: number;
  readonly remote: Uint8Array;
}

interface Ends {
  readonly six: boolean;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
}

function endsOf(settings: UserTunnelSettings): Ends {
  const six = isOverIpv6(settings);
  const local = parseAddress(settings.local);
  const remote = parseAddress(settings.remote);
  const size = six ? 16 : 4;
  if (local?.length !== size || remote?.length !== size) {
    throw new Error(
      `Cannot run tunnel ${settings.name}: ${settings.local} and ${settings.remote} do not fit it`,
    );
  }
  return { six, local, remote };
}

function sockaddr(address: Uint8Array, settings: UserTunnelSettings): Uint8Array {
  if (address.length === 4) return sockaddrIn(address);
  const scope = isLinkLocal(address) && settings.dev !== null ? interfaceIndex(settings.dev) : 0;
  return sockaddrIn6(address, 0, scope);
}

/** Lets nothing pass. */
const NOTHING: readonly FilterInstruction[] = [[BPF.RETURN, 0, 0, 0]];

/** Lets nothing pass from `address`, and the first bytes of everything else. */
function filterOthers(fd: number, address: Uint8Array): void {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  const words = address.length / 4;
  const source = address.length === 4 ? 12 : 8;
  const program: FilterInstruction[] = [];
  for (let word = 0; word < words; word++) {
    program.push([BPF.LOAD_WORD, 0, 0, SKF_NET_OFF + source + 4 * word]);
    program.push([BPF.JUMP_EQUAL, 0, 2 * (words - word) - 1, view.getUint32(4 * word)]);
  }
  attachFilter(fd, [...program, [BPF.RETURN, 0, 0, 0], [BPF.RETURN, 0, 0, 1]], "hear what others send");
}

const scrap = alloc(64);

/** A socket that hears nothing yet: until it is set up, anything of protocol 47 would come in. */
function openBound(settings: UserTunnelSettings, ends: Ends): number {
  const doing = `open the GRE socket of ${settings.name}`;
  const fd = openSocket(ends.six ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_GRE, doing);
  try {
    attachFilter(fd, NOTHING, doing);
    // What came between the two calls above.
    while (receive(fd, scrap) >= 0);
    if (settings.dev !== null) bindToDevice(fd, settings.dev);
    bindSocket(fd, sockaddr(ends.local, settings), doing);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** What the outer header says, where nothing else is said beside a packet. */
function setHeaderFields(fd: number, settings: UserTunnelSettings, doing: string): void {
  const { ttl } = settings;
  const tos = settings.tos & 1 ? 0 : settings.tos & ~3;
  if (isOverIpv6(settings)) {
    setIntOption(fd, IPPROTO_IPV6, IPV6_TCLASS, tos, doing);
    if (ttl > 0) setIntOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, doing);
  } else {
    setIntOption(fd, IPPROTO_IP, IP_TOS, tos, doing);
    if (ttl > 0) setIntOption(fd, IPPROTO_IP, IP_TTL, ttl, doing);
  }
}

/** A socket to the far end that hears it too when `hears`. */
function openConnected(
  settings: UserTunnelSettings,
  ends: Ends,
  dontFragment: boolean,
  hears: boolean,
): number {
  const fd = openBound(settings, ends);
  const doing = `set up the GRE socket of ${settings.name}`;
  const discover = dontFragment ? PMTUDISC_DO : PMTUDISC_DONT;
  try {
    setBufferSize(fd, "send", BUFFER);
    setBufferSize(fd, "receive", BUFFER);
    if (ends.six) {
      setIntOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover, doing);
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, doing);
    } else setIntOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, discover, doing);
    setHeaderFields(fd, settings, doing);
    const result = connectSocket(fd, sockaddr(ends.remote, settings));
    if (result < 0) throw new SyscallError("connect", -result, doing);
    if (hears) setIntOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0, doing);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function explain(error: SyscallError, settings: UserTunnelSettings): string {
  const { name, local, remote, dev } = settings;
  if (error.syscall === "bind" && error.errno === EADDRNOTAVAIL) {
    return `Cannot send from ${local}: no interface has this address`;
  }
  if (error.syscall === "connect") {
    // EINVAL: the source address went away since it was bound.
    const why = error.errno === EINVAL || error.errno === EADDRNOTAVAIL
      ? `no interface has ${local}`
      : errnoText(error.errno);
    return `Cannot reach ${remote} from ${local}: ${why}`;
  }
  if (error.syscall === "setsockopt" && dev !== null && error.message.includes(` to ${dev}`)) {
    return `Cannot bind tunnel ${name} to ${dev}: ${errnoText(error.errno)}`;
  }
  return error.message;
}

/** Opens the sockets. Throws an Error whose message is a sentence: most reasons pass, so try again later. */
export function openUnderlay(settings: UserTunnelSettings): Underlay {
  const open: number[] = [];
  try {
    const ends = endsOf(settings);
    const fd = openConnected(settings, ends, ends.six || settings.pmtudisc, true);
    open.push(fd);
    let unfragmentedFd = fd;
    if (!ends.six && !settings.pmtudisc) {
      unfragmentedFd = openConnected(settings, ends, true, false);
      open.push(unfragmentedFd);
    }
    const strayFd = openBound(settings, ends);
    open.push(strayFd);
    filterOthers(strayFd, ends.remote);
    setBufferSize(strayFd, "receive", STRAY_BUFFER);
    if (!ends.six) setIntOption(strayFd, IPPROTO_IP, IP_HDRINCL, 1, "send whole packets");
    return { fd, unfragmentedFd, strayFd, wholeFd: strayFd, remote: sockaddr(ends.remote, settings) };
  } catch (error) {
    for (const fd of open) closeFd(fd);
    throw error instanceof SyscallError ? new Error(explain(error, settings), { cause: error }) : error;
  }
}

/** The open descriptors, as {@link adoptUnderlay} takes them. */
export function socketsOf({ fd, unfragmentedFd, strayFd }: Underlay): number[] {
  return [...new Set([fd, strayFd, unfragmentedFd])];
}

/** Goes on with the sockets of a process before this one, which had the same ends. Throws SyscallError. */
export function adoptUnderlay(settings: UserTunnelSettings, sockets: readonly number[]): Underlay {
  const [fd, strayFd, unfragmentedFd = fd] = sockets as readonly [number, number, number?];
  const doing = `set up the GRE socket of ${settings.name}`;
  for (const one of new Set([fd, unfragmentedFd])) setHeaderFields(one, settings, doing);
  const remote = sockaddr(endsOf(settings).remote, settings);
  return { fd, unfragmentedFd, strayFd, wholeFd: strayFd, remote };
}

/** Closes the sockets. */
export function closeUnderlay(underlay: Underlay): void {
  for (const fd of socketsOf(underlay)) closeFd(fd);
}

/** Looks whether source address and route are still there: why not, as a sentence, or null. */
export function checkUnderlay(underlay: Underlay, settings: UserTunnelSettings): string | null {
  const result = connectSocket(underlay.fd, underlay.remote);
  return result < 0 ? explain(new SyscallError("connect", -result, "reach the far end"), settings) : null;
}

/**
 * Takes the error that ICMP has left on a socket that nothing is read from; until somebody does, it is ready for ever and
 * whoever waits for it never sleeps.
 */
export function takeError(fd: number): void {
  getIntOption(fd, SOL_SOCKET, SO_ERROR, "take the error of a GRE socket");
}

/** Bytes that an outer packet may have on the way to the far end, as known now. */
export function pathMtu(underlay: Underlay, settings: UserTunnelSettings): number {
  return isOverIpv6(settings)
    ? getIntOption(underlay.fd, IPPROTO_IPV6, IPV6_MTU, "read the path MTU")
    : getIntOption(underlay.fd, IPPROTO_IP, IP_MTU, "read the path MTU");
}

const meminfo = alloc(4 * MEMINFO_WORDS);

/** Packets that the kernel threw away since the socket was opened because we read too slowly. */
export function overflows(underlay: Underlay): number {
  return readOption(underlay.fd, SOL_SOCKET, SO_MEMINFO, meminfo) < 0
    ? 0
    : viewOf(meminfo).getUint32(4 * MEMINFO_DROPS, true);
}

const strays = new SlotBatch(64, 64);

/** How many packets other hosts sent since the last call; no more than the socket's small buffer holds. */
export function countStrays(underlay: Underlay): number {
  let total = 0;
  for (let round = 0; round < 16; round++) {
    const count = strays.receive(underlay.strayFd);
    if (count > 0) total += count;
    if (count < strays.capacity) break;
  }
  return total;
}
