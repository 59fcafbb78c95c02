/**
 * Asking by ARP who has an address, without telling anybody anything: probes with sender 0.0.0.0 (RFC 5227 §2.1).
 *
 * @module
 */
import {
  AF_PACKET,
  alloc,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  SOCK_RAW,
  sockaddrLl,
} from "../../../lib/libc/mod.ts";
import {
  ARP_LENGTH,
  BROADCAST_MAC,
  decodeArp,
  decodeEthernet,
  encodeArpInto,
  encodeEthernetInto,
  equalBytes,
  ETHER_TYPE,
  ETHERNET_HEADER_LENGTH,
  formatAddress,
  macToText,
  parseAddress,
} from "../../../lib/packet/mod.ts";
import type { ArpAnswer, Facts } from "../model.ts";
import type { Question } from "../plan.ts";

const ROUNDS = 2;
const ROUND_MS = 350;
const POLL_MS = 20;
const NOBODY = new Uint8Array(4);

const buffer = alloc(2048);

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

function drain(fd: number, { link, addresses }: Question, answers: Map<string, ArpAnswer>): void {
  for (let size = receive(fd, buffer); size >= 0; size = receive(fd, buffer)) {
    const frame = decodeEthernet(buffer.subarray(0, size));
    const packet = frame.ok ? decodeArp(frame.payload) : null;
    if (packet === null || !packet.ok || equalBytes(packet.arp.senderMac, link.mac!)) continue;
    const address = formatAddress(packet.arp.senderAddress);
    if (!addresses.includes(address)) continue;
    const answer = { interface: link.name, address, mac: macToText(packet.arp.senderMac) };
    answers.set(Object.values(answer).join(" "), answer);
  }
}

/** Asks all questions at once; takes at most 0.7 s. */
export async function askByArp(
  questions: readonly Question[],
): Promise<Pick<Facts, "arpAsked" | "arpAnswers" | "unchecked">> {
  const sockets: { readonly fd: number; readonly question: Question }[] = [];
  const unchecked: Facts["unchecked"][number][] = [];
  const answers = new Map<string, ArpAnswer>();
  for (const question of questions) {
    const doing = `ask by ARP on ${question.link.name}`;
    let fd = -1;
    try {
      fd = openSocket(AF_PACKET, SOCK_RAW, 0, doing);
      bindSocket(fd, sockaddrLl(question.link.index, ETHER_TYPE.arp), doing);
      sockets.push({ fd, question });
    } catch (thrown) {
      if (fd >= 0) closeFd(fd);
      unchecked.push({
        area: "wire",
        what: `who answers for the virtual addresses on ${question.link.name}`,
        why: (thrown as Error).message,
      });
    }
  }
  try {
    for (let round = 0; round < ROUNDS && sockets.length > 0; round++) {
      for (const { fd, question: { link, addresses } } of sockets) {
        const broadcast = sockaddrLl(link.index, ETHER_TYPE.arp, BROADCAST_MAC);
        for (const address of addresses) sendTo(fd, probeFor(address, link.mac!), broadcast);
      }
      const end = performance.now() + ROUND_MS;
      while (performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        for (const { fd, question } of sockets) drain(fd, question, answers);
      }
    }
  } finally {
    for (const { fd } of sockets) closeFd(fd);
  }
  return {
    arpAsked: sockets.flatMap(({ question }) => question.addresses),
    arpAnswers: [...answers.values()],
    unchecked,
  };
}
