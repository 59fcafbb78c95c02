/**
 * Questions to the facts that more than one judgement asks. Pure.
 *
 * @module
 */
import { isLinkLocal, parseAddress } from "../../lib/packet/mod.ts";
import type { Family, VipConfig, VrrpConfig } from "../vrrp/config.ts";
import type {
  Area,
  DaemonInstance,
  DoctorConfig,
  Facts,
  Finding,
  HeardFact,
  LinkFact,
  Severity,
} from "./model.ts";

/** A finding. */
export function finding(
  area: Area,
  severity: Severity,
  what: string,
  why: string | null = null,
  fix: readonly string[] = [],
): Finding {
  return { area, severity, what, why, fix };
}

/** An interface by name. */
export function linkOf(facts: Facts, name: string): LinkFact | null {
  return facts.links.find((link) => link.name === name) ?? null;
}

/** Whether an interface is a tunnel, by its kind. */
export function isTunnel(facts: Facts, name: string): boolean {
  return /gre|ipip|sit|ip6tnl|^tun$/.test(linkOf(facts, name)?.kind ?? "");
}

/** Whether the first `bits` of two addresses of one family are the same. */
export function sameSubnet(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < bits; at += 8) {
    const mask = bits - at >= 8 ? 0xff : 0xff << (8 - (bits - at)) & 0xff;
    if (((a[at >> 3]! ^ b[at >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

/** Whether an address lies in a subnet; all as text. */
export function inSubnet(address: string, subnet: string, prefix: number): boolean {
  const [a, b] = [parseAddress(address), parseAddress(subnet)];
  return a !== null && b !== null && sameSubnet(a, b, prefix);
}

/** Name of the interface by which the main table sends to an address; null = no route. */
export function routeTo(facts: Facts, address: string): string | null {
  const bytes = parseAddress(address);
  if (bytes === null) return null;
  const family: Family = bytes.length === 4 ? "ipv4" : "ipv6";
  const fitting = facts.routes.filter((route) =>
    route.family === family &&
    (route.destination === null || sameSubnet(bytes, route.destination, route.prefix))
  );
  return fitting.toSorted((a, b) => b.prefix - a.prefix || a.metric - b.metric)[0]?.dev ?? null;
}

/** Interfaces that hold an address. */
export function holdersOf(facts: Facts, address: string): readonly LinkFact[] {
  return facts.links.filter((link) => link.addresses.some((entry) => entry.address === address));
}

/** Interfaces that hold an address of an instance already; a link-local one means another host on another link. */
export function holdersOfVip(facts: Facts, instance: VrrpConfig, vip: VipConfig): readonly LinkFact[] {
  const local = isLinkLocal(parseAddress(vip.address)!);
  const names = [carrierOf(instance, vip), instance.vmac?.name];
  return holdersOf(facts, vip.address).filter(({ name }) => !local || names.includes(name));
}

/** The number of a sysctl; null = it does not exist. */
export function sysctlNumber(facts: Facts, name: string): number | null {
  const text = facts.sysctl(name);
  return text === null || !/^-?\d+$/.test(text) ? null : Number(text);
}

/** Name of an interface's own sysctl. */
export function confName(family: Family, dev: string, key: string): string {
  const name = `net.${family}.conf.${dev}.${key}`;
  // With a dot in the interface's name the separators must be slashes.
  return dev.includes(".") ? `net/${family}/conf/${dev}/${key}` : name;
}

/** A sysctl of an interface where the kernel takes the larger of its own and that of `all`. */
export function largerOf(facts: Facts, dev: string, key: string): number {
  const own = sysctlNumber(facts, confName("ipv4", dev, key)) ?? 0;
  return Math.max(own, sysctlNumber(facts, `net.ipv4.conf.all.${key}`) ?? 0);
}

/** What sets a sysctl now, and at the next boot. */
export function setSysctl(name: string, value: number): string[] {
  return [
    `sysctl -w ${name}=${value}`,
    `echo '${name} = ${value}' >> /etc/sysctl.d/90-appliance.conf   # for the next boot`,
  ];
}

/** The daemon's own view of an instance; null while no daemon runs it. */
export function daemonInstance(facts: Facts, instance: VrrpConfig): DaemonInstance | null {
  if (facts.daemon.type !== "running") return null;
  return facts.daemon.instances.find((entry) =>
    entry.interface === instance.interface && entry.vrid === instance.vrid &&
    entry.families.includes(instance.family)
  ) ?? null;
}

/** The master of an instance as a running daemon knows it; null = none. */
export function masterOf(
  { masters }: DaemonInstance,
  { family }: VrrpConfig,
): DaemonInstance["masters"][number] | null {
  return masters.find((master) => master.family === family) ?? null;
}

/** The routers that were heard speaking for an instance's VRID on its interface. */
export function heardFor(instance: VrrpConfig, facts: Facts): readonly HeardFact[] {
  return facts.heard.filter(({ interface: dev, family, vrid }) =>
    dev === instance.interface && family === instance.family && vrid === instance.vrid
  );
}

/** Addresses of the other routers that speak for an instance, heard by the doctor or by our daemon. */
export function speakersFor(instance: VrrpConfig, facts: Facts): string[] {
  const own = daemonInstance(facts, instance);
  const known = own === null
    ? []
    : [own.split_brain_with, own.state === "master" ? null : masterOf(own, instance)?.address];
  return unique([
    ...heardFor(instance, facts).map(({ source }) => source),
    ...known.flatMap((address) => address ?? []),
  ]);
}

/** Addresses that a running daemon of ours has put on this machine, as text without prefix. */
export function daemonAddresses(facts: Facts): ReadonlySet<string> {
  if (facts.daemon.type !== "running") return new Set();
  return new Set(
    facts.daemon.instances.filter(({ state }) => state === "master")
      .flatMap(({ addresses, extra }) => [...addresses, ...extra]).map((text) => text.split(/[/ ]/)[0]!),
  );
}

/** The instances of the config; none without a config. */
export function instancesOf(config: DoctorConfig | null): DoctorConfig["vrrp"] {
  return config?.vrrp ?? [];
}

/** The interface that a virtual address is reached by, on the wire: below a virtual MAC address the instance's own. */
export function carrierOf(instance: VrrpConfig, { dev }: VipConfig): string {
  return dev === null || dev === instance.vmac?.name ? instance.interface : dev;
}

/** Interfaces that the daemon makes itself. */
export function madeByUs(config: DoctorConfig): ReadonlySet<string> {
  return new Set([
    ...config.tunnels.map(({ name }) => name),
    ...config.vrrp.flatMap(({ vmac }) => vmac === null ? [] : [vmac.name]),
  ]);
}

/** How an instance is called in a finding. */
export function nameOf({ name, vrid }: VrrpConfig): string {
  return `instance ${name} (VRID ${vrid})`;
}

/** `a, b and c`. */
export function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Each once, in order. */
export function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
