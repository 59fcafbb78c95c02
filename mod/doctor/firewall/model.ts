/**
 * Firewall rules as far as it takes to tell what becomes of one packet. Pure.
 *
 * @module
 */
import type { Family } from "../../vrrp/config.ts";

/** True, false, or null: cannot be told. */
export type Truth = boolean | null;

/** A packet that the daemon depends on. What is null is not known. */
export interface Packet {
  readonly family: Family;
  /** IP protocol number. */
  readonly protocol: number;
  readonly direction: "in" | "out";
  readonly interface: string;
  readonly source: Uint8Array | null;
  readonly destination: Uint8Array | null;
  readonly multicast: boolean;
  /** Of TCP. */
  readonly port: number | null;
  /** Of ICMPv6. */
  readonly icmpType: number | null;
  /** What connection tracking takes it for; null = that depends on what passed before. */
  readonly tracking: "new" | "untracked" | null;
}

/** Whether a packet has a property. */
export type Match = (packet: Packet) => Truth;

/** What a rule does with what it matches; `other` = it cannot be told. */
export type Action =
  | { readonly type: "accept" | "drop" | "return" | "continue" | "other" }
  | { readonly type: "jump" | "goto"; readonly chain: string };

/** A rule: the packet must match all. `text` says which one it is. */
export interface Rule {
  readonly matches: readonly Match[];
  readonly action: Action;
  readonly text: string;
}

/** Where a chain is entered from. */
export interface Base {
  readonly hook: "prerouting" | "input" | "output" | "postrouting";
  /** Null = both. */
  readonly family: Family | null;
  readonly policy: "accept" | "drop";
}

/** A chain; `label` as its program calls it: `inet filter input`. */
export interface Chain {
  readonly base: Base | null;
  readonly label: string;
  /** Which program changes it. */
  readonly program: "nft" | "iptables" | "ip6tables";
  readonly rules: readonly Rule[];
}

/** Chains by a key that is unique in the machine. */
export type Ruleset = ReadonlyMap<string, Chain>;

/** IP protocols by the names that rules use for them. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  vrrp: 112,
  carp: 112,
  gre: 47,
  ah: 51,
  tcp: 6,
  "ipv6-icmp": 58,
  icmpv6: 58,
};

/** Whether a word names a protocol; a word that is none of those that matter here is another protocol. */
export function isProtocol(word: string, protocol: number): Truth {
  const number = /^\d+$/.test(word) ? Number(word) : PROTOCOLS[word];
  return number === protocol;
}

/** Whether an interface name fits a pattern that may end in a wildcard. */
export function isInterface(pattern: string, name: string, wildcard: "*" | "+"): boolean {
  return pattern.endsWith(wildcard) ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** The opposite. */
export function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

/** Whether one of them holds. */
export function anyOf(truths: readonly Truth[]): Truth {
  return truths.includes(true) ? true : truths.includes(null) ? null : false;
}

/** Whether all of them hold. */
export function allOf(truths: readonly Truth[]): Truth {
  return truths.includes(false) ? false : truths.includes(null) ? null : true;
}

/** Whether connection tracking sees a packet in one of these states. */
export function isTracked({ tracking }: Packet, states: readonly string[]): Truth {
  if (tracking !== null) return states.some((state) => state.toLowerCase() === tracking);
  return states.every((state) => /^(invalid|untracked)$/i.test(state)) ? false : null;
}
