/**
 * Routes and rules as an operator wants them: plain data that crosses from the control process to the engine.
 *
 * @module
 */
import type { Family, VipConfig } from "../address/config.ts";

/** One way of a route that has several. */
export interface NextHopConfig {
  /** Gateway in text form; null = the destination is on the link. */
  readonly via: string | null;
  readonly dev: string | null;
  /** 1..256: its share of the traffic. */
  readonly weight: number;
  /** The gateway is taken to be on the link whatever the addresses say. */
  readonly onlink: boolean;
}

/** A route. */
export interface RouteConfig {
  readonly family: Family;
  /** Destination with prefix length, `10.5.0.0/16`; null = default. */
  readonly to: string | null;
  /** What becomes of the packets. */
  readonly type: "unicast" | "blackhole" | "unreachable" | "prohibit" | "throw";
  /** Gateway in text form, for IPv4 also an IPv6 one; null = none. */
  readonly via: string | null;
  readonly dev: string | null;
  /** Lower wins; null = the kernel's own (IPv4 0, IPv6 1024). */
  readonly metric: number | null;
  readonly table: number;
  /** Preferred source address in text form. */
  readonly source: string | null;
  /** Routing scope as rtnetlink's number; null = the one that fits. */
  readonly scope: number | null;
  /** The gateway is taken to be on the link whatever the addresses say. */
  readonly onlink: boolean;
  /** Bytes; null = the device's. */
  readonly mtu: number | null;
  /** Several ways instead of `via` and `dev`; empty when there is one. */
  readonly nexthops: readonly NextHopConfig[];
}

/** A rule: which packets look into which table. */
export interface RuleConfig {
  readonly family: Family;
  /** Lower is asked first. */
  readonly priority: number;
  readonly action: "lookup" | "blackhole" | "unreachable" | "prohibit";
  /** Null unless the action is `lookup`. */
  readonly table: number | null;
  /** Source and destination with prefix length; null = any. */
  readonly from: string | null;
  readonly to: string | null;
  /** Names of the interfaces that the packet came by, or goes out by. */
  readonly iif: string | null;
  readonly oif: string | null;
  readonly fwmark: number | null;
  readonly fwmask: number | null;
  readonly tos: number;
  /** IP protocol number. */
  readonly ipProtocol: number | null;
  /** Matches what the rest does not. */
  readonly invert: boolean;
  /** Ignores routes whose prefix is this long or shorter. */
  readonly suppressPrefix: number | null;
}

/** What is there as long as the daemon runs, whoever is master. */
export interface StaticConfig {
  /** Each with its interface. */
  readonly addresses: readonly (VipConfig & { readonly dev: string })[];
  readonly routes: readonly RouteConfig[];
  readonly rules: readonly RuleConfig[];
  /** Left in place when the daemon stops. */
  readonly keep: boolean;
}

/** Nothing. */
export const NO_STATIC: StaticConfig = Object.freeze({ addresses: [], routes: [], rules: [], keep: false });
