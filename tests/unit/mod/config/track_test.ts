/** What instances track of each other, of routes and of links: mistakes at their places, and what is made of the rest. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { good, told } from "./marked.ts";

const LAN = "  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }\n";

/** Instances `web` and `lan`; `web` has more keys. */
function two(more: string, tail = ""): string {
  return `vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24]\n${more}${LAN}${tail}`;
}

const track = (entries: string, tail = "") => two(`    track: [${entries}]\n`, tail);

type Row = readonly [name: string, marked: string, ...texts: string[]];

function mistakes(rows: readonly Row[], ok = false): void {
  test.each(rows)("%s", (_, marked, ...texts) => {
    const { ok: loaded, lines, at, marks } = told(marked);
    expect({ ok: loaded, at }).toEqual({ ok, at: [...marks] });
    for (const [i, text] of texts.entries()) expect(lines[i]).toContain(text);
  });
}

describe("tracked instances", () => {
  mistakes([
    ["a stranger", track("{ instance: §lam }"), "no such instance (did you mean `lan`?)"],
    ["far from all", track("{ instance: §zzzzz }"), "(the instances are web, lan)"],
    ["a state that is none", track("{ instance: lan, state: §backup }"), "`state` is `backup`"],
    [
      "a state of a probe",
      track("{ interface: eth7, §state: master }"),
      "`state` has a meaning for an instance only (remove it, or track an instance)",
    ],
    ["a misspelt key", track("{ §instanec: lan }"), "did you mean `instance`?"],
    ["two kinds at once", track("{ instance: lan, §route: default }"), "`route` stands beside `instance`"],
    ["nothing", track("§{ weight: 5 }"), "instance: NAME or route: default"],
    [
      "one twice",
      track("{ instance: lan, weight: 5 }, { instance: §lan, state: master }"),
      "names `lan`, which is tracked already",
    ],
    [
      "by a group: a stranger",
      two("", "groups: { site: { members: [web, lan], track: [{ instance: §x }] } }\n"),
    ],
  ]);

  test("are up unless in fault, or only as master", () => {
    const { vrrp } = good(
      track("{ instance: lan, weight: -20 }, { probe: p }", "probes: { p: { type: nginx } }\n"),
    );
    expect(vrrp[0]!.track[0]).toEqual({
      kind: "instance",
      name: "lan",
      weight: -20,
      reverse: false,
      state: "up",
    });
    const strict = good(track("{ instance: lan, state: master, reverse: true }")).vrrp[0]!.track[0];
    expect(strict).toEqual({ kind: "instance", name: "lan", weight: null, reverse: true, state: "master" });
  });
});

describe("circles", () => {
  const ring = (web: string, lan: string, dmz: string, groups = "") =>
    "vrrp:\n" +
    `  web: { interface: eth0, vrid: 1, addresses: [10.0.0.1/24], track: [${web}] }\n` +
    `  lan: { interface: eth1, vrid: 1, addresses: [10.0.1.1/24], track: [${lan}] }\n` +
    `  dmz: { interface: eth2, vrid: 1, addresses: [10.0.2.1/24], track: [${dmz}] }\n${groups}`;
  mistakes([
    ["itself", track("{ instance: §web }"), "names `web`, the instance itself (remove it)"],
    [
      "of two",
      ring("{ instance: lan }", "{ instance: §web, weight: 5 }", ""),
      "names `web`, which depends on it: instance web → instance lan → instance web",
    ],
    [
      "of three",
      ring("{ instance: lan }", "{ instance: dmz }", "{ instance: §web }"),
      "instance web → instance lan → instance dmz → instance web",
    ],
    [
      "two of them",
      ring("{ instance: lan }", "{ instance: §web }, { instance: dmz }", "{ instance: §lan }"),
    ],
    [
      "a member of the own group",
      ring("{ instance: §lan }", "", "", "groups: { site: { members: [web, lan] } }\n"),
      "names `lan`, which shares one state with it in group site",
    ],
    [
      "a group and its member",
      ring("", "", "", "groups: { site: { members: [web, lan], track: [{ instance: §web }] } }\n"),
      "which shares one state with it in group site",
    ],
    [
      "by way of a group",
      ring("", "{ instance: dmz }", "{ instance: §web }", "groups: { site: { members: [web, lan] } }\n"),
      "names `web`, which depends on it: group site → instance dmz → group site",
    ],
  ]);

  test("a ladder is none", () => {
    good(ring("{ instance: lan }, { instance: dmz }", "{ instance: dmz }", ""));
    good(ring("", "", "{ instance: web }, { instance: lan }", "groups: { site: { members: [web, lan] } }\n"));
  });

  test("some way round is told exactly where there is one", () => {
    const edges = fc.uniqueArray(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 12, selector: String });
    fc.assert(fc.property(edges, (pairs) => {
      const text = "vrrp:\n" + [0, 1, 2, 3, 4].map((from) => {
        const entries = pairs.filter(([a]) => a === from).map(([, to]) => `{ instance: i${to} }`);
        return `  i${from}: { interface: e${from}, vrid: 1, addresses: [10.0.${from}.1/24], track: [${entries}] }\n`;
      }).join("");
      // Whoever tracks nobody that is left goes; what stays in the end goes round.
      let left = pairs;
      for (let before = -1; before !== left.length;) {
        before = left.length;
        left = left.filter(([, to]) => left.some(([from]) => from === to));
      }
      expect(told(text).ok).toBe(left.length === 0);
    }));
  });
});

describe("tracked routes", () => {
  mistakes([
    ["another than the default", track("{ route: §10.5.0.0/16 }"), "only the default route can be tracked"],
    ["a family that is none", track("{ route: default, family: §ip }"), "`family` is `ip`"],
    [
      "a family of an interface",
      track("{ interface: eth7, §family: ipv4 }"),
      "has a meaning for a route only",
    ],
    [
      "one twice",
      track("{ route: default }, { route: §default, family: ipv4 }"),
      "names a default route that is tracked already",
    ],
  ]);
  mistakes([
    [
      "the instance's own",
      two("    routes: [default via 10.0.0.9]\n    track: [{ route: §default }]\n"),
      "what the instance itself brings as master",
    ],
  ], true);

  const families = (text: string) =>
    good(text).vrrp.map(({ track }) =>
      track.map((entry) => entry.kind === "route" && [entry.name, entry.family])
    );

  test("are of the family of the addresses, or as written", () => {
    const v4 = ["default", "ipv4"];
    const v6 = ["default:ipv6", "ipv6"];
    expect(families(track("{ route: default }, { route: default, family: ipv6 }"))[0]).toEqual([v4, v6]);
    const ipv6 = track("{ route: default }").replace("10.0.0.1/24", "2001:db8::1/64");
    expect(families(ipv6)[0]).toEqual([v6]);
    // Both routers of an instance move together, so they judge by the same.
    const both = track("{ route: default }").replace("10.0.0.1/24", "10.0.0.1/24, 2001:db8::1/64");
    expect(families(both).slice(0, 2)).toEqual([[v4], [v4]]);
    const group = two("", "groups: { site: { members: [web, lan], track: [{ route: default }] } }\n");
    expect(families(group)).toEqual([[v4], [v4]]);
    expect(families(group.replaceAll(/10\.0\.(.)\.1\/24/g, "2001:db8:$1::1/64"))).toEqual([[v6], [v6]]);
  });

  test("another default route of its own is no matter", () => {
    const own = two(
      "    routes: [{ to: default, via: 10.0.0.9, table: 100 }]\n    track: [{ route: default }]\n",
    );
    expect(told(own)).toMatchObject({ ok: true, lines: [] });
  });
});

describe("debounce", () => {
  mistakes([
    ["an unknown key", two("    debounce: { §donw: 1s }\n"), "did you mean `down`?"],
    ["no duration", two("    debounce: { down: §5 }\n"), "a number without a unit"],
    ["too long", two("    debounce: { up: §2h }\n"), "out of range"],
    ["a single value", two("    debounce: §1s\n"), "`debounce` must be a mapping"],
    ["an unknown key of a link", two("", "links: { eth0: { §debouce: {} } }\n"), "did you mean `debounce`?"],
    ["no duration for a link", two("", "links: { eth0: { debounce: { up: §soon } } }\n"), "not a duration"],
    ["a name that cannot be one", two("", "links: { §eth0:1: {} }\n"), "cannot be an interface"],
    ["a name that is too long", two("", "links: { §abcdefghijklmnop: {} }\n"), "16 bytes long"],
    ["a link that is a value", two("", "links: { eth0: §down }\n"), "`eth0` must be a mapping"],
  ]);
  mistakes([
    [
      "a link that nobody uses",
      two("", "links: { §eth9: { debounce: { up: 1s } } }\n"),
      "no instance runs on it",
    ],
    [
      "longer than the others wait",
      two("    debounce: { down: §3s }\n"),
      "but the others take `web` over within 3s of silence",
    ],
    [
      "longer than the others wait, for a link",
      two("    advert_interval: 100ms\n", "links: { eth0: { debounce: { down: §500ms } } }\n"),
      "within 300ms of silence: it would be master beside them until then (write less than 300ms)",
    ],
  ], true);

  test("is that of the instance, else that of the link, for its own interface and tracked ones", () => {
    const tail = "links:\n  eth0: { debounce: { down: 50ms, up: 2s } }\n  eth7: { debounce: { up: 1s } }\n" +
      "  eth8: { debounce: { down: 0s } }\n";
    const entries = "    track: [{ interface: eth7 }, { interface: eth8, weight: 5 }]\n";
    const by = (more: string) => good(two(more, tail)).vrrp.map(({ debounce }) => debounce);
    expect(by(entries)).toEqual([{ eth0: { downMs: 50, upMs: 2000 }, eth7: { downMs: 0, upMs: 1000 } }, {}]);
    const own = { downMs: 0, upMs: 5000 };
    expect(by(`${entries}    debounce: { up: 5s }\n`)[0]).toEqual({ eth0: own, eth7: own, eth8: own });
    expect(by(`${entries}    debounce: {}\n`)[0]).toEqual({});
  });

  test("holds for what a group tracks, too", () => {
    const tail = "links: { eth7: { debounce: { down: 1s } } }\n" +
      "groups: { site: { members: [web, lan], track: [{ interface: eth7 }] } }\n";
    const eth7 = { downMs: 1000, upMs: 0 };
    expect(good(two("", tail)).vrrp.map(({ debounce }) => debounce)).toEqual([{ eth7 }, { eth7 }]);
  });
});
