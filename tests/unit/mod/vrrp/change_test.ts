/** Conditions and configuration that change under a running router. */
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import { instanceReport } from "../../../../mod/vrrp/view.ts";
import { config } from "../../../router_config.ts";
import { HIGHER, LOWER, MS, Rig, S, vip } from "./rig.ts";

const weight = (value: number) => ({ adjustments: [{ source: "probe:nginx", weight: value }] });

describe("priority", () => {
  test.each([[-60, 40], [-253, 1], [40, 140], [253, 254], [0, 100]])("100 %+i is %i", (value, priority) => {
    const rig = Rig.backup();
    rig.look(weight(value));
    expect(rig.state.priority).toBe(priority);
  });

  test("an owner's never moves", () => {
    const rig = Rig.backup({ priority: 255 });
    rig.look(weight(-60));
    expect(rig.state.priority).toBe(255);
    expect(instanceReport(rig.state, 0, 0).priority).toEqual({ base: 255, effective: 255, adjustments: [] });
  });

  test("is told with its reason", () => {
    const rig = Rig.backup();
    rig.look(weight(-60));
    expect(rig.effects[0]).toMatchObject({
      kind: "priority",
      text: "priority 100 → 40 (probe:nginx -60)",
      detail: { from: 100, to: 40 },
    });
  });

  test("shifts a backup's running timer by the difference of the skews", () => {
    const rig = Rig.backup();
    rig.wait(S);
    const due = rig.state.due;
    rig.look(weight(-60));
    expect(rig.state.due).toBe(due + (60 * S) / 256);
    rig.look(weight(20));
    expect(rig.state.due).toBe(due - (20 * S) / 256);
  });

  test("never shifts it into the past", () => {
    const rig = Rig.backup();
    rig.wait(rig.dueMs * MS - 1);
    rig.look(weight(150));
    expect(rig.state.due).toBe(rig.now);
  });

  test("leaves takeover_delay alone", () => {
    const rig = Rig.backup({ takeoverDelayMs: 5000 });
    rig.timer();
    const due = rig.state.due;
    rig.look(weight(-60));
    expect(rig.state.due).toBe(due);
  });

  test("a master tells a new one at once, and keeps its rhythm", () => {
    const rig = Rig.master();
    const due = rig.state.due;
    rig.wait(300 * MS).look(weight(-60));
    expect(rig.told).toEqual(["priority", "advertise 40"]);
    expect(rig.state.due).toBe(due);
    expect(rig.state.master?.priority).toBe(40);
  });

  test("a master tells it with its next advert where hand-over follows the RFC", () => {
    const rig = Rig.master({ handover: "rfc" });
    rig.look(weight(-60));
    expect(rig.told).toEqual(["priority"]);
    rig.timer();
    expect(rig.told).toEqual(["advertise 40"]);
  });

  test("a master that must go says goodbye and nothing else", () => {
    const rig = Rig.master();
    rig.look({ ...weight(-60), faults: ["interface eth1 is down"] });
    expect(rig.told).toEqual(["priority", "advertise 0", "drop-addresses", "master>fault"]);
  });
});

describe("faults", () => {
  test("are a set: one that goes does not end the others", () => {
    const rig = Rig.backup();
    rig.look({ faults: ["eth1 is down", "eth2 is down"] });
    expect(rig.state.reason).toBe("eth1 is down; eth2 is down");
    rig.look({ faults: ["eth2 is down"] });
    expect(rig.state).toMatchObject({ phase: "fault", reason: "eth2 is down" });
    rig.look();
    expect(rig.state.phase).toBe("backup");
    expect(rig.dueMs).toBe(3000 + (156 * 1000) / 256);
  });

  test("what was learnt of a master long before is not reckoned with after", () => {
    const rig = Rig.backup();
    rig.hear(HIGHER, { priority: 150, intervalCs: 1000 });
    rig.look({ faults: ["eth1 is down"] });
    rig.wait(40 * S).look();
    expect(rig.dueMs).toBe(3000 + (156 * 1000) / 256);
  });
});

test("waiting is told, and ends when all is known", () => {
  const rig = new Rig();
  rig.look({ waiting: ["the first result of probe:nginx", "the first result of probe:dns"] });
  expect(rig.state.reason).toBe("waiting for the first result of probe:nginx, the first result of probe:dns");
  rig.look();
  expect(rig.state.phase).toBe("backup");
});

test("a master whose own address changes knows itself by the new one", () => {
  const rig = Rig.master();
  rig.look({ source: parseAddress("10.1.1.77")! });
  expect(rig.state.master?.text).toBe("10.1.1.77");
});

describe("configure", () => {
  test("as master: the addresses are put in order, nothing else", () => {
    const rig = Rig.master();
    const due = rig.state.due;
    rig.wait(100 * MS).configure({ preempt: false });
    expect(rig.told).toEqual(["own-addresses"]);
    expect(rig.state.due).toBe(due);
  });

  test("as master: other addresses are announced", () => {
    const rig = Rig.master();
    rig.configure({ addresses: [vip("10.9.0.100"), vip("10.9.0.101")] });
    expect(rig.told).toEqual(["own-addresses", "announce"]);
  });

  test.each([
    ["addresses beside them", { extra: [vip("10.9.0.200")] }],
    ["times of announcements", { announce: { ...config().announce, refreshMs: 10_000 } }],
  ])("as master: other %s make it announce anew", (_, change) => {
    const rig = Rig.master();
    rig.configure(change);
    expect(rig.told).toEqual(["own-addresses", "announce"]);
  });

  test("as master: a shorter interval holds at once, a longer one after the next advert", () => {
    const rig = Rig.master();
    rig.configure({ intervalCs: 10 });
    expect(rig.dueMs).toBe(100);
    rig.configure({ intervalCs: 1000 });
    expect(rig.dueMs).toBe(100);
    rig.timer();
    expect(rig.dueMs).toBe(10_000);
  });

  test("as backup: nothing is done", () => {
    const rig = Rig.backup();
    rig.configure({ addresses: [] });
    expect(rig.told).toEqual([]);
  });

  test("as backup: another interval moves the timer, but not one learnt of the master", () => {
    const rig = Rig.backup();
    rig.configure({ intervalCs: 10 });
    expect(rig.dueMs).toBe(300 + (156 * 100) / 256);
    rig.hear(HIGHER, { priority: 150, intervalCs: 300 });
    const due = rig.state.due;
    rig.configure({ intervalCs: 20 });
    expect(rig.state.due).toBe(due);
    expect(rig.state.interval).toBe(3 * S);
  });

  test("as backup: another base priority moves the timer", () => {
    const rig = Rig.backup();
    rig.configure({ priority: 150 });
    expect(rig.told).toEqual(["priority"]);
    expect(rig.dueMs).toBe(3000 + (106 * 1000) / 256);
  });

  test("a master's base priority and its weights change in one go", () => {
    const rig = Rig.master();
    rig.look(weight(-60));
    const config = { ...rig.state.config, priority: 150 };
    const { conditions } = rig.state;
    rig.event({
      type: "configure",
      config,
      conditions: { ...conditions, adjustments: weight(-110).adjustments },
    });
    expect(rig.told).toEqual(["own-addresses"]);
    expect(rig.state.priority).toBe(40);
    rig.event({ type: "configure", config, conditions: { ...conditions, adjustments: [] } });
    expect(rig.told).toEqual(["priority", "advertise 150", "own-addresses"]);
  });

  test("an owner that becomes an ordinary master stays master", () => {
    const rig = Rig.master({ priority: 255 });
    rig.configure({ priority: 100 });
    expect(rig.told).toEqual(["priority", "advertise 100", "own-addresses"]);
  });
});

test("instanceReport shows what is known", () => {
  const rig = Rig.backup();
  rig.look(weight(-60));
  rig.hear(HIGHER, { priority: 150 });
  expect(instanceReport(rig.state, 1234, 0)).toEqual({
    name: "web",
    unit: "web",
    state: "backup",
    sinceMs: 1234,
    reason: "started",
    vrid: 51,
    version: 3,
    family: "ipv4",
    interface: "eth0",
    priority: { base: 100, effective: 40, adjustments: [{ source: "probe:nginx", weight: -60 }] },
    master: { address: HIGHER, priority: 150 },
    addresses: ["10.9.0.100/24"],
    carried: { addresses: [], routes: [], rules: [], problems: [] },
    transitions: 1,
    faults: [],
    waiting: [],
    advertIntervalMs: 1000,
    masterDownIntervalMs: 3844,
    preempt: true,
    preemptAtMs: null,
    ready: false,
    released: false,
    sendError: null,
    splitBrainWith: null,
  });
});

test("instanceReport tells when a lower master will be preempted, and that a member waits for its group", () => {
  const delayed = Rig.backup({ preemptDelayMs: 30_000 });
  delayed.hear(LOWER, { priority: 50 });
  const bootMs = 5000;
  expect(instanceReport(delayed.state, 0, bootMs).preemptAtMs).toBe(bootMs + delayed.now / MS + 30_000);
  delayed.hear(HIGHER, { priority: 150 });
  expect(instanceReport(delayed.state, 0, bootMs).preemptAtMs).toBeNull();
  const member = Rig.backup({ group: "site" });
  expect(instanceReport(member.state, 0, 0).ready).toBe(false);
  member.timer();
  expect(instanceReport(member.state, 0, 0).ready).toBe(true);
});

test("instanceReport names the other master once a split is told", () => {
  const rig = Rig.master();
  rig.wait(MS).hear(LOWER, { priority: 50 });
  expect(instanceReport(rig.state, 0, 0).splitBrainWith).toBeNull();
  rig.wait(900 * MS).event({ type: "timer" });
  rig.wait(200 * MS).hear(LOWER, { priority: 50 });
  expect(instanceReport(rig.state, 0, 0).splitBrainWith).toBe(LOWER);
});
