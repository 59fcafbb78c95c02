/**
 * Rules: which packets look into which routing table (linux/fib_rules.h). Pure.
 *
 * @module
 */
import { type AddressFamily, formatPrefix, type Prefix } from "../packet/address.ts";
import { MessageBuilder } from "./builder.ts";
import {
  AttributeCursor,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from "./codec.ts";
import { AF, familyFromNumber } from "./family.ts";
import { interfaceName } from "./link_message.ts";

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;

/** Bytes of struct fib_rule_hdr. */
const RULE_HEADER = 12;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FIB_RULE_INVERT = 2;
const NO_SUPPRESS = 0xffff_ffff;

const ACTIONS = { lookup: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

/** What a rule does with the packets that it matches. */
export type RuleAction = keyof typeof ACTIONS;

/** A rule. */
export interface Rule {
  readonly family: AddressFamily;
  /** Lower is asked first. */
  readonly priority: number;
  readonly action: RuleAction;
  /** Table to look into, for `lookup`. */
  readonly table: number;
  readonly from: Prefix | null;
  readonly to: Prefix | null;
  /** Name of the interface that the packet came by, or goes out by. */
  readonly iif: string | null;
  readonly oif: string | null;
  readonly fwmark: number | null;
  readonly fwmask: number | null;
  readonly tos: number;
  /** IP protocol number of the packet. */
  readonly ipProtocol: number | null;
  /** Matches what the rest does not. */
  readonly invert: boolean;
  /** Ignores routes whose prefix is this long or shorter. */
  readonly suppressPrefix: number | null;
  /** Who made it: RTPROT_…; 0 before Linux 4.17. */
  readonly protocol: number;
}

/** A rule to add or remove. When removing, what is left out matches anything. */
export interface RuleSpec extends Partial<Omit<Rule, "family">> {
  readonly family: AddressFamily;
}

/** Reads an RTM_NEWRULE or RTM_DELRULE; null when it is malformed, of another family, or of an unknown action. */
export function decodeRule(message: NetlinkMessage): Rule | null {
  const { payload } = message;
  if (message.type !== RTM_NEWRULE && message.type !== RTM_DELRULE) return null;
  const family = familyFromNumber(payload[0]);
  if (payload.length < RULE_HEADER || family === null) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const action = actionOf(view.getUint8(7));
  const size = family === "ipv4" ? 4 : 16;
  let from: Uint8Array = new Uint8Array(size);
  let to: Uint8Array = from;
  let iif: string | null = null;
  let oif: string | null = null;
  let priority = 0;
  let fwmark: number | null = null;
  let fwmask: number | null = null;
  let ipProtocol: number | null = null;
  let suppress = NO_SUPPRESS;
  let protocol = 0;
  let table = view.getUint8(4);
  const attributes = new AttributeCursor(payload, RULE_HEADER);
  while (attributes.next()) {
    switch (attributes.type) {
      case FRA_SRC:
        from = attributes.bytes();
        break;
      case FRA_DST:
        to = attributes.bytes();
        break;
      case FRA_IIFNAME:
        iif = attributes.text();
        break;
      case FRA_OIFNAME:
        oif = attributes.text();
        break;
      case FRA_PRIORITY:
        priority = attributes.u32();
        break;
      case FRA_FWMARK:
        fwmark = attributes.u32();
        break;
      case FRA_FWMASK:
        fwmask = attributes.u32();
        break;
      case FRA_TABLE:
        table = attributes.u32();
        break;
      case FRA_SUPPRESS_PREFIXLEN:
        suppress = attributes.u32();
        break;
      case FRA_IP_PROTO:
        ipProtocol = attributes.u8();
        break;
      case FRA_PROTOCOL:
        protocol = attributes.u8();
        break;
    }
  }
  const toBits = view.getUint8(1);
  const fromBits = view.getUint8(2);
  if (!attributes.ok || action === null || from.length !== size || to.length !== size) return null;
  if (toBits > size * 8 || fromBits > size * 8) return null;
  return {
    family,
    priority,
    action,
    table,
    from: fromBits === 0 ? null : { address: from, prefix: fromBits },
    to: toBits === 0 ? null : { address: to, prefix: toBits },
    iif,
    oif,
    fwmark,
    fwmask,
    tos: view.getUint8(3),
    ipProtocol,
    invert: (view.getUint32(8, true) & FIB_RULE_INVERT) !== 0,
    suppressPrefix: suppress === NO_SUPPRESS ? null : suppress,
    protocol,
  };
}

function actionOf(number: number): RuleAction | null {
  for (const [name, value] of Object.entries(ACTIONS)) if (value === number) return name as RuleAction;
  return null;
}

function writeRule(spec: RuleSpec, action: number): Uint8Array {
  const { family, from, to } = spec;
  const size = family === "ipv4" ? 4 : 16;
  for (const prefix of [from, to]) {
    if (!prefix) continue;
    if (prefix.address.length !== size) {
      throw new RangeError(`Cannot encode an ${family} rule: mixed families`);
    }
    if (prefix.prefix > size * 8) throw new RangeError(`Cannot encode prefix length ${prefix.prefix}`);
  }
  const table = spec.table ?? 0;
  const builder = new MessageBuilder(128).u8(AF[family]).u8(to?.prefix ?? 0).u8(from?.prefix ?? 0).u8(
    spec.tos ?? 0,
  )
    .u8(table > 255 ? 0 : table).u16(0).u8(action).u32(spec.invert ? FIB_RULE_INVERT : 0);
  if (from) builder.attrBytes(FRA_SRC, from.address);
  if (to) builder.attrBytes(FRA_DST, to.address);
  if (spec.priority !== undefined) builder.attrU32(FRA_PRIORITY, spec.priority);
  if (spec.iif) builder.attrText(FRA_IIFNAME, interfaceName(spec.iif));
  if (spec.oif) builder.attrText(FRA_OIFNAME, interfaceName(spec.oif));
  if (isGiven(spec.fwmark)) builder.attrU32(FRA_FWMARK, spec.fwmark);
  if (isGiven(spec.fwmask)) builder.attrU32(FRA_FWMASK, spec.fwmask);
  if (table !== 0) builder.attrU32(FRA_TABLE, table);
  if (isGiven(spec.suppressPrefix)) builder.attrU32(FRA_SUPPRESS_PREFIXLEN, spec.suppressPrefix);
  if (isGiven(spec.ipProtocol)) builder.attrU8(FRA_IP_PROTO, spec.ipProtocol);
  if (isGiven(spec.protocol)) builder.attrU8(FRA_PROTOCOL, spec.protocol);
  return builder.finish();
}

function isGiven(value: number | null | undefined): value is number {
  return value !== null && value !== undefined;
}

function describe(spec: RuleSpec): string {
  const from = spec.from ? ` from ${formatPrefix(spec.from)}` : "";
  const to = spec.to ? ` to ${formatPrefix(spec.to)}` : "";
  const table = spec.table === undefined ? "" : ` lookup ${spec.table}`;
  return `${spec.family} rule${spec.priority === undefined ? "" : ` ${spec.priority}`}${from}${to}${table}`;
}

/** Request that adds a rule (EEXIST when there is the same). Default action: lookup. Throws RangeError. */
export function addRuleRequest(spec: RuleSpec): NetlinkRequest {
  return {
    type: RTM_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    name: "RTM_NEWRULE",
    doing: `add ${describe(spec)}`,
    payload: writeRule(spec, ACTIONS[spec.action ?? "lookup"]),
  };
}

/** Request that removes the first rule that matches. Throws RangeError. */
export function removeRuleRequest(spec: RuleSpec): NetlinkRequest {
  return {
    type: RTM_DELRULE,
    flags: 0,
    name: "RTM_DELRULE",
    doing: `remove ${describe(spec)}`,
    payload: writeRule(spec, spec.action === undefined ? 0 : ACTIONS[spec.action]),
  };
}

/** Request for the rules of both families or one. */
export function listRulesRequest(family?: AddressFamily): NetlinkRequest {
  return {
    type: RTM_GETRULE,
    flags: 0,
    name: "RTM_GETRULE",
    doing: "list rules",
    payload: new MessageBuilder(16).u8(family ? AF[family] : 0).zero(RULE_HEADER - 1).finish(),
  };
}
