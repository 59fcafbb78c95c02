/**
 * Listening for other routers: at the device, before any filter, and as the kernel lets them through.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  alloc,
  attachFilter,
  bindSocket,
  bindToDevice,
  BPF,
  closeFd,
  type FilterInstruction,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_ALL,
  ipMreqn,
  IPPROTO_AH,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_VRRP,
  IPV6_JOIN_GROUP,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  ipv6Mreq,
  Ipv6Receiver,
  openSocket,
  receive,
  setIntOption,
  setOption,
  SOCK_DGRAM,
  SOCK_RAW,
  sockaddrLl,
  WHOLE_PACKET,
} from "../../../lib/libc/mod.ts";
import {
  decodeAh,
  decodeIpv4,
  decodeIpv6,
  decodeVrrp,
  ETHER_TYPE,
  formatAddress,
  IP_PROTOCOL,
  VRRP_IPV4_GROUP,
  VRRP_IPV6_GROUP,
} from "../../../lib/packet/mod.ts";
import type { Facts, HeardFact } from "../model.ts";
import type { Place } from "../plan.ts";

const POLL_MS = 50;
/** So many packets are read from a socket before others get their turn: under a flood there is always another one. */
const MOST_AT_ONCE = 1000;
const PROTOCOL_AT = { ipv4: 9, ipv6: 6 } as const;

const buffer = alloc(65536);
const ipv6 = new Ipv6Receiver(65536);

type Heard = { -readonly [K in keyof HeardFact]: HeardFact[K] };

interface Ear {
  readonly place: Place;
  readonly device: number;
  /** Raw sockets, by protocol. */
  readonly kernel: readonly number[];
}

/** Lets protocols 112 and 51 pass to a packet socket that begins at the IP header, with the protocol at this place. */
function vrrpFilter(at: number): readonly FilterInstruction[] {
  return [
    [BPF.LOAD_BYTE, 0, 0, at],
    [BPF.JUMP_EQUAL, 1, 0, IPPROTO_VRRP],
    [BPF.JUMP_EQUAL, 0, 1, IPPROTO_AH],
    [BPF.RETURN, 0, 0, WHOLE_PACKET],
    [BPF.RETURN, 0, 0, 0],
  ];
}

function openDevice({ link, family }: Place): number {
  const doing = `listen on ${link.name}`;
  const fd = openSocket(AF_PACKET, SOCK_DGRAM, 0, doing);
  try {
    attachFilter(fd, vrrpFilter(PROTOCOL_AT[family]), "filter what is heard");
    bindSocket(fd, sockaddrLl(link.index, ETHER_TYPE[family]), doing);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function openKernel({ link, family }: Place, protocol: number): number {
  const doing = `listen for protocol ${protocol} on ${link.name}`;
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_RAW, protocol, doing);
  try {
    bindToDevice(fd, link.name);
    if (family === "ipv4") {
      setIntOption(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0, doing);
      setOption(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, ipMreqn(VRRP_IPV4_GROUP, link.index), doing);
    } else {
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, doing);
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, doing);
      setOption(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, ipv6Mreq(VRRP_IPV6_GROUP, link.index), doing);
    }
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function openEar(place: Place): Ear {
  const opened: number[] = [];
  try {
    opened.push(openDevice(place));
    opened.push(openKernel(place, IPPROTO_VRRP));
    if (place.family === "ipv4") opened.push(openKernel(place, IPPROTO_AH));
    return { place, device: opened[0]!, kernel: opened.slice(1) };
  } catch (error) {
    opened.forEach(closeFd);
    throw error;
  }
}

/** What an IP packet says; null when it is no advertisement. */
function read({ link, family }: Place, packet: Uint8Array): Heard | null {
  const ip = family === "ipv4" ? decodeIpv4(packet) : decodeIpv6(packet);
  if (!ip.ok) return null;
  const { source, destination } = ip.header;
  const [protocol, ttl] = "ttl" in ip.header
    ? [ip.header.protocol, ip.header.ttl]
    : [ip.header.nextHeader, ip.header.hopLimit];
  let payload = ip.payload;
  const ah = protocol === IP_PROTOCOL.ah;
  if (ah) {
    const inner = decodeAh(payload);
    if (!inner.ok || inner.header.nextHeader !== IP_PROTOCOL.vrrp) return null;
    payload = inner.payload;
  } else if (protocol !== IP_PROTOCOL.vrrp) return null;
  const decoded = decodeVrrp(payload, { family, source, destination });
  const advert = decoded.ok ? decoded.advert : null;
  return {
    interface: link.name,
    family,
    source: formatAddress(source),
    destination: formatAddress(destination),
    ttl,
    arrived: 0,
    delivered: 0,
    ah,
    vrid: decoded.ok ? decoded.advert.vrid : decoded.vrid,
    version: decoded.ok ? decoded.advert.version : decoded.version,
    refused: decoded.ok ? null : decoded.reason,
    priority: advert?.priority ?? 0,
    intervalCs: advert?.intervalCs ?? 0,
    addresses: (advert?.addresses ?? []).map(formatAddress),
    authType: advert?.authType ?? 0,
    authData: advert?.authData ?? null,
    packet: ah ? packet.slice() : null,
  };
}

function keyOf(dev: string, source: string, vrid: number | null): string {
  return `${dev} ${source} ${vrid}`;
}

/** Reads packets into the buffer, and tells the length of each. */
function* waiting(fd: number): Generator<number, void, void> {
  for (let count = 0; count < MOST_AT_ONCE; count++) {
    const size = receive(fd, buffer);
    if (size < 0) return;
    yield size;
  }
}

function drain({ place, device, kernel }: Ear, heard: Map<string, Heard>): void {
  for (const size of waiting(device)) {
    const router = read(place, buffer.subarray(0, size));
    // A goodbye is no sign of a master.
    if (router === null || (router.refused === null && router.priority === 0)) continue;
    const key = keyOf(router.interface, router.source, router.vrid);
    const before = heard.get(key);
    heard.set(key, { ...router, arrived: (before?.arrived ?? 0) + 1, delivered: before?.delivered ?? 0 });
  }
  const delivered = (source: string, vrid: number | null) => {
    const router = heard.get(keyOf(place.link.name, source, vrid));
    if (router !== undefined) router.delivered++;
  };
  for (const fd of kernel) {
    if (place.family === "ipv6") {
      for (let count = 0; count < MOST_AT_ONCE && ipv6.receive(fd) >= 0; count++) {
        delivered(formatAddress(ipv6.arrival.source), ipv6.buffer[1]!);
      }
      continue;
    }
    for (const size of waiting(fd)) {
      const router = read(place, buffer.subarray(0, size));
      if (router !== null) delivered(router.source, router.vrid);
    }
  }
}

/** Listens at all places for a time. Who speaks on this machine itself is not heard. */
export async function listenAt(
  places: readonly Place[],
  durationMs: number,
): Promise<Pick<Facts, "listened" | "heard" | "listenedMs" | "unchecked">> {
  const ears: Ear[] = [];
  const unchecked: Facts["unchecked"][number][] = [];
  for (const place of places) {
    try {
      ears.push(openEar(place));
    } catch (thrown) {
      const what = `what other routers say on ${place.link.name}`;
      unchecked.push({ area: "wire", what, why: (thrown as Error).message });
    }
  }
  const heard = new Map<string, Heard>();
  try {
    const end = performance.now() + durationMs;
    while (ears.length > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      for (const ear of ears) drain(ear, heard);
    }
  } finally {
    for (const { device, kernel } of ears) [device, ...kernel].forEach(closeFd);
  }
  return {
    heard: [...heard.values()],
    listened: ears.map(({ place }) => `${place.link.name} ${place.family}`),
    listenedMs: ears.length > 0 ? durationMs : 0,
    unchecked,
  };
}
