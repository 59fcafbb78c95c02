/**
 * Addresses as the operator wants them.
 *
 * @module
 */

export type Family = "ipv4" | "ipv6";

/** A virtual address and where it is put. */
export interface VipConfig {
  /** Text form, without prefix: `10.9.0.100`. */
  readonly address: string;
  readonly prefix: number;
  /** Interface that carries it; null = the one VRRP runs on. */
  readonly dev: string | null;
  readonly label: string | null;
  /** Routing scope as rtnetlink's number (0 global, 253 link, 254 host); null = global. */
  readonly scope: number | null;
  /** Broadcast address in text form; null = none. */
  readonly broadcast: string | null;
}
