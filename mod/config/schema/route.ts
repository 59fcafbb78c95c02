/**
 * Schema of routes and rules, written in full or as iproute2 has them on one line, and of `static:`.
 *
 * @module
 */
import * as z from "zod/mini";
import { formatAddress, parsePrefix } from "../../../lib/packet/address.ts";
import { parseInteger } from "../units.ts";
import { readScope, SCOPE_DOC, staticAddress } from "./address.ts";
import {
  boolean,
  integer,
  interfaceName,
  list,
  mapping,
  oneOf,
  oneOfWords,
  readAddress,
  scalar,
  shorthand,
} from "./base.ts";
import type { Fail } from "./base.ts";
import { FOREIGN_ROUTE_WORDS, FOREIGN_RULE_WORDS, FOREIGN_TYPES } from "./iproute.ts";

/** What holds where a key is left out. */
export const ROUTE_DEFAULTS = { type: "unicast", table: 254, weight: 1 } as const;
export const RULE_DEFAULTS = { priority: 16384, action: "lookup" } as const;

/** Keys that a route must have. */
export const ROUTE_REQUIRED = { to: "write a destination like 10.5.0.0/16, or default" } as const;

const U32 = 0xffff_ffff;
const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };

/** A destination or source that was read: a prefix, or everything. */
export type Network =
  | { readonly kind: "all"; readonly family: "ipv4" | "ipv6" | null }
  | {
    readonly kind: "prefix";
    readonly family: "ipv4" | "ipv6";
    /** Canonical, with prefix length. */
    readonly text: string;
    readonly bytes: Uint8Array;
    readonly prefix: number;
  };

/** The first address of a prefix. */
function firstAddress(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefix - 8 * index));
    return byte & (0xff << (8 - kept));
  });
}

function readNetwork(value: string, words: readonly string[], fail: Fail): Network {
  if (words.includes(value)) return { kind: "all", family: null };
  const network = parsePrefix(value);
  if (network === null) {
    const example = words.length === 0 ? "write 10.5.0.0/16" : `write 10.5.0.0/16, or ${words[0]}`;
    return fail(`is \`${value}\`, which is not a network`, example);
  }
  const { address: bytes, prefix } = network;
  const family = bytes.length === 4 ? "ipv4" : "ipv6";
  if (prefix === 0) return { kind: "all", family };
  const first = firstAddress(bytes, prefix);
  const text = `${formatAddress(first)}/${prefix}`;
  if (first.some((byte, index) => byte !== bytes[index])) {
    return fail(`is \`${value}\`, which has bits beyond its prefix`, `write ${text}`);
  }
  return { kind: "prefix", family, text, bytes, prefix };
}

function network(description: string, words: readonly string[]) {
  return scalar({ description, type: "string" }, (value, fail) => readNetwork(value, words, fail));
}

function readTable(value: string, fail: Fail): number {
  if (Object.hasOwn(TABLES, value)) return TABLES[value]!;
  const number = parseInteger(value);
  if (!number.ok) {
    return fail(
      `is \`${value}\``,
      "write main, default, local or a number (/etc/iproute2/rt_tables has those of other names)",
    );
  }
  if (number.value >= 1 && number.value <= U32) return number.value;
  return fail(`is ${value}, out of range`, `write a number from 1 to ${U32}`);
}

const TABLE_DOC = {
  anyOf: [{ enum: Object.keys(TABLES) }, { type: "integer", minimum: 1, maximum: U32 }],
};

/** A number with an optional mask, decimal or hexadecimal. */
function readMark(value: string, fail: Fail): { readonly mark: number; readonly mask: number | null } {
  const parts = /^(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9})(?:\/(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9}))?$/i.exec(value);
  const mark = Number(parts?.[1]);
  const mask = parts?.[2] === undefined ? null : Number(parts[2]);
  if (parts === null || mark > U32 || (mask ?? 0) > U32) {
    return fail(`is \`${value}\`, which is not a mark`, "write 100, 0x64 or 0x64/0xff");
  }
  return { mark, mask };
}

const gateway = (description: string) => scalar({ description, type: "string" }, readAddress);
const onlink = boolean("Take the gateway to be on the link whatever the addresses say.", { preset: false });

const nexthop = mapping("One way of a route that has several.", {
  via: gateway("Gateway."),
  dev: interfaceName("Interface."),
  weight: integer("Its share of the traffic.", 1, 256, { preset: ROUTE_DEFAULTS.weight }),
  onlink,
});

/** A route, written in full. */
export const route = mapping("A route.", {
  to: network("Destination with prefix length, or `default`.", ["default"]),
  type: oneOf(
    "What becomes of the packets.",
    ["unicast", "blackhole", "unreachable", "prohibit", "throw"],
    { preset: ROUTE_DEFAULTS.type },
  ),
  via: gateway("Gateway; for an IPv4 destination it may be an IPv6 one."),
  dev: interfaceName("Interface; default: the one that the gateway is on."),
  metric: integer("The lowest wins. Default: the kernel's own (IPv4 0, IPv6 1024).", 0, U32),
  table: scalar({ description: "Routing table.", preset: "main", ...TABLE_DOC }, readTable),
  source: scalar({ description: "Preferred source address.", type: "string" }, readAddress),
  scope: scalar({ ...SCOPE_DOC, description: "Scope; default: the one that fits." }, readScope),
  onlink,
  mtu: integer("Largest packet, in bytes.", 68, 65_535),
  nexthops: list(
    { description: "Several ways, instead of `via` and `dev`.", minItems: 1 },
    z.optional(nexthop),
  ),
}, ROUTE_REQUIRED);

/** A rule, written in full. */
export const rule = mapping("A rule: which packets look into which routing table.", {
  from: network("Source of the packets, or `all`.", ["all"]),
  to: network("Destination of the packets, or `all`.", ["all"]),
  table: scalar({ description: "Routing table that they look into.", ...TABLE_DOC }, readTable),
  priority: integer("The lowest is asked first; the kernel's own are 0, 32766 and 32767.", 1, U32, {
    preset: RULE_DEFAULTS.priority,
  }),
  action: oneOf("What becomes of the packets.", ["lookup", "blackhole", "unreachable", "prohibit"], {
    preset: RULE_DEFAULTS.action,
  }),
  iif: interfaceName("Interface that the packets came by."),
  oif: interfaceName("Interface that the packets of bound sockets go out by."),
  fwmark: scalar({
    description: "Mark of the packets, with an optional mask: 100, 0x64, 0x64/0xff.",
    type: ["integer", "string"],
    pattern: "^(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10})(/(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10}))?$",
  }, readMark),
  tos: integer("Type of service of the packets.", 0, 255, { preset: 0 }),
  ip_protocol: integer("IP protocol number of the packets.", 1, 255),
  not: boolean("Match what the rest does not.", { preset: false }),
  suppress_prefix: integer("Ignore routes whose prefix is this long or shorter.", 0, 128),
  family: oneOf("IP version, where no address tells it.", ["ipv4", "ipv6"], { preset: "ipv4" }),
});

type Words = Record<string, unknown>;

const ROUTE_TYPES = ["unicast", "blackhole", "unreachable", "prohibit", "throw"];
const ROUTE_WORDS: Readonly<Record<string, string>> = {
  to: "to",
  via: "via",
  dev: "dev",
  metric: "metric",
  preference: "metric",
  priority: "metric",
  table: "table",
  src: "source",
  source: "source",
  scope: "scope",
  mtu: "mtu",
};
const HOP_WORDS: Readonly<Record<string, string>> = { via: "via", dev: "dev", weight: "weight" };
const RULE_WORDS: Readonly<Record<string, string>> = {
  from: "from",
  to: "to",
  table: "table",
  lookup: "table",
  priority: "priority",
  pref: "priority",
  preference: "priority",
  iif: "iif",
  dev: "iif",
  oif: "oif",
  fwmark: "fwmark",
  tos: "tos",
  dsfield: "tos",
  ipproto: "ip_protocol",
  suppress_prefixlength: "suppress_prefix",
};

/** Families that may stand before a gateway: `via inet6 fe80::1`, an IPv4 route by an IPv6 router (RFC 5549). */
const GATEWAY_FAMILIES: Readonly<Record<string, "ipv4" | "ipv6">> = { inet: "ipv4", inet6: "ipv6" };

/** Takes `word value` pairs off the front of a line and puts them under our keys. */
class Line {
  readonly #words: string[];
  readonly #fail: Fail;
  readonly #foreign: Readonly<Record<string, string>>;

  /** @param foreign Words that others have, and what to do about them. */
  constructor(text: string, fail: Fail, foreign: Readonly<Record<string, string>> = {}) {
    this.#words = text.trim().split(/\s+/).filter((word) => word !== "");
    this.#fail = fail;
    this.#foreign = foreign;
    const command = /^(?:ip\s+)?(?:-[46]\s+)?(?:route|rule)(?:\s+(?:add|append|replace))?(?=\s)/.exec(
      text.trim(),
    )?.[0];
    if (command !== undefined) fail(`begins with \`${command}\``, "write what follows it");
  }

  get next(): string | undefined {
    return this.#words[0];
  }

  take(): string {
    return this.#words.shift()!;
  }

  /** Puts one pair into `into`. */
  pair(known: Readonly<Record<string, string>>, into: Words, more: readonly string[] = []): void {
    const word = this.take();
    const key = Object.hasOwn(known, word) ? known[word]! : null;
    if (Object.hasOwn(this.#foreign, word) && key === null) {
      this.#fail(`has the word \`${word}\`, which is not supported`, this.#foreign[word]!);
    }
    if (key === null) {
      this.#fail(`has the word \`${word}\``, oneOfWords(word, [...Object.keys(known), ...more]));
    }
    if (this.next === undefined) this.#fail(`ends after \`${word}\``, `write what \`${word}\` is`);
    if (Object.hasOwn(into, key!)) this.#fail(`says \`${word}\` twice`, "keep one of the two");
    if (word === "mtu" && this.next === "lock") {
      this.#fail("has `mtu lock`", "write `mtu` and the number alone");
    }
    into[key!] = key === "via" ? this.#gateway() : this.take();
  }

  #gateway(): string {
    const word = this.take();
    if (!Object.hasOwn(GATEWAY_FAMILIES, word)) return word;
    const address = this.next;
    if (address === undefined) return this.#fail(`ends after \`${word}\``, "write the gateway's address");
    if (readAddress(address, this.#fail).family !== GATEWAY_FAMILIES[word]) {
      this.#fail(
        `has \`${address}\` after \`${word}\`, which is of the other IP version`,
        `leave \`${word}\` out`,
      );
    }
    return this.take();
  }
}

/** Reads `10.5.0.0/16 via 10.9.0.1 dev eth1`, as `ip route add` would. */
export function routeOfLine(text: string, fail: Fail): Words {
  const line = new Line(text, fail, FOREIGN_ROUTE_WORDS);
  const words: Words = {};
  if (line.next !== undefined && FOREIGN_TYPES.includes(line.next)) {
    fail(`is of type \`${line.next}\`, which is not supported`, `the types are ${ROUTE_TYPES.join(", ")}`);
  }
  if (line.next !== undefined && ROUTE_TYPES.includes(line.next)) words["type"] = line.take();
  if (line.next !== undefined && !Object.hasOwn(ROUTE_WORDS, line.next)) words["to"] = line.take();
  const nexthops: Words[] = [];
  while (line.next !== undefined) {
    if (line.next === "nexthop") {
      line.take();
      nexthops.push({});
      continue;
    }
    const into = nexthops.at(-1) ?? words;
    if (line.next === "onlink") {
      line.take();
      into["onlink"] = "true";
    } else line.pair(nexthops.length > 0 ? HOP_WORDS : ROUTE_WORDS, into, ["onlink", "nexthop"]);
  }
  return nexthops.length === 0 ? words : { ...words, nexthops };
}

/** Reads `from 10.9.0.0/24 table 100 priority 50`, as `ip rule add` would. */
export function ruleOfLine(text: string, fail: Fail): Words {
  const line = new Line(text, fail, FOREIGN_RULE_WORDS);
  const words: Words = {};
  while (line.next !== undefined) {
    if (line.next === "not") {
      line.take();
      words["not"] = "true";
    } else if (["blackhole", "unreachable", "prohibit"].includes(line.next)) words["action"] = line.take();
    else line.pair(RULE_WORDS, words, ["not", "blackhole", "unreachable", "prohibit"]);
  }
  return words;
}

/** Reads `10.1.0.1/24 dev eth0`. */
function addressOfLine(text: string, fail: Fail): Words {
  const line = new Line(text, fail);
  const words: Words = {};
  if (line.next !== undefined) words["address"] = line.take();
  while (line.next !== undefined) {
    line.pair(
      { dev: "dev", label: "label", scope: "scope", brd: "broadcast", broadcast: "broadcast" },
      words,
    );
  }
  return words;
}

/** A list of routes. */
export function routes(description: string) {
  const doc = { description: "A route as `ip route add` has it, or a mapping.", short: { type: "string" } };
  return list({ description }, shorthand(doc, routeOfLine, route));
}

/** A list of rules. */
export function rules(description: string) {
  const doc = { description: "A rule as `ip rule add` has it, or a mapping.", short: { type: "string" } };
  return list({ description }, shorthand(doc, ruleOfLine, rule));
}

/** Schema of `static`. */
export const staticSection = mapping(
  "Addresses, routes and rules that are there as long as the daemon runs, whoever is master; put back when lost.",
  {
    addresses: list(
      { description: "Addresses." },
      shorthand(
        { description: "`10.1.0.1/24 dev eth0`, or a mapping.", short: { type: "string" } },
        addressOfLine,
        staticAddress,
      ),
    ),
    routes: routes("Routes."),
    rules: rules("Rules."),
    keep: boolean("Leave them in place when the daemon stops.", { preset: false }),
  },
);

/** What was read; what was wrong or absent is undefined. */
export type RawRoute = z.infer<typeof route>;
export type RawRule = z.infer<typeof rule>;
