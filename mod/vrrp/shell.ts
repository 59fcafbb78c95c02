/**
 * VRRP on the wire: raw sockets for protocol 112, one pair for each interface and family.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  alloc,
  attachFilter,
  bindToDevice,
  BPF,
  closeFd,
  type FilterInstruction,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  ipMreqn,
  IPPROTO_AH,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_RAW,
  IPPROTO_VRRP,
  IPV6_JOIN_GROUP,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  ipv6Mreq,
  Ipv6Receiver,
  openSocket,
  sendTo,
  setBufferSize,
  setIntOption,
  setOption,
  SlotBatch,
  SO_PRIORITY,
  SOCK_DGRAM,
  SOCK_RAW,
  sockaddrIn,
  sockaddrIn6,
  sockaddrLl,
  SOL_SOCKET,
  WHOLE_PACKET,
} from "../../lib/libc/mod.ts";
import {
  AH_LENGTH,
  ahSpi,
  decodeAh,
  decodeIpv4,
  decodeVrrp,
  encodeAhInto,
  encodeIpv4Into,
  encodeIpv6Into,
  encodeVrrpInto,
  equalBytes,
  ETHER_TYPE,
  IP_PROTOCOL,
  IPV4_HEADER_LENGTH,
  ipv4MulticastMac,
  IPV6_HEADER_LENGTH,
  ipv6MulticastMac,
  parseAddress,
  signAh,
  TOS_INTERNET_CONTROL,
  VRRP_AUTH,
  VRRP_IPV4_GROUP,
  VRRP_IPV6_GROUP,
  type VrrpAdvert,
  vrrpAuthData,
  type VrrpChecksumForm,
  vrrpLength,
} from "../../lib/packet/mod.ts";
import type { DropReason } from "../bus/messages.ts";
import type { Family, VrrpConfig } from "./config.ts";
import type { ReceivedPacket } from "./model.ts";

const RECEIVE_BUFFER = 1 << 20;
const TC_PRIO_CONTROL = 7;
const NO_AUTH_DATA = new Uint8Array(8);

/** What was received: a packet for some VRID, or bytes that did not even carry one. */
export type Reception =
  | { readonly type: "packet"; readonly vrid: number; readonly packet: ReceivedPacket }
  | { readonly type: "refused"; readonly reason: DropReason }
  | { readonly type: "foreign" };

/**
 * Takes in what was received on these sockets; the packet's bytes are overwritten afterwards. Returns whether they are
 * still open.
 */
export type PacketTaker = (sockets: VrrpSockets, reception: Reception) => boolean;

/** So many datagrams are received at once. */
export const RECEIVE_BATCH = 32;
/** An advertisement of 255 addresses in an authentication header has half of that; what is longer is refused for it. */
const SLOT_SIZE = 2048;

const ipv4 = new SlotBatch(RECEIVE_BATCH, SLOT_SIZE);
const ipv6 = new Ipv6Receiver(65536);

/** The sockets of one interface and family, shared by all virtual routers on it. */
export interface VrrpSockets {
  readonly family: Family;
  readonly ifindex: number;
  readonly interface: string;
  /** Joined to the group, bound to the interface; for epoll. */
  readonly receiveFd: number;
  /**
   * The same for protocol 51, where advertisements come in an authentication header: of interest also where nobody is set
   * up for them, for a peer is. Null for IPv6.
   */
  readonly ahFd: number | null;
  /** Takes whole IP packets and receives nothing. */
  readonly sendFd: number;
}

/** Opens the sockets. Throws SyscallError: no such device, not permitted. */
export function openVrrpSockets(family: Family, ifindex: number, name: string): VrrpSockets {
  const opened: number[] = [];
  const keep = (fd: number) => {
    opened.push(fd);
    return fd;
  };
  try {
    const receiveFd = keep(openReceiveSocket(family, IPPROTO_VRRP, ifindex, name));
    const ahFd = family === "ipv4" ? keep(openReceiveSocket(family, IPPROTO_AH, ifindex, name)) : null;
    return {
      family,
      ifindex,
      interface: name,
      receiveFd,
      ahFd,
      sendFd: openSendSocket(family, ifindex, name),
    };
  } catch (error) {
    opened.forEach(closeFd);
    throw error;
  }
}

/** Other traffic of this machine may be authenticated too, and much of it: it is not ours. */
const VRRP_IN_AH: readonly FilterInstruction[] = [
  [BPF.LOAD_X_HEADER_LENGTH, 0, 0, 0],
  [BPF.LOAD_BYTE_BEHIND_X, 0, 0, 0],
  [BPF.JUMP_EQUAL, 0, 1, IPPROTO_VRRP],
  [BPF.RETURN, 0, 0, WHOLE_PACKET],
  [BPF.RETURN, 0, 0, 0],
];

function openReceiveSocket(family: Family, protocol: number, ifindex: number, name: string): number {
  const doing = `open VRRP socket on ${name}`;
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_RAW, protocol, doing);
  try {
    if (protocol === IPPROTO_AH) attachFilter(fd, VRRP_IN_AH, doing);
    bindToDevice(fd, name);
    setBufferSize(fd, "receive", RECEIVE_BUFFER);
    if (family === "ipv4") {
      setIntOption(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0, doing);
      const membership = ipMreqn(VRRP_IPV4_GROUP, ifindex);
      setOption(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership, `join 224.0.0.18 on ${name}`);
    } else {
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, doing);
      setIntOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, doing);
      const membership = ipv6Mreq(VRRP_IPV6_GROUP, ifindex);
      setOption(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, membership, `join ff02::12 on ${name}`);
    }
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function openSendSocket(family: Family, ifindex: number, name: string): number {
  const doing = `open VRRP send socket on ${name}`;
  // Protocol 255 means: the IP header is ours, and nothing is ever received.
  const fd = openSocket(family === "ipv4" ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW, doing);
  try {
    bindToDevice(fd, name);
    setIntOption(fd, SOL_SOCKET, SO_PRIORITY, TC_PRIO_CONTROL, doing);
    if (family === "ipv4") {
      setOption(fd, IPPROTO_IP, IP_MULTICAST_IF, ipMreqn(new Uint8Array(4), ifindex), doing);
      setIntOption(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0, doing);
    } else {
      setIntOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex, doing);
      setIntOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, doing);
    }
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/**
 * Opens the socket that takes whole IP packets for the group and sends them from the MAC address of whatever interface,
 * even of one without an IP address. Throws SyscallError.
 */
export function openFrameSocket(): number {
  const doing = "open the socket for advertisements from virtual MAC addresses";
  const fd = openSocket(AF_PACKET, SOCK_DGRAM, 0, doing);
  setIntOption(fd, SOL_SOCKET, SO_PRIORITY, TC_PRIO_CONTROL, doing);
  return fd;
}

export function closeVrrpSockets(sockets: VrrpSockets): void {
  closeFd(sockets.receiveFd);
  if (sockets.ahFd !== null) closeFd(sockets.ahFd);
  closeFd(sockets.sendFd);
}

/**
 * Receives what waits on `fd`, one of the receiving sockets, up to {@link RECEIVE_BATCH} datagrams, and hands on each.
 *
 * @returns How many there were (fewer than a batch: no more wait), or the negated errno (EAGAIN when none waits).
 */
export function receivePackets(sockets: VrrpSockets, fd: number, take: PacketTaker): number {
  if (sockets.family === "ipv6") return receiveIpv6(sockets, fd, take);
  const count = ipv4.receive(fd);
  for (let slot = 0; slot < count; slot++) {
    const start = slot * SLOT_SIZE;
    take(sockets, readIpv4(ipv4.memory.subarray(start, start + ipv4.receivedLength(slot))));
  }
  return count;
}

function readIpv4(whole: Uint8Array): Reception {
  const ip = decodeIpv4(whole);
  if (!ip.ok) return { type: "refused", reason: ip.reason === "truncated" ? "truncated" : "length" };
  const { source, destination, ttl, protocol } = ip.header;
  if (protocol !== IP_PROTOCOL.ah) return packetOf("ipv4", source, destination, ttl, ip.payload);
  const ah = decodeAh(ip.payload);
  if (!ah.ok) return { type: "refused", reason: ah.reason };
  // What came before the socket had its filter.
  if (ah.header.nextHeader !== IP_PROTOCOL.vrrp) return { type: "foreign" };
  const seen = { sequence: ah.header.sequence, packet: whole };
  return packetOf("ipv4", source, destination, ttl, ah.payload, seen);
}

/** One by one: what the kernel tells beside them is read before the next. */
function receiveIpv6(sockets: VrrpSockets, fd: number, take: PacketTaker): number {
  for (let count = 0; count < RECEIVE_BATCH; count++) {
    const length = ipv6.receive(fd);
    if (length < 0) return count > 0 ? count : length;
    const { source, destination, hopLimit } = ipv6.arrival;
    const payload = ipv6.buffer.subarray(0, length);
    const packet = packetOf("ipv6", source.slice(), destination.slice(), hopLimit, payload);
    if (!take(sockets, packet)) return count + 1;
  }
  return RECEIVE_BATCH;
}

function packetOf(
  family: Family,
  source: Uint8Array,
  destination: Uint8Array,
  ttl: number,
  payload: Uint8Array,
  ah?: ReceivedPacket["ah"],
): Reception {
  const decode = decodeVrrp(payload, { family, source, destination });
  const vrid = decode.ok ? decode.advert.vrid : decode.vrid;
  if (vrid === null) return { type: "refused", reason: "truncated" };
  return { type: "packet", vrid, packet: { source, destination, ttl, decode, ...(ah && { ah }) } };
}

/** What an instance sends, made ready once: destinations, addresses, authentication. */
export interface AdvertTemplate {
  readonly config: VrrpConfig;
  readonly source: Uint8Array;
  readonly destinations: readonly { readonly address: Uint8Array; readonly sockaddr: Uint8Array }[];
  readonly addresses: readonly Uint8Array[];
  readonly authData: Uint8Array;
  /** Key of the authentication header; null = there is none. */
  readonly ahKey: Uint8Array | null;
  readonly packet: Uint8Array;
}

/**
 * Prepares the advertisements of one instance from one source address.
 *
 * @param frames They leave by the socket of {@link openFrameSocket}, and `ifindex` bears the virtual MAC address.
 */
export function advertTemplate(
  config: VrrpConfig,
  source: Uint8Array,
  ifindex: number,
  frames: boolean,
): AdvertTemplate {
  const { family } = config;
  const group = family === "ipv4" ? VRRP_IPV4_GROUP : VRRP_IPV6_GROUP;
  const named = config.peers.map((peer) => parseAddress(peer)!);
  // One list may serve all routers: nobody needs to hear himself.
  const others = named.filter((peer) => !equalBytes(peer, source));
  const peers = named.length === 0 ? [group] : others.length === 0 ? named : others;
  const header = (family === "ipv4" ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH) +
    (config.auth.type === "ah" ? AH_LENGTH : 0);
  return {
    config,
    source,
    destinations: peers.map((address) => ({
      address,
      sockaddr: frames ? frameAddress(address, ifindex) : ipAddress(address, ifindex),
    })),
    addresses: config.addresses.map(({ address }) => parseAddress(address)!),
    ahKey: config.auth.type === "ah" ? vrrpAuthData(config.auth.key) : null,
    authData: config.auth.type === "pass" ? vrrpAuthData(config.auth.key) : NO_AUTH_DATA,
    packet: alloc(header + vrrpLength(config.version, family, config.addresses.length)),
  };
}

function ipAddress(address: Uint8Array, ifindex: number): Uint8Array {
  return address.length === 4 ? sockaddrIn(address) : sockaddrIn6(address, 0, ifindex);
}

function frameAddress(group: Uint8Array, ifindex: number): Uint8Array {
  return group.length === 4
    ? sockaddrLl(ifindex, ETHER_TYPE.ipv4, ipv4MulticastMac(group))
    : sockaddrLl(ifindex, ETHER_TYPE.ipv6, ipv6MulticastMac(group));
}

let identification = 0;

/** Never 0, which would make the kernel choose one. */
function nextIdentification(): number {
  identification = identification === 0xffff ? 1 : identification + 1;
  return identification;
}

/** What differs from one advertisement of an instance to the next. */
export interface AdvertMoment {
  readonly priority: number;
  readonly checksum: VrrpChecksumForm;
  /** Number for the authentication header, where there is one. */
  readonly ahSequence: number;
}

/** Sends one advertisement to the group or to each peer by `fd`. Returns 0, or the errno of a send that failed. */
export function sendAdvert(fd: number, template: AdvertTemplate, moment: AdvertMoment): number {
  let failure = 0;
  for (const { address, sockaddr } of template.destinations) {
    writeAdvert(template, moment, address);
    const sent = sendTo(fd, template.packet, sockaddr);
    if (sent < 0) failure = -sent;
  }
  return failure;
}

/** Writes an advertisement for one of its destinations into the template's packet. */
export function writeAdvert(template: AdvertTemplate, moment: AdvertMoment, destination: Uint8Array): void {
  const { config, source, packet, ahKey } = template;
  const advert: VrrpAdvert = {
    version: config.version,
    vrid: config.vrid,
    priority: moment.priority,
    addresses: template.addresses,
    intervalCs: config.intervalCs,
    authType: config.version === 2 ? VRRP_AUTH[config.auth.type] : VRRP_AUTH.none,
    authData: template.authData,
  };
  const context = { family: config.family, source, destination, checksum: moment.checksum };
  let at = writeIpHeader(template, destination);
  if (ahKey !== null) {
    const header = { nextHeader: IP_PROTOCOL.vrrp, spi: ahSpi(source), sequence: moment.ahSequence };
    at = encodeAhInto(packet, at, header);
  }
  encodeVrrpInto(packet, at, advert, context);
  if (ahKey !== null) signAh(packet, ahKey);
}

/** Returns where the header's payload begins. */
function writeIpHeader({ config, packet, source, ahKey }: AdvertTemplate, destination: Uint8Array): number {
  const protocol = ahKey === null ? IP_PROTOCOL.vrrp : IP_PROTOCOL.ah;
  if (config.family === "ipv4") {
    return encodeIpv4Into(packet, 0, {
      tos: TOS_INTERNET_CONTROL,
      identification: nextIdentification(),
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 255,
      protocol,
      source,
      destination,
    }, packet.length - IPV4_HEADER_LENGTH);
  }
  return encodeIpv6Into(packet, 0, {
    trafficClass: TOS_INTERNET_CONTROL,
    flowLabel: 0,
    hopLimit: 255,
    nextHeader: protocol,
    source,
    destination,
  }, packet.length - IPV6_HEADER_LENGTH);
}
