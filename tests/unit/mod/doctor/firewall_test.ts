/** Rules as nft 1.0.6 and iptables-save print them, and what becomes of packets. */
import { describe, expect, test } from "bun:test";
import type { DoctorConfig, Facts } from "../../../../mod/doctor/model.ts";
import { type Changes, config, GRETAP, heard, judge, running, told, WEB } from "./fixture.ts";

const web = config(WEB);

/** A document of one input chain (or `hook`) with these rules, each as its expressions. */
function nft(
  policy: "accept" | "drop",
  rules: readonly unknown[][],
  hook = "input",
  table = "filter",
): string {
  const at = { family: "inet", table };
  return JSON.stringify({
    nftables: [
      { metainfo: { json_schema_version: 1 } },
      { table: { family: "inet", name: table, handle: 1 } },
      { chain: { ...at, name: hook, handle: 1, type: "filter", hook, prio: 0, policy } },
      { chain: { ...at, name: "sub", handle: 2 } },
      { rule: { ...at, chain: "sub", handle: 3, expr: [match(meta("l4proto"), "vrrp"), { accept: null }] } },
      ...rules.map((expr, index) => ({ rule: { ...at, chain: hook, handle: 10 + index, expr } })),
    ],
  });
}

const meta = (key: string) => ({ meta: { key } });
const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const match = (left: unknown, right: unknown, op = "==") => ({ match: { op, left, right } });
const ACCEPT = { accept: null };
const DROP = { drop: null };

function firewall(
  rules: Partial<Record<keyof Facts["firewall"], string>>,
  wanted: DoctorConfig = web,
): string[] {
  const text = (key: keyof Facts["firewall"]) => rules[key] === undefined ? null : { text: rules[key] };
  const all = { nft: text("nft"), iptables: text("iptables"), ip6tables: text("ip6tables") };
  return told(judge(wanted, { firewall: all }), "firewall");
}

const DROPPED = "error: VRRP advertisements (protocol 112) coming in on eth0 are dropped by ";
const DOUBT = "warning: VRRP advertisements (protocol 112) coming in on eth0 may be dropped by ";
const POLICY = "the policy of inet filter input";

describe("nftables", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["an empty chain", nft("accept", []), null],
    ["a policy", nft("drop", []), DROPPED + POLICY],
    [
      "a rule",
      nft("accept", [[match(meta("l4proto"), "vrrp"), DROP]]),
      `${DROPPED}the rule with handle 10 of inet filter input`,
    ],
    [
      "a number",
      nft("accept", [[match(meta("l4proto"), 112), { counter: {} }, { reject: {} }]]),
      `${DROPPED}the rule with handle 10 of inet filter input`,
    ],
    ["another protocol", nft("accept", [[match(meta("l4proto"), { set: ["tcp", "ospf"] }), DROP]]), null],
    ["all others", nft("accept", [[match(payload("ip", "protocol"), "vrrp", "!="), DROP]]), null],
    [
      "accepted by protocol",
      nft("drop", [[match(payload("ip", "protocol"), { set: ["gre", "vrrp"] }), ACCEPT]]),
      null,
    ],
    ["accepted by jump", nft("drop", [[match(meta("iifname"), "eth*"), { jump: { target: "sub" } }]]), null],
    [
      "a jump elsewhere",
      nft("drop", [[match(meta("iifname"), "wan*"), { jump: { target: "sub" } }]]),
      DROPPED + POLICY,
    ],
    [
      "accepted by group",
      nft("drop", [[match(payload("ip", "daddr"), { prefix: { addr: "224.0.0.0", len: 4 } }), ACCEPT]]),
      null,
    ],
    [
      "accepted by multicast",
      nft("drop", [[match({ fib: { result: "type", flags: ["daddr"] } }, "multicast"), ACCEPT]]),
      null,
    ],
    [
      "dropped by packet type",
      nft("accept", [[match(meta("pkttype"), "multicast"), DROP]]),
      `${DROPPED}the rule with handle 10 of inet filter input`,
    ],
    [
      "answers only",
      nft("drop", [[match({ ct: { key: "state" } }, ["established", "related"], "in"), ACCEPT]]),
      DROPPED + POLICY,
    ],
    ["some senders", nft("drop", [[match(payload("ip", "saddr"), "@peers"), ACCEPT]]), DOUBT + POLICY],
    [
      "a limit",
      nft("drop", [[match(meta("l4proto"), "vrrp"), { limit: { rate: 5 } }, ACCEPT]]),
      DOUBT + POLICY,
    ],
    [
      "a verdict map",
      nft("drop", [[{
        vmap: {
          key: meta("iifname"),
          data: { set: [["eth0", { jump: { target: "sub" } }], ["eth1", DROP]] },
        },
      }]]),
      null,
    ],
    ["a port", nft("drop", [[match(payload("tcp", "dport"), 112), ACCEPT]]), DROPPED + POLICY],
    ["IPv6 alone", nft("accept", [[match(payload("ip6", "nexthdr"), "vrrp"), DROP]]), null],
    ["our own table", nft("drop", [], "input", "appliance"), null],
    ["no JSON", "flush ruleset", null],
  ];
  for (const [name, rules, expected] of cases) {
    test(name, () => expect(firewall({ nft: rules })).toEqual(expected === null ? [] : [expected]));
  }

  test("what goes out counts too", () => {
    expect(firewall({ nft: nft("drop", [[match(meta("oifname"), "lo"), ACCEPT]], "output") })).toEqual([
      "error: VRRP advertisements (protocol 112) going out on eth0 are dropped by the policy of inet filter output",
    ]);
  });

  test("a doubt is a note where the peers' packets were heard to pass", () => {
    const doubtful = nft("drop", [[match(payload("ip", "saddr"), "@peers"), ACCEPT]]);
    const rules = { nft: { text: doubtful }, iptables: null, ip6tables: null };
    const severities = (changes: Changes, wanted = web) =>
      told(judge(wanted, { firewall: rules, ...changes }), "firewall").map((line) => line.split(":")[0]!);
    expect(severities({})).toEqual(["warning"]);
    expect(severities({ heard: [heard()] })).toEqual(["note"]);
    expect(severities({ heard: [heard({ delivered: 0 })] })).toEqual(["warning"]);
    expect(severities({ heard: [heard({ vrid: 52 })] })).toEqual(["warning"]);
    const masters = [{ family: "ipv4", address: "10.0.0.2", priority: 200 }] as const;
    expect(severities({ daemon: running({ state: "backup", masters }) })).toEqual(["note"]);
    expect(severities({ daemon: running() })).toEqual(["warning"]);
    // Of unicast peers each counts for itself.
    const limited = nft("drop", [[match(meta("l4proto"), "vrrp"), { limit: { rate: 5 } }, ACCEPT]]);
    const unicast = (...peers: string[]) =>
      severities(
        { firewall: { ...rules, nft: { text: limited } }, heard: [heard({ destination: "10.0.0.1" })] },
        config(WEB.replace("vrid", `peers: [${peers.join(", ")}], vrid`)),
      );
    expect([unicast("10.0.0.2"), unicast("10.0.0.2", "10.0.0.3")]).toEqual([["note"], ["warning"]]);
    // A certain drop stays what it is, and so does the doubt of an instance that hears nobody.
    const shut = { firewall: { ...rules, nft: { text: nft("drop", []) } }, heard: [heard()] };
    expect(severities(shut)).toEqual(["error"]);
    const two = config(`${WEB}  other: { interface: eth0, vrid: 52, addresses: [10.0.0.101/24] }\n`);
    expect(severities({ heard: [heard()] }, two)).toEqual(["warning"]);
  });

  test("each finding comes with the rule that opens", () => {
    const rules = { nft: { text: nft("drop", []) }, iptables: null, ip6tables: null };
    const { findings } = judge(web, { firewall: rules });
    const found = findings.find(({ area }) => area === "firewall")!;
    expect(found.fix).toEqual(['nft insert rule inet filter input iifname "eth0" meta l4proto 112 accept']);
  });
});

describe("what else must pass", () => {
  const closed = nft("drop", [[match(meta("l4proto"), "vrrp"), ACCEPT]]);

  test("AH, GRE, neighbour solicitations, the API", () => {
    const ah = config(WEB.replace("vrid", "version: 2, auth: { type: ah, key: x }, vrid"));
    expect(firewall({ nft: closed }, ah)).toEqual([
      `error: VRRP advertisements with AH (protocol 51) coming in on eth0 are dropped by ${POLICY}`,
    ]);
    expect(firewall({ nft: closed }, config(WEB, { tunnels: [GRETAP] }))).toEqual([
      `error: GRE packets (protocol 47) coming in on eth0 are dropped by ${POLICY}`,
    ]);
    const six = config("vrrp: { six: { interface: eth0, vrid: 6, addresses: ['fe80::100/64'] } }");
    expect(firewall({ nft: closed }, six)).toEqual([
      `error: Neighbour solicitations (ICMPv6 type 135) coming in on eth0 are dropped by ${POLICY}`,
    ]);
    const types = { set: ["nd-neighbor-solicit", "nd-neighbor-advert"] };
    const open = nft("drop", [[match(meta("l4proto"), "vrrp"), ACCEPT], [
      match(payload("icmpv6", "type"), types),
      ACCEPT,
    ]]);
    expect(firewall({ nft: open }, six)).toEqual([]);
    const api = config(`api: { listen: "10.0.0.1:8405" }\n${WEB}`);
    expect(firewall({ nft: closed }, api)).toEqual([
      `warning: Connections to the API (10.0.0.1 port 8405) coming in on eth0 are dropped by ${POLICY}`,
    ]);
  });

  test("of a unicast pair the sender is known", () => {
    const unicast = config(WEB.replace("vrid", "peers: [10.0.0.2], vrid"));
    const from = (address: string) => nft("drop", [[match(payload("ip", "saddr"), address), ACCEPT]]);
    expect(firewall({ nft: from("10.0.0.2") }, unicast)).toEqual([]);
    expect(firewall({ nft: from("10.0.0.3") }, unicast)).toEqual([DROPPED + POLICY]);
  });
});

describe("iptables", () => {
  const saved = (policy: string, ...rules: string[]) =>
    [
      "# Generated by iptables-save v1.8.9",
      "*filter",
      `:INPUT ${policy} [0:0]`,
      ":OUTPUT ACCEPT [0:0]",
      ":VRRP - [0:0]",
      ...rules,
      "COMMIT",
      "",
    ]
      .join("\n");
  const by = (rule: string) => `${DROPPED}iptables ${rule}`;
  const BY_POLICY = `${DROPPED}the policy of iptables filter INPUT`;
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["an open policy", saved("ACCEPT"), null],
    [
      "a closed one",
      saved(
        "DROP",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      ),
      BY_POLICY,
    ],
    ["accepted by number", saved("DROP", "-A INPUT -p 112 -j ACCEPT"), null],
    [
      "accepted by name, with a comment",
      saved("DROP", '-A INPUT -p vrrp -m comment --comment "two words" -j ACCEPT'),
      null,
    ],
    ["accepted by group", saved("DROP", "-A INPUT -d 224.0.0.0/8 -i eth+ -j ACCEPT"), null],
    ["another interface", saved("DROP", "-A INPUT -i eth1 -p vrrp -j ACCEPT"), BY_POLICY],
    ["a chain of its own", saved("DROP", "-A INPUT -j VRRP", "-A VRRP ! -p tcp -j ACCEPT"), null],
    ["returned", saved("ACCEPT", "-A INPUT -j VRRP", "-A VRRP -p vrrp -j RETURN", "-A VRRP -j DROP"), null],
    ["a chain that comes back", saved("DROP", "-A INPUT -j VRRP", "-A INPUT -p 112 -j ACCEPT"), null],
    ["a chain that does not", saved("DROP", "-A INPUT -g VRRP", "-A INPUT -p 112 -j ACCEPT"), BY_POLICY],
    [
      "a last rule",
      saved("ACCEPT", "-A INPUT -p tcp -j ACCEPT", "-A INPUT -j REJECT --reject-with icmp-host-prohibited"),
      by("-A INPUT -j REJECT --reject-with icmp-host-prohibited"),
    ],
    [
      "a limit",
      saved("ACCEPT", "-A INPUT -p vrrp -m limit --limit 1/sec -j ACCEPT", "-A INPUT -p vrrp -j DROP"),
      `${DOUBT}iptables -A INPUT -p vrrp -j DROP`,
    ],
  ];
  for (const [name, text, expected] of cases) {
    test(name, () => expect(firewall({ iptables: text })).toEqual(expected === null ? [] : [expected]));
  }

  test("its tables inside nftables are not read twice", () => {
    const inside = nft("drop", []).replaceAll('"inet"', '"ip"');
    expect(firewall({ nft: inside, iptables: saved("DROP", "-A INPUT -p 112 -j ACCEPT") })).toEqual([]);
    expect(firewall({ nft: inside })).toEqual([`${DROPPED}the policy of ip filter input`]);
  });

  test("the rule that opens", () => {
    const rules = { nft: null, iptables: { text: saved("DROP") }, ip6tables: null };
    const found = judge(web, { firewall: rules }).findings.find(({ area }) => area === "firewall")!;
    expect(found.fix).toEqual(["iptables -t filter -I INPUT -i eth0 -p 112 -j ACCEPT"]);
  });
});
