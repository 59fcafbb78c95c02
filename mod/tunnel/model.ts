/**
 * What an operator wants of a tunnel, and what is known of it: plain, frozen data.
 *
 * @module
 */

/** `…tap` carries Ethernet frames, the others IP packets; `ip6…` runs over IPv6. */
export type TunnelType = "gre" | "gretap" | "ip6gre" | "ip6gretap";

/** An address of the tunnel's own interface. */
export interface TunnelAddress {
  /** Canonical text. */
  readonly address: string;
  /** Bits. */
  readonly prefix: number;
  /** The far end of a point-to-point address; null = a subnet like any other. */
  readonly peer: string | null;
}

/** A route through the tunnel. */
export interface TunnelRoute {
  /** Canonical text of its first address; `0.0.0.0` or `::` with prefix 0 is the default route. */
  readonly destination: string;
  /** Bits. */
  readonly prefix: number;
  readonly via: string | null;
  /** Lower wins; null = the kernel's own (0, IPv6 1024). */
  readonly metric: number | null;
  /** Preferred source address. */
  readonly source: string | null;
  /** Number of the routing table; null = main. */
  readonly table: number | null;
}

/** What asks the far end whether it is there. */
export type KeepaliveMethod = "gre" | "arp" | "icmp";

/** How the far end is watched. */
export interface KeepaliveConfig {
  /** From one question to the next, in milliseconds; ≥ 50. */
  readonly intervalMs: number;
  /** Questions without an answer after which the tunnel is down; ≥ 1. */
  readonly retries: number;
  /**
   * The peer's address inside the tunnel. Null only where none is needed: a `gre` tunnel asks by GRE keepalive, and by
   * ICMP as well when there is a target, because few kernels answer the former by themselves.
   */
  readonly target: string | null;
  /** What asks: never empty. `gre` on tunnels of type `gre` only, `arp` on a tap with an IPv4 target only. */
  readonly methods: readonly KeepaliveMethod[];
}

/** Who moves the packets: `auto` = the kernel where it can. */
export type DatapathChoice = "auto" | "kernel" | "user";

/** One tunnel: already checked, with every default filled in. */
export interface TunnelConfig {
  /** Name of its interface. */
  readonly name: string;
  readonly type: TunnelType;
  /** Outer addresses, canonical text, of the family of the type. */
  readonly local: string;
  readonly remote: string;
  /** Key demanded of what comes in, and put on what goes out: 32 bits; null = none. */
  readonly ikey: number | null;
  readonly okey: number | null;
  /** Outer TTL or hop limit; 0 = that of the packet inside. */
  readonly ttl: number;
  /** Outer TOS or traffic class; 1 = that of the packet inside. */
  readonly tos: number;
  /** Bytes; null = what the kernel computes. */
  readonly mtu: number | null;
  readonly checksum: boolean;
  readonly sequence: boolean;
  /** Don't Fragment on the outer packet (IPv4 only). */
  readonly pmtudisc: boolean;
  /** Device that the outer packets are bound to; null = wherever the route leads. */
  readonly dev: string | null;
  readonly addresses: readonly TunnelAddress[];
  readonly routes: readonly TunnelRoute[];
  /** The tunnel stays when the daemon ends. */
  readonly keep: boolean;
  readonly datapath: DatapathChoice;
  readonly keepalive: KeepaliveConfig | null;
}

/** `unknown` until it is known whether it works; with keepalive until the first answer or silence. */
export type TunnelStatus = "unknown" | "up" | "down";

/** What is known of a tunnel's interface after it was last looked at. */
export interface TunnelLink {
  readonly index: number;
  /** Bytes. */
  readonly mtu: number;
  /** Set up, and able to carry packets. */
  readonly running: boolean;
  readonly datapath: "kernel" | "user";
}

/** What is known of a tunnel. Monotonic milliseconds have an arbitrary origin. */
export interface TunnelState {
  readonly status: TunnelStatus;
  /** When `status` was entered: milliseconds since 1970. */
  readonly sinceMs: number;
  /** Null while there is no interface of ours. */
  readonly link: TunnelLink | null;
  /** Why it is down, or what is wrong while it is up; null = nothing. */
  readonly error: string | null;
  /** Round trip of the last answer in milliseconds; null before the first, and while down. */
  readonly latencyMs: number | null;
  /** Monotonic milliseconds from which silence counts: the start, or the last answer. Null while nobody is asked. */
  readonly heardMs: number | null;
  /** The last question could not be sent: why; null = it could. */
  readonly sendError: string | null;
  readonly sent: number;
  readonly received: number;
  /** Times that something of the tunnel was put back after someone else took it away or changed it. */
  readonly repairs: number;
  /** What was put back last; null = nothing yet. */
  readonly lastRepair: string | null;
  /** What turned `status` last; null while it never turned. */
  readonly lastChangeReason: string | null;
}

/** A tunnel and what is known of it. */
export interface TunnelSnapshot {
  readonly config: TunnelConfig;
  readonly state: TunnelState;
}

/** Told when a tunnel's status turned, when something was put back, and when something new is wrong. */
export interface TunnelReport extends TunnelSnapshot {
  readonly name: string;
  /** Status differs from before. */
  readonly changed: boolean;
  /** Status before. */
  readonly from: TunnelStatus;
  /** What was put back just now, in words; null = nothing. */
  readonly repaired: string | null;
}
