/**
 * nftables by nfnetlink (linux/netfilter/nf_tables.h): tables, base chains, sets of addresses, and rules of the few
 * expressions that are needed here. Pure.
 *
 * @module
 */
import { MessageBuilder } from "./builder.ts";
import { type NetlinkRequest, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from "./codec.ts";

export const NETLINK_NETFILTER = 12;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

/** Both IP versions in one table. */
const NFPROTO_INET = 1;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_ID = 10;
const NFTA_ELEMENTS_TABLE = 1;
const NFTA_ELEMENTS_SET = 2;
const NFTA_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_ELEMENT_KEY = 1;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;

/** The kernel removes the table with the socket that made it, and nobody else may touch it (Linux 5.12). */
const NFT_TABLE_F_OWNER = 2;
const NFT_REG_VERDICT = 0;
const VERDICTS = { drop: 0, accept: 1 } as const;
const META_KEYS = { iifname: 6, nfproto: 15, l4proto: 16 } as const;
const PAYLOAD_BASES = { network: 1, transport: 2 } as const;
const COMPARISONS = { equal: 0, atMost: 3, atLeast: 5 } as const;

/** What `nft` calls the types of the sets' keys; the kernel only keeps them. */
const KEY_TYPES = {
  ipv4_addr: 7,
  ipv6_addr: 8,
  "ipv4_addr . ifname": (7 << 6) | 41,
  "ipv6_addr . ifname": (8 << 6) | 41,
} as const;
const KEY_LENGTHS = {
  ipv4_addr: 4,
  ipv6_addr: 16,
  "ipv4_addr . ifname": 20,
  "ipv6_addr . ifname": 32,
} as const;

/** Elements that one message holds for certain: an attribute has at most 64 KiB. */
const ELEMENTS_PER_MESSAGE = 1000;

/** Type of a set's keys, as `nft` writes it. */
export type SetKeyType = keyof typeof KEY_TYPES;

/**
 * One step of a rule. Registers are numbered from 1 and hold 16 bytes each; from 8 on the same room is numbered in
 * pieces of 4 bytes.
 */
export type Expression =
  | { readonly type: "meta"; readonly key: keyof typeof META_KEYS; readonly register: number }
  | {
    readonly type: "payload";
    readonly base: keyof typeof PAYLOAD_BASES;
    readonly offset: number;
    readonly length: number;
    readonly register: number;
  }
  | {
    readonly type: "compare";
    readonly register: number;
    readonly by: keyof typeof COMPARISONS;
    readonly value: Uint8Array;
  }
  | { readonly type: "lookup"; readonly register: number; readonly set: string }
  | { readonly type: "verdict"; readonly verdict: keyof typeof VERDICTS };

function header(family: number, resource: number = 0): MessageBuilder {
  return new MessageBuilder(256).u8(family).u8(0).u8(resource >> 8).u8(resource & 0xff);
}

function request(
  message: number,
  name: string,
  doing: string,
  flags: number,
  builder: MessageBuilder,
): NetlinkRequest {
  return { type: (NFNL_SUBSYS_NFTABLES << 8) | message, flags, name, doing, payload: builder.finish() };
}

/** The mark that begins a transaction; `doing` is for errors. */
export function beginRequest(doing: string): NetlinkRequest {
  const payload = header(0, NFNL_SUBSYS_NFTABLES).finish();
  return { type: NFNL_MSG_BATCH_BEGIN, flags: 0, name: "NFNL_MSG_BATCH_BEGIN", doing, payload };
}

/** The mark that ends a transaction. */
export function endRequest(doing: string): NetlinkRequest {
  const payload = header(0, NFNL_SUBSYS_NFTABLES).finish();
  return { type: NFNL_MSG_BATCH_END, flags: 0, name: "NFNL_MSG_BATCH_END", doing, payload };
}

/** Request for a table of both IP versions. `owned`: it goes with the socket that makes it. */
export function newTableRequest(table: string, owned: boolean): NetlinkRequest {
  const builder = header(NFPROTO_INET).attrText(NFTA_TABLE_NAME, table)
    .attrBe32(NFTA_TABLE_FLAGS, owned ? NFT_TABLE_F_OWNER : 0);
  return request(
    NFT_MSG_NEWTABLE,
    "NFT_MSG_NEWTABLE",
    `make the nftables table ${table}`,
    NLM_F_CREATE | NLM_F_EXCL,
    builder,
  );
}

/** Request that removes a table and all that is in it. */
export function deleteTableRequest(table: string): NetlinkRequest {
  const builder = header(NFPROTO_INET).attrText(NFTA_TABLE_NAME, table);
  return request(NFT_MSG_DELTABLE, "NFT_MSG_DELTABLE", `remove the nftables table ${table}`, 0, builder);
}

/** Request for a chain that sees what is for this machine itself; what it does not drop goes on. */
export function newInputChainRequest(table: string, chain: string, priority: number): NetlinkRequest {
  const localIn = 1;
  const builder = header(NFPROTO_INET).attrText(NFTA_CHAIN_TABLE, table).attrText(NFTA_CHAIN_NAME, chain)
    .nest(NFTA_CHAIN_HOOK).attrBe32(NFTA_HOOK_HOOKNUM, localIn)
    .attrBe32(NFTA_HOOK_PRIORITY, priority >>> 0).end()
    .attrBe32(NFTA_CHAIN_POLICY, VERDICTS.accept).attrText(NFTA_CHAIN_TYPE, "filter");
  const doing = `make the chain ${chain} in the nftables table ${table}`;
  return request(NFT_MSG_NEWCHAIN, "NFT_MSG_NEWCHAIN", doing, NLM_F_CREATE, builder);
}

/** Request for a set. `id` is any number that no other set of the transaction has. */
export function newSetRequest(table: string, set: string, key: SetKeyType, id: number): NetlinkRequest {
  const builder = header(NFPROTO_INET).attrText(NFTA_SET_TABLE, table).attrText(NFTA_SET_NAME, set)
    .attrBe32(NFTA_SET_FLAGS, 0).attrBe32(NFTA_SET_KEY_TYPE, KEY_TYPES[key])
    .attrBe32(NFTA_SET_KEY_LEN, KEY_LENGTHS[key]).attrBe32(NFTA_SET_ID, id);
  const doing = `make the set ${set} in the nftables table ${table}`;
  return request(NFT_MSG_NEWSET, "NFT_MSG_NEWSET", doing, NLM_F_CREATE, builder);
}

/** Requests that put elements into a set. Throws RangeError for a key of another length than the set's. */
export function newElementsRequests(
  table: string,
  set: string,
  key: SetKeyType,
  elements: readonly Uint8Array[],
): NetlinkRequest[] {
  const requests: NetlinkRequest[] = [];
  const doing = `fill the set ${set} in the nftables table ${table}`;
  for (let start = 0; start < elements.length; start += ELEMENTS_PER_MESSAGE) {
    const builder = header(NFPROTO_INET).attrText(NFTA_ELEMENTS_TABLE, table).attrText(NFTA_ELEMENTS_SET, set)
      .nest(NFTA_ELEMENTS);
    for (const element of elements.slice(start, start + ELEMENTS_PER_MESSAGE)) {
      if (element.length !== KEY_LENGTHS[key]) {
        throw new RangeError(`Cannot encode a key of ${element.length} bytes for a set of ${key}`);
      }
      builder.nest(NFTA_LIST_ELEM).nest(NFTA_ELEMENT_KEY).attrBytes(NFTA_DATA_VALUE, element).end().end();
    }
    builder.end();
    requests.push(request(NFT_MSG_NEWSETELEM, "NFT_MSG_NEWSETELEM", doing, NLM_F_CREATE, builder));
  }
  return requests;
}

/** Request that empties a set. */
export function flushSetRequest(table: string, set: string): NetlinkRequest {
  const builder = header(NFPROTO_INET).attrText(NFTA_ELEMENTS_TABLE, table).attrText(NFTA_ELEMENTS_SET, set);
  const doing = `empty the set ${set} in the nftables table ${table}`;
  return request(NFT_MSG_DELSETELEM, "NFT_MSG_DELSETELEM", doing, 0, builder);
}

/** Request that adds a rule at the end of a chain. */
export function newRuleRequest(
  table: string,
  chain: string,
  expressions: readonly Expression[],
): NetlinkRequest {
  const builder = header(NFPROTO_INET).attrText(NFTA_RULE_TABLE, table).attrText(NFTA_RULE_CHAIN, chain)
    .nest(NFTA_RULE_EXPRESSIONS);
  for (const expression of expressions) {
    builder.nest(NFTA_LIST_ELEM);
    writeExpression(builder, expression);
    builder.end();
  }
  builder.end();
  const doing = `add a rule to the nftables table ${table}`;
  return request(NFT_MSG_NEWRULE, "NFT_MSG_NEWRULE", doing, NLM_F_CREATE | NLM_F_APPEND, builder);
}

function writeExpression(builder: MessageBuilder, expression: Expression): void {
  const begin = (name: string) => builder.attrText(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA);
  switch (expression.type) {
    case "meta":
      begin("meta").attrBe32(1, expression.register).attrBe32(2, META_KEYS[expression.key]);
      break;
    case "payload":
      begin("payload").attrBe32(1, expression.register).attrBe32(2, PAYLOAD_BASES[expression.base])
        .attrBe32(3, expression.offset).attrBe32(4, expression.length);
      break;
    case "compare":
      begin("cmp").attrBe32(1, expression.register).attrBe32(2, COMPARISONS[expression.by])
        .nest(3).attrBytes(NFTA_DATA_VALUE, expression.value).end();
      break;
    case "lookup":
      begin("lookup").attrText(1, expression.set).attrBe32(2, expression.register);
      break;
    case "verdict":
      begin("immediate").attrBe32(1, NFT_REG_VERDICT).nest(2).nest(NFTA_DATA_VERDICT)
        .attrBe32(NFTA_VERDICT_CODE, VERDICTS[expression.verdict]).end().end();
      break;
  }
  builder.end();
}
