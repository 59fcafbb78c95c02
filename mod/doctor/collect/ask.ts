/**
 * Asking who has an address: by ARP, telling nobody anything (probes with sender 0.0.0.0, RFC 5227 §2.1), and by neighbour
 * solicitations, which have to come from an address of ours. Those with none, which are as silent, would keep a host from
 * taking the address that it is about to have (RFC 4862 §5.4.3).
 *
 * @module
 */
import {
  AF_PACKET,
  alloc,
  attachFilter,
  bindSocket,
  BPF,
  closeFd,
  type FilterInstruction,
  openSocket,
  receive,
  sendTo,
  SOCK_RAW,
  sockaddrLl,
  WHOLE_PACKET,
} from "../../../lib/libc/mod.ts";
import {
  ARP_LENGTH,
  BROADCAST_MAC,
  decodeArp,
  decodeEthernet,
  decodeIpv6,
  decodeNeighbourAdvertisement,
  encodeArpInto,
  encodeEthernetInto,
  encodeSolicitation,
  equalBytes,
  ETHER_TYPE,
  ETHERNET_HEADER_LENGTH,
  formatAddress,
  IP_PROTOCOL,
  macToText,
  parseAddress,
} from "../../../lib/packet/mod.ts";
import type { Facts, NeighbourAnswer } from "../model.ts";
import type { Question } from "../plan.ts";

const ROUNDS = 2;
const ROUND_MS = 350;
const POLL_MS = 20;
/** So many packets are read before others get their turn: under a flood there is always another one. */
const MOST_AT_ONCE = 1000;
const NOBODY = new Uint8Array(4);

const buffer = alloc(2048);

/** Lets neighbour advertisements pass (ICMPv6 type 136). */
const ADVERTISEMENTS: readonly FilterInstruction[] = [
  [BPF.LOAD_BYTE, 0, 0, ETHERNET_HEADER_LENGTH + 6],
  [BPF.JUMP_EQUAL, 0, 3, IP_PROTOCOL.icmpv6],
  [BPF.LOAD_BYTE, 0, 0, ETHERNET_HEADER_LENGTH + 40],
  [BPF.JUMP_EQUAL, 0, 1, 136],
  [BPF.RETURN, 0, 0, WHOLE_PACKET],
  [BPF.RETURN, 0, 0, 0],
];

interface Asker {
  readonly fd: number;
  readonly question: Question;
  /** Where solicitations come from. */
  readonly source: Uint8Array;
}

function probeFor(address: string, mac: Uint8Array): Uint8Array {
  const frame = alloc(ETHERNET_HEADER_LENGTH + ARP_LENGTH);
  const body = encodeEthernetInto(frame, 0, {
    destination: BROADCAST_MAC,
    source: mac,
    etherType: ETHER_TYPE.arp,
  });
  encodeArpInto(frame, body, {
    operation: "request",
    senderMac: mac,
    senderAddress: NOBODY,
    targetMac: new Uint8Array(6),
    targetAddress: parseAddress(address)!,
  });
  return frame;
}

function open(question: Question): Asker {
  const { link, family } = question;
  const six = family === "ipv6";
  const doing = `ask by ${six ? "neighbour solicitation" : "ARP"} on ${link.name}`;
  const source = link.addresses.find(({ linkLocal, usable, ...entry }) =>
    entry.family === "ipv6" && linkLocal && usable
  );
  if (six && source === undefined) throw new Error(`Cannot ${doing}: it has no link-local address`);
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0, doing);
  try {
    if (six) attachFilter(fd, ADVERTISEMENTS, "filter what is heard");
    bindSocket(fd, sockaddrLl(link.index, six ? ETHER_TYPE.ipv6 : ETHER_TYPE.arp), doing);
    return { fd, question, source: source === undefined ? NOBODY : parseAddress(source.address)! };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function ask({ fd, question: { link, family, addresses }, source }: Asker): void {
  const six = family === "ipv6";
  for (const address of addresses) {
    const frame = six
      ? encodeSolicitation(parseAddress(address)!, source, link.mac!)
      : probeFor(address, link.mac!);
    sendTo(fd, frame, sockaddrLl(link.index, six ? ETHER_TYPE.ipv6 : ETHER_TYPE.arp, frame.subarray(0, 6)));
  }
}

/** Who says that it has which address. */
interface Said {
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

function readArp(payload: Uint8Array): Said | null {
  const packet = decodeArp(payload);
  return packet.ok ? { address: packet.arp.senderAddress, mac: packet.arp.senderMac } : null;
}

function readAdvertisement(payload: Uint8Array, from: Uint8Array): Said | null {
  const ip = decodeIpv6(payload);
  if (!ip.ok) return null;
  const decoded = decodeNeighbourAdvertisement(ip.payload, ip.header);
  if (!decoded.ok) return null;
  // An answer to one who knows the way need not say it.
  return { address: decoded.advertisement.target, mac: decoded.advertisement.mac ?? from };
}

function drain({ fd, question }: Asker, answers: Map<string, NeighbourAnswer>): void {
  const { link, family, addresses } = question;
  for (let count = 0; count < MOST_AT_ONCE; count++) {
    const size = receive(fd, buffer);
    if (size < 0) return;
    const frame = decodeEthernet(buffer.subarray(0, size));
    if (!frame.ok) continue;
    const said = family === "ipv6"
      ? readAdvertisement(frame.payload, buffer.slice(6, 12))
      : readArp(frame.payload);
    if (said === null || equalBytes(said.mac, link.mac!)) continue;
    const address = formatAddress(said.address);
    if (!addresses.includes(address)) continue;
    const answer = { interface: link.name, address, mac: macToText(said.mac) };
    answers.set(Object.values(answer).join(" "), answer);
  }
}

/** Asks all questions at once; takes at most 0.7 s. */
export async function askNeighbours(
  questions: readonly Question[],
): Promise<Pick<Facts, "asked" | "answers" | "unchecked">> {
  const askers: Asker[] = [];
  const unchecked: Facts["unchecked"][number][] = [];
  const answers = new Map<string, NeighbourAnswer>();
  for (const question of questions) {
    try {
      askers.push(open(question));
    } catch (thrown) {
      unchecked.push({
        area: "wire",
        what: `who answers for the virtual addresses on ${question.link.name}`,
        why: (thrown as Error).message,
      });
    }
  }
  try {
    for (let round = 0; round < ROUNDS && askers.length > 0; round++) {
      askers.forEach(ask);
      const end = performance.now() + ROUND_MS;
      while (performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        for (const asker of askers) drain(asker, answers);
      }
    }
  } finally {
    for (const { fd } of askers) closeFd(fd);
  }
  return {
    asked: askers.flatMap(({ question }) => question.addresses),
    answers: [...answers.values()],
    unchecked,
  };
}
