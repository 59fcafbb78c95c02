import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { configJsonSchema } from "../../../../mod/config/json_schema.ts";
import { loadConfig } from "../../../../mod/config/load.ts";
import { conforms } from "./json_schema_reader.ts";
import { good, noFiles, told } from "./marked.ts";

const WEB =
  "vrrp:\n  web:\n    interface: t1\n    vrid: 51\n    addresses: [{ address: 10.9.0.1/24, dev: eth1 }]\n";

/** The same with many virtual addresses. */
function crowd(count: number, address: (host: number) => string): string {
  const list = Array.from({ length: count }, (_, host) => `"${address(host + 1)}"`).join(", ");
  return WEB.replace("addresses: [{ address: 10.9.0.1/24, dev: eth1 }]", `§addresses: [${list}]`);
}

/** A file with one tunnel `t1`. */
function one(keys: string, more = ""): string {
  return `tunnels:\n  t1:\n${keys.split("; ").map((key) => `    ${key}\n`).join("")}${more}${WEB}`;
}

const ENDS = "local: 192.0.2.10; remote: 198.51.100.20";
const TAP = `type: gretap; ${ENDS}`;
const SIX = "local: 2001:db8::1; remote: 2001:db8::2";

describe("a tunnel", () => {
  test("with nothing but what it must have", () => {
    expect(good(one(TAP)).tunnels).toEqual([{
      name: "t1",
      type: "gretap",
      local: "192.0.2.10",
      remote: "198.51.100.20",
      ikey: null,
      okey: null,
      ttl: 64,
      tos: 0,
      mtu: null,
      checksum: false,
      sequence: false,
      pmtudisc: true,
      dev: null,
      addresses: [],
      routes: [],
      keep: false,
      datapath: "auto",
      keepalive: null,
    }]);
  });

  test("with everything", () => {
    const keys =
      `type: gre; ${ENDS}; key: 0.0.0.42; ttl: inherit; tos: inherit; mtu: 1400; checksum: true; ` +
      "sequence: true; pmtudisc: false; dev: eth0; keep: true; datapath: kernel; " +
      "addresses: [10.1.1.1/30, { address: 10.2.0.1/32, peer: 10.2.0.2 }]; " +
      "routes: [10.6.0.0/16 via fe80::1, 10.8.0.0/16, 10.7.0.0/16 via 10.1.1.2 metric 5 table 100, { to: default, source: 10.1.1.1 }]; " +
      "keepalive: { interval: 200ms, retries: 5 }";
    const [tunnel] = good(one(keys)).tunnels;
    const bare = { via: null, metric: null, source: null, table: null };
    expect(tunnel).toEqual({
      name: "t1",
      type: "gre",
      local: "192.0.2.10",
      remote: "198.51.100.20",
      ikey: 42,
      okey: 42,
      ttl: 0,
      tos: 1,
      mtu: 1400,
      checksum: true,
      sequence: true,
      pmtudisc: false,
      dev: "eth0",
      addresses: [
        { address: "10.1.1.1", prefix: 30, peer: null },
        { address: "10.2.0.1", prefix: 32, peer: "10.2.0.2" },
      ],
      routes: [
        { ...bare, destination: "10.6.0.0", prefix: 16, via: "fe80::1" },
        { ...bare, destination: "10.8.0.0", prefix: 16 },
        { ...bare, destination: "10.7.0.0", prefix: 16, via: "10.1.1.2", metric: 5, table: 100 },
        { ...bare, destination: "0.0.0.0", prefix: 0, source: "10.1.1.1" },
      ],
      keep: true,
      datapath: "kernel",
      keepalive: { intervalMs: 200, retries: 5, target: "10.1.1.2", methods: ["gre", "icmp"] },
    });
  });

  test("with a key for each direction, or for one", () => {
    expect(good(one(`${TAP}; ikey: 1; okey: 4294967295`)).tunnels[0]).toMatchObject({
      ikey: 1,
      okey: 4294967295,
    });
    expect(good(one(`${TAP}; okey: 7`)).tunnels[0]).toMatchObject({ ikey: null, okey: 7 });
    expect(good(one(`${TAP}; key: 0`)).tunnels[0]).toMatchObject({ ikey: 0, okey: 0 });
  });

  test.each<[string, string | null, string]>([
    [`${TAP}; addresses: [10.1.1.1/30]`, "10.1.1.2", "arp"],
    [`${TAP}; addresses: [10.1.1.2/30]`, "10.1.1.1", "arp"],
    [`${TAP}; addresses: [10.1.1.4/31]`, "10.1.1.5", "arp"],
    [`${TAP}; addresses: ["2001:db8:1::1/64", 10.1.1.5/31]`, "10.1.1.4", "arp"],
    [`${TAP}; addresses: ["2001:db8:1::1/126"]`, "2001:db8:1::2", "icmp"],
    [`${TAP}; addresses: ["2001:db8:1::1/127"]`, "2001:db8:1::", "icmp"],
    [`${TAP}; addresses: [{ address: 10.1.1.1/24, peer: 10.5.0.9 }]`, "10.5.0.9", "arp"],
    [`type: ip6gretap; ${SIX}; addresses: [10.1.1.1/30]`, "10.1.1.2", "arp"],
    [`type: ip6gre; ${SIX}; addresses: [10.1.1.1/30]`, "10.1.1.2", "icmp"],
    [`type: gre; ${ENDS}; addresses: [10.1.1.1/30]`, "10.1.1.2", "gre,icmp"],
    [`type: gre; ${ENDS}; addresses: [10.1.1.1/24]`, null, "gre"],
  ])("finds whom to ask: %s", (keys, target, methods) => {
    const { keepalive } = good(one(`${keys}; keepalive: {}`)).tunnels[0]!;
    expect(keepalive).toEqual({ intervalMs: 1000, retries: 3, target, methods: methods.split(",") as never });
  });

  test("is tracked like a probe, and its interface need not be there", () => {
    const text = one(`${TAP}; dev: eth0; addresses: [10.1.1.1/30]; keepalive: {}`) +
      "    track: [{ tunnel: t1, weight: -50 }]\n";
    const result = loadConfig(text, "a.yaml", noFiles);
    if (!result.ok) throw new Error("not good");
    expect(result.config.vrrp[0]!.track).toEqual([{
      kind: "tunnel",
      name: "t1",
      weight: -50,
      reverse: false,
    }]);
    expect(result.interfaces.map(({ name }) => name)).toEqual(["eth0", "eth1"]);
    expect(result.config.vrrp[0]!.onTunnel).toBe(true);
    expect(result.warnings).toEqual([]);
    expect(conforms(configJsonSchema(), parse(text))).toBe(true);
  });
});

type Row = readonly [name: string, marked: string, text: string];

const MISTAKES: readonly Row[] = [
  ["no type", one(ENDS).replace("  t1", "  §t1"), "`t1` has no `type`"],
  ["a type that is none", one(`type: §gretab; ${ENDS}`), "did you mean `gretap`?"],
  ["no ends", one("type: gre").replace("  t1", "  §§t1"), "`t1` has no `local`"],
  [
    "the kernel's own name",
    one(TAP).replace("  t1", "  §gretap0"),
    "`gretap0` is a device of the kernel's own",
  ],
  [
    "a long name",
    one(TAP).replace("  t1", "  §abcdefghijklmnop"),
    "cannot be the name of a tunnel's interface",
  ],
  [
    "IPv6 under gretap",
    one(`type: gretap; local: §2001:db8::1; remote: 192.0.2.1`),
    "(write type: ip6gretap, or",
  ],
  ["IPv4 under ip6gre", one(`type: ip6gre; local: 2001:db8::1; remote: §192.0.2.1`), "(write type: gre, or"],
  ["itself", one("type: gre; local: 192.0.2.1; remote: §192.0.2.1"), "this end's own `local`"],
  ["loopback", one("type: gre; local: §127.0.0.1; remote: 192.0.2.1"), "a loopback address"],
  ["multicast", one("type: gre; local: 192.0.2.2; remote: §224.0.0.1"), "a multicast address"],
  ["IPv6 multicast", one("type: ip6gre; local: 2001:db8::1; remote: §ff02::1"), "a multicast address"],
  ["a key too many", one(`${TAP}; key: 1; §ikey: 2`), "`ikey` stands beside `key`"],
  ["a key that is no number", one(`${TAP}; key: §1.2.3.256`), "or four like 0.0.0.42)"],
  ["a key too large", one(`${TAP}; key: §4294967296`), "write a number from 0 to 4294967295"],
  ["a ttl of 0", one(`${TAP}; ttl: §0`), "write a number from 1 to 255, or inherit"],
  ["a tos that means inherit", one(`${TAP}; tos: §1`), "or inherit"],
  ["a tos that the kernel takes for inherit", one(`${TAP}; tos: §3`), "(write 2, or inherit)"],
  [
    "a link-local end without its interface",
    one("type: ip6gre; local: 2001:db8::1; remote: §fe80::2"),
    "(add dev: the interface that has it)",
  ],
  ["another datapath", one(`${TAP}; datapath: §kernal`), "did you mean `kernel`?"],
  ["an mtu too large", one(`${TAP}; mtu: §65500`), "more than IP allows (write at most 65497)"],
  [
    "an mtu too small for IPv6",
    one(`${TAP}; mtu: §1200; addresses: ["2001:db8:1::1/64"]`),
    "needs 1280",
  ],
  [
    "an mtu above that of the tunnel below",
    one(`${TAP}; dev: t2; mtu: §1400`, `  t2: { type: gre, local: 10.0.0.1, remote: 10.0.0.2, mtu: 1400 }\n`),
    "makes outer packets of 1438 bytes, but t2 takes 1400 (write at most 1362)",
  ],
  [
    "more addresses than an advertisement through it holds",
    one(`${TAP}; mtu: 400`).replace(WEB, crowd(94, (host) => `10.9.0.${host}/24`)),
    "`addresses` has 94 IPv4 addresses, but an advertisement through `t1`, whose mtu is 400, holds 93 (raise that, or split",
  ],
  [
    "two tunnels over each other",
    one(`${TAP}; dev: §t2`, "  t2: { type: gre, local: 10.0.0.1, remote: 10.0.0.2, dev: §t1 }\n"),
    "is t2, which runs over this tunnel itself (t1 over t2 over t1)",
  ],
  ["bound to itself", one(`${TAP}; dev: §t1`), "the tunnel itself"],
  ["an outer address inside", one(`${TAP}; addresses: [§192.0.2.10/32]`), "the outer `local` address"],
  [
    "the far end inside",
    one(`${TAP}; addresses: [§198.51.100.1/24]`),
    "holds `remote` 198.51.100.20: the tunnel's own packets would go into it",
  ],
  [
    "the network's own address",
    one(`${TAP}; addresses: [§10.1.1.0/30]`),
    "with /30 the address of the network itself",
  ],
  ["a broadcast address", one(`${TAP}; addresses: [§10.1.1.3/30]`), "the broadcast address of its network"],
  ["an address twice", one(`${TAP}; addresses: [10.1.1.1/30, §10.1.1.1/24]`), "stands in this list already"],
  [
    "a peer of another family",
    one(`${TAP}; addresses: [{ address: 10.1.1.1/32, peer: §2001:db8::9 }]`),
    "same family",
  ],
  [
    "a gateway elsewhere",
    one(`${TAP}; addresses: [10.1.1.1/30]; routes: [{ to: 10.8.0.0/16, via: §10.9.9.9 }]`),
    "is in no network of the tunnel's",
  ],
  [
    "a gateway of another family",
    one(`${TAP}; addresses: [10.1.1.1/30]; routes: [{ to: "2001:db8:9::/48", via: §10.1.1.2 }]`),
    "is one of IPv6",
  ],
  [
    "itself as a gateway",
    one(`${TAP}; addresses: [10.1.1.1/30]; routes: [{ to: 10.8.0.0/16, via: §10.1.1.1 }]`),
    "this end's own address",
  ],
  [
    "a route twice",
    one(`${TAP}; routes: [10.8.0.0/16, 10.8.0.0/16 metric 5, §10.8.0.0/16]`),
    "leads to 10.8.0.0/16, as one before it",
  ],
  ["a route to nowhere", one(`${TAP}; routes: [§{ metric: 5 }]`), "`routes[0]` has no `to`"],
  [
    "nobody to ask",
    one(`${TAP}; addresses: [10.1.1.1/24]; §keepalive: {}`),
    "(add target: the peer's address",
  ],
  ["nobody to ask over IPv6", one(`type: ip6gre; ${SIX}; §keepalive: {}`), "does not know whom to ask"],
  ["an outer address to ask", one(`${TAP}; keepalive: { target: §198.51.100.20 }`), "an outer address"],
  [
    "oneself to ask",
    one(`${TAP}; addresses: [10.1.1.1/24]; keepalive: { target: §10.1.1.1 }`),
    "this end's own address",
  ],
  ["an interval too short", one(`${TAP}; keepalive: { interval: §10ms, target: 10.1.1.2 }`), "out of range"],
  [
    "twins",
    one(
      `${TAP}; key: 1`,
      `  §t2: { type: gretap, local: 192.0.2.10, remote: 198.51.100.20, ikey: 1, okey: 1 }\n`,
    ),
    "`t2` has the type, addresses and key of `t1` (line 2)",
  ],
  [
    "one address on two tunnels",
    one(
      `${TAP}; addresses: [10.1.1.1/30]`,
      `  t2: { type: gre, ${ENDS.replace(";", ",")}, addresses: [§10.1.1.1/24] }\n`,
    ),
    "which `t1` (line 2) has already",
  ],
  [
    "a virtual address that is the tunnel's own",
    one(`${TAP}; addresses: [10.9.0.1/24]`).replace("address: 10.9.0.1", "address: §10.9.0.1"),
    "the tunnel `t1`'s own address",
  ],
  [
    "a tunnel that is not there",
    one(TAP) + "    track: [{ tunnel: §t2 }]\n",
    "there is no such tunnel (did you mean `t1`?)",
  ],
  [
    "virtual MAC addresses where there are none",
    one(`type: gre; ${ENDS}`).replace(", dev: eth1", "") + "    §vmac: true\n",
    "t1 is a tunnel of type gre, which has none (write type: gretap",
  ],
  [
    "a virtual MAC address with a tunnel's name",
    one(TAP).replace("interface: t1", "interface: eth0").replace("dev: eth1", "dev: t1") +
    "    vmac: { §name: t1 }\n",
    "which is that of a tunnel (line 2)",
  ],
  ["an unknown key", one(`${TAP}; §keepalives: {}`), "did you mean `keepalive`?"],
];

test.each(MISTAKES)("refused: %s", (_, marked, text) => {
  const { ok, lines, at, marks } = told(marked);
  expect({ ok, at }).toEqual({ ok: false, at: [...marks] });
  expect(lines[0]).toContain(text);
});

const DOUBTS: readonly Row[] = [
  [
    "an mtu above Ethernet's",
    one(`${TAP}; mtu: §1500`),
    "(write 1462 or less, unless the whole path has larger frames)",
  ],
  [
    "more addresses than an advertisement through it holds over an Ethernet",
    one(`${TAP}; key: 1`).replace(WEB, crowd(89, (host) => `fe80::${host}/64`)),
    "through `t1`, which carries 1458 bytes over an Ethernet of 1500, holds 88 (split them over several instances)",
  ],
  [
    "somebody to ask who is not in the tunnel",
    one(`${TAP}; addresses: [10.1.1.1/24]; keepalive: { target: §10.1.2.2 }`),
    "is in no network of the tunnel's `addresses` and `routes`",
  ],
  ["DF over IPv6", one(`type: ip6gre; ${SIX}; §pmtudisc: true`), "no effect over IPv6"],
  [
    "a route that holds the far end",
    one(`${TAP}; routes: [§198.51.100.0/24]`),
    "make sure of a route to 198.51.100.20",
  ],
  [
    "FAULT when the other router dies",
    one(`${TAP}; keepalive: { target: 10.1.1.2 }`) + "    track: [{ tunnel: §t1 }]\n",
    "this one would go to FAULT instead of taking over",
  ],
];

test("as many addresses as an advertisement through it holds", () => {
  const four = crowd(93, (host) => `10.9.0.${host}/24`).replace("§", "");
  expect(told(one(`${TAP}; mtu: 400`).replace(WEB, four)).lines).toEqual([]);
});

test.each(DOUBTS)("told: %s", (_, marked, text) => {
  const { ok, lines, at, marks } = told(marked);
  expect({ ok, at }).toEqual({ ok: true, at: [...marks] });
  expect(lines[0]).toContain(text);
});

test("an owner's virtual address may be the tunnel's own", () => {
  const text = one(`${TAP}; addresses: [10.9.0.1/24]`) + "    priority: 255\n";
  expect(told(text)).toMatchObject({ ok: true, lines: [] });
});

test("an empty section is as none", () => {
  expect(good(`tunnels:\n${WEB}`).tunnels).toEqual([]);
});

test.each<[boolean, string]>([
  [true, TAP],
  [
    true,
    `${TAP}; key: 0.0.0.42; ttl: inherit; addresses: [10.1.1.1/30]; routes: [10.8.0.0/16]; keepalive: {}`,
  ],
  [false, ENDS],
  [false, `${TAP}; keys: 1`],
  [true, `${TAP}; datapath: user`],
  [false, `${TAP}; mtu: 10`],
])("editors say %p to %s", (right, keys) => {
  expect(conforms(configJsonSchema(), parse(one(keys)))).toBe(right);
});
