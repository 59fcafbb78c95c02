/**
 * Decides what is to be done about macvlans.
 *
 * @module
 */
import type { Link } from "../../lib/netlink/mod.ts";
import { equalBytes, virtualMac } from "../../lib/packet/mod.ts";
import type { LinkTable } from "../link/model.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { BaseSettings, Mark, Verdict, Vmac } from "./model.ts";

/**
 * Mode of our macvlans. Macvlans of one base are not to talk to each other, as in `private`. But a private macvlan
 * swallows every multicast frame that comes from its own MAC address, and that is what all advertisements of the other
 * routers come from: in mode `vepa` the base receives them.
 */
export const VMAC_MODE = "vepa";

const IFF_LOOPBACK = 0x8;
const MAC_LENGTH = 6;
const MARK = /^appliance (\d+\/\d+\/\d+)((?: [a-z_]+=\d+)*)$/;

/** The macvlan that a virtual router wants; null = it does without. */
export function vmacOf(config: VrrpConfig): Vmac | null {
  const { vmac, interface: base, vrid, family } = config;
  if (vmac === null) return null;
  const carried = [...config.addresses, ...config.extra].filter(({ dev }) => dev === vmac.name);
  return {
    name: vmac.name,
    base,
    mac: virtualMac(vrid, family),
    ipv4: carried.some(({ address }) => !address.includes(":")),
    ipv6: carried.some(({ address }) => address.includes(":")),
  };
}

/** Whether two are the same macvlan, whatever addresses it carries. */
export function sameVmac(a: Vmac, b: Vmac): boolean {
  return a.name === b.name && a.base === b.base && equalBytes(a.mac, b.mac);
}

/** The text of a mark. */
export function markText({ keeper, before }: Mark): string {
  return ["appliance", keeper, ...Object.entries(before).map(([name, value]) => `${name}=${value}`)].join(
    " ",
  );
}

/** Reads a mark; null when the link bears none of ours. */
export function readMark(alias: string | null): Mark | null {
  const match = MARK.exec(alias ?? "");
  if (match === null) return null;
  const before: Record<string, number> = {};
  for (const pair of match[2]!.split(" ").slice(1)) {
    const [name, value] = pair.split("=");
    before[name!] = Number(value);
  }
  return { keeper: match[1]!, before };
}

/** Why no virtual MAC address can be put on an interface, in words; null = it can. */
export function baseFault(base: Link): string | null {
  const { name, mac, flags } = base;
  if ((flags & IFF_LOOPBACK) !== 0) return `interface ${name} is the loopback: it cannot have a virtual MAC`;
  if (mac.length !== MAC_LENGTH || mac.every((byte) => byte === 0)) {
    const kind = base.kind === null ? "" : ` (${base.kind})`;
    return `interface ${name}${kind} has no Ethernet MAC address: it cannot have a virtual MAC`;
  }
  return null;
}

/** Index of the device that macvlans of an interface stand on: a macvlan's are its siblings. */
function lowerOf(base: Link): number | null {
  return base.kind === "macvlan" ? base.link : base.index;
}

function fits(link: Link, vmac: Vmac, base: Link): boolean {
  return link.kind === "macvlan" && link.macvlanMode === VMAC_MODE && link.link === lowerOf(base) &&
    equalBytes(link.mac, vmac.mac);
}

/**
 * Judges what is there of a wanted macvlan.
 *
 * @param mine Index of the macvlan that we made or adopted; null = none yet.
 * @param isAlive Whether the process lives that left a mark; false for our own.
 */
export function judge(
  vmac: Vmac,
  base: Link,
  links: LinkTable,
  mine: number | null,
  isAlive: (mark: Mark) => boolean,
): Verdict {
  const remove: Link[] = [];
  const present = linkNamed(links, vmac.name);
  if (present !== null && fits(present, vmac, base) && present.index === mine) {
    return present.up ? { type: "fits", link: present } : { type: "set-up", link: present };
  }
  for (const link of links.links.values()) {
    const named = link === present;
    if (!named && !rivals(link, vmac, base)) continue;
    const mark = readMark(link.alias);
    if (link.index !== mine) {
      if (mark === null) return { type: "refuse", fault: foreign(link, vmac, named) };
      if (isAlive(mark)) return { type: "refuse", fault: kept(link, mark) };
      if (named && fits(link, vmac, base)) return { type: "adopt", link, mark };
    }
    remove.push(link);
  }
  return { type: "make", remove };
}

function linkNamed(links: LinkTable, name: string): Link | null {
  return links.links.get(links.indexByName.get(name) ?? -1) ?? null;
}

/** Whether a link takes the place that a macvlan wants: a base has each MAC address once. */
function rivals(link: Link, vmac: Vmac, base: Link): boolean {
  return link.kind === "macvlan" && link.link === lowerOf(base) && equalBytes(link.mac, vmac.mac);
}

function foreign(link: Link, vmac: Vmac, named: boolean): string {
  const kind = link.kind === null ? "an interface" : `a ${link.kind}`;
  return named
    ? `${vmac.name} is the name of ${kind} that somebody else made: it cannot be the virtual MAC's`
    : `${link.name}, which somebody else made, has the virtual MAC address on ${vmac.base} already`;
}

function kept(link: Link, { keeper }: Mark): string {
  return `${link.name} belongs to another appliance (process ${keeper.split("/")[1]})`;
}

/** What the base is to have while there are macvlans with IPv4 addresses above it. */
const WANTED: readonly (readonly [name: string, value: number, refused: readonly number[]])[] = [
  // It must not answer ARP requests for the virtual addresses: its answer would bear its own MAC address.
  ["arp_ignore", 1, [0, 3]],
  // Nor may it name them as the sender of its own requests, from which neighbours learn, too.
  ["arp_announce", 2, [0, 1]],
];

/** The setting that counts: the kernel takes the greater of the interface's and that of `all`. */
export type ReadSetting = (device: string, name: string) => number | null;

/** Which settings of a base have to be changed, and to what. */
export function baseChanges(base: string, read: ReadSetting): BaseSettings {
  const changes: Record<string, number> = {};
  for (const [name, value, refused] of WANTED) {
    const now = Math.max(read(base, name) ?? value, read("all", name) ?? 0);
    if (refused.includes(now)) changes[name] = value;
  }
  return changes;
}

/** Which of the settings that were changed are to be set back, and to what: those that nobody else has changed since. */
export function baseReturns(base: string, before: BaseSettings, read: ReadSetting): BaseSettings {
  const returns: Record<string, number> = {};
  for (const [name, value] of WANTED) {
    const earlier = before[name];
    if (earlier !== undefined && read(base, name) === value) returns[name] = earlier;
  }
  return returns;
}

/** Which setting for all interfaces would keep a macvlan from answering ARP requests, in words; null = none. */
export function arpObstacle(name: string, read: ReadSetting): string | null {
  const filter = read("all", "arp_filter") ?? 0;
  if (filter !== 0) {
    return `net.ipv4.conf.all.arp_filter is ${filter}: ${name} would not answer ARP (set it to 0)`;
  }
  const ignore = read("all", "arp_ignore") ?? 0;
  if (ignore < 3) return null;
  return `net.ipv4.conf.all.arp_ignore is ${ignore}: ${name} could not answer ARP alone (set it to 0)`;
}
