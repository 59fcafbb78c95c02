import { describe, expect, test } from "bun:test";
import { configJsonSchema } from "../../../../mod/config/json_schema.ts";
import { loadConfig } from "../../../../mod/config/load.ts";
import { conforms } from "./json_schema_reader.ts";
import { good, told } from "./marked.ts";

/** An instance that is good, with more lines. */
function web(more: string, head = ""): string {
  return `${head}vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24]\n${more}`;
}

const ROUTE = {
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
} as const;

const RULE = {
  family: "ipv4",
  priority: 16384,
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
} as const;

describe("a route, on one line or in full", () => {
  const route = (text: string) => good(web(`    routes:\n      - ${text}\n`)).vrrp[0]!.routes[0]!;
  test.each<[string, object]>([
    ["10.5.0.0/16 via 10.9.0.1 dev eth1", { via: "10.9.0.1", dev: "eth1" }],
    ["{ to: 10.5.0.0/16, via: 10.9.0.1, dev: eth1 }", { via: "10.9.0.1", dev: "eth1" }],
    ["to 10.5.0.0/16 dev eth1 scope link", { dev: "eth1", scope: 253 }],
    ["10.5.0.7 dev eth1", { to: "10.5.0.7/32", dev: "eth1" }],
    ["default via 10.9.0.1 metric 50", { to: null, via: "10.9.0.1", metric: 50 }],
    ["0.0.0.0/0 via 10.9.0.1", { to: null, via: "10.9.0.1" }],
    [
      "10.5.0.0/16 via 10.9.0.1 dev eth1 table 100 src 10.0.0.1 onlink mtu 1400",
      { via: "10.9.0.1", dev: "eth1", table: 100, source: "10.0.0.1", onlink: true, mtu: 1400 },
    ],
    ["10.5.0.0/16 dev eth1 table local", { dev: "eth1", table: 255 }],
    ["blackhole 10.5.0.0/16", { type: "blackhole" }],
    ["{ to: 10.5.0.0/16, type: prohibit, table: 9 }", { type: "prohibit", table: 9 }],
    ["10.5.0.0/16 via fe80::1 dev eth1", { via: "fe80::1", dev: "eth1" }],
    ["10.5.0.0/16 via inet6 fe80::1 dev eth1", { via: "fe80::1", dev: "eth1" }],
    ["10.5.0.0/16 via inet 10.9.0.1", { via: "10.9.0.1" }],
    ["0.0.0.0/0 nexthop via inet6 fe80::1 dev eth1 weight 2", {
      to: null,
      nexthops: [{ via: "fe80::1", dev: "eth1", weight: 2, onlink: false }],
    }],
    [
      "10.5.0.0/16 metric 7 nexthop via 10.9.0.1 dev eth1 weight 2 nexthop via 10.9.0.2 dev eth2 onlink",
      {
        metric: 7,
        nexthops: [
          { via: "10.9.0.1", dev: "eth1", weight: 2, onlink: false },
          { via: "10.9.0.2", dev: "eth2", weight: 1, onlink: true },
        ],
      },
    ],
    [
      "{ to: 10.5.0.0/16, nexthops: [{ via: 10.9.0.1, weight: 256 }, { dev: ppp0 }] }",
      {
        nexthops: [
          { via: "10.9.0.1", dev: null, weight: 256, onlink: false },
          { via: null, dev: "ppp0", weight: 1, onlink: false },
        ],
      },
    ],
    ["2001:db8::/32 via fe80::1 dev eth1", {
      family: "ipv6",
      to: "2001:db8::/32",
      via: "fe80::1",
      dev: "eth1",
    }],
    ["default via 2001:db8::1 metric 0", { family: "ipv6", to: null, via: "2001:db8::1" }],
    ["::/0 dev eth1", { family: "ipv6", to: null, dev: "eth1" }],
  ])("%s", (text, expected) => {
    expect(route(text)).toEqual({ ...ROUTE, ...expected });
  });
});

describe("a rule, on one line or in full", () => {
  const rule = (text: string) => good(web(`    rules:\n      - ${text}\n`)).vrrp[0]!.rules[0]!;
  test.each<[string, object]>([
    ["from 10.9.0.0/24 table 100", { from: "10.9.0.0/24" }],
    ["{ from: 10.9.0.0/24, table: 100, priority: 5 }", { from: "10.9.0.0/24", priority: 5 }],
    ["from all to 10.5.0.0/16 lookup main pref 9", { to: "10.5.0.0/16", table: 254, priority: 9 }],
    ["iif eth1 oif eth2 table 100", { iif: "eth1", oif: "eth2" }],
    ["fwmark 0x10/0xff table 100", { fwmark: 16, fwmask: 255 }],
    ["{ fwmark: 7, table: 100 }", { fwmark: 7, fwmask: 0xffff_ffff }],
    ["not from 10.9.0.0/24 tos 16 ipproto 6 table 100", {
      from: "10.9.0.0/24",
      invert: true,
      tos: 16,
      ipProtocol: 6,
    }],
    ["from 10.9.0.0/24 prohibit", { from: "10.9.0.0/24", action: "prohibit", table: null }],
    ["table main suppress_prefixlength 0", { table: 254, suppressPrefix: 0 }],
    ["from 2001:db8::/32 table 100", { family: "ipv6", from: "2001:db8::/32" }],
    ["{ table: 100, family: ipv6 }", { family: "ipv6" }],
  ])("%s", (text, expected) => {
    expect(rule(text)).toEqual({ ...RULE, ...expected });
  });
});

test("extra addresses are of either IP version, on the line or in full", () => {
  const { extra, accept } = good(
    web(
      "    extra: [10.7.0.1/24, { address: 10.7.0.2/24, dev: eth1, broadcast: + }, 2001:db8::5/64]\n    accept: false\n",
    ),
  ).vrrp[0]!;
  const vip = { dev: null, label: null, scope: null, broadcast: null };
  expect(extra).toEqual([
    { ...vip, address: "10.7.0.1", prefix: 24 },
    { ...vip, address: "10.7.0.2", prefix: 24, dev: "eth1", broadcast: "10.7.0.255" },
    { ...vip, address: "2001:db8::5", prefix: 64 },
  ]);
  expect(accept).toBe(false);
});

test("of an instance of both IP versions each part has its own", () => {
  const text = web(`    extra: [10.7.0.1/24, 2001:db8::5/64]
    routes: [default via 10.0.0.9, default via 2001:db8::9]
    rules: [from 10.0.0.0/24 table 5, from 2001:db8::/32 table 5]
`).replace("[10.0.0.1/24]", "[10.0.0.1/24, 2001:db8::1/64]");
  const parts = good(text).vrrp.map(({ family, extra, routes, rules }) => [
    family,
    extra.map(({ address }) => address),
    routes.map(({ via }) => via),
    rules.map(({ from }) => from),
  ]);
  expect(parts).toEqual([
    ["ipv4", ["10.7.0.1"], ["10.0.0.9"], ["10.0.0.0/24"]],
    ["ipv6", ["2001:db8::5"], ["2001:db8::9"], ["2001:db8::/32"]],
  ]);
});

test("static", () => {
  const config = good(web(
    "",
    `static:
  addresses: [10.1.0.1/24 dev eth0, { address: 2001:db8:1::1/64, dev: eth1 }]
  routes: [10.5.0.0/16 via 10.1.0.2]
  rules: [from 10.1.0.0/24 table 5]
  keep: true
`,
  ));
  const vip = { label: null, scope: null, broadcast: null };
  expect(config.static).toEqual({
    addresses: [
      { ...vip, address: "10.1.0.1", prefix: 24, dev: "eth0" },
      { ...vip, address: "2001:db8:1::1", prefix: 64, dev: "eth1" },
    ],
    routes: [{ ...ROUTE, via: "10.1.0.2" }],
    rules: [{ ...RULE, from: "10.1.0.0/24", table: 5 }],
    keep: true,
  });
  expect(good(web("", "static:\n")).static).toEqual({ addresses: [], routes: [], rules: [], keep: false });
});

test("every interface that is named can be looked for", () => {
  const text = web(
    `    extra: [{ address: 10.7.0.2/24, dev: x1 }]
    routes: [10.5.0.0/16 via 10.9.0.1 dev x2, { to: 10.6.0.0/16, nexthops: [{ via: 10.9.0.1, dev: x3 }] }]
`,
    "static:\n  addresses: [10.1.0.1/24 dev x4]\n  routes: [10.8.0.0/16 dev x5]\n",
  );
  const result = loadConfig(text, "a.yaml");
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  expect(result.interfaces.map(({ name, line, column }) => `${name} ${line}:${column}`)).toEqual([
    "x4 2:15",
    "x5 3:12",
    "eth0 6:16",
    "x1 9:42",
    "x2 10:14",
    "x3 10:99",
  ]);
});

type Row = readonly [name: string, marked: string, ...texts: string[]];

function table(rows: readonly Row[]): void {
  test.each(rows)("%s", (_, marked, ...texts) => {
    const { ok, lines, at, marks } = told(marked);
    expect({ ok, at, lines }).toEqual({ ok: false, at: [...marks], lines });
    for (const [i, text] of texts.entries()) expect(lines[i]).toContain(text);
  });
}

describe("mistakes in routes", () => {
  const routes = (text: string) => web(`    routes: [${text}]\n`);
  table([
    ["bits beyond the prefix", routes("{ to: §10.5.0.1/16, dev: a }"), "(write 10.5.0.0/16)"],
    [
      "the same on a line",
      routes("§10.5.0.1/16 dev a"),
      "`to` is `10.5.0.1/16`, which has bits beyond its prefix",
    ],
    ["no network", routes("§everything dev a"), "`to` is `everything`, which is not a network"],
    ["no destination", routes("§{ via: 10.9.0.1 }"), "`routes[0]` has no `to`"],
    ["no destination on a line", routes("§via 10.9.0.1"), "`routes[0]` names no destination"],
    ["an unknown word", routes("§10.5.0.0/16 vai 10.9.0.1"), "has the word `vai` (did you mean `via`?)"],
    ["another version than it says", routes("§10.5.0.0/16 via inet6 10.9.0.1"), "(leave `inet6` out)"],
    ["a version alone", routes("§10.5.0.0/16 via inet6"), "ends after `inet6` (write the gateway's address)"],
    [
      "iproute2's mark",
      routes("§10.5.0.0/16 dev a proto static"),
      "has the word `proto`, which is not supported",
    ],
    ["iproute2's other words", routes("§10.5.0.0/16 dev a tos 4"), "choose the packets by `tos` in a rule"],
    ["keepalived's word", routes("§10.5.0.0/16 dev a no_track"), "(leave it out: what is lost is put back"],
    ["a locked MTU", routes("§10.5.0.0/16 dev a mtu lock 1400"), "(write `mtu` and the number alone)"],
    ["a type of iproute2's", routes("§local 10.5.0.0/16 dev a"), "of type `local`, which is not supported"],
    [
      "the whole command",
      routes("§ip route add 10.5.0.0/16 dev a"),
      "begins with `ip route add` (write what follows",
    ],
    [
      "the whole command of a rule",
      web("    rules: [§ip -6 rule add from all table 9]\n"),
      "begins with `ip -6 rule add`",
    ],
    [
      "iproute2's words of rules",
      web("    rules: [§sport 80 table 9]\n"),
      "has the word `sport`, which is not supported",
    ],
    ["a word without value", routes("§10.5.0.0/16 via"), "ends after `via` (write what `via` is)"],
    ["a word twice", routes("§10.5.0.0/16 dev a dev b"), "says `dev` twice"],
    ["an unknown key", routes("{ to: 10.5.0.0/16, §gateway: 10.9.0.1, dev: a }"), "unknown key `gateway`"],
    ["keepalived's key", web("    §virtual_routes: [10.5.0.0/16 dev a]\n"), "did you mean `routes`?"],
    [
      "a gateway that is none",
      routes("{ to: 10.5.0.0/16, via: §10.9.0.1/24 }"),
      "(write it without prefix: 10.9.0.1)",
    ],
    ["nowhere", routes("§{ to: 10.5.0.0/16 }"), "`routes[0]` leads nowhere (add via, dev or nexthops)"],
    ["nowhere on a line", routes("§10.5.0.0/16"), "leads nowhere"],
    [
      "a blackhole with a way",
      routes("{ to: 10.5.0.0/16, type: blackhole, §via: 10.9.0.1 }"),
      "no meaning in a route of type blackhole",
    ],
    ["a type that is none", routes("{ to: 10.5.0.0/16, type: §blackhol }"), "did you mean `blackhole`?"],
    [
      "two kinds of ways",
      routes("{ to: 10.5.0.0/16, §via: 10.9.0.1, nexthops: [{ dev: a }] }"),
      "stands beside `nexthops`",
    ],
    ["a way that leads nowhere", routes("{ to: 10.5.0.0/16, nexthops: [§{ weight: 2 }] }"), "leads nowhere"],
    ["a weight", routes("{ to: 10.5.0.0/16, nexthops: [{ dev: a, weight: §0 }] }"), "from 1 to 256"],
    [
      "an IPv6 way of IPv4's source",
      routes("{ to: 10.5.0.0/16, dev: a, source: §2001:db8::1 }"),
      "the route is one of IPv4",
    ],
    ["an IPv4 gateway for IPv6", routes("{ to: 2001:db8::/32, via: §10.9.0.1 }"), "the route is one of IPv6"],
    ["a link-local gateway", routes("{ to: 2001:db8::/32, via: §fe80::1 }"), "no `dev` says on which link"],
    [
      "onlink without interface",
      routes("{ to: 10.5.0.0/16, via: 10.9.0.1, §onlink: true }"),
      "needs a gateway and its interface",
    ],
    ["a table's name", routes("{ to: 10.5.0.0/16, dev: a, table: §isp }"), "/etc/iproute2/rt_tables"],
    ["a table out of range", routes("{ to: 10.5.0.0/16, dev: a, table: §0 }"), "out of range"],
    ["a scope", routes("{ to: 10.5.0.0/16, dev: a, scope: §lnk }"), "did you mean `link`?"],
    [
      "one twice",
      routes("10.5.0.0/16 dev a, §10.5.0.0/16 dev b metric 0"),
      "leads to 10.5.0.0/16 by the same table and metric, as one of `web` (line 6)",
    ],
    [
      "one of static again",
      web("    routes: [§default via 10.0.0.8]\n", "static:\n  routes: [default via 10.0.0.9]\n"),
      "leads to default by the same table and metric, as one of `static` (line 2)",
    ],
    ["static: nowhere", web("", "static: { routes: [§10.5.0.0/16] }\n"), "leads nowhere"],
  ]);

  test("another metric or table, or the other IP version, is another route", () => {
    const text =
      "10.5.0.0/16 dev a, 10.5.0.0/16 dev a metric 5, 10.5.0.0/16 dev a table 5, default dev a, '::/0 dev a'";
    expect(told(routes(text)).lines).toEqual([]);
  });
});

describe("mistakes in rules", () => {
  const rules = (text: string) => web(`    rules: [${text}]\n`);
  table([
    ["no table", rules("§{ from: 10.9.0.0/24 }"), "`rules[0]` has no `table`"],
    ["no table on a line", rules("§from 10.9.0.0/24"), "`rules[0]` has no `table`"],
    [
      "a table for nothing",
      rules("{ action: prohibit, §table: 5 }"),
      "no meaning beside the action prohibit",
    ],
    ["an unknown word", rules("§form 10.9.0.0/24 table 5"), "has the word `form` (did you mean `from`?)"],
    ["a mark", rules("{ fwmark: §web, table: 5 }"), "which is not a mark (write 100, 0x64 or 0x64/0xff)"],
    [
      "two IP versions",
      rules("{ from: 10.9.0.0/24, to: §2001:db8::/32, table: 5 }"),
      "the rule is one of IPv4",
    ],
    ["another IP version", rules("{ from: 10.9.0.0/24, family: §ipv6, table: 5 }"), "the addresses are IPv4"],
    ["priority 0", rules("{ priority: §0, table: 5 }"), "out of range"],
    [
      "one twice",
      rules("from 10.9.0.0/24 table 5, §{ from: 10.9.0.0/24, to: all, table: 5 }"),
      "is the same, as one of `web`",
    ],
  ]);
});

describe("mistakes in extra and static addresses", () => {
  table([
    ["extra: no address", web("    extra: [§10.0.0.256]\n"), "which is not an IP address"],
    ["extra: a virtual one", web("    extra: [§10.0.0.1/32]\n"), "stands in `addresses` already"],
    ["extra: twice", web("    extra: [10.7.0.1, §10.7.0.1]\n"), "stands in this list already"],
    ["extra: the network's", web("    extra: [§10.7.0.0/24]\n"), "the address of the network itself"],
    [
      "extra: IPv6 broadcast",
      web("    extra: [{ address: 2001:db8::1/64, §broadcast: + }]\n"),
      "no meaning for an IPv6 address",
    ],
    ["keepalived's extra", web("    §virtual_ipaddress_excluded: [10.7.0.1]\n"), "did you mean `extra`?"],
    ["accept", web("    accept: §no\n"), "`accept` is `no` (write false)"],
    [
      "static: no interface",
      web("", "static: { addresses: [§10.1.0.1/24] }\n"),
      "names no interface (write 10.1.0.1/24 dev eth0)",
    ],
    [
      "static: no interface in full",
      web("", "static: { addresses: [§{ address: 10.1.0.1/24 }] }\n"),
      "has no `dev`",
    ],
    [
      "static: an unknown word",
      web("", "static: { addresses: [§10.1.0.1/24 devv eth0] }\n"),
      "did you mean `dev`?",
    ],
    ["static: an unknown key", web("", "static: { §adresses: [] }\n"), "did you mean `addresses`?"],
    [
      "a virtual one that is static",
      web("", "static: { addresses: [10.0.0.1/24 dev eth0] }\n").replace(
        "[10.0.0.1/24]\n",
        "[§10.0.0.1/24]\n",
      ),
      "which `static` (line 1) has already",
    ],
  ]);

  test("an owner always accepts: a warning", () => {
    const { ok, lines, at, marks } = told(web("    priority: 255\n    §accept: false\n"));
    expect({ ok, at }).toEqual({ ok: true, at: [...marks] });
    expect(lines[0]).toContain("who always accepts");
  });
});

describe("for an editor that reads the JSON schema", () => {
  const base = { interface: "eth0", vrid: 51, addresses: ["10.0.0.1/24"] };
  test.each<[boolean, unknown]>([
    [true, {
      vrrp: { web: { ...base, routes: ["10.5.0.0/16 dev a"], rules: ["table 5"], extra: ["10.7.0.1"] } },
    }],
    [true, {
      vrrp: { web: { ...base, routes: [{ to: "default", via: "10.0.0.9", table: 5 }], accept: false } },
    }],
    [true, {
      static: { addresses: ["10.1.0.1/24 dev a"], rules: [{ fwmark: 5, table: "main" }], keep: true },
    }],
    [false, { vrrp: { web: { ...base, routes: [{ via: "10.0.0.9" }] } } }],
    [false, { vrrp: { web: { ...base, rules: [{ action: "drop" }] } } }],
    [false, { static: { addresses: [{ address: "10.1.0.1/24" }] } }],
  ])("%p: %j", (fine, value) => {
    expect(conforms(configJsonSchema(), value)).toBe(fine);
  });
});
