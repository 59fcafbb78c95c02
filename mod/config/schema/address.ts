/**
 * Schema of addresses: `vrrp.NAME.addresses`, and the addresses of routers.
 *
 * @module
 */
import type * as z from "zod/mini";
import { parseAddress, parsePrefix } from "../../../lib/packet/address.ts";
import { interfaceName, mapping, oneOfWords, readAddress, scalar, text } from "./base.ts";
import type { Address, Fail } from "./base.ts";

/** Keys that an address written as a mapping must have. */
export const VIP_REQUIRED = { address: "write an address like 10.9.0.100/24" } as const;

/** A virtual address that was read: address and prefix length, the whole address where none is written. */
export interface VipAddress extends Address {
  readonly prefix: number;
}

/** Refuses an address with something behind it, as keepalived and `ip` have it, and says how it is written here. */
function refuseMore(value: string, fail: Fail): void {
  const [, mask] = /^[\d.]+\/([\d.]+)$/.exec(value) ?? [];
  const bits = mask === undefined ? null : prefixOfMask(mask);
  if (bits !== null) {
    fail(`is \`${value}\`, with a netmask`, `write ${value.slice(0, value.indexOf("/"))}/${bits}`);
  }
  const [, address, options] = /^(\S+)\s+(\S.*)$/.exec(value) ?? [];
  if (address === undefined || parsePrefix(address) === null) return;
  const words = options!.split(/\s+/);
  const pairs = Array.from({ length: Math.ceil(words.length / 2) }, (_, i) => {
    const key = words[2 * i]!;
    return `${key === "brd" ? "broadcast" : key}: ${words[2 * i + 1] ?? "…"}`;
  });
  fail(
    `is \`${value}\`, with more than a prefix length`,
    `write { address: ${address}, ${pairs.join(", ")} }`,
  );
}

/** `255.255.255.0` → 24; null when it is no netmask. */
function prefixOfMask(text: string): number | null {
  const bytes = parseAddress(text);
  if (bytes?.length !== 4) return null;
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1+0*$/.test(bits) ? bits.lastIndexOf("1") + 1 : null;
}

function readVip(value: string, fail: Fail): VipAddress {
  refuseMore(value, fail);
  const slash = value.indexOf("/");
  const bare = readAddress(slash < 0 ? value : value.slice(0, slash), (what, instead) => {
    return fail(slash < 0 ? what : what.replace(value.slice(0, slash), value), instead);
  });
  const prefix = parsePrefix(value)?.prefix;
  if (prefix !== undefined && prefix > 0) return { ...bare, prefix };
  const [usual, most] = bare.family === "ipv4" ? [24, 32] : [64, 128];
  return fail(
    `is \`${value}\`, whose prefix is out of range`,
    `write ${bare.text}/${usual}, 1 to ${most} bits`,
  );
}

const SCOPES: Readonly<Record<string, number>> = {
  global: 0,
  site: 200,
  link: 253,
  host: 254,
  nowhere: 255,
};

/** What an editor shows for a scope. */
export const SCOPE_DOC = {
  anyOf: [{ enum: Object.keys(SCOPES) }, { type: "integer", minimum: 0, maximum: 255 }],
};

/** Reads a routing scope: rtnetlink's number. */
export function readScope(value: string, fail: Fail): number {
  if (Object.hasOwn(SCOPES, value)) return SCOPES[value]!;
  if (/^(0|[1-9]\d{0,2})$/.test(value) && Number(value) <= 255) return Number(value);
  return fail(`is \`${value}\``, oneOfWords(value, Object.keys(SCOPES)));
}

const FIELDS = {
  address: scalar(
    { description: "Address with prefix length; without one, /32 or /128.", type: "string" },
    readVip,
  ),
  label: text("Label of the address, for old tools: the interface's name, a colon and a word (`eth1:1`).", {
    type: "string",
    maxLength: 15,
  }),
  scope: scalar(
    { description: "Routing scope: a name or a number from 0 to 255.", preset: "global", ...SCOPE_DOC },
    readScope,
  ),
  broadcast: scalar(
    {
      description: "Broadcast address (IPv4); `+` = the last one of the prefix. Default: none.",
      type: "string",
    },
    (value, fail): Address | "+" => value === "+" ? "+" : readAddress(value, fail),
  ),
};

/** One virtual address, written in full. */
export const vip = mapping("A virtual address and where it is put.", {
  ...FIELDS,
  dev: interfaceName(
    "Interface that carries the address; default: the instance's `interface`. Only status tells when it is down: `track` it to fail over.",
  ),
}, VIP_REQUIRED);

/** Keys that a static address must have. */
export const STATIC_ADDRESS_REQUIRED = {
  ...VIP_REQUIRED,
  dev: "name the interface that carries it",
} as const;

/** One address of `static`, written in full. */
export const staticAddress = mapping("An address and where it is put.", {
  ...FIELDS,
  dev: interfaceName("Interface that carries the address."),
}, STATIC_ADDRESS_REQUIRED);

/** An address as it was read; what was wrong or absent is undefined. */
export type RawVip = z.infer<typeof vip>;
