/**
 * What passed a wire, and when: tcpdump's raw capture with the kernel's time stamps in nanoseconds. Both daemons are
 * measured from here, by a third machine on their segment.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "../netns/lab/command.ts";
import type { LabNode } from "../netns/lab/topology.ts";
import { pause, waitFor } from "../netns/lab/wait.ts";

/** One captured frame. */
export interface Frame {
  /** Milliseconds since 1970, exact to a microsecond. */
  readonly atMs: number;
  /** From the Ethernet header on. */
  readonly bytes: Uint8Array;
}

/** One VRRP advertisement, told by its first bytes alone. */
export interface Advert {
  readonly atMs: number;
  readonly from: string;
  readonly vrid: number;
  readonly priority: number;
}

/** One gratuitous ARP packet. */
export interface Announcement {
  readonly atMs: number;
  readonly mac: string;
  readonly address: string;
}

/** One echo request or reply. */
export interface Echo {
  readonly atMs: number;
  readonly reply: boolean;
  /** Hardware address of the sender. */
  readonly mac: string;
  readonly sequence: number;
  /** The pinged address. */
  readonly address: string;
}

const ETHERNET = 14;
const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const NANOSECOND_PCAP = 0xa1b23c4d;

const BLOCK_MS = 1200;

let captures = 0;

/** A running capture. */
export class Wire {
  readonly #path: string;
  readonly #process: Running;

  /** `filter` as tcpdump's. The packets come to the file in blocks, so that a capture costs the machine little. */
  constructor(node: LabNode, device: string, filter: string) {
    this.#path = join(node.directory("wire"), `${++captures}.pcap`);
    const options = ["-n", "-s", "128", "-B", "16384", "-Z", "root", "--time-stamp-precision=nano"];
    this.#process = node.spawn(["tcpdump", "-i", device, ...options, "-w", this.#path, filter]);
  }

  /** Waits until it listens. */
  async ready(): Promise<this> {
    await waitFor(() => {
      if (this.#process.end !== null) throw new Error(`tcpdump ended: ${this.#process.stderr}`);
      return this.#process.stderr.includes("listening on");
    }, { timeoutMs: 5000, what: "tcpdump to listen" });
    return this;
  }

  /** Ends the capture and returns all of it. Throws when the kernel had to drop packets. Takes a second. */
  async stop(): Promise<Traffic> {
    // The kernel hands over a block once it is full or a second old; what tcpdump has not been given is lost.
    await pause(BLOCK_MS);
    if (this.#process.end === null) await this.#process.stop("SIGINT");
    const dropped = /^(\d+) packets dropped by kernel/m.exec(this.#process.stderr)?.[1];
    if (dropped !== "0") throw new Error(`the capture is not complete: ${this.#process.stderr.trim()}`);
    return new Traffic(readPcap(readFileSync(this.#path)));
  }
}

/** Starts a capture on a node's interface. */
export function watchWire(
  node: LabNode,
  filter = "ip proto 112 or arp or icmp",
  device = "eth0",
): Promise<Wire> {
  return new Wire(node, device, filter).ready();
}

function readPcap(file: Buffer): Frame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0, true) !== NANOSECOND_PCAP) throw new Error("not a capture with nanoseconds");
  const frames: Frame[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const atMs = view.getUint32(at, true) * 1000 + view.getUint32(at + 4, true) / 1e6;
    const length = view.getUint32(at + 8, true);
    frames.push({ atMs, bytes: file.subarray(at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return frames;
}

function ipv4Text(bytes: Uint8Array, at: number): string {
  return bytes.subarray(at, at + 4).join(".");
}

function macText(bytes: Uint8Array, at: number): string {
  return Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Offset of an IPv4 packet's payload of this protocol; -1 for any other frame. */
function payloadOf({ bytes }: Frame, protocol: number): number {
  const isIpv4 = bytes[12] === 8 && bytes[13] === 0;
  if (!isIpv4 || bytes[ETHERNET + 9] !== protocol) return -1;
  return ETHERNET + (bytes[ETHERNET]! & 15) * 4;
}

/** Captured frames, read as what they are. */
export class Traffic {
  constructor(readonly frames: readonly Frame[]) {}

  /** The advertisements in order, from one router (its address) or from all. */
  adverts(from?: string): Advert[] {
    const adverts: Advert[] = [];
    for (const frame of this.frames) {
      const at = payloadOf(frame, 112);
      if (at < 0) continue;
      const { atMs, bytes } = frame;
      const source = ipv4Text(bytes, ETHERNET + 12);
      if (from !== undefined && source !== from) continue;
      adverts.push({ atMs, from: source, vrid: bytes[at + 1]!, priority: bytes[at + 2]! });
    }
    return adverts;
  }

  /** The gratuitous ARP packets in order. */
  announcements(): Announcement[] {
    const found: Announcement[] = [];
    for (const { atMs, bytes } of this.frames) {
      if (bytes[12] !== 8 || bytes[13] !== 6) continue;
      const address = ipv4Text(bytes, ETHERNET + 14);
      if (address === ipv4Text(bytes, ETHERNET + 24)) found.push({ atMs, mac: macText(bytes, 6), address });
    }
    return found;
  }

  /** All that a client and the holders of an address said to each other. */
  conversation(address: string): Conversation {
    return { echoes: this.echoes(address), searchesMs: this.#searches(address) };
  }

  #searches(address: string): number[] {
    const found: number[] = [];
    for (const { atMs, bytes } of this.frames) {
      if (bytes[12] !== 8 || bytes[13] !== 6 || bytes[ETHERNET + 7] !== 1) continue;
      // A question to the known holder alone is the routine of a neighbour table: it goes on sending meanwhile.
      if (!BROADCAST.every((byte, index) => bytes[index] === byte)) continue;
      const asked = ipv4Text(bytes, ETHERNET + 24);
      if (asked === address && ipv4Text(bytes, ETHERNET + 14) !== address) found.push(atMs);
    }
    return found;
  }

  /** The echo requests and replies for one address, in order. */
  echoes(address: string): Echo[] {
    const found: Echo[] = [];
    for (const frame of this.frames) {
      const at = payloadOf(frame, 1);
      if (at < 0) continue;
      const { atMs, bytes } = frame;
      const reply = bytes[at] === 0;
      const pinged = ipv4Text(bytes, ETHERNET + (reply ? 12 : 16));
      if (pinged !== address) continue;
      const sequence = bytes[at + 6]! << 8 | bytes[at + 7]!;
      found.push({ atMs, reply, mac: macText(bytes, 6), sequence, address });
    }
    return found;
  }
}

/** Distances between neighbours in milliseconds. */
export function distances(seen: readonly { readonly atMs: number }[]): number[] {
  return seen.slice(1).map(({ atMs }, index) => atMs - seen[index]!.atMs);
}

/** What a client and the holders of one address said to each other. */
export interface Conversation {
  readonly echoes: readonly Echo[];
  /** When the client asked everybody who has the address, in milliseconds since 1970. */
  readonly searchesMs: readonly number[];
}

/** A pause of a client that sends each millisecond; a shorter one is the machine's, which had other things to do. */
const PAUSE_MS = 20;
/** How often the kernel asks for an address that it cannot find. */
const SEARCH_MS = 1100;

/**
 * How many packets were lost of one sent each millisecond between two moments: requests without a reply, and those that
 * never left because the client was searching for the address.
 */
export function lostPackets({ echoes, searchesMs }: Conversation, fromMs: number, toMs: number): number {
  const open = new Map<number, number>();
  const answered = new Set<number>();
  echoes.forEach(({ reply, sequence }, index) => {
    if (!reply) open.set(sequence, index);
    else if (open.has(sequence)) answered.add(open.get(sequence)!);
  });
  const unsent = (sinceMs: number, untilMs: number) => {
    const searched = searchesMs.some((atMs) => atMs > sinceMs - SEARCH_MS && atMs < untilMs);
    return searched && untilMs - sinceMs > PAUSE_MS ? Math.floor(untilMs - sinceMs) : 0;
  };
  let lost = 0;
  let before = fromMs;
  echoes.forEach(({ reply, atMs }, index) => {
    if (reply || atMs < fromMs || atMs > toMs) return;
    if (!answered.has(index)) lost++;
    lost += unsent(before, atMs);
    before = atMs;
  });
  return lost + unsent(before, toMs);
}

/**
 * From when on every reply came from `mac`, in milliseconds after `fromMs`: 0 when no other ever answered and no reply was missing at
 * first; Infinity when it does not answer last.
 */
export function servedBy(echoes: readonly Echo[], mac: string, fromMs: number, toMs: number): number {
  let since = Infinity;
  for (const { reply, atMs, mac: sender } of echoes) {
    if (!reply || atMs < fromMs || atMs > toMs) continue;
    if (sender !== mac) since = Infinity;
    else if (since === Infinity) since = atMs;
  }
  return since - fromMs;
}

/** The longest time without a reply between two moments, in milliseconds. */
export function longestSilence(echoes: readonly Echo[], fromMs: number, toMs: number): number {
  const replies = echoes.filter(({ reply, atMs }) => reply && atMs >= fromMs && atMs <= toMs);
  return Math.max(...distances([{ atMs: fromMs }, ...replies, { atMs: toMs }]));
}
