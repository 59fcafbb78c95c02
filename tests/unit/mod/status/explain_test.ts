import { describe, expect, test } from "bun:test";
import type { InstanceReport } from "../../../../mod/bus/messages.ts";
import { explain } from "../../../../mod/status/explain.ts";
import { viewStatus } from "../../../../mod/status/view.ts";
import { ageText, intervalText, listText } from "../../../../mod/status/words.ts";
import { filledStore, instance, ipv6Leg, noDrops, PAIR, probe, router, wanted } from "./fixture.ts";

function sentences(overrides: Partial<InstanceReport> = {}): readonly string[] {
  const store = filledStore();
  store.apply({ type: "counters", counters: { web: { dropped: noDrops() } } });
  store.apply({ type: "instance", instance: instance(overrides) });
  return explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences;
}

describe("explain()", () => {
  test("says why a backup is backup, what holds it down and what would change it", () => {
    expect(sentences()).toEqual([
      "web is backup on eth0 (VRID 51, VRRPv3) since 2026-11-20 03:02:00 UTC (3 min): started.",
      "Its priority is 90: 150 as configured, −60 by probe nginx (down for 12 s: connection refused).",
      "The master is 10.1.1.3 with priority 100.",
      "This router takes over when no advertisement is heard for 3.61 s, or when its priority exceeds the master's.",
      "Without what probe nginx takes away its priority would be 150, and it would take over.",
    ]);
  });

  test("says why a tunnel that moves the priority is down", () => {
    const store = filledStore();
    const priority = { base: 150, effective: 100, adjustments: [{ source: "tunnel:gre1", weight: -50 }] };
    store.apply({ type: "instance", instance: instance({ priority }) });
    const gre = { name: "gre1", type: "gre", local: null, remote: null, state: "down" } as const;
    const since = "2026-11-20T03:05:00.000Z";
    store.setSources({ tunnels: () => [{ ...gre, since, error: "no answer from 10.1.1.2 for 1.2 s" }] });
    expect(explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences.join(" ")).toMatch(
      /Its priority is 100: .* −50 by tunnel gre1 \(down for \d+ s: no answer from 10\.1\.1\.2 for 1\.2 s\)\./,
    );
  });

  test("does not promise a preemption that is forbidden", () => {
    const text = sentences({ preempt: false }).join(" ");
    expect(text).toContain("takes over when no advertisement is heard for 3.61 s.");
    expect(text).not.toContain("would take over");
    expect(sentences({ preempt: false, master: { address: "10.1.1.3", priority: 50 } }).join(" "))
      .toContain("but it does not preempt");
    expect(sentences({ master: { address: "10.1.1.3", priority: 50 } }).join(" ")).toContain(
      "about to take over",
    );
    expect(sentences({ master: null }).join(" ")).toContain("It has heard no master yet");
  });

  test("says when a lower master will be preempted", () => {
    const preemptAtMs = Date.parse("2026-11-20T03:05:28.000Z");
    expect(sentences({ master: { address: "10.1.1.3", priority: 50 }, preemptAtMs })).toContain(
      "Its own priority is higher: it takes over at 2026-11-20 03:05:28 UTC, after the delay that `preempt` demands.",
    );
  });

  test("says what a master would lose", () => {
    const text = sentences({
      state: "master",
      priority: { base: 150, effective: 150, adjustments: [] },
    });
    expect(text).toContain("It holds 10.9.0.100/24 and advertises every 1 s.");
    expect(text).toContain("It stays master until a router with a priority above 150 preempts it.");
    expect(text).toContain("If probe nginx goes down, its priority falls to 90.");
  });

  test("says what holds an instance in fault or init, and how that ends", () => {
    expect(
      sentences({ state: "fault", reason: "interface eth0 is down", faults: ["interface eth0 is down"] }),
    )
      .toContain("It becomes backup by itself when that is over.");
    expect(sentences({ state: "fault", faults: ["a is down", "b is down"] }))
      .toContain("All of this holds it in fault: a is down; b is down.");
    expect(sentences({ state: "fault", released: true, faults: ["released by the operator"] }))
      .toContain("An operator wants it so, until `appliance resume web`.");
    expect(sentences({ state: "fault", released: true, faults: ["in maintenance"] }))
      .toContain("An operator wants it so, until `appliance maintenance off`.");
    expect(sentences({ state: "init", waiting: ["the first result of probe:nginx"] }))
      .toContain("It takes part as soon as it has the first result of probe:nginx.");
  });

  test("warns of a second master and of ignored packets", () => {
    expect(sentences({ state: "master", splitBrainWith: "10.1.1.9" }).join(" "))
      .toContain("Two routers are master: 10.1.1.9 advertises too");
    const store = filledStore();
    const dropped = { ...noDrops(), ttl: 2, version: 1 };
    store.apply({ type: "counters", counters: { web: { received: 4, dropped } } });
    expect(explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences.slice(-2)).toEqual([
      "1 packet was ignored (version): the sender speaks the other version of VRRP; set `version` alike.",
      "2 packets were ignored (ttl): a TTL other than 255, so it was routed or forged; name `peers` where a router " +
      "is between.",
    ]);
  });

  test("says that nobody hears a master that cannot send, and is not well then", () => {
    const sendError = "cannot send advertisements on eth0: operation not permitted";
    const text = sentences({ state: "master", sendError, splitBrainWith: "10.1.1.9" }).join(" ");
    expect(text).toContain(`It ${sendError}: no other router hears it`);
    expect(text).toContain("Two routers are master: 10.1.1.9 advertises too.");
    const store = filledStore();
    store.apply({ type: "instance", instance: instance({ state: "master", sendError }) });
    expect(viewStatus(store.snapshot()).problems).toContain(`instance web ${sendError}`);
  });

  test("promises no priority where a weight is multiplied by a number", () => {
    const store = filledStore();
    store.setSources({ probes: () => [probe({ state: "up", type: "file", value: 5, error: null })] });
    const priority = { base: 150, effective: 100, adjustments: [{ source: "probe:nginx", weight: -50 }] };
    store.apply({ type: "instance", instance: instance({ state: "master", priority }) });
    expect(explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences.join(" "))
      .not.toContain("If probe nginx goes down");
  });

  test("an owner of the addresses has a fixed priority", () => {
    expect(sentences({ state: "master", priority: { base: 255, effective: 255, adjustments: [] } }))
      .toContain("Its priority is 255: it owns the addresses, and nothing changes that.");
  });

  test("explains all instances, or none of an unknown name", () => {
    const status = viewStatus(filledStore().snapshot());
    expect(explain(status).instances.map(({ name }) => name)).toEqual(["web", "lan"]);
    expect(explain(status, "nope").instances).toEqual([]);
  });
});

describe("explain() of an instance with addresses of both families", () => {
  function web(v4: Partial<InstanceReport>, v6: Partial<InstanceReport>): readonly string[] {
    const store = filledStore();
    store.setWanted(wanted([...PAIR, router("lan")]));
    store.apply({ type: "counters", counters: { web: { dropped: noDrops() } } });
    store.apply({ type: "instance", instance: instance(v4) });
    store.apply({ type: "instance", instance: ipv6Leg(v6) });
    return explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences;
  }

  test("is of one thing, whose master has an address of each", () => {
    expect(web({}, {})).toEqual([
      "web is backup on eth0 (VRID 51, VRRPv3, IPv4 and IPv6) since 2026-11-20 03:02:00 UTC (3 min): started.",
      "Its priority is 90: 150 as configured, −60 by probe nginx (down for 12 s: connection refused).",
      "The master is 10.1.1.3 and fe80::3 with priority 100.",
      "This router takes over when no advertisement is heard for 3.61 s, or when its priority exceeds the master's.",
      "Without what probe nginx takes away its priority would be 150, and it would take over.",
    ]);
    expect(web({}, { master: { address: "fe80::4", priority: 120 } }))
      .toContain("The master is 10.1.1.3 with priority 100 and fe80::4 with priority 120.");
    expect(web({ state: "master" }, { state: "master" }))
      .toContain("It holds 10.9.0.100/24 and 2001:db8::100/64 and advertises every 1 s.");
  });

  test("says over what it hears nothing, and is not well then", () => {
    const deaf = { master: null, ready: true } as const;
    expect(web({}, deaf)).toContain(
      "Over IPv6 it has heard no advertisement for longer than 3.61 s, though the master is heard over IPv4: " +
        "find out why the master's packets (IP protocol 112) do not arrive over IPv6.",
    );
    expect(web(deaf, deaf).join(" ")).toContain("It has heard no master yet");
    const store = filledStore();
    store.setWanted(wanted([...PAIR, router("lan")]));
    store.setSources({ probes: () => [] });
    store.apply({ type: "instance", instance: instance() });
    store.apply({ type: "instance", instance: ipv6Leg(deaf) });
    expect(viewStatus(store.snapshot()).problems).toEqual([
      "instance web hears no master over IPv6, though the rest of its group does",
    ]);
  });

  test("speaks in the operator's names", () => {
    const why = "interface eth0 has no IPv6 link-local address";
    const shared = `group @web: web:ipv6: ${why}`;
    const text = web(
      { state: "fault", reason: shared, faults: [shared] },
      { state: "fault", reason: why, faults: [why] },
    ).join(" ");
    expect(text).toStartWith("web is in fault on eth0 (VRID 51, VRRPv3, IPv4 and IPv6) since ");
    expect(text).toContain(`: ${why}. `);
    expect(text).toContain("It becomes backup by itself when that is over.");
    expect(text).not.toContain("web:ipv6");
  });
});

describe("explain() of sync groups", () => {
  function site(...reports: InstanceReport[]) {
    const store = filledStore();
    store.setWanted(wanted([router("web"), router("lan")], [{ name: "site", members: ["web", "lan"] }]));
    for (const report of reports) store.apply({ type: "instance", instance: report });
    return explain(viewStatus(store.snapshot()));
  }

  test("says what its members are, and of each member that it is in it", () => {
    const { groups, instances } = site(instance({ state: "master" }));
    expect(groups).toEqual([{
      name: "site",
      state: "master",
      sentences: [
        "The sync group site is master since 2026-11-20 03:02:00 UTC (3 min): web and lan share one state.",
      ],
    }]);
    expect(instances[0]!.sentences).toContain("It shares its state with lan in the sync group site.");
    expect(instances[1]!.sentences).toContain("It shares its state with web in the sync group site.");
  });

  test("says who holds it in fault, and who has not followed", () => {
    const shared = "group site: lan: interface eth1 is down";
    const down = { name: "lan", state: "fault", faults: ["interface eth1 is down"] } as const;
    expect(site(instance({ state: "fault", faults: [shared] }), instance(down)).groups[0]!.sentences.slice(1))
      .toEqual(["lan holds it in fault: interface eth1 is down."]);
    expect(site(instance(), instance(down)).groups[0]!.sentences[1])
      .toBe("Not all have reached it: web is backup and lan is in fault.");
  });

  test("says what holds back a member that hears nobody", () => {
    const { instances } = site(
      instance({ master: null, ready: true }),
      instance({ name: "lan", interface: "eth1" }),
    );
    expect(instances[0]!.sentences).toContain(
      "It has heard no advertisement for longer than 3.61 s and would be master, but the sync group site moves as a " +
        "whole, and lan hears 10.1.1.3: find out why the master's packets (IP protocol 112) do not arrive on eth0.",
    );
  });

  test("are left out where one instance was asked for", () => {
    const store = filledStore();
    store.setWanted(wanted([router("web"), router("lan")], [{ name: "site", members: ["web", "lan"] }]));
    expect(explain(viewStatus(store.snapshot()), "web").groups).toEqual([]);
    expect(explain(viewStatus(store.snapshot()), "web").instances[0]!.sentences)
      .toContain("It shares its state with lan in the sync group site.");
  });
});

test("durations and lists are said as people say them", () => {
  expect([0, 999, 1000, 59_999, 60_000, 3_600_000, 172_800_000].map(ageText))
    .toEqual(["0 s", "0 s", "1 s", "59 s", "1 min", "1 h", "2 d"]);
  expect([10, 100, 1000, 3609.4, 40_950].map(intervalText)).toEqual([
    "10 ms",
    "100 ms",
    "1 s",
    "3.61 s",
    "40.95 s",
  ]);
  expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listText)).toEqual(["", "a", "a and b", "a, b and c"]);
});
