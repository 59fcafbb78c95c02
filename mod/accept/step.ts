/**
 * The nftables table that drops what is for the guarded addresses, as requests. The rules are there all the time: a
 * virtual address is only this machine's own while it is master, so a fail-over has nothing to change.
 *
 * @module
 */
import type { Expression, SetKeyType } from "../../lib/netlink/mod.ts";
import { compareAddresses, formatAddress, isLinkLocal } from "../../lib/packet/mod.ts";
import type { Guarded } from "./model.ts";

export const CHAIN = "input";

/** One set of addresses and the rules about it. */
export interface DropSet {
  readonly name: string;
  readonly key: SetKeyType;
  readonly rules: readonly (readonly Expression[])[];
  /** The keys of these addresses as far as they belong into this set. */
  readonly elements: (guarded: readonly Guarded[]) => Uint8Array[];
}

const IFNAME_LENGTH = 16;
const IPPROTO_ICMPV6 = 58;
/** ICMPv6 types of neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4). */
const ND_FIRST = 135;
const ND_LAST = 136;

const LOAD_DESTINATION = {
  ipv4: { type: "payload", base: "network", offset: 16, length: 4, register: 1 },
  ipv6: { type: "payload", base: "network", offset: 24, length: 16, register: 1 },
} as const;

function family(number: number): Expression[] {
  return [
    { type: "meta", key: "nfproto", register: 1 },
    { type: "compare", register: 1, by: "equal", value: Uint8Array.of(number) },
  ];
}

const IPV4 = family(2);
const IPV6 = family(10);
const DROP: Expression = { type: "verdict", verdict: "drop" };

/** Lets neighbour discovery through: neighbours also ask the address itself whether it is still there. */
const NEIGHBOURS_PASS: readonly Expression[] = [
  { type: "meta", key: "l4proto", register: 1 },
  { type: "compare", register: 1, by: "equal", value: Uint8Array.of(IPPROTO_ICMPV6) },
  { type: "payload", base: "transport", offset: 0, length: 1, register: 1 },
  { type: "compare", register: 1, by: "atLeast", value: Uint8Array.of(ND_FIRST) },
  { type: "compare", register: 1, by: "atMost", value: Uint8Array.of(ND_LAST) },
  { type: "verdict", verdict: "accept" },
];

/** Address and interface name as one key, each part filled up to a register. */
function linkKey({ address, interface: name }: Guarded): Uint8Array {
  const key = new Uint8Array(address.length + IFNAME_LENGTH);
  key.set(address);
  key.set(new TextEncoder().encode(name), address.length);
  return key;
}

function unique(elements: readonly Uint8Array[]): Uint8Array[] {
  const sorted = elements.toSorted(compareAddresses);
  return sorted.filter((element, index) =>
    index === 0 || compareAddresses(sorted[index - 1]!, element) !== 0
  );
}

function lookup(set: string): Expression {
  return { type: "lookup", register: 1, set };
}

const MATCH_IPV4 = [...IPV4, LOAD_DESTINATION.ipv4, lookup("ipv4")];
const MATCH_IPV6 = [...IPV6, LOAD_DESTINATION.ipv6, lookup("ipv6")];
const LOAD_INTERFACE: Expression = { type: "meta", key: "iifname", register: 2 };
const MATCH_LINK = [...IPV6, LOAD_DESTINATION.ipv6, LOAD_INTERFACE, lookup("link")];
/** The first 4 bytes of register 1, and what follows them. */
const MATCH_LINK4: readonly Expression[] = [
  ...IPV4,
  { ...LOAD_DESTINATION.ipv4, register: 8 },
  { type: "meta", key: "iifname", register: 9 },
  { type: "lookup", register: 8, set: "link4" },
];

/** The sets that the table has; a change of addresses changes their elements alone. */
export const DROP_SETS: readonly DropSet[] = [
  {
    name: "ipv4",
    key: "ipv4_addr",
    rules: [[...MATCH_IPV4, DROP]],
    elements: (guarded) =>
      unique(
        guarded.filter(({ address }) => address.length === 4 && !isLinkLocal(address))
          .map(({ address }) => address),
      ),
  },
  {
    name: "ipv6",
    key: "ipv6_addr",
    rules: [[...MATCH_IPV6, ...NEIGHBOURS_PASS], [...MATCH_IPV6, DROP]],
    elements: (guarded) =>
      unique(
        guarded.filter(({ address }) => address.length === 16 && !isLinkLocal(address))
          .map(({ address }) => address),
      ),
  },
  {
    name: "link",
    key: "ipv6_addr . ifname",
    rules: [[...MATCH_LINK, ...NEIGHBOURS_PASS], [...MATCH_LINK, DROP]],
    elements: (guarded) =>
      unique(guarded.filter(({ address }) => address.length === 16 && isLinkLocal(address)).map(linkKey)),
  },
  {
    name: "link4",
    key: "ipv4_addr . ifname",
    rules: [[...MATCH_LINK4, DROP]],
    elements: (guarded) =>
      unique(guarded.filter(({ address }) => address.length === 4 && isLinkLocal(address)).map(linkKey)),
  },
];

/** Tells whether two lists guard the same. */
export function guardKey(guarded: readonly Guarded[]): string {
  return guarded.map(({ address, interface: name }) => `${formatAddress(address)} ${name}`).toSorted().join(
    ",",
  );
}
