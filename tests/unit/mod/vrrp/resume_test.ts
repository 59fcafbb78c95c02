import { describe, expect, test } from "bun:test";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import type { VrrpEvent } from "../../../../mod/vrrp/model.ts";
import { nextDue, resumedState, step } from "../../../../mod/vrrp/step.ts";
import { conditions, config, HIGHER, packet, Rig } from "./rig.ts";

const SECOND = 1e9;
const SPOKE = 100 * SECOND;

/** A router whose engine spoke last as master at SPOKE and is started anew `afterS` seconds later. */
function resumed(afterS: number, part: Partial<VrrpConfig> = {}, faults: readonly string[] = []) {
  const now = SPOKE + afterS * SECOND;
  const state = resumedState(config(part), now, { spokeAt: SPOKE, ahSequence: 7 });
  return step(state, { type: "conditions", conditions: conditions({ faults }) }, now);
}

describe("a master's engine that is started anew", () => {
  test("goes on at once while no peer can have taken over", () => {
    const { state, effects } = resumed(2.9);
    expect(state.phase).toBe("master");
    expect(state.reason).toBe("resumed as master after 2.90 s");
    expect(effects.map(({ type }) => type)).toEqual(["advertise", "own-addresses", "announce", "transition"]);
  });

  test("begins as backup afterwards, and removes what was left behind", () => {
    const { state, effects } = resumed(3);
    expect(state.phase).toBe("backup");
    expect(effects.map(({ type }) => type)).toEqual(["remove-leftovers", "transition"]);
  });

  test("removes it too when something forbids to go on", () => {
    const { state, effects } = resumed(1, {}, ["interface eth0 is down"]);
    expect(state.phase).toBe("fault");
    expect(effects.map(({ type }) => type)).toEqual(["remove-leftovers", "transition"]);
  });

  test("does not resume later, when the fault is gone", () => {
    const first = resumed(1, {}, ["interface eth0 is down"]);
    const now = SPOKE + 2 * SECOND;
    const { state } = step(first.state, { type: "conditions", conditions: conditions() }, now);
    expect(state.phase).toBe("backup");
  });

  test("continues above the sequence numbers of the one before", () => {
    const { effects } = resumed(1, { version: 2, auth: { type: "ah", key: "k" } });
    const advert = effects.find(({ type }) => type === "advertise") as { ahSequence?: number };
    expect(advert.ahSequence).toBeGreaterThan(7);
  });

  describe("that waits for the first result of a probe", () => {
    const now = SPOKE + SECOND;
    const last = { spokeAt: SPOKE, ahSequence: 7 };
    const waiting = conditions({ waiting: ["the first result of probe:nginx"], settled: false });

    test("leaves what is there for as long as it may resume, and no longer", () => {
      const { state, effects } = step(resumedState(config(), now, last), {
        type: "conditions",
        conditions: waiting,
      }, now);
      expect(effects).toEqual([]);
      expect(nextDue(state)).toBe(SPOKE + 3 * SECOND);
      const late = step(state, { type: "timer" }, SPOKE + 3 * SECOND);
      expect(late.effects).toEqual([{ type: "remove-leftovers" }]);
      expect(nextDue(late.state)).toBe(Infinity);
    });

    test("resumes with the result", () => {
      const { state } = step(
        resumedState(config(), now, last),
        { type: "conditions", conditions: waiting },
        now,
      );
      const known = step(state, { type: "conditions", conditions: conditions() }, now + SECOND);
      expect(known.state.phase).toBe("master");
    });

    test("does not resume once it hears another master", () => {
      const { state } = step(
        resumedState(config(), now, last),
        { type: "conditions", conditions: waiting },
        now,
      );
      const heard = step(state, { type: "packet", packet: packet(config(), HIGHER) }, now + 1);
      expect(heard.effects.map(({ type }) => type)).toEqual(["received", "remove-leftovers"]);
      const known = step(heard.state, { type: "conditions", conditions: conditions() }, now + 2);
      expect(known.state.phase).toBe("backup");
    });
  });

  describe("whose priority is not known yet", () => {
    const unsettled = conditions({ settled: false });

    test.each([
      ["a second", 0.3, {}, 1.3],
      ["a third of the lease of its addresses", 0.3, { leaseMs: 600 }, 0.5],
      ["until a moment before a peer may take over", 2.5, {}, 2.98],
    ])("says nothing for %s", (_, afterS, part, untilS) => {
      const now = SPOKE + afterS * SECOND;
      const state = resumedState(config(part), now, { spokeAt: SPOKE, ahSequence: 7 });
      const waiting = step(state, { type: "conditions", conditions: unsettled }, now);
      expect(waiting.effects).toEqual([]);
      expect(nextDue(waiting.state) / SECOND).toBeCloseTo(SPOKE / SECOND + untilS, 6);
      const { state: after } = step(waiting.state, { type: "timer" }, nextDue(waiting.state));
      expect(after.phase).toBe("master");
    });

    test("resumes with the right one as soon as it is known", () => {
      const now = SPOKE + SECOND;
      const state = resumedState(config(), now, { spokeAt: SPOKE, ahSequence: 7 });
      const waiting = step(state, { type: "conditions", conditions: unsettled }, now);
      const adjustments = [{ source: "probe:nginx", weight: 60 }];
      const { effects } = step(
        waiting.state,
        { type: "conditions", conditions: conditions({ adjustments }) },
        now + SECOND / 10,
      );
      expect(effects).toContainEqual({ type: "advertise", priority: 160 });
    });
  });

  test.each([
    ["hears another master", { type: "packet", packet: packet(config(), HIGHER) }],
    ["is kept from it by its group", { type: "demote", reason: "group site: lan cannot resume" }],
  ] as [string, VrrpEvent][])(
    "that only waits for its priority begins as backup at once when it %s",
    (_, event) => {
      const now = SPOKE + SECOND;
      const state = resumedState(config(), now, { spokeAt: SPOKE, ahSequence: 7 });
      const look = { type: "conditions", conditions: conditions({ settled: false }) } as const;
      const waiting = step(state, look, now).state;
      const after = step(waiting, event, now + 1);
      expect(after.effects).toContainEqual({ type: "remove-leftovers" });
      expect(nextDue(after.state)).toBe(now + 1);
      expect(step(after.state, { type: "timer" }, now + 1).state.phase).toBe("backup");
    },
  );

  test("may resume for as long as its group may", () => {
    const last = { spokeAt: SPOKE, ahSequence: 7, bounds: { until: SPOKE + SECOND, patience: 0 } };
    const state = resumedState(config(), SPOKE + SECOND, last);
    const look = { type: "conditions", conditions: conditions() } as const;
    expect(step(state, look, SPOKE + SECOND - 1).state.phase).toBe("master");
    expect(step(state, look, SPOKE + SECOND).state.phase).toBe("backup");
  });

  test("goes by the interval that it advertised, not by the one that it is to have", () => {
    const now = SPOKE + SECOND;
    const begin = (silenceNs: number) => {
      const state = resumedState(config(), now, { spokeAt: SPOKE, ahSequence: 0, silenceNs });
      return step(state, { type: "conditions", conditions: conditions() }, now).state.phase;
    };
    expect(begin(0.3 * SECOND)).toBe("backup");
    expect(begin(1.5 * SECOND)).toBe("master");
  });

  test("forgets the sequence numbers when it is too late: they are another master's by now", () => {
    const { state } = resumed(4, { version: 2, auth: { type: "ah", key: "k" } });
    expect(state.phase).toBe("backup");
    expect(state.ahSequence).toBe(0);
  });

  test("refuses no numbers of another master before it is settled who goes on", () => {
    const { state } = resumed(4, { version: 2, auth: { type: "ah", key: "k" } }, ["interface eth0 is down"]);
    expect(state.ahSequence).toBe(0);
    const waiting = resumedState(config(), SPOKE + SECOND, { spokeAt: SPOKE, ahSequence: 7 });
    expect(waiting.ahSequence).toBe(7);
  });
});

describe("addresses that cannot be put in place", () => {
  test("are tried again ever more rarely", () => {
    const rig = Rig.master();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      rig.event({ type: "own-failed", error: "no" });
      expect(rig.state.phase).toBe("fault");
      waits.push((rig.due - rig.now) / SECOND);
      rig.timer();
      while (rig.state.phase !== "master") rig.timer();
    }
    expect(waits).toEqual([5, 10, 20, 40]);
  });

  test("that could be put in place for a while count as never refused", () => {
    const rig = Rig.master();
    rig.event({ type: "own-failed", error: "no" });
    rig.timer();
    while (rig.state.phase !== "master") rig.timer();
    rig.timer();
    rig.event({ type: "own-failed", error: "no" });
    expect((rig.due - rig.now) / SECOND).toBe(5);
  });
});

describe("groups", () => {
  test("a member waits for the others, and asks again", () => {
    const rig = Rig.backup({ group: "site" });
    rig.timer();
    expect(rig.told).toEqual(["wants-master"]);
    expect(rig.state.phase).toBe("backup");
    expect(rig.state.ready).toBe(true);
    rig.timer();
    expect(rig.told).toEqual(["wants-master"]);
  });

  test("a member that hears a better master is ready no more", () => {
    const rig = Rig.backup({ group: "site" });
    rig.timer();
    rig.hear(HIGHER, { priority: 150 });
    expect(rig.state.ready).toBe(false);
  });

  test("a promotion makes it master", () => {
    const rig = Rig.backup({ group: "site" });
    rig.timer();
    rig.event({ type: "promote", reason: "all are ready" });
    expect(rig.told).toEqual(["advertise 100", "own-addresses", "announce", "backup>master"]);
  });

  test("a demotion drops the addresses and says goodbye", () => {
    const rig = Rig.backup({ group: "site" });
    rig.timer();
    rig.event({ type: "promote", reason: "all are ready" });
    rig.event({ type: "demote", reason: "lan is backup" });
    expect(rig.told).toEqual(["drop-addresses", "advertise 0", "master>backup"]);
  });
});

test("a lower master who has not heard of a long-standing one is a split at once", () => {
  const rig = Rig.master();
  for (let advert = 0; advert < 5; advert++) rig.timer();
  rig.hear(HIGHER, { priority: 50 });
  expect(rig.told).toContain("split-brain");
});

test("the last word of a master that was just preempted is none", () => {
  const rig = Rig.master();
  rig.wait(1e6).hear(HIGHER, { priority: 50 });
  expect(rig.told).not.toContain("split-brain");
});
