import { describe, expect, test } from "bun:test";
import {
  addRouteRequest,
  addRuleRequest,
  decodeRoute,
  decodeRule,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from "../../../../lib/netlink/mod.ts";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import type { RouteConfig, RuleConfig } from "../../../../mod/route/config.ts";
import {
  planItems,
  ROUTE_PROTOCOL,
  routeKey,
  routeText,
  ruleKey,
  ruleText,
  sourceOf,
} from "../../../../mod/route/plan.ts";

const ROUTE: RouteConfig = {
  family: "ipv4",
  to: "10.5.0.0/16",
  type: "unicast",
  via: null,
  dev: null,
  metric: null,
  table: 254,
  source: null,
  scope: null,
  onlink: false,
  mtu: null,
  nexthops: [],
};

const RULE: RuleConfig = {
  family: "ipv4",
  priority: 50,
  action: "lookup",
  table: 100,
  from: null,
  to: null,
  iif: null,
  oif: null,
  fwmark: null,
  fwmask: null,
  tos: 0,
  ipProtocol: null,
  invert: false,
  suppressPrefix: null,
};

const INDEXES: Readonly<Record<string, number>> = { eth0: 2, eth1: 3 };
const indexOf = (name: string) => INDEXES[name] ?? null;
const SIX = { family: "ipv6", to: "2001:db8::/32" } as const;

/** What the kernel would tell of what it is asked for. */
function echo({ type, payload, flags }: NetlinkRequest) {
  return { type, payload, flags, sequence: 0, port: 0 };
}

describe("routes", () => {
  test.each<[string, Partial<RouteConfig>, string]>([
    ["a gateway", { via: "10.9.0.1" }, "10.5.0.0/16 via 10.9.0.1"],
    [
      "everything",
      {
        via: "10.9.0.1",
        dev: "eth1",
        metric: 5,
        table: 100,
        source: "10.0.0.1",
        scope: 253,
        onlink: true,
        mtu: 1400,
      },
      "10.5.0.0/16 via 10.9.0.1 dev eth1 metric 5 table 100 src 10.0.0.1 scope link onlink mtu 1400",
    ],
    ["default", { to: null, via: "10.9.0.1", table: 253 }, "default via 10.9.0.1 table default"],
    ["IPv6's default", { family: "ipv6", to: null, dev: "eth1" }, "default (IPv6) dev eth1"],
    ["a blackhole", { type: "blackhole" }, "blackhole 10.5.0.0/16"],
    ["IPv6", { ...SIX, via: "fe80::1", dev: "eth1" }, "2001:db8::/32 via fe80::1 dev eth1"],
    ["IPv4 behind IPv6", { via: "fe80::1", dev: "eth1" }, "10.5.0.0/16 via fe80::1 dev eth1"],
    [
      "several ways",
      {
        nexthops: [
          { via: "10.9.0.1", dev: "eth0", weight: 1, onlink: false },
          { via: "10.9.0.2", dev: "eth1", weight: 3, onlink: true },
        ],
      },
      "10.5.0.0/16 nexthop via 10.9.0.1 dev eth0 weight 1 nexthop via 10.9.0.2 dev eth1 weight 3 onlink",
    ],
  ])("%s: in words, and known again in what the kernel tells", (_, part, text) => {
    const config = { ...ROUTE, ...part };
    expect(routeText(config)).toBe(text);
    const { items, absent } = planItems([config], [], indexOf);
    expect(absent).toEqual([]);
    const [item] = items;
    if (item?.kind !== "route") throw new Error("no route");
    expect(item.text).toBe(text);
    const told = decodeRoute(echo(addRouteRequest(item.spec)))!;
    expect(routeKey(told)).toBe(item.key);
    expect(told.protocol).toBe(ROUTE_PROTOCOL);
    expect(told.nexthops).toHaveLength(config.nexthops.length);
  });

  test("table, metric, destination and IP version tell routes apart; ways do not", () => {
    const key = (part: Partial<RouteConfig>) =>
      planItems([{ ...ROUTE, via: "10.9.0.1", ...part }], [], indexOf).items[0]!.key;
    const keys = [
      {},
      { table: 5 },
      { metric: 5 },
      { to: "10.6.0.0/16" },
      { to: null },
      { ...SIX, via: "fe80::1", dev: "eth1" },
      { family: "ipv6", to: null, via: null, dev: "eth1" } as const,
    ].map(key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ via: "10.9.0.2", dev: "eth1", mtu: 1400 })).toBe(key({}));
    expect(key({ metric: 0 })).toBe(key({}));
    const six = { ...SIX, via: null, dev: "eth1" };
    expect(key({ ...six, metric: 1024 })).toBe(key(six));
  });

  test("a route whose interface is not there waits, and says so", () => {
    const lost = { ...ROUTE, dev: "late0" };
    const hop = { via: "10.9.0.1", dev: "late1", weight: 1, onlink: false };
    const { items, absent } = planItems(
      [lost, { ...ROUTE, nexthops: [hop] }, { ...ROUTE, dev: "eth0" }],
      [],
      indexOf,
    );
    expect(items).toHaveLength(1);
    expect(absent).toEqual([
      "Cannot add route 10.5.0.0/16 dev late0: interface late0 does not exist",
      "Cannot add route 10.5.0.0/16 nexthop via 10.9.0.1 dev late1 weight 1: interface late1 does not exist",
    ]);
  });

  test("the interfaces that a route leaves by are known, or none is when one is not", () => {
    const ways = (part: Partial<RouteConfig>) => {
      const [item] = planItems([{ ...ROUTE, ...part }], [], indexOf).items;
      return item?.kind === "route" ? item.ifindexes : null;
    };
    const hop = { via: "10.9.0.1", weight: 1, onlink: false };
    expect(ways({ dev: "eth1" })).toEqual([3]);
    expect(ways({ via: "10.9.0.1" })).toEqual([]);
    expect(ways({ nexthops: [{ ...hop, dev: "eth0" }, { ...hop, dev: "eth1" }] })).toEqual([2, 3]);
    expect(ways({ nexthops: [{ ...hop, dev: "eth0" }, { ...hop, dev: null }] })).toEqual([]);
  });

  test("an IPv4 route goes before another of the same metric, an IPv6 one does not join it", () => {
    const flags = (part: Partial<RouteConfig>) => {
      const [item] = planItems([{ ...ROUTE, dev: "eth1", ...part }], [], indexOf).items;
      if (item?.kind !== "route") throw new Error("no route");
      return addRouteRequest(item.spec).flags;
    };
    expect(flags({})).toBe(NLM_F_CREATE);
    expect(flags(SIX)).toBe(NLM_F_CREATE | NLM_F_EXCL);
  });

  test("sourceOf", () => {
    const source = (text: string | null) =>
      sourceOf(planItems([{ ...ROUTE, dev: "eth1", source: text }], [], indexOf).items[0]!);
    expect(source("10.0.0.1")).toBe("10.0.0.1");
    expect(source(null)).toBeNull();
    expect(parseAddress("10.0.0.1")).not.toBeNull();
  });
});

describe("rules", () => {
  test.each<[string, Partial<RuleConfig>, string]>([
    ["a source", { from: "10.9.0.0/24" }, "50: from 10.9.0.0/24 lookup 100"],
    [
      "everything",
      {
        from: "10.9.0.0/24",
        to: "10.5.0.0/16",
        tos: 16,
        fwmark: 16,
        fwmask: 255,
        iif: "eth0",
        oif: "eth1",
        ipProtocol: 6,
        table: 254,
        suppressPrefix: 0,
        invert: true,
      },
      "50: not from 10.9.0.0/24 to 10.5.0.0/16 tos 16 fwmark 0x10/0xff iif eth0 oif eth1 ipproto 6 lookup main suppress_prefixlength 0",
    ],
    ["a mark", { fwmark: 7, fwmask: 0xffff_ffff }, "50: from all fwmark 0x7 lookup 100"],
    ["a refusal", { action: "prohibit", table: null }, "50: from all prohibit"],
    ["IPv6", { family: "ipv6" }, "50: (IPv6) from all lookup 100"],
    ["a high table", { table: 70_000 }, "50: from all lookup 70000"],
  ])("%s: in words, and known again in what the kernel tells", (_, part, text) => {
    const config = { ...RULE, ...part };
    expect(ruleText(config)).toBe(text);
    const [item] = planItems([], [config], indexOf).items;
    if (item?.kind !== "rule") throw new Error("no rule");
    const told = decodeRule(echo(addRuleRequest(item.spec)))!;
    expect(told.protocol).toBe(ROUTE_PROTOCOL);
    expect(ruleKey(told)).toBe(item.key);
  });

  test("every selector tells rules apart", () => {
    const variants: Partial<RuleConfig>[] = [
      {},
      { priority: 51 },
      { table: 101 },
      { from: "10.9.0.0/24" },
      { to: "10.9.0.0/24" },
      { iif: "eth0" },
      { oif: "eth0" },
      { fwmark: 1, fwmask: 255 },
      { fwmark: 1, fwmask: 254 },
      { tos: 4 },
      { ipProtocol: 6 },
      { invert: true },
      { suppressPrefix: 0 },
      { family: "ipv6" },
      { action: "prohibit", table: null },
    ];
    const { items } = planItems([], variants.map((part) => ({ ...RULE, ...part })), indexOf);
    expect(new Set(items.map(({ key }) => key)).size).toBe(variants.length);
  });

  test("routes come before rules", () => {
    const { items } = planItems([{ ...ROUTE, dev: "eth0" }], [RULE], indexOf);
    expect(items.map(({ kind }) => kind)).toEqual(["route", "rule"]);
  });
});
