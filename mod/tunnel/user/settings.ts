/**
 * What the two ends of a user-space tunnel's pipe tell each other: its settings and a word or two one way, what became
 * of them the other. Plain data; one JSON object a line. Pure.
 *
 * @module
 */
import type { TunnelConfig } from "../model.ts";

/** As much of a tunnel's configuration as the process that moves its packets must know: the first line it is sent. */
export interface UserTunnelSettings extends UserTunnelParameters {
  /** Whether the far end's GRE keepalives are answered; not when somebody else on this machine does. */
  readonly answersKeepalives: boolean;
  /**
   * Process id of the engine, which starts another control when this one dies: as long as it lives, a successor may
   * come. Null = nobody does, and the process ends with its input.
   */
  readonly engine: number | null;
}

/**
 * What the process is told after its settings, a line each: `release` = its successor may have all it has, `end` = end.
 * An input that ends without a word is that of a control that has died, or of a daemon that another one goes on for.
 */
export type UserTunnelWord = "release" | "end";

type UserTunnelParameters = Pick<
  TunnelConfig,
  | "name"
  | "type"
  | "local"
  | "remote"
  | "ikey"
  | "okey"
  | "ttl"
  | "tos"
  | "mtu"
  | "checksum"
  | "sequence"
  | "pmtudisc"
  | "dev"
>;

/** Why a packet was not passed on. Inbound: from the underlay; outbound: from the tunnel's own device. */
export const USER_DROP_REASONS = [
  // Inbound.
  "remote", // from another host than the remote end (counted up to some hundred a second)
  "truncated",
  "version",
  "flags",
  "key",
  "checksum", // wrong, missing, or there though none is agreed
  "sequence", // older than one before, or missing
  "protocol", // neither what the tunnel carries nor a keepalive
  "ecn", // marked as congested though the packet inside does not take part
  "device", // our device did not take it, or is down
  "overflow", // it came faster than we read
  // Outbound.
  "no-underlay", // the local address or the route is missing
  "too-big", // larger than the path allows
  "loop", // our own outer packet, routed into the tunnel
  "refused", // a firewall forbids it
  "unsent", // any other error of the underlay
] as const;

/** One of {@link USER_DROP_REASONS}. */
export type UserDropReason = typeof USER_DROP_REASONS[number];

/** Totals since the process started. Bytes are those of the packets inside. */
export interface UserTunnelCounters {
  readonly received: { readonly packets: number; readonly bytes: number };
  readonly sent: { readonly packets: number; readonly bytes: number };
  /** GRE keepalives of the far end that were answered. */
  readonly keepalives: number;
  /** Reasons that did occur. */
  readonly dropped: Readonly<Partial<Record<UserDropReason, number>>>;
}

/** What the process tells. */
export type UserTunnelReport =
  /** The device is there, and its packets can (`up`) or cannot leave; `reason` is a sentence, null when up. */
  | { readonly type: "state"; readonly up: boolean; readonly reason: string | null; readonly mtu: number }
  | { readonly type: "counters"; readonly counters: UserTunnelCounters }
  /** Nothing new, once a second: it has not hung. */
  | { readonly type: "alive" }
  /** It cannot work, and ends. */
  | { readonly type: "failed"; readonly reason: string };

/** The settings within a tunnel's configuration. */
export function settingsOf(config: TunnelConfig, engine: number | null = null): UserTunnelSettings {
  const { name, type, local, remote, ikey, okey, ttl, tos, mtu, checksum, sequence, pmtudisc, dev } = config;
  // Who asks by GRE keepalive answers as well.
  const answersKeepalives = config.keepalive?.methods.includes("gre") !== true;
  return {
    ...{ name, type, local, remote, ikey, okey, ttl, tos, mtu, checksum, sequence, pmtudisc, dev },
    answersKeepalives,
    engine,
  };
}

/** Whether the outer packets are IPv6. */
export function isOverIpv6(settings: Pick<UserTunnelSettings, "type">): boolean {
  return settings.type.startsWith("ip6");
}

/** Whether Ethernet frames are carried. */
export function isTap(settings: Pick<UserTunnelSettings, "type">): boolean {
  return settings.type.endsWith("tap");
}
