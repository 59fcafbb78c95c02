/**
 * Macvlans in the kernel: made by rtnetlink, silenced and woken by sysctls.
 *
 * @module
 */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import {
  createMacvlan,
  deleteLink,
  getLink,
  type NetlinkConnection,
  setLink,
} from "../../lib/netlink/mod.ts";
import type { Link } from "../../lib/netlink/mod.ts";
import type { BaseSettings, Mark, Vmac } from "./model.ts";
import { baseReturns, markText, readMark, type ReadSetting, VMAC_MODE } from "./step.ts";

type Version = "ipv4" | "ipv6";

function pathOf(version: Version, device: string, name: string): string {
  return `/proc/sys/net/${version}/conf/${device}/${name}`;
}

function readSetting(version: Version, device: string, name: string): number | null {
  try {
    return Number.parseInt(readFileSync(pathOf(version, device, name), "utf8"), 10);
  } catch {
    return null;
  }
}

/** Reads an IPv4 setting of a device, or of `all`; null when there is no such device. */
export const readIpv4: ReadSetting = (device, name) => readSetting("ipv4", device, name);

/** Throws Error. */
function writeSetting(version: Version, device: string, name: string, value: number): void {
  try {
    writeFileSync(pathOf(version, device, name), String(value));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EROFS" ? "/proc/sys is read-only" : code ?? message;
    throw new Error(`Cannot set net.${version}.conf.${device}.${name} to ${value}: ${why}`);
  }
}

function hasIpv6(): boolean {
  return existsSync("/proc/sys/net/ipv6/conf/all");
}

/** This process as a {@link Mark} names it. */
export function thisKeeper(): string {
  return `${pidNamespace()}/${process.pid}/${birthOf("self")}`;
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}

/** When a process was started, in ticks since the machine was; null when it is dead. */
function birthOf(pid: string): string | null {
  try {
    // The fields stand behind the name, which may contain anything. The third is the state: Z and X are dead.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : fields[19] ?? null;
  } catch {
    return null;
  }
}

/** Whether another process lives that left a mark; one that cannot be seen from here counts as alive. */
export function isKeeperAlive({ keeper }: Mark): boolean {
  const [namespace, pid, birth] = keeper.split("/");
  if (namespace !== pidNamespace()) return true;
  return Number(pid) !== process.pid && birthOf(pid!) === birth;
}

/** Whether this is a wireless interface: access points take no frames from a second MAC address. */
export function isWireless(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/phy80211`) || existsSync(`/sys/class/net/${name}/wireless`);
}

/** Makes a macvlan that is up and silent. Throws Error, and leaves nothing behind then. */
export function makeVmac(connection: NetlinkConnection, vmac: Vmac, base: Link, before: BaseSettings): Link {
  const { name, mac } = vmac;
  const spec = { name, mac, base: base.index, baseName: base.name, mode: VMAC_MODE } as const;
  createMacvlan(connection, { ...spec, addrGenModeNone: hasIpv6() });
  try {
    silence(name, base.name);
    setLink(connection, name, { up: true, alias: markText({ keeper: thisKeeper(), before }) }, name);
    const made = getLink(connection, name);
    if (made === null) throw new Error(`Cannot find ${name}, which was just made`);
    return made;
  } catch (error) {
    deleteLink(connection, name, name, { missing: "ok" });
    throw error;
  }
}

/** Makes a macvlan that a run before this one left behind our own, as it is. */
export function adoptVmac(connection: NetlinkConnection, link: Link, before: BaseSettings): void {
  setLink(connection, link.index, { alias: markText({ keeper: thisKeeper(), before }) }, link.name);
}

/** Lets a new macvlan neither answer nor forward nor speak, before it is set up. Throws Error. */
function silence(name: string, base: string): void {
  const strict = Math.max(readIpv4("all", "rp_filter") ?? 0, readIpv4(base, "rp_filter") ?? 0);
  const ipv4: BaseSettings = {
    // For the base's own addresses the base answers.
    arp_ignore: 1,
    arp_filter: 0,
    // The way back leads over the base: a strict check would drop everything.
    rp_filter: strict === 0 ? 0 : 2,
    // With the first of several addresses the others would go.
    promote_secondaries: 1,
    // A backup must discard what is sent to the virtual MAC address (RFC 5798 §6.4.2).
    forwarding: 0,
  };
  for (const [setting, value] of Object.entries(ipv4)) writeSetting("ipv4", name, setting, value);
  if (!hasIpv6()) return;
  const ipv6: BaseSettings = {
    // Neighbour discovery and multicast reports of a backup would draw the virtual MAC address to its switch port.
    disable_ipv6: 1,
    accept_ra: 0,
    accept_dad: 0,
    // Neighbour advertisements tell by it whether this is a router.
    forwarding: readSetting("ipv6", base, "forwarding") ?? 0,
  };
  for (const [setting, value] of Object.entries(ipv6)) writeSetting("ipv6", name, setting, value);
}

/** Lets a macvlan accept packets as its base does: a few microseconds. Throws Error. */
export function wakeVmac({ name, base, ipv4, ipv6 }: Vmac): void {
  // What is routed to a gateway address of one version need not be of that version's instance alone.
  if (ipv4) writeSetting("ipv4", name, "forwarding", readIpv4(base, "forwarding") ?? 0);
  if (ipv6) writeSetting("ipv6", name, "disable_ipv6", 0);
}

/** Undoes {@link wakeVmac}. Throws Error. */
export function restVmac({ name }: Vmac): void {
  writeSetting("ipv4", name, "forwarding", 0);
  if (hasIpv6()) writeSetting("ipv6", name, "disable_ipv6", 1);
}

/**
 * Removes such of these macvlans as a dead engine left, and gives their bases' settings back. Throws Error.
 *
 * @returns Their names.
 */
export function removeDeadVmacs(connection: NetlinkConnection, vmacs: readonly Vmac[]): string[] {
  const removed: string[] = [];
  for (const { name, base } of vmacs) {
    const link = getLink(connection, name);
    const mark = readMark(link?.alias ?? null);
    if (link === null || mark === null || isKeeperAlive(mark)) continue;
    deleteLink(connection, link.index, name, { missing: "ok" });
    setBase(base, baseReturns(base, mark.before, readIpv4));
    removed.push(name);
  }
  return removed;
}

/** Changes settings of a base; returns what they were. Throws Error. */
export function setBase(base: string, settings: BaseSettings): BaseSettings {
  const before: Record<string, number> = {};
  for (const [name, value] of Object.entries(settings)) {
    before[name] = readIpv4(base, name) ?? 0;
    writeSetting("ipv4", base, name, value);
  }
  return before;
}
