/**
 * Judges tunnels, as far as the file alone tells.
 *
 * @module
 */
import {
  ETHERNET_HEADER_LENGTH,
  greHeaderLength,
  IPV4_HEADER_LENGTH,
  IPV6_HEADER_LENGTH,
  isLinkLocal,
  isMulticast,
} from "../../../lib/packet/mod.ts";
import { familyOfTunnelRoute, keepaliveTarget } from "../build_tunnel.ts";
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { Address } from "../schema/base.ts";
import { VIP_REQUIRED } from "../schema/address.ts";
import { ROUTE_REQUIRED } from "../schema/route.ts";
import { KERNEL_DEVICES, type RawTunnel, TUNNEL_NAME_PATTERN, TUNNEL_REQUIRED } from "../schema/tunnel.ts";
import { checkRoom, deviceOf, edgeOfNetwork, identityOf, notAHost } from "./address.ts";
import { isWritten, lineOf, requireKeys, writtenKeys } from "./context.ts";
import type { Check } from "./context.ts";

const ETHERNET_MTU = 1500;
const IPV6_LEAST_MTU = 1280;
const LONGEST_PACKET = 65_535;

function isOverIpv6(tunnel: RawTunnel): boolean {
  return tunnel.type?.startsWith("ip6") === true;
}

/** Bytes that the tunnel puts around each packet. */
function overheadOf(tunnel: RawTunnel): number {
  const keyed = (tunnel.key ?? tunnel.okey) !== undefined;
  const gre = greHeaderLength({
    protocol: 0,
    checksum: tunnel.checksum ?? false,
    key: keyed ? 0 : null,
    sequence: tunnel.sequence ? 0 : null,
  });
  const ip = isOverIpv6(tunnel) ? IPV6_HEADER_LENGTH : IPV4_HEADER_LENGTH;
  return ip + gre + (tunnel.type?.endsWith("tap") ? ETHERNET_HEADER_LENGTH : 0);
}

function checkName(check: Check, name: string): void {
  const report = (what: string, instead: string) =>
    check.report({ path: ["tunnels", name], what, instead, at: "key", whole: true });
  if (KERNEL_DEVICES.includes(name)) {
    report(`\`${name}\` is a device of the kernel's own`, "give the tunnel another name, like gre1");
  } else if (!new RegExp(TUNNEL_NAME_PATTERN).test(name)) {
    const instead = "use letters, digits, _ . and -, at most 15, a letter or digit first";
    report(`\`${name.slice(0, 80)}\` cannot be the name of a tunnel's interface`, instead);
  }
}

/** Why an address cannot be an end of a tunnel, or null. */
function notAnEnd(address: Address): string | null {
  const reason = notAHost(address);
  if (reason !== null) return reason;
  if (address.family === "ipv4") return address.bytes[0] === 127 ? "a loopback address" : null;
  if (isMulticast(address.bytes)) return "a multicast address";
  if (address.text === "::") return "not the address of a host";
  return address.text === "::1" ? "a loopback address" : null;
}

function checkEnds(check: Check, path: Path, tunnel: RawTunnel): void {
  const family = isOverIpv6(tunnel) ? "ipv6" : "ipv4";
  for (const key of ["local", "remote"] as const) {
    const end = tunnel[key];
    if (end === undefined) continue;
    if (tunnel.type !== undefined && end.family !== family) {
      const other = family === "ipv4" ? `ip6${tunnel.type}` : tunnel.type.slice(3);
      const what = `is ${end.text}, but ${tunnel.type} runs over ${family === "ipv4" ? "IPv4" : "IPv6"}`;
      check.report({ path: [...path, key], what, instead: `write type: ${other}, or another address` });
      continue;
    }
    const reason = notAnEnd(end);
    if (reason === null) {
      if (!isLinkLocal(end.bytes) || isWritten(check, [...path, "dev"])) continue;
      const what = `is ${end.text}, a link-local address, which says nothing without an interface`;
      check.report({ path: [...path, key], what, instead: "add dev: the interface that has it" });
      continue;
    }
    const what = `is ${end.text}, ${reason}`;
    check.report({ path: [...path, key], what, instead: "write an address that the other end can reach" });
  }
  const { local, remote } = tunnel;
  if (local !== undefined && local.text === remote?.text) {
    const what = `is ${remote.text}, this end's own \`local\``;
    check.report({ path: [...path, "remote"], what, instead: "write the other end's address" });
  }
}

function checkKeys(check: Check, path: Path): void {
  if (!isWritten(check, [...path, "key"])) return;
  for (const key of ["ikey", "okey"] as const) {
    if (!isWritten(check, [...path, key])) continue;
    const what = "stands beside `key`, which is that of both directions";
    check.report({ path: [...path, key], what, instead: "write key, or ikey and okey", at: "key" });
  }
}

function checkMtu(check: Check, path: Path, tunnel: RawTunnel, raw: RawConfig): void {
  const { mtu } = tunnel;
  if (mtu === undefined || tunnel.type === undefined) return;
  const report = (what: string, instead: string, severity: "error" | "warning" = "error") =>
    check.report({ path: [...path, "mtu"], what: `is ${mtu}, ${what}`, instead, severity });
  const overhead = overheadOf(tunnel);
  if (mtu + overhead > LONGEST_PACKET) {
    return report(
      `which makes outer packets of ${mtu + overhead} bytes, more than IP allows`,
      `write at most ${LONGEST_PACKET - overhead}`,
    );
  }
  const six = tunnel.addresses?.some((entry) => entry?.address?.family === "ipv6");
  if (six && mtu < IPV6_LEAST_MTU) {
    return report(
      `but IPv6, which the tunnel has an address of, needs ${IPV6_LEAST_MTU}`,
      `write ${IPV6_LEAST_MTU} or more, or remove the address`,
    );
  }
  const under = tunnel.dev === undefined ? undefined : raw.tunnels?.[tunnel.dev];
  if (under?.mtu !== undefined && mtu + overhead > under.mtu) {
    const what = `which makes outer packets of ${mtu + overhead} bytes, but ${tunnel.dev} takes ${under.mtu}`;
    return report(what, `write at most ${under.mtu - overhead}`);
  }
  if (under === undefined && mtu + overhead > ETHERNET_MTU) {
    report(
      `which makes outer packets of ${
        mtu + overhead
      } bytes, more than an Ethernet of ${ETHERNET_MTU} carries`,
      `write ${ETHERNET_MTU - overhead} or less, unless the whole path has larger frames`,
      "warning",
    );
  }
}

function inPrefix(address: Uint8Array, base: Uint8Array, prefix: number): boolean {
  return address.length === base.length && address.every((byte, index) => {
    const bits = Math.max(0, Math.min(8, prefix - index * 8));
    return ((byte ^ base[index]!) & (0xff00 >> bits) & 0xff) === 0;
  });
}

function checkAddresses(check: Check, path: Path, tunnel: RawTunnel): void {
  const seen = new Set<string>();
  tunnel.addresses?.forEach((entry, index) => {
    if (entry === undefined) return;
    const at = [...path, "addresses", index];
    requireKeys(check, at, VIP_REQUIRED);
    const { address, peer } = entry;
    if (address === undefined) return;
    const report = (what: string, instead: string) =>
      check.report({ path: [...at, "address"], what: `is ${address.text}, ${what}`, instead });
    const reason = notAnEnd(address);
    if (reason !== null) report(reason, "write an address of the network inside the tunnel");
    else if (peer === undefined && edgeOfNetwork(address) !== null) {
      report(
        `with /${address.prefix} ${edgeOfNetwork(address)}`,
        "write a host's address, or the right prefix",
      );
    } else if (address.text === tunnel.local?.text) {
      report("the outer `local` address", "write an address of the network inside the tunnel");
    } else if (seen.has(address.text)) report("which stands in this list already", "remove it");
    seen.add(address.text);
    const base = peer ?? address;
    const { remote } = tunnel;
    if (remote !== undefined && inPrefix(remote.bytes, base.bytes, address.prefix)) {
      report(
        `whose network /${address.prefix} holds \`remote\` ${remote.text}: the tunnel's own packets would go into it`,
        "use another network inside the tunnel",
      );
    }
    if (peer !== undefined && peer.family !== address.family) {
      const what = `is ${peer.text}, but the address is ${address.text}`;
      check.report({ path: [...at, "peer"], what, instead: "write an address of the same family" });
    } else if (peer?.text === address.text) {
      const what = `is ${peer.text}, the address itself`;
      check.report({ path: [...at, "peer"], what, instead: "write the far end's address" });
    }
  });
}

function checkRoutes(check: Check, path: Path, tunnel: RawTunnel): void {
  const seen = new Set<string>();
  tunnel.routes?.forEach((route, index) => {
    if (route === undefined) return;
    const at = [...path, "routes", index];
    requireKeys(check, at, ROUTE_REQUIRED);
    const { to, via, source, metric, table } = route;
    const family = familyOfTunnelRoute(route);
    const identity = [to?.kind === "prefix" ? to.text : family, metric, table].join(" ");
    if (to !== undefined && seen.has(identity)) {
      const what = `leads to ${to.kind === "prefix" ? to.text : "default"}, as one before it`;
      check.report({ path: at, what, instead: "remove one, or give one another metric" });
    }
    seen.add(identity);
    if (via !== undefined && tunnel.addresses?.some((entry) => entry?.address?.text === via.text)) {
      const what = `is ${via.text}, this end's own address`;
      check.report({ path: [...at, "via"], what, instead: "write the peer's address inside the tunnel" });
      return;
    }
    for (const [key, address] of [["via", via], ["source", source]] as const) {
      // The neighbour that an IPv4 route leads to may be known by its IPv6 address (RFC 5549).
      const either = key === "via" && family === "ipv4";
      if (address === undefined || address.family === family || either) continue;
      const what = `is ${address.text}, but the route is one of ${family === "ipv4" ? "IPv4" : "IPv6"}`;
      check.report({ path: [...at, key], what, instead: "write an address of the same family" });
    }
    const reachable = via === undefined || isLinkLocal(via.bytes) ||
      tunnel.addresses?.some((entry) => {
        const base = entry?.peer ?? entry?.address;
        return base === undefined || inPrefix(via.bytes, base.bytes, entry!.address?.prefix ?? 0);
      });
    if (!reachable) {
      const what = `is ${via.text}, which is in no network of the tunnel's \`addresses\``;
      check.report({ path: [...at, "via"], what, instead: "write the peer's address inside the tunnel" });
    }
    const { remote } = tunnel;
    if (to?.kind === "prefix" && remote !== undefined && inPrefix(remote.bytes, to.bytes, to.prefix)) {
      const what =
        `leads to ${to.text}, which holds \`remote\` ${remote.text}: the tunnel's own packets would ` +
        "go into it";
      const instead = `make sure of a route to ${remote.text} that does not lead through the tunnel`;
      check.report({ path: at, what, instead, severity: "warning" });
    }
  });
}

function checkKeepalive(check: Check, path: Path, tunnel: RawTunnel): void {
  const { keepalive, type } = tunnel;
  if (keepalive === undefined || type === undefined) return;
  const at = [...path, "keepalive"];
  const { target } = keepalive;
  if (target !== undefined) {
    const own = tunnel.addresses?.some((entry) => entry?.address?.text === target.text);
    const outer = target.text === tunnel.remote?.text || target.text === tunnel.local?.text;
    const inside = tunnel.addresses === undefined || tunnel.addresses.some((entry) => {
      const base = entry?.peer ?? entry?.address;
      return base === undefined || inPrefix(target.bytes, base.bytes, entry?.address?.prefix ?? 0);
    });
    const routed = tunnel.routes?.some((route) =>
      route?.to === undefined || route.to.kind !== "prefix" ||
      inPrefix(target.bytes, route.to.bytes, route.to.prefix)
    ) ?? false;
    if (own || outer) {
      const what = `is ${target.text}, ${own ? "this end's own address" : "an outer address"}`;
      check.report({ path: [...at, "target"], what, instead: "write the peer's address inside the tunnel" });
    } else if (!inside && !routed && !isLinkLocal(target.bytes)) {
      const what = `is ${target.text}, which is in no network of the tunnel's \`addresses\` and \`routes\``;
      const instead = "write the peer's address inside the tunnel";
      check.report({ path: [...at, "target"], what, instead, severity: "warning" });
    }
    return;
  }
  if (type === "gre" || isWritten(check, [...at, "target"]) || keepaliveTarget(tunnel) !== null) return;
  // An address that could not be read may be the one that tells.
  if (tunnel.addresses?.includes(undefined) || check.meant.has([...at, "target"].join("."))) return;
  const what = `does not know whom to ask: \`addresses\` does not tell the peer's address`;
  check.report({ path: at, what, instead: "add target: the peer's address inside the tunnel", at: "key" });
}

function checkTunnel(check: Check, name: string, tunnel: RawTunnel, raw: RawConfig): void {
  const path = ["tunnels", name];
  requireKeys(check, path, TUNNEL_REQUIRED);
  checkEnds(check, path, tunnel);
  checkKeys(check, path);
  checkMtu(check, path, tunnel, raw);
  checkAddresses(check, path, tunnel);
  checkRoutes(check, path, tunnel);
  checkKeepalive(check, path, tunnel);
  if (tunnel.dev === name) {
    check.report({
      path: [...path, "dev"],
      what: `is ${name}, the tunnel itself`,
      instead: "name what is below it",
    });
  }
  if (tunnel.pmtudisc !== undefined && isOverIpv6(tunnel)) {
    const what = "has no effect over IPv6, where routers never fragment";
    check.report({ path: [...path, "pmtudisc"], what, instead: "remove it", at: "key", severity: "warning" });
  }
}

/** Whether the advertisements of the instances on tunnels fit into them. */
function checkAdverts(check: Check, raw: RawConfig): void {
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    const tunnel = raw.tunnels?.[instance?.interface ?? ""];
    if (instance === undefined || tunnel?.type === undefined) continue;
    if (tunnel.mtu === undefined && isWritten(check, ["tunnels", instance.interface!, "mtu"])) continue;
    const [mtu, sure] = tunnel.mtu === undefined
      ? [ETHERNET_MTU - overheadOf(tunnel), false]
      : [tunnel.mtu, true];
    const why = sure
      ? `whose mtu is ${mtu}`
      : `which carries ${mtu} bytes over an Ethernet of ${ETHERNET_MTU}`;
    const instead = `${sure ? "raise that, or " : ""}split them over several instances`;
    const how = ` through \`${instance.interface}\`, ${why},`;
    checkRoom(check, ["vrrp", name], instance, { mtu, how, instead, sure });
  }
}

/** Tunnels of which each waits for the one below it would wait for ever. */
function checkCircles(
  check: Check,
  raw: RawConfig,
  tunnels: readonly (readonly [string, RawTunnel])[],
): void {
  for (const [name, { dev }] of tunnels) {
    const below = [name];
    let next = dev;
    while (next !== undefined && !below.includes(next)) {
      below.push(next);
      next = raw.tunnels?.[next]?.dev;
    }
    if (next !== name || dev === name) continue;
    const what = `is ${dev}, which runs over this tunnel itself (${[...below, name].join(" over ")})`;
    check.report({ path: ["tunnels", name, "dev"], what, instead: "name what is below it" });
  }
}

/** Two tunnels of one type cannot share addresses and key: nothing would tell their packets apart. */
function checkTwins(check: Check, tunnels: readonly (readonly [string, RawTunnel])[]): void {
  const taken = new Map<string, string>();
  for (const [name, { type, local, remote, key, ikey, dev }] of tunnels) {
    if (type === undefined || local === undefined || remote === undefined) continue;
    const identity = [type, local.text, remote.text, key ?? ikey, dev].join(" ");
    const other = taken.get(identity);
    if (other === undefined) {
      taken.set(identity, name);
      continue;
    }
    const line = lineOf(check, ["tunnels", other]);
    const what = `has the type, addresses and key of \`${other}\` (line ${line})`;
    check.report({ path: ["tunnels", name], what, instead: "give one of the two another key", at: "key" });
  }
}

/** An address on two tunnels, or one that an instance moves about, would be fought for. */
function checkShared(check: Check, tunnels: readonly (readonly [string, RawTunnel])[], raw: RawConfig): void {
  const taken = new Map<string, string>();
  for (const [name, { addresses }] of tunnels) {
    addresses?.forEach((entry, index) => {
      if (entry?.address === undefined) return;
      const { text } = entry.address;
      const identity = identityOf(raw, entry.address, name)!;
      const other = taken.get(identity);
      if (other !== undefined && other !== name) {
        const what = `is ${text}, which \`${other}\` (line ${lineOf(check, ["tunnels", other])}) has already`;
        const path = ["tunnels", name, "addresses", index, "address"];
        check.report({ path, what, instead: "give it to one of the two" });
      }
      taken.set(identity, name);
    });
  }
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    // The owner's virtual addresses are those of its interface.
    if (instance === undefined || instance.priority === 255) continue;
    instance.addresses?.forEach((vip, index) => {
      if (vip?.address === undefined) return;
      const identity = identityOf(raw, vip.address, deviceOf(instance, vip));
      const owner = identity === undefined ? undefined : taken.get(identity);
      if (owner === undefined) return;
      const what = `is ${vip.address.text}, the tunnel \`${owner}\`'s own address`;
      const path = ["vrrp", name, "addresses", index, "address"];
      check.report({ path, what, instead: "write an address that no router has for itself" });
    });
  }
}

/** Checks every tunnel, and tunnels against each other. */
export function checkTunnels(check: Check, raw: RawConfig): void {
  for (const name of writtenKeys(check, ["tunnels"])) checkName(check, name);
  const tunnels = Object.entries(raw.tunnels ?? {}).flatMap(([name, tunnel]) =>
    tunnel === undefined ? [] : [[name, tunnel] as const]
  );
  for (const [name, tunnel] of tunnels) checkTunnel(check, name, tunnel, raw);
  checkCircles(check, raw, tunnels);
  checkTwins(check, tunnels);
  checkShared(check, tunnels, raw);
  checkAdverts(check, raw);
}
