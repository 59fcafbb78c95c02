/** A member of a sync group: it asks before it leads, and follows the others. */
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import { HIGHER, LOWER, MS, Rig, S } from "./rig.ts";

const GROUP = { group: "site" };

/** A member whose time has run out. */
function readyMember(): Rig {
  const rig = Rig.backup(GROUP);
  rig.timer();
  return rig;
}

describe("a member whose time runs out", () => {
  test("asks, stays backup, and asks again after as long a silence", () => {
    const rig = readyMember();
    expect(rig.told).toEqual(["wants-master"]);
    expect(rig.state).toMatchObject({ phase: "backup", ready: true });
    const { now } = rig;
    rig.timer();
    expect(rig.told).toEqual(["wants-master"]);
    expect(rig.now - now).toBe(3 * S + (156 * S) / 256);
  });

  test("forgets the master that fell silent, and preempts the next one as soon as any other would", () => {
    const rig = Rig.backup({ ...GROUP, priority: 150 });
    rig.hear(HIGHER, { priority: 200 });
    rig.timer();
    expect(rig.state).toMatchObject({ ready: true, master: null });
    rig.hear(LOWER, { priority: 50 });
    expect(rig.state.master?.priority).toBe(50);
    expect(rig.dueMs).toBeLessThan(100);
    rig.timer();
    expect(rig.state.master?.priority).toBe(50);
  });

  test("leads when it is promoted", () => {
    const rig = readyMember();
    rig.event({ type: "promote", reason: "all of site are ready" });
    expect(rig.told).toEqual(["advertise 100", "own-addresses", "announce", "backup>master"]);
    expect(rig.state).toMatchObject({ ready: false, reason: "all of site are ready" });
  });

  test("is ready no more when a good master speaks", () => {
    const rig = readyMember();
    rig.hear(HIGHER, { priority: 150 });
    expect(rig.state.ready).toBe(false);
  });

  test("is ready no more when its preemption is called off", () => {
    const rig = Rig.backup(GROUP);
    rig.hear(LOWER, { priority: 50 });
    rig.timer();
    expect(rig.state.ready).toBe(true);
    rig.look({ adjustments: [{ source: "probe:nginx", weight: -60 }] });
    expect(rig.state.ready).toBe(false);
  });
});

describe("demote", () => {
  test("ends mastership with a goodbye, once the addresses are gone", () => {
    const rig = readyMember();
    rig.event({ type: "promote", reason: "all of site are ready" });
    rig.wait(100 * MS).event({ type: "demote", reason: "lan is master no more" });
    expect(rig.told).toEqual(["drop-addresses", "advertise 0", "master>backup"]);
    expect(rig.state.master).toBeNull();
  });

  test("takes back that a backup is ready", () => {
    const rig = readyMember();
    rig.event({ type: "demote", reason: "lan is master no more" });
    expect(rig.told).toEqual([]);
    expect(rig.state).toMatchObject({ phase: "backup", ready: false });
  });
});

describe("a member that gave way", () => {
  /** How long after its Master_Down_Interval it asks for mastership again, in milliseconds. */
  function waits(address: string, times: number, advertAfterMs?: number): number {
    const rig = readyMember();
    rig.look({ source: parseAddress(address)! });
    for (let time = 0; time < times; time++) {
      rig.event({ type: "promote", reason: "all of site are ready" });
      rig.wait(1 * MS).event({ type: "demote", reason: "lan is backup" });
    }
    if (advertAfterMs !== undefined) rig.wait(advertAfterMs * MS).hear(HIGHER, { priority: 150 });
    const { due } = rig;
    for (let count = 0; count < 5 && !rig.told.includes("wants-master"); count++) rig.timer();
    return (rig.now - due) / MS;
  }

  test("and hears no master then waits as nobody else does, and not as it did before", () => {
    const first = ["10.1.1.2", "10.1.1.3", "10.1.1.4", "10.2.1.3"].map((address) => waits(address, 1));
    const second = ["10.1.1.2", "10.1.1.3", "10.1.1.4", "10.2.1.3"].map((address) => waits(address, 2));
    expect(new Set([...first, ...second]).size).toBe(8);
    for (const wait of [...first, ...second]) {
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThan(100);
    }
  });

  test("still does after the last word of the other", () => {
    expect(waits("10.1.1.2", 1, 5)).toBe(waits("10.1.1.2", 1));
  });

  test("does not when it has heard a master that stays", () => {
    expect(waits("10.1.1.2", 1, 1000)).toBe(0);
  });
});

test("promote and demote mean nothing to who cannot lead", () => {
  const rig = new Rig(GROUP);
  rig.event({ type: "promote", reason: "all" });
  expect(rig.state.phase).toBe("init");
  rig.look({ faults: ["interface eth0 is down"] });
  rig.event({ type: "promote", reason: "all" });
  rig.event({ type: "demote", reason: "none" });
  expect(rig.state.phase).toBe("fault");
});
