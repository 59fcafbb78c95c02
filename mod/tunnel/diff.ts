/**
 * What differs between a tunnel as it is wanted and as the kernel has it.
 *
 * @module
 */
import { equalValues } from "../../lib/compare/mod.ts";
import type { Address, Link, Tunnel, TunnelSpec } from "../../lib/netlink/mod.ts";
import { formatAddress, parseAddress } from "../../lib/packet/address.ts";
import type { TunnelAddress, TunnelConfig, TunnelRoute } from "./model.ts";

/** The bytes of an address that the config checks made sure of. Throws RangeError. */
export function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === null) throw new RangeError(`Cannot use ${address}: not an address`);
  return bytes;
}

/** Whether the tunnel runs over IPv6. */
export function isOverIpv6(type: TunnelConfig["type"]): boolean {
  return type.startsWith("ip6");
}

/** Whether the tunnel carries Ethernet frames. */
export function isTap(type: TunnelConfig["type"]): boolean {
  return type.endsWith("tap");
}

/** What netlink is asked for. `under`: index of the device below; `mac`: that of a tap that is made again. */
export function specOf(config: TunnelConfig, under: number | null, mac: Uint8Array | null): TunnelSpec {
  const { name, type, ikey, okey, ttl, tos, pmtudisc, mtu } = config;
  return {
    name,
    type,
    local: bytesOf(config.local),
    remote: bytesOf(config.remote),
    ikey,
    okey,
    ttl,
    tos,
    pmtudisc,
    csum: config.checksum,
    seq: config.sequence,
    link: under,
    ...(mtu === null ? {} : { mtu }),
    ...(mac !== null && isTap(type) ? { mac } : {}),
  };
}

/**
 * How an interface compares with the tunnel of its name: `foreign` = it is something else than a GRE link, and not ours
 * to touch; `retype` = a GRE link of another type, which cannot be changed in place.
 */
export type LinkVerdict =
  | { readonly type: "missing" | "same" }
  | { readonly type: "foreign"; readonly kind: string }
  | { readonly type: "differs" | "retype"; readonly differences: readonly string[] };

/** Compares an interface with what is wanted. `under`: index of the device below, null = none. */
export function compareLink(config: TunnelConfig, link: Link | null, under: number | null): LinkVerdict {
  if (link === null) return { type: "missing" };
  const { tunnel } = link;
  if (tunnel === null) return { type: "foreign", kind: link.kind ?? "hardware interface" };
  if (tunnel.type !== config.type) {
    return { type: "retype", differences: [`type was ${tunnel.type}`] };
  }
  const differences = differencesOf(config, tunnel, under);
  return differences.length === 0 ? { type: "same" } : { type: "differs", differences };
}

function differencesOf(config: TunnelConfig, tunnel: Tunnel, under: number | null): string[] {
  const six = isOverIpv6(config.type);
  const found = {
    ...tunnel,
    local: formatAddress(tunnel.local),
    remote: formatAddress(tunnel.remote),
    checksum: tunnel.csum,
    sequence: tunnel.seq,
  };
  const fields = ["local", "remote", "ikey", "okey", "ttl", "tos", "checksum", "sequence"] as const;
  const differences = fields.filter((field) => found[field] !== config[field]).map((field) =>
    `${field} was ${found[field] ?? "none"}`
  );
  if (!six && tunnel.pmtudisc !== config.pmtudisc) differences.push(`pmtudisc was ${tunnel.pmtudisc}`);
  if (tunnel.link !== under) differences.push(`dev was ${tunnel.link ?? "none"}`);
  // One key is what people know; the two halves of it say the same twice.
  if (config.ikey !== config.okey || tunnel.ikey !== tunnel.okey) return differences;
  return differences.filter((text) => !text.startsWith("okey")).map((text) => text.replace(/^ikey/, "key"));
}

/** Something about a tunnel's interface that is to be put right. `was`: what was wrong, in words. */
export type Setting =
  | { readonly type: "mtu"; readonly mtu: number; readonly was: string }
  | { readonly type: "up"; readonly was: string }
  | { readonly type: "remove-address"; readonly address: TunnelAddress; readonly was: string }
  | { readonly type: "add-address"; readonly address: TunnelAddress; readonly was: string };

/** An address as an interface has it. */
export function addressOnLink(address: Address): TunnelAddress {
  const own = formatAddress(address.local);
  const far = formatAddress(address.address);
  return { address: own, prefix: address.prefix, peer: own === far ? null : far };
}

/** `10.1.1.2/24`, or `10.1.1.2 peer 10.1.1.3/32`. */
export function addressText({ address, prefix, peer }: TunnelAddress): string {
  return peer === null ? `${address}/${prefix}` : `${address} peer ${peer}/${prefix}`;
}

/** `10.8.0.0/16 via 10.1.1.3 metric 5 table 100`. */
export function routeText({ destination, prefix, via, metric, table }: TunnelRoute): string {
  const more = [["via", via], ["metric", metric], ["table", table]] as const;
  return `${destination}/${prefix}${
    more.map(([key, value]) => value === null ? "" : ` ${key} ${value}`).join("")
  }`;
}

/**
 * What is to be put right about an interface with these parameters and addresses, in the order in which it is to be
 * done. Addresses that the config does not have are left: they may be virtual ones, or somebody's own.
 */
export function planSettings(
  config: TunnelConfig,
  link: Pick<Link, "mtu" | "up">,
  addresses: readonly TunnelAddress[],
): Setting[] {
  const settings: Setting[] = [];
  if (config.mtu !== null && config.mtu !== link.mtu) {
    settings.push({ type: "mtu", mtu: config.mtu, was: `mtu was ${link.mtu}` });
  }
  for (const address of config.addresses) {
    const same = addresses.filter((other) => other.address === address.address);
    if (same.some((other) => equalValues(other, address))) continue;
    for (const other of same) {
      settings.push({ type: "remove-address", address: other, was: `address was ${addressText(other)}` });
    }
    const was = `address ${addressText(address)} was gone`;
    settings.push({ type: "add-address", address, was });
  }
  // Addresses first: what hears that it is up finds it complete.
  if (!link.up) settings.push({ type: "up", was: "was down" });
  return settings;
}

/** Addresses and routes that one configuration has and the next has not. */
export function droppedBy(
  before: TunnelConfig,
  after: TunnelConfig,
): { readonly addresses: readonly TunnelAddress[]; readonly routes: readonly TunnelRoute[] } {
  return {
    addresses: before.addresses.filter((one) => !after.addresses.some((other) => equalValues(one, other))),
    routes: before.routes.filter((one) => !after.routes.some((other) => equalValues(one, other))),
  };
}
