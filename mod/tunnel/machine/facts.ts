/**
 * What of a machine decides whether a tunnel can work on it. Plain data, so that what follows from it can be tested.
 *
 * @module
 */
import type { KernelGre } from "../support.ts";

/** An interface. */
export interface FactInterface {
  readonly name: string;
  /** `gretap`, `veth`, `tun`…; null for hardware and the loopback. */
  readonly kind: string | null;
  readonly up: boolean;
  /** Bytes. */
  readonly mtu: number;
  /** Canonical text, without prefix. */
  readonly addresses: readonly string[];
}

/** A route of the main table to where packets are sent. */
export interface FactRoute {
  /** Canonical text. */
  readonly destination: string;
  /** Bits; 0 = the default route. */
  readonly prefix: number;
  /** Null = a route that leads nowhere (unreachable, blackhole), or by several ways. */
  readonly dev: string | null;
  readonly metric: number;
}

/** What a machine is like. */
export interface MachineFacts {
  readonly interfaces: readonly FactInterface[];
  /** Of the tunnels' local addresses those that the kernel takes for this machine's own: a route may make one, too. */
  readonly locals: readonly string[];
  readonly routes: readonly FactRoute[];
  /** Whether packets of others are forwarded; null = not to be found out. */
  readonly forwarding: { readonly ipv4: boolean | null; readonly ipv6: boolean | null };
  /** net.ipv4.conf.NAME.rp_filter by interface, `all` and `default` among them. */
  readonly rpFilter: Readonly<Record<string, number>>;
  /** What the kernel offers; null = not to be found out. */
  readonly gre: KernelGre | null;
  /** Why the module of the type could not be loaded, by module; one that is there or was not tried is not in it. */
  readonly moduleFailures: Readonly<Record<string, string>>;
}
