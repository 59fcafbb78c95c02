/**
 * What the tunnel tests share.
 *
 * @module
 */
import type { Link } from "../../../../lib/netlink/mod.ts";
import { parseAddress } from "../../../../lib/packet/address.ts";
import type { KeepaliveConfig, TunnelConfig, TunnelLink } from "../../../../mod/tunnel/model.ts";

export const LINK: TunnelLink = { index: 7, mtu: 1462, running: true, datapath: "kernel" };

export const ARP: KeepaliveConfig = { intervalMs: 1000, retries: 3, target: "10.1.1.3", methods: ["arp"] };

/** A gretap tunnel as the config makes it. */
export function tunnel(more: Partial<TunnelConfig> = {}): TunnelConfig {
  return {
    name: "gretap1",
    type: "gretap",
    local: "192.0.2.10",
    remote: "192.0.2.20",
    ikey: null,
    okey: null,
    ttl: 64,
    tos: 0,
    mtu: null,
    checksum: false,
    sequence: false,
    pmtudisc: true,
    dev: null,
    addresses: [{ address: "10.1.1.2", prefix: 24, peer: null }],
    routes: [],
    keep: false,
    datapath: "auto",
    keepalive: null,
    ...more,
  };
}

export function bytes(address: string): Uint8Array {
  return parseAddress(address)!;
}

/** The link that the kernel shows for {@link tunnel}. */
export function link(more: Partial<Link> = {}, parameters: Partial<NonNullable<Link["tunnel"]>> = {}): Link {
  return {
    index: 7,
    name: "gretap1",
    kind: "gretap",
    up: true,
    running: true,
    flags: 0,
    mtu: 1462,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    master: null,
    link: null,
    operstate: "unknown",
    macvlanMode: null,
    alias: null,
    tunnel: {
      type: "gretap",
      local: bytes("192.0.2.10"),
      remote: bytes("192.0.2.20"),
      ikey: null,
      okey: null,
      ttl: 64,
      tos: 0,
      pmtudisc: true,
      ignoreDf: false,
      csum: false,
      seq: false,
      link: null,
      encapLimit: null,
      ...parameters,
    },
    ...more,
  };
}
