/**
 * Judges virtual addresses and the addresses of routers.
 *
 * @module
 */
import { AH_LENGTH } from "../../../lib/packet/ah.ts";
import { addressLength, formatAddress, isLinkLocal, zonedAddress } from "../../../lib/packet/address.ts";
import { IPV4_HEADER_LENGTH } from "../../../lib/packet/ipv4.ts";
import { IPV6_HEADER_LENGTH } from "../../../lib/packet/ipv6.ts";
import { vrrpLength } from "../../../lib/packet/vrrp.ts";
import { find } from "../document.ts";
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import type { Address } from "../schema/base.ts";
import { STATIC_ADDRESS_REQUIRED, VIP_REQUIRED } from "../schema/address.ts";
import type { RawVip, VipAddress } from "../schema/address.ts";
import { isWritten, requireKeys } from "./context.ts";
import type { Check } from "./context.ts";

const ETHERNET_MTU = 1500;

/**
 * How many addresses one advertisement holds: its counter ends at 255, and it must fit into a packet.
 *
 * @param mtu Bytes of the largest packet.
 */
export function maxAddresses(
  family: "ipv4" | "ipv6",
  { version = 3, auth }: Pick<RawInstance, "version" | "auth">,
  mtu: number,
): number {
  const ip = family === "ipv4" ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH;
  const room = mtu - ip - (auth?.type === "ah" ? AH_LENGTH : 0) - vrrpLength(version, family, 0);
  return Math.min(255, Math.max(0, Math.floor(room / addressLength(family))));
}

/** Tells of more addresses than an advertisement in a packet of `mtu` bytes holds. `how`: of what packet that is. */
export function checkRoom(
  check: Check,
  path: Path,
  instance: RawInstance,
  packet: { readonly mtu: number; readonly how: string; readonly instead: string; readonly sure: boolean },
): void {
  for (const [family, name] of [["ipv4", "IPv4"], ["ipv6", "IPv6"]] as const) {
    const most = maxAddresses(family, instance, packet.mtu);
    const count = instance.addresses?.filter((vip) => vip?.address?.family === family).length ?? 0;
    // What no Ethernet carries is told anyway.
    const told = packet.how !== "" && count > maxAddresses(family, instance, ETHERNET_MTU);
    if (count <= most || told) continue;
    const what = `has ${count} ${name} address${
      count === 1 ? "" : "es"
    }, but an advertisement${packet.how} holds ${most}`;
    const severity = packet.sure ? "error" : "warning";
    check.report({ path: [...path, "addresses"], what, instead: packet.instead, at: "key", severity });
  }
}

/** IPv4 address as a number. */
function toNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

/** The last address of a prefix: its broadcast address. IPv4 only. */
export function lastAddress(address: VipAddress): string {
  const host = address.prefix === 32 ? 0 : 0xffff_ffff >>> address.prefix;
  const last = (toNumber(address.bytes) | host) >>> 0;
  return formatAddress(Uint8Array.of(last >>> 24, (last >>> 16) & 255, (last >>> 8) & 255, last & 255));
}

/** Why an address cannot be one host's, or null. */
export function notAHost(address: Address): string | null {
  const first = address.bytes[0]!;
  if (address.family === "ipv6") {
    if (first === 0xff) return "a multicast address";
    return address.text === "::" ? "not the address of a host" : null;
  }
  if (address.text === "255.255.255.255") return "the broadcast address of every network";
  if (first === 0) return "not the address of a host (0.0.0.0/8)";
  if (first >= 224 && first < 240) return "a multicast address";
  if (first >= 240) return "a reserved address (240.0.0.0/4)";
  return null;
}

/** Which of the two addresses of its network that no host has an IPv4 address is; null = neither. */
export function edgeOfNetwork({ family, bytes, prefix }: VipAddress): string | null {
  if (family === "ipv6" || prefix > 30) return null;
  const host = (0xffff_ffff >>> prefix) >>> 0;
  const bits = (toNumber(bytes) & host) >>> 0;
  if (bits === 0) return "the address of the network itself";
  return bits === host ? "the broadcast address of its network" : null;
}

function vipProblem(vip: VipAddress): readonly [what: string, instead: string | null] | null {
  const reason = notAHost(vip);
  if (reason !== null) return [`is ${vip.text}, ${reason}`, "write the address of a service"];
  if (vip.family === "ipv6") {
    return vip.text === "::1"
      ? [`is ${vip.text}, the loopback address`, "write an address that others can reach"]
      : null;
  }
  if (vip.bytes[0] === 127) {
    return [`is ${vip.text}, a loopback address`, "write an address that others can reach"];
  }
  const edge = edgeOfNetwork(vip);
  return edge === null
    ? null
    : [`is ${vip.text}/${vip.prefix}, ${edge}`, "write a host's address, or the right prefix"];
}

/** `dev` = the interface that carries it, if that is known. */
function checkVip(check: Check, path: Path, vip: RawVip, dev: string | undefined): void {
  const { address, label, broadcast } = vip;
  if (address !== undefined) {
    const problem = vipProblem(address);
    if (problem !== null) check.report({ path: [...path, "address"], what: problem[0], instead: problem[1] });
    if (broadcast !== undefined && address.family === "ipv6") {
      const what = "has no meaning for an IPv6 address";
      check.report({ path: [...path, "broadcast"], what, instead: "remove it", at: "key" });
    } else if (broadcast === "+" && address.prefix > 30) {
      const what = `is \`+\`, but a /${address.prefix} has no broadcast address`;
      check.report({ path: [...path, "broadcast"], what, instead: "remove it" });
    }
  }
  if (label === undefined) return;
  const labelPath = [...path, "label"];
  if (new TextEncoder().encode(label).length > 15) {
    check.report({ path: labelPath, what: `is \`${label}\`, longer than 15 bytes`, instead: "shorten it" });
  } else if (
    dev !== undefined && label !== dev && !(label.startsWith(`${dev}:`) && label.length > dev.length + 1)
  ) {
    check.report({ path: labelPath, what: `is \`${label}\``, instead: `begin it with the device: ${dev}:1` });
  }
}

/** Checks the virtual addresses of one instance. */
export function checkAddresses(check: Check, path: Path, instance: RawInstance): void {
  const { addresses } = instance;
  if (addresses === undefined) return;
  const list = [...path, "addresses"];
  if (addresses.length === 0) {
    check.report({ path: list, what: "is empty", instead: "list at least one address" });
  }
  const seen = new Map<string, string>();
  for (const key of ["addresses", "extra"] as const) {
    instance[key]?.forEach((vip, i) => {
      if (vip === undefined) return;
      const at = [...path, key, i];
      requireKeys(check, at, VIP_REQUIRED);
      checkVip(check, at, vip, deviceOf(instance, vip));
      if (vip.address === undefined) return;
      const { bytes, text } = vip.address;
      const here = zonedAddress(bytes, deviceOf(instance, vip) ?? "");
      // An advertisement has no place for a link beside an address.
      const advertised = key === "addresses" ? seen.get(text) : undefined;
      const before = seen.get(here) ?? advertised;
      seen.set(here, before ?? key);
      if (key === "addresses") seen.set(text, key);
      if (before === undefined) return;
      const where = before === key ? "this list" : `\`${before}\``;
      const instead = isLinkLocal(bytes) && key === "addresses"
        ? "remove it, or write that of another device under `extra`"
        : "remove it";
      check.report({
        path: [...at, "address"],
        what: `is ${text}, which stands in ${where} already`,
        instead,
      });
    });
  }
  const instead = "split them over several instances";
  checkRoom(check, path, instance, { mtu: ETHERNET_MTU, how: "", instead, sure: true });
}

/** Checks the addresses of `static`. */
export function checkStaticAddresses(check: Check, raw: RawConfig): void {
  raw.static?.addresses?.forEach((entry, i) => {
    if (entry === undefined) return;
    const at = ["static", "addresses", i];
    requireKeys(check, at, STATIC_ADDRESS_REQUIRED);
    if (entry.dev === undefined && find(check.document.root, at)?.kind === "scalar") {
      const what = "names no interface";
      check.report({ path: at, what, instead: `write ${entry.address?.text ?? "10.0.0.1"}/24 dev eth0` });
    }
    checkVip(check, at, entry, entry.dev);
  });
}

/** The families that an instance's addresses are of, in the order in which they are written. */
export function familiesOf(instance: RawInstance): readonly ("ipv4" | "ipv6")[] {
  const families = (instance.addresses ?? []).flatMap((vip) =>
    vip?.address === undefined ? [] : [vip.address.family]
  );
  return [...new Set(families)];
}

/** Name of the interface that bears an instance's virtual MAC address; null = it has none, or its VRID is not known. */
export function vmacName(instance: RawInstance, family: "ipv4" | "ipv6"): string | null {
  const { vmac, vrid } = instance;
  if (vmac === undefined || vrid === undefined) return null;
  const second = family === "ipv6" && familiesOf(instance).length === 2;
  return (second ? vmac.name6 : vmac.name) ?? `vrrp${family === "ipv6" ? "6" : ""}.${vrid}`;
}

/**
 * The interface that carries an address of an instance. With a virtual MAC address the instance's own interface means
 * the one that bears it.
 */
export function deviceOf(instance: RawInstance, vip: RawVip): string | undefined {
  if (vip.dev !== undefined && vip.dev !== instance.interface) return vip.dev;
  const [family, second] = familiesOf(instance);
  const router = second === undefined ? family : vip.address?.family;
  return (router === undefined ? null : vmacName(instance, router)) ?? instance.interface;
}

/** The interface whose link a device is on: one that bears a virtual MAC address is on that of its base. */
function linkOf(raw: RawConfig, device: string): string {
  const instances = Object.values(raw.vrrp ?? {}).filter((instance) => instance !== undefined);
  const bearer = instances.find((instance) =>
    familiesOf(instance).some((family) => vmacName(instance, family) === device)
  );
  return bearer?.interface ?? device;
}

/**
 * What tells an address on a device from every other one: two that are equal here are one address. undefined = its
 * device is not known, which matters for a link-local one.
 */
export function identityOf(raw: RawConfig, address: Address, device: string | undefined): string | undefined {
  if (!isLinkLocal(address.bytes)) return address.text;
  return device === undefined ? undefined : zonedAddress(address.bytes, linkOf(raw, device));
}

/** Checks that everything that has a family goes with the addresses. */
export function checkFamilies(
  check: Check,
  path: Path,
  instance: RawInstance,
  version: 2 | 3 | undefined,
): void {
  const families = familiesOf(instance);
  if (families.length === 0) return;
  if (version === 2 && families.includes("ipv6")) {
    const index = instance.addresses!.findIndex((vip) => vip?.address?.family === "ipv6");
    const what = `is ${instance.addresses![index]!.address!.text}, but version 2 knows IPv4 only`;
    check.report({ path: [...path, "addresses", index, "address"], what, instead: "write version: 3" });
  }
  const { source, peers } = instance;
  const shown = families.map((family) => family === "ipv4" ? "IPv4" : "IPv6").join(" and ");
  if (source !== undefined && !families.includes(source.family)) {
    const what = `is ${source.text}, but the virtual addresses are ${shown}`;
    check.report({ path: [...path, "source"], what, instead: "write an address of the same family" });
  }
  if (peers === undefined) return;
  peers.forEach((peer, index) => {
    if (peer === undefined || families.includes(peer.family)) return;
    const what = `is ${peer.text}, but the virtual addresses are ${shown}`;
    check.report({ path: [...path, "peers", index], what, instead: "write an address of the same family" });
  });
  if (peers.some((peer) => peer !== undefined && !families.includes(peer.family))) return;
  for (const family of families) {
    if (peers.length === 0 || peers.some((peer) => peer === undefined || peer.family === family)) continue;
    const name = family === "ipv4" ? "IPv4" : "IPv6";
    const what = `has no ${name} address, though there are ${name} addresses to share`;
    check.report({
      path: [...path, "peers"],
      what,
      instead: `add the other routers' ${name} addresses`,
      at: "key",
    });
  }
}

/** Checks source and peers of one instance. */
export function checkPeers(check: Check, path: Path, instance: RawInstance): void {
  const { source, peers } = instance;
  const { addresses = [], extra = [] } = instance;
  const vips = new Set([...addresses, ...extra].map((vip) => vip?.address?.text));
  if (source !== undefined) {
    const reason = notAHost(source);
    if (reason !== null) check.report({ path: [...path, "source"], what: `is ${source.text}, ${reason}` });
    // One that is wrong may be meant for an owner.
    const owner = instance.priority === 255 ||
      (instance.priority === undefined && isWritten(check, [...path, "priority"]));
    if (vips.has(source.text) && !owner) {
      const what = `is ${source.text}, a virtual address, which a backup does not have`;
      check.report({
        path: [...path, "source"],
        what,
        instead: "write an address that stays with this router",
      });
    }
  }
  if (peers === undefined) return;
  if (peers.length === 0) {
    const instead = "name the other routers, or remove the key for multicast";
    check.report({ path: [...path, "peers"], what: "is empty", instead });
  }
  const seen = new Set<string>();
  peers.forEach((peer, i) => {
    if (peer === undefined) return;
    const report = (what: string, instead: string | null) =>
      check.report({ path: [...path, "peers", i], what: `is ${peer.text}, ${what}`, instead });
    const reason = notAHost(peer);
    if (reason !== null) report(reason, "write the address of another router");
    else if (peer.text === source?.text) report("this router's own `source`", "name the other routers only");
    else if (vips.has(peer.text)) {
      report("a virtual address", "write the address that stays with the other router");
    } else if (seen.has(peer.text)) report("which stands in this list already", "remove it");
    seen.add(peer.text);
  });
}
