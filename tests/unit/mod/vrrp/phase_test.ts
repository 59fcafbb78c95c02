/** How phases are entered and left: every phase, every event that is not a packet. */
import { describe, expect, test } from "bun:test";
import type { VrrpEvent } from "../../../../mod/vrrp/model.ts";
import { conditions, HIGHER, LOWER, MS, Rig, S } from "./rig.ts";

const FAULTY: VrrpEvent = {
  type: "conditions",
  conditions: conditions({ faults: ["interface eth0 is down"] }),
};
const WAITING: VrrpEvent = { type: "conditions", conditions: conditions({ waiting: ["probe:nginx"] }) };
const GOOD: VrrpEvent = { type: "conditions", conditions: conditions() };
const RELEASE: VrrpEvent = { type: "release", reason: "released", lingerNs: 0 };
const FAILED: VrrpEvent = { type: "own-failed", error: "Cannot add 10.9.0.100" };

function rigIn(phase: string): Rig {
  if (phase === "init") return new Rig();
  if (phase === "backup") return Rig.backup();
  if (phase === "master") return Rig.master();
  const rig = Rig.backup();
  rig.event(FAULTY);
  return rig;
}

describe("phase × event", () => {
  const cases: [string, string, VrrpEvent, string, string[]][] = [
    ["init", "good", GOOD, "backup", ["init>backup"]],
    ["init", "faulty", FAULTY, "fault", ["init>fault"]],
    ["init", "waiting", WAITING, "init", []],
    ["init", "release", RELEASE, "fault", ["init>fault"]],
    ["init", "resume", { type: "resume" }, "init", []],
    ["init", "timer", { type: "timer" }, "init", []],
    ["init", "own-failed", FAILED, "fault", ["init>fault"]],
    ["backup", "good", GOOD, "backup", []],
    ["backup", "faulty", FAULTY, "fault", ["backup>fault"]],
    ["backup", "waiting", WAITING, "backup", []],
    ["backup", "release", RELEASE, "fault", ["backup>fault"]],
    ["backup", "resume", { type: "resume" }, "backup", []],
    ["backup", "timer too early", { type: "timer" }, "backup", []],
    ["backup", "own-failed", FAILED, "fault", ["backup>fault"]],
    ["master", "good", GOOD, "master", []],
    ["master", "faulty", FAULTY, "fault", ["advertise 0", "drop-addresses", "master>fault"]],
    ["master", "waiting", WAITING, "master", []],
    ["master", "release", RELEASE, "fault", ["advertise 0", "drop-addresses", "master>fault"]],
    ["master", "resume", { type: "resume" }, "master", []],
    ["master", "timer too early", { type: "timer" }, "master", []],
    ["master", "own-failed", FAILED, "fault", ["advertise 0", "drop-addresses", "master>fault"]],
    ["fault", "good", GOOD, "backup", ["fault>backup"]],
    ["fault", "faulty", FAULTY, "fault", []],
    ["fault", "waiting", WAITING, "init", ["fault>init"]],
    ["fault", "release", RELEASE, "fault", []],
    ["fault", "resume", { type: "resume" }, "fault", []],
    ["fault", "timer", { type: "timer" }, "fault", []],
    ["fault", "own-failed", FAILED, "fault", []],
  ];
  test.each(cases)("%s, %s", (phase, _name, event, to, told) => {
    const rig = rigIn(phase);
    rig.event(event);
    expect(rig.state.phase).toBe(to as never);
    expect(rig.told).toEqual(told);
  });
});

describe("becoming master", () => {
  test("advertises first, then takes the addresses and announces them", () => {
    const rig = Rig.backup();
    expect(rig.dueMs).toBe(3000 + (156 * 1000) / 256);
    rig.timer();
    expect(rig.told).toEqual(["advertise 100", "own-addresses", "announce", "backup>master"]);
    expect(rig.state.reason).toBe("no advertisement heard for 3.61 s");
    expect(rig.state.master).toMatchObject({ text: "10.1.1.2", priority: 100 });
    expect(rig.dueMs).toBe(1000);
  });

  test("an owner is master at once", () => {
    const rig = Rig.backup({ priority: 255 });
    expect(rig.told).toEqual(["advertise 255", "own-addresses", "announce", "init>master"]);
  });

  test("takeover_delay comes on top of the down interval", () => {
    const rig = Rig.backup({ takeoverDelayMs: 700 });
    rig.timer();
    expect(rig.told).toEqual([]);
    expect(rig.dueMs).toBe(700);
    rig.timer();
    expect(rig.state.phase).toBe("master");
  });

  test("a master heard during takeover_delay ends it, and it runs anew the next time", () => {
    const rig = Rig.backup({ takeoverDelayMs: 700 });
    rig.timer();
    rig.wait(100 * MS).hear(HIGHER, { priority: 150 });
    expect(rig.dueMs).toBeGreaterThan(3000);
    rig.timer();
    expect(rig.state.phase).toBe("backup");
    rig.timer();
    expect(rig.state.phase).toBe("master");
  });

  test("adverts are due at absolute times", () => {
    const rig = Rig.master();
    const first = rig.state.due;
    rig.wait(1000 * MS + 300 * MS).event({ type: "timer" });
    expect(rig.told).toEqual(["advertise 100"]);
    expect(rig.state.due).toBe(first + S);
  });

  test("an advert missed by more than an interval is not made up for", () => {
    const rig = Rig.master();
    rig.wait(2200 * MS).event({ type: "timer" });
    expect(rig.told).toEqual(["advertise 100"]);
    expect(rig.dueMs).toBe(1000);
  });
});

describe("a master that was held up", () => {
  const LATE = 3700 * MS;

  test("goes backup before it speaks, and is master again if nobody else is", () => {
    const rig = Rig.master();
    rig.wait(LATE).event({ type: "timer" });
    expect(rig.told).toEqual(["drop-addresses", "master>backup"]);
    expect(rig.state.reason).toContain("held up for 2.70 s");
    expect(rig.dueMs).toBe(1000 + (156 * 1000) / 256);
    rig.timer();
    expect(rig.state.phase).toBe("master");
  });

  test("listens to the packets that wait, even of a lower successor", () => {
    const rig = Rig.master({ preempt: false });
    rig.wait(LATE).hear(LOWER, { priority: 50 });
    expect(rig.told).toEqual(["drop-addresses", "master>backup", "received"]);
    expect(rig.state.master?.priority).toBe(50);
    expect(rig.dueMs).toBeGreaterThan(3000);
  });

  test("says no goodbye, for another may be master", () => {
    const rig = Rig.master();
    rig.wait(LATE).event({ type: "release", reason: "stopping", lingerNs: S });
    expect(rig.told).toEqual(["drop-addresses", "master>backup", "backup>fault"]);
    expect(rig.state.lingerUntil).toBeNull();
  });

  test("but for an owner, whom nobody may replace", () => {
    const rig = Rig.master({ priority: 255 });
    rig.wait(LATE).event({ type: "timer" });
    expect(rig.told).toEqual(["advertise 255"]);
  });

  test("is one only beyond its peers' down interval", () => {
    const rig = Rig.master();
    rig.wait(3600 * MS).event({ type: "timer" });
    expect(rig.told).toEqual(["advertise 100"]);
  });
});

describe("release", () => {
  const released = () => {
    const rig = Rig.master();
    rig.event({ type: "release", reason: "released by the operator", lingerNs: 1500 * MS });
    return rig;
  };

  test("says goodbye and keeps the addresses until the successor speaks", () => {
    const rig = released();
    expect(rig.told).toEqual(["advertise 0", "master>fault"]);
    expect(rig.state.reason).toBe("released by the operator");
    rig.wait(600 * MS).hear(LOWER, { priority: 50 });
    expect(rig.told).toEqual(["received"]);
    // It has announced them by then.
    expect(rig.due - rig.now).toBe(25.5 * MS);
    rig.wait(10 * MS).hear(LOWER, { priority: 50 });
    expect(rig.due - rig.now).toBe(15.5 * MS);
    rig.timer();
    expect(rig.told).toEqual(["drop-addresses"]);
    expect(rig.state.lingerUntil).toBeNull();
    rig.hear(LOWER, { priority: 50 });
    expect(rig.told).toEqual(["received"]);
  });

  test("lets go of a virtual MAC address at once: any answer would lead switches back", () => {
    const rig = Rig.master({ vmac: { name: "vrrp.51", advertise: "vmac" } });
    rig.event({ type: "release", reason: "released by the operator", lingerNs: 1500 * MS });
    rig.hear(LOWER, { priority: 50 });
    expect(rig.told).toEqual(["received", "drop-addresses"]);
  });

  test("keeps the addresses no longer for a successor that is heard late", () => {
    const rig = released();
    rig.wait(1490 * MS).hear(LOWER, { priority: 50 });
    expect(rig.due - rig.now).toBe(10 * MS);
  });

  test("or until the time is over", () => {
    const rig = released();
    expect(rig.due - rig.now).toBe(1500 * MS);
    rig.hear(LOWER, { priority: 0 });
    expect(rig.told).toEqual(["received"]);
    rig.timer();
    expect(rig.told).toEqual(["drop-addresses"]);
    expect(rig.due).toBe(Infinity);
  });

  test("resume goes backup, and the addresses stay until the successor speaks", () => {
    const rig = released();
    rig.wait(200 * MS).event({ type: "resume" });
    expect(rig.told).toEqual(["fault>backup"]);
    expect(rig.state.lingerUntil).not.toBeNull();
    rig.wait(200 * MS).hear(LOWER, { priority: 50 });
    expect(rig.told).toEqual(["received"]);
    rig.timer();
    expect(rig.told).toEqual(["drop-addresses"]);
  });

  test("resume without a successor ends as master with nothing dropped twice", () => {
    const rig = released();
    rig.event({ type: "resume" });
    rig.timer();
    expect(rig.told).toEqual(["drop-addresses"]);
    rig.timer();
    expect(rig.told).toEqual(["advertise 100", "own-addresses", "announce", "backup>master"]);
  });

  test("faults come and go without an end of the release", () => {
    const rig = released();
    rig.look({ faults: ["interface eth0 is down"] });
    rig.look();
    expect(rig.state.phase).toBe("fault");
    expect(rig.told).toEqual([]);
  });
});

describe("addresses that cannot be put in place", () => {
  test("mean FAULT, and another try after 5 s", () => {
    const rig = Rig.master();
    rig.event(FAILED);
    expect(rig.state.reason).toBe("Cannot add 10.9.0.100");
    expect(rig.due - rig.now).toBe(5 * S);
    rig.timer();
    expect(rig.told).toEqual(["fault>backup"]);
    expect(rig.state.blocked).toBeNull();
  });

  test("stay a fault beside others", () => {
    const rig = Rig.master();
    rig.event(FAILED);
    rig.look({ faults: ["interface eth0 is down"] });
    expect(rig.state.reason).toBe("interface eth0 is down; Cannot add 10.9.0.100");
    rig.timer();
    expect(rig.state.phase).toBe("fault");
    expect(rig.state.reason).toBe("interface eth0 is down");
  });

  test("are tried again at once when others are configured", () => {
    const rig = Rig.master();
    rig.event(FAILED);
    rig.configure({ addresses: [] });
    expect(rig.told).toEqual(["fault>backup"]);
  });
});

test("transitions are counted", () => {
  const rig = Rig.master();
  rig.event(FAULTY);
  expect(rig.state.transitions).toBe(3);
});
