/**
 * From tunnels as they were read to those of the config.
 *
 * @module
 */
import { formatAddress } from "../../lib/packet/address.ts";
import type { KeepaliveConfig, KeepaliveMethod, TunnelConfig, TunnelType } from "../tunnel/model.ts";
import type { Network } from "./schema/route.ts";
import { type RawTunnel, TUNNEL_DEFAULTS } from "./schema/tunnel.ts";

type RawAddress = NonNullable<NonNullable<RawTunnel["addresses"]>[number]>;
type RawTunnelRoute = NonNullable<NonNullable<RawTunnel["routes"]>[number]>;

/** A value that the checks made sure of. */
function sure<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error("Cannot build the config: a required value of a tunnel slipped through the checks");
  }
  return value;
}

/** The other address of a subnet that holds two; null = it holds more, or one. */
function otherOf({ address, peer }: RawAddress): string | null {
  if (peer !== undefined) return peer.text;
  if (address === undefined) return null;
  const spare = address.bytes.length * 8 - address.prefix;
  if (spare !== 1 && spare !== 2) return null;
  const bytes = address.bytes.slice();
  const last = bytes.length - 1;
  const host = bytes[last]! & ((1 << spare) - 1);
  // Of four, the first is the network's own and the last its broadcast address.
  if (spare === 2 && host !== 1 && host !== 2) return null;
  bytes[last] = bytes[last]! ^ (spare === 1 ? 1 : 3);
  return formatAddress(bytes);
}

/** The peer's address inside the tunnel: the one that is written, or the one that follows from the addresses. */
export function keepaliveTarget(raw: RawTunnel): string | null {
  if (raw.keepalive?.target !== undefined) return raw.keepalive.target.text;
  const others = (raw.addresses ?? []).flatMap((entry) => entry === undefined ? [] : [otherOf(entry)]);
  return others.find((other) => other !== null) ?? null;
}

function methodsOf(type: TunnelType, target: string | null): readonly KeepaliveMethod[] {
  if (type === "gre") return target === null ? ["gre"] : ["gre", "icmp"];
  return type.endsWith("tap") && target?.includes(":") === false ? ["arp"] : ["icmp"];
}

function keepaliveOf(type: TunnelType, raw: RawTunnel): KeepaliveConfig | null {
  if (raw.keepalive === undefined) return null;
  const target = keepaliveTarget(raw);
  return {
    intervalMs: raw.keepalive.interval ?? TUNNEL_DEFAULTS.intervalMs,
    retries: raw.keepalive.retries ?? TUNNEL_DEFAULTS.retries,
    target,
    methods: methodsOf(type, target),
  };
}

/** The IP version of a route: its destination's, or else that of what it names. */
export function familyOfTunnelRoute(raw: RawTunnelRoute): "ipv4" | "ipv6" {
  return raw.to?.family ?? raw.via?.family ?? raw.source?.family ?? "ipv4";
}

function destinationOf(to: Network, family: "ipv4" | "ipv6"): { destination: string; prefix: number } {
  if (to.kind === "prefix") return { destination: formatAddress(to.bytes), prefix: to.prefix };
  return { destination: family === "ipv4" ? "0.0.0.0" : "::", prefix: 0 };
}

/** A tunnel that the checks found no error in. */
export function tunnelOf(name: string, raw: RawTunnel): TunnelConfig {
  const type = sure(raw.type);
  return {
    name,
    type,
    local: sure(raw.local).text,
    remote: sure(raw.remote).text,
    ikey: raw.key ?? raw.ikey ?? null,
    okey: raw.key ?? raw.okey ?? null,
    ttl: raw.ttl ?? TUNNEL_DEFAULTS.ttl,
    tos: raw.tos ?? TUNNEL_DEFAULTS.tos,
    mtu: raw.mtu ?? null,
    checksum: raw.checksum ?? false,
    sequence: raw.sequence ?? false,
    pmtudisc: raw.pmtudisc ?? TUNNEL_DEFAULTS.pmtudisc,
    dev: raw.dev ?? null,
    addresses: (raw.addresses ?? []).map((entry) => {
      const { address, peer } = sure(entry);
      const { text, prefix } = sure(address);
      return { address: text, prefix, peer: peer?.text ?? null };
    }),
    routes: (raw.routes ?? []).map((entry) => {
      const route = sure(entry);
      return {
        ...destinationOf(sure(route.to), familyOfTunnelRoute(route)),
        via: route.via?.text ?? null,
        metric: route.metric ?? null,
        source: route.source?.text ?? null,
        table: route.table ?? null,
      };
    }),
    keep: raw.keep ?? false,
    datapath: raw.datapath ?? TUNNEL_DEFAULTS.datapath,
    keepalive: keepaliveOf(type, raw),
  };
}
