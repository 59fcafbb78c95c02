/**
 * Virtual MAC addresses (RFC 5798 §7.3, RFC 9568 §7.3): each on a macvlan of its own above the interface that VRRP runs
 * on. The macvlan is there and up all the time; only the master gives it addresses and lets it accept packets.
 *
 * @module
 */
import type { Link } from "../../lib/netlink/mod.ts";

/** A virtual router's macvlan, as it is to be. */
export interface Vmac {
  /** Name of the macvlan. */
  readonly name: string;
  /** Name of the interface below. */
  readonly base: string;
  /** 00:00:5e:00:01:VRID for IPv4, 00:00:5e:00:02:VRID for IPv6. */
  readonly mac: Uint8Array;
  /** Whether IPv4 addresses are put on it. */
  readonly ipv4: boolean;
  /** Whether IPv6 addresses are put on it. */
  readonly ipv6: boolean;
}

/** Settings of the base that were changed for its macvlans, with the values from before. */
export type BaseSettings = Readonly<Record<string, number>>;

/** What we write on a macvlan of ours, as the link's alias, for whoever finds it when we are gone. */
export interface Mark {
  /** The process that keeps it: inode of its PID namespace, PID and time of start: `4026531836/1234/5678`. */
  readonly keeper: string;
  readonly before: BaseSettings;
}

/** What is to be done about a macvlan. */
export type Verdict =
  /** Nothing: it is as it should be. */
  | { readonly type: "fits"; readonly link: Link }
  /** A run before this one left it as it should be. */
  | { readonly type: "adopt"; readonly link: Link; readonly mark: Mark }
  /** Somebody set it down. */
  | { readonly type: "set-up"; readonly link: Link }
  /** It is not there, or is no use; `remove` = what has to go first. */
  | { readonly type: "make"; readonly remove: readonly Link[] }
  /** It cannot be made; why, in words. */
  | { readonly type: "refuse"; readonly fault: string };
