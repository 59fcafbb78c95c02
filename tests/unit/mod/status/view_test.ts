import { describe, expect, test } from "bun:test";
import { DROP_REASONS } from "../../../../mod/bus/messages.ts";
import { statusSchema } from "../../../../mod/status/schema.ts";
import { StatusStore } from "../../../../mod/status/store.ts";
import { viewEvent, viewStatus } from "../../../../mod/status/view.ts";
import {
  filledStore,
  instance,
  ipv6Leg,
  noDrops,
  NOW,
  PAIR,
  probe,
  router,
  TRACK,
  wanted,
} from "./fixture.ts";

describe("viewStatus()", () => {
  test("is what the schema says, empty or full", () => {
    const empty = new StatusStore({ node: "a", version: "1", now: () => NOW });
    expect(() => statusSchema.parse(viewStatus(empty.snapshot()))).not.toThrow();
    const full = filledStore();
    full.setConfig({ ok: true, problems: [], file: "x" });
    expect(() => statusSchema.parse(JSON.parse(JSON.stringify(viewStatus(full.snapshot()))))).not.toThrow();
  });

  test("has the documented keys", () => {
    const status = viewStatus(filledStore().snapshot());
    expect(status).toMatchObject({ node: "edge-a", version: "9.9.9", healthy: false, uptime_s: 600 });
    expect(status.instances[0]).toMatchObject({
      name: "web",
      state: "backup",
      since: "2026-11-20T03:02:00.000Z",
      reason: "started",
      vrid: 51,
      version: 3,
      family: "ipv4",
      interface: "eth0",
      priority: { base: 150, effective: 90, adjustments: [{ source: "probe:nginx", weight: -60 }] },
      master: { address: "10.1.1.3", priority: 100 },
      addresses: ["10.9.0.100/24"],
      transitions: 3,
      adverts: { sent: 0, received: 4, dropped: { checksum: 0, ttl: 2, auth: 0, interval: 0 } },
    });
    expect(status.probes[0]).toEqual(probe());
    expect(status.tunnels).toEqual([]);
    expect(status.services).toEqual([]);
    expect(status.balance).toEqual([]);
    expect(Object.keys(status.instances[0]!.adverts.dropped)).toEqual([...DROP_REASONS]);
    expect(status.engine).toMatchObject({ pid: 77, control_restarts: 1, realtime: true });
  });

  test("tells of maintenance, and of what else is not well", () => {
    const store = filledStore();
    expect(viewStatus(store.snapshot()).maintenance).toBe(false);
    store.apply({ type: "held", held: { maintenance: true, released: [] } });
    store.setSources({ problems: () => ["the disk is full"] });
    const status = viewStatus(store.snapshot());
    expect(status.maintenance).toBe(true);
    expect(status.problems).toContain("the disk is full");
    store.apply({ type: "held", held: { maintenance: false, released: ["web"] } });
    expect(viewStatus(store.snapshot()).maintenance).toBe(false);
  });

  test("tells what is not well", () => {
    const store = filledStore();
    const problems = () => viewStatus(store.snapshot()).problems;
    expect(problems()).toEqual(["probe nginx is down: connection refused"]);
    store.setSources({ probes: () => [probe({ state: "up", error: null })] });
    expect(problems()).toEqual([]);
    expect(viewStatus(store.snapshot()).healthy).toBe(true);
    store.apply({
      type: "instance",
      instance: instance({ state: "fault", faults: ["interface eth0 is down", "probe:x down"] }),
    });
    expect(problems()).toEqual(["instance web is in fault: interface eth0 is down; probe:x down"]);
    store.apply({ type: "instance", instance: instance({ state: "master", splitBrainWith: "10.1.1.9" }) });
    expect(problems()).toEqual(["instance web has a second master: 10.1.1.9"]);
    store.apply({ type: "instance", instance: instance() });
    store.setSources({
      tunnels: () => [
        { name: "gre1", type: "gre", local: null, remote: null, state: "down" },
        { name: "gre2", type: "gre", local: null, remote: null, state: "down", error: "no answer" },
      ],
      services: () => [{ name: "nginx", state: "failed", pid: null, restarts: 3 }],
    });
    expect(problems()).toEqual([
      "tunnel gre1 is down",
      "tunnel gre2 is down: no answer",
      "service nginx has failed",
    ]);
  });

  test("counts a probe that is down only where an instance wants it up", () => {
    const store = filledStore();
    const healthy = () => viewStatus(store.snapshot()).healthy;
    store.setWanted(wanted([router("web", { track: [{ ...TRACK, reverse: true }] })]));
    expect(healthy()).toBe(true);
    store.setWanted(wanted([router("web")]));
    expect(healthy()).toBe(true);
    store.setWanted(wanted([router("web", { track: [TRACK] })]));
    expect(healthy()).toBe(false);
    const unknowing = new StatusStore({ node: "a", version: "1", now: () => NOW });
    unknowing.setSources({ probes: () => [probe()] });
    expect(viewStatus(unknowing.snapshot()).healthy).toBe(false);
  });
});

describe("viewStatus() of an instance with addresses of both families", () => {
  function pairStore(groups: { name: string; members: string[] }[] = []) {
    const store = filledStore();
    store.setWanted(wanted([...PAIR, router("lan")], groups));
    store.setSources({ probes: () => [] });
    store.apply({ type: "instance", instance: ipv6Leg() });
    return store;
  }
  const webOf = (store: StatusStore) => {
    const status = statusSchema.parse(JSON.parse(JSON.stringify(viewStatus(store.snapshot()))));
    expect(status.instances.map(({ name }) => name)).toEqual(["web", "lan"]);
    return status.instances[0]!;
  };

  test("is one entry with the addresses and masters of both", () => {
    const store = pairStore();
    expect(store.instanceNames()).toEqual(["web", "lan"]);
    expect(webOf(store)).toMatchObject({
      name: "web",
      state: "backup",
      since: "2026-11-20T03:02:00.000Z",
      reason: "started",
      family: "ipv4",
      families: ["ipv4", "ipv6"],
      priority: { base: 150, effective: 90, adjustments: [{ source: "probe:nginx", weight: -60 }] },
      master: { address: "10.1.1.3", priority: 100 },
      masters: [
        { family: "ipv4", address: "10.1.1.3", priority: 100 },
        { family: "ipv6", address: "fe80::3", priority: 100 },
      ],
      addresses: ["10.9.0.100/24", "2001:db8::100/64"],
      transitions: 3,
      track: [{ source: "probe:nginx", weight: -60, reverse: false }],
    });
  });

  test("is the same in whatever order the engine tells of them", () => {
    const store = new StatusStore({ node: "a", version: "1", now: () => NOW });
    store.apply({ type: "instance", instance: ipv6Leg() });
    expect(viewStatus(store.snapshot()).instances[0]).toMatchObject({
      name: "web",
      family: "ipv6",
      families: ["ipv6"],
    });
    store.apply({ type: "instance", instance: instance() });
    expect(viewStatus(store.snapshot()).instances).toHaveLength(1);
    expect(viewStatus(store.snapshot()).instances[0]).toMatchObject({
      family: "ipv4",
      families: ["ipv4", "ipv6"],
    });
  });

  test("adds up what is counted, but a move of both is one move", () => {
    const store = pairStore();
    store.apply({
      type: "counters",
      counters: {
        web: { sent: 10, announced: 5, repaired: 1 },
        "web:ipv6": { sent: 7, received: 2, announced: 3, dropped: { ...noDrops(), ttl: 1, auth: 4 } },
      },
    });
    store.apply({ type: "instance", instance: ipv6Leg({ transitions: 2 }) });
    const web = webOf(store);
    expect(web).toMatchObject({ announced: 8, repaired: 1, transitions: 3 });
    expect(web.adverts).toMatchObject({ sent: 17, received: 6, dropped: { ...noDrops(), ttl: 3, auth: 4 } });
  });

  test("is in the worse state of both, and says whose", () => {
    const store = pairStore();
    store.apply({
      type: "instance",
      instance: instance({ state: "master", reason: "x", sinceMs: NOW - 5000 }),
    });
    expect(webOf(store)).toMatchObject({ state: "backup", reason: "IPv6: started" });
    store.apply({
      type: "instance",
      instance: ipv6Leg({ state: "master", reason: "y", sinceMs: NOW - 4000 }),
    });
    expect(webOf(store)).toMatchObject({ state: "master", reason: "x", since: "2026-11-20T03:04:56.000Z" });
    store.apply({ type: "instance", instance: ipv6Leg({ state: "init", reason: "waiting" }) });
    expect(webOf(store)).toMatchObject({ state: "init", reason: "IPv6: waiting" });
  });

  test("tells a fault of one once, without the names that the engine has for them", () => {
    const store = pairStore();
    const why = "interface eth0 has no IPv6 link-local address";
    const shared = `group @web: web:ipv6: ${why}`;
    store.apply({
      type: "instance",
      instance: instance({ state: "fault", reason: shared, faults: [shared], sinceMs: NOW - 1000 }),
    });
    store.apply({
      type: "instance",
      instance: ipv6Leg({ state: "fault", reason: why, faults: [why], sinceMs: NOW - 2000 }),
    });
    expect(webOf(store)).toMatchObject({
      state: "fault",
      since: "2026-11-20T03:04:58.000Z",
      reason: why,
      faults: [why],
    });
    expect(viewStatus(store.snapshot()).problems).toEqual([`instance web is in fault: ${why}`]);
  });

  test("tells what both have once, also where another instance is concerned", () => {
    const store = pairStore([{ name: "site", members: ["web", "lan"] }]);
    const down = "interface eth0 is down";
    const faults = [down, `group site: web:ipv6: ${down}`];
    store.apply({
      type: "instance",
      instance: instance({ state: "fault", reason: faults.join("; "), faults }),
    });
    const mirrored = [down, `group site: web: ${down}`];
    store.apply({ type: "instance", instance: ipv6Leg({ state: "fault", reason: down, faults: mirrored }) });
    const others = [`group site: web: ${down}`, `group site: web:ipv6: ${down}`];
    store.apply({
      type: "instance",
      instance: instance({ name: "lan", state: "fault", reason: others.join("; "), faults: others }),
    });
    const { instances, groups } = viewStatus(store.snapshot());
    expect(instances[0]).toMatchObject({ group: "site", reason: down, faults: [down] });
    expect(instances[1]).toMatchObject({ group: "site", reason: others[0], faults: [others[0]] });
    expect(groups).toEqual([
      { name: "site", state: "fault", since: "2026-11-20T03:02:00.000Z", members: ["web", "lan"] },
    ]);
  });

  test("says what moved it, not that one leg followed the other", () => {
    const store = pairStore();
    const why = "10.1.1.3 has a higher priority (200; 150)";
    store.apply({
      type: "instance",
      instance: instance({ reason: `group @web: web:ipv6 is backup (${why})` }),
    });
    expect(webOf(store).reason).toBe(why);
  });

  test("a released one is in fault once, as one with one family is", () => {
    const store = pairStore();
    const leg = { state: "fault", reason: "released by the operator", released: true } as const;
    store.apply({ type: "instance", instance: instance({ ...leg, faults: [leg.reason] }) });
    store.apply({ type: "instance", instance: ipv6Leg({ ...leg, faults: [leg.reason] }) });
    expect(webOf(store)).toMatchObject({ state: "fault", released: true, faults: [leg.reason] });
    const { healthy, problems } = viewStatus(store.snapshot());
    expect([healthy, problems]).toEqual([false, ["instance web is in fault: released by the operator"]]);
  });

  test("both masters of a split are told, and which it is", () => {
    const store = pairStore();
    store.apply({ type: "instance", instance: instance({ state: "master", splitBrainWith: "10.1.1.9" }) });
    store.apply({ type: "instance", instance: ipv6Leg({ state: "master", splitBrainWith: "fe80::9" }) });
    expect(webOf(store).split_brain_with).toBe("10.1.1.9");
    expect(viewStatus(store.snapshot()).problems).toEqual([
      "instance web has a second master: 10.1.1.9",
      "instance web has a second master: fe80::9",
    ]);
  });

  test("is one instance with one family again when a leg has gone", () => {
    const store = pairStore();
    store.apply({ type: "instance-gone", name: "web:ipv6" });
    expect(webOf(store)).toMatchObject({ families: ["ipv4"], addresses: ["10.9.0.100/24"] });
  });
});

describe("viewStatus() of sync groups", () => {
  const groups = [{ name: "site", members: ["web", "lan"] }];
  function groupStore() {
    const store = filledStore();
    store.setWanted(wanted([router("web"), router("lan")], groups));
    return store;
  }
  const groupOf = (store: StatusStore) => viewStatus(store.snapshot()).groups[0]!;

  test("are the worst of their members; master when the last of them is", () => {
    const store = groupStore();
    expect(groupOf(store)).toMatchObject({ state: "backup", since: "2026-11-20T03:02:00.000Z" });
    store.apply({ type: "instance", instance: instance({ state: "master", sinceMs: NOW - 1000 }) });
    expect(groupOf(store)).toMatchObject({ state: "master", since: "2026-11-20T03:04:59.000Z" });
    store.apply({ type: "instance", instance: instance({ state: "fault", sinceMs: NOW }) });
    expect(groupOf(store)).toMatchObject({ state: "fault", since: "2026-11-20T03:05:00.000Z" });
    store.apply({
      type: "instance",
      instance: instance({ name: "lan", state: "fault", sinceMs: NOW + 1000 }),
    });
    expect(groupOf(store)).toMatchObject({ state: "fault", since: "2026-11-20T03:05:00.000Z" });
  });

  test("are not shown before anything is known of them, nor where there are none", () => {
    const store = new StatusStore({ node: "a", version: "1", now: () => NOW });
    store.setWanted(wanted([router("web")], [{ name: "site", members: ["web"] }]));
    expect(viewStatus(store.snapshot()).groups).toEqual([]);
    // Two legs of one instance are no group of the operator's.
    store.setWanted(wanted([...PAIR]));
    store.apply({ type: "instance", instance: instance() });
    expect(viewStatus(store.snapshot())).toMatchObject({ groups: [], instances: [{ group: null }] });
  });
});

test("viewEvent() has a number, an ISO time and always a detail", () => {
  expect(viewEvent({ id: 4, atMs: NOW, kind: "control", subject: null, text: "x" })).toEqual({
    id: 4,
    at: "2026-11-20T03:05:00.000Z",
    kind: "control",
    subject: null,
    text: "x",
    detail: {},
  });
});
