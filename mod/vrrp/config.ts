/**
 * What an operator wants of a virtual router: plain, frozen data that crosses from the control process to the engine.
 *
 * @module
 */
import { AH_LENGTH, IPV4_HEADER_LENGTH, IPV6_HEADER_LENGTH, vrrpLength } from "../../lib/packet/mod.ts";
import type { Family, VipConfig } from "../address/config.ts";
import type { RouteConfig, RuleConfig } from "../route/config.ts";

export type { Family, VipConfig } from "../address/config.ts";

/** How virtual addresses are announced by gratuitous ARP or unsolicited neighbour advertisements. */
export interface AnnounceConfig {
  /** Packets per address in one burst. */
  readonly repeat: number;
  /** When the second burst follows the first, in milliseconds; 0 = no second burst. */
  readonly delayMs: number;
  /** Period of the refresh while master, in milliseconds; 0 = no refresh. */
  readonly refreshMs: number;
  /** Packets per address in one refresh. */
  readonly refreshRepeat: number;
  /** Least time between two packets, in milliseconds; 0 = no pacing. */
  readonly intervalMs: number;
}

/** Version 2 authentication (RFC 2338 appendix; removed by RFC 3768, alive everywhere). */
export type AuthConfig =
  | { readonly type: "none" }
  | { readonly type: "pass"; readonly key: string }
  | { readonly type: "ah"; readonly key: string };

interface TrackCommon {
  /** With the kind as shown in the status document: `probe:nginx`, `interface:eth1`, `instance:lan`, `route:default`. */
  readonly name: string;
  readonly weight: number | null;
  readonly reverse: boolean;
}

/**
 * Something whose failure moves the priority. `weight` null = failure means FAULT. Otherwise keepalived's table:
 * +w while up, −w while down, exchanged by `reverse`.
 */
export type TrackConfig =
  | TrackCommon & { readonly kind: "probe" | "interface" | "tunnel" }
  /** Another instance of this node, by its unit: up = not in FAULT, or (`master`) only while it is master. */
  | TrackCommon & { readonly kind: "instance"; readonly state: "up" | "master" }
  /** A default route in the main table. */
  | TrackCommon & { readonly kind: "route"; readonly family: Family };

/** How long a change of a link has to last before it counts, in milliseconds; 0 = it counts at once. */
export interface DebounceConfig {
  readonly downMs: number;
  readonly upMs: number;
}

/** A MAC address of the virtual router's own (RFC 5798 §7.3), on an interface of its own. */
export interface VmacConfig {
  /** Name of that interface, a macvlan; the addresses that it carries name it as their `dev`. */
  readonly name: string;
  /** Whether advertisements come from the virtual MAC address, too, or from that of the interface below. */
  readonly advertise: "vmac" | "base";
}

/** One virtual router of one address family. */
export interface VrrpConfig {
  /** Unique. */
  readonly name: string;
  /**
   * What the operator called it. One that names addresses of both families is two virtual routers, which have this in
   * common, move together and are shown as one.
   */
  readonly unit: string;
  /** The routers with the same group share one state; null = it is on its own. */
  readonly group: string | null;
  readonly family: Family;
  readonly interface: string;
  /** The interface is a tunnel that the daemon makes: where it is not there, it is about to come. */
  readonly onTunnel?: true;
  readonly vrid: number;
  readonly version: 2 | 3;
  /** Base priority: 1..254, or 255 for the owner of the addresses. */
  readonly priority: number;
  /** Advertisement interval in centiseconds; whole seconds (multiples of 100) for version 2. */
  readonly intervalCs: number;
  readonly preempt: boolean;
  /** How long a lower master is suffered before it is preempted, in milliseconds. */
  readonly preemptDelayMs: number;
  /** Extra wait after Master_Down_Interval before taking over, in milliseconds. */
  readonly takeoverDelayMs: number;
  /** Missed advertisements that make Master_Down_Interval (3 by the RFCs). */
  readonly downAdverts: number;
  /** Source address of the advertisements; null = the interface's first address of the family. */
  readonly source: string | null;
  /** Unicast peers; empty = multicast. */
  readonly peers: readonly string[];
  readonly auth: AuthConfig;
  /** Null = the addresses have the MAC address of the interface. */
  readonly vmac: VmacConfig | null;
  readonly addresses: readonly VipConfig[];
  /** Addresses that come and go with the virtual ones without being advertised; of either family. */
  readonly extra: readonly VipConfig[];
  /** Routes and rules that are there while this router is master. */
  readonly routes: readonly RouteConfig[];
  readonly rules: readonly RuleConfig[];
  /** Whether packets to the addresses are accepted by a master that does not own them (RFC 5798 §6.1 Accept_Mode). */
  readonly accept: boolean;
  /** Kernel lifetime of the addresses in milliseconds; null = permanent. */
  readonly leaseMs: number | null;
  readonly announce: AnnounceConfig;
  readonly track: readonly TrackConfig[];
  /** By interface, its own or a tracked one; those whose changes count at once are left out. */
  readonly debounce: Readonly<Record<string, DebounceConfig>>;
  /**
   * Form of the version 3 IPv4 checksum that is sent; every form is accepted. `rfc` is RFC 9568's, `pseudo` sums a
   * pseudo-header too, as RFC 5798 has it and keepalived, FRR and tcpdump expect it; `auto` begins with `pseudo` and then
   * speaks as the peers are heard to.
   */
  readonly checksum: "auto" | "rfc" | "pseudo";
  /** `fast` = a backup takes a lower master over after a short skew; `rfc` = after Master_Down_Interval. */
  readonly handover: "fast" | "rfc";
}

/** What makes two configurations the same virtual router: everything else can be changed while it runs. */
export function identity(config: VrrpConfig): string {
  return `${config.interface} ${config.family} ${config.vrid} v${config.version}`;
}

/** Bytes of its advertisements, the IP header included: an interface that takes less cannot carry them. */
export function advertPacketLength(
  { family, version, auth, addresses }: Pick<VrrpConfig, "family" | "version" | "auth" | "addresses">,
): number {
  const ip = family === "ipv4" ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH;
  return ip + (auth.type === "ah" ? AH_LENGTH : 0) + vrrpLength(version, family, addresses.length);
}
