/** A router whose own link is down though that does not count yet: it hears nobody, and silence means nothing. */
import { describe, expect, test } from "bun:test";
import { HIGHER, LOWER, MS, Rig, S } from "./rig.ts";

const DOWN = 3 * S + (156 * S) / 256;

describe("a deaf backup", () => {
  test("does not take over, however long it hears nobody", () => {
    const rig = Rig.backup();
    rig.look({ deaf: true });
    for (let i = 0; i < 5; i++) rig.timer();
    expect(rig.state.phase).toBe("backup");
    expect(rig.told).toEqual([]);
  });

  test("begins anew to wait when it can hear again", () => {
    const rig = Rig.backup();
    rig.hear(HIGHER, { priority: 150 });
    rig.wait(2 * S).look({ deaf: true });
    rig.wait(1.5 * S).look();
    expect(rig.due - rig.now).toBe(DOWN);
    rig.timer();
    expect(rig.told).toContain("backup>master");
  });

  test("forgets that it was about to preempt, or waited for its group", () => {
    const rig = Rig.backup();
    rig.hear(LOWER, { priority: 50 });
    expect(rig.due - rig.now).toBeLessThan(100 * MS);
    rig.look({ deaf: true });
    rig.wait(S).look();
    expect(rig.state).toMatchObject({ takeoverReason: null, preemptAt: null });
    expect(rig.due - rig.now).toBe(DOWN);

    const member = Rig.backup({ group: "site" });
    member.timer();
    expect(member.state.ready).toBe(true);
    member.look({ deaf: true });
    expect(member.state.ready).toBe(false);
  });

  test("goes to FAULT when it counts", () => {
    const rig = Rig.backup();
    rig.look({ deaf: true });
    rig.look({ faults: ["interface eth0 has no carrier"] });
    expect(rig.state.phase).toBe("fault");
  });
});

test("a deaf master goes on, and is not disturbed when the link is back", () => {
  const rig = Rig.master();
  const { due } = rig;
  rig.wait(200 * MS).look({ deaf: true });
  rig.wait(200 * MS).look();
  expect(rig.state.phase).toBe("master");
  expect(rig.due).toBe(due);
  expect(rig.told).toEqual([]);
});

test("a group is not led while one of its members is deaf", () => {
  const rig = Rig.backup({ group: "site" });
  rig.look({ deaf: true });
  rig.timer();
  expect(rig.told).toEqual([]);
  expect(rig.state.ready).toBe(false);
});
