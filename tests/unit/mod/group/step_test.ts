import { describe, expect, test } from "bun:test";
import type { Member, Standing } from "../../../../mod/group/model.ts";
import {
  demotion,
  heedsDemotion,
  mayLead,
  resumeTogether,
  sharedConditions,
  sharedFaults,
  sharedWaiting,
} from "../../../../mod/group/step.ts";
import { groupState } from "../../../../mod/group/view.ts";

function member(name: string, part: Partial<Member> = {}): Member {
  return { name, phase: "backup", ready: false, faults: [], waiting: [], settled: true, ...part };
}

describe("mayLead()", () => {
  test.each([
    ["all are ready", [member("a", { ready: true }), member("b", { ready: true })], true],
    ["one leads and one is ready", [member("a", { phase: "master" }), member("b", { ready: true })], true],
    ["one still hears its master", [member("a", { ready: true }), member("b")], false],
    ["one is in fault", [member("a", { ready: true }), member("b", { phase: "fault", ready: true })], false],
    ["one has not begun", [member("a", { ready: true }), member("b", { phase: "init" })], false],
  ])("%s: %p", (_, members, expected) => expect(mayLead(members as Member[])).toBe(expected as boolean));
});

test("sharedFaults() gives each member the faults of the others, and not its own again", () => {
  const members = [
    member("a", { faults: ["interface eth0 is down"] }),
    member("b"),
    member("c", { faults: ["x"] }),
  ];
  expect(sharedFaults("group site", members, "a")).toEqual(["group site: c: x"]);
  expect(sharedFaults("group site", members, "b")).toEqual([
    "group site: a: interface eth0 is down",
    "group site: c: x",
  ]);
});

test("sharedWaiting() gives what the others wait for", () => {
  const members = [member("a", { waiting: ["p"] }), member("b", { waiting: ["q"] })];
  expect(sharedWaiting(members, "a")).toEqual(["q"]);
});

test("sharedConditions() adds what the others say to a member's own", () => {
  const own = { source: null, faults: ["x"], waiting: [], adjustments: [], settled: true, deaf: false };
  const members = [member("a", { faults: ["x"] }), member("b", { faults: ["y"], waiting: ["p"] })];
  expect(sharedConditions(own, "site", members, "a")).toEqual({
    ...own,
    faults: ["x", "group site: b: y"],
    waiting: ["p"],
  });
  const unsettled = [member("a"), member("b", { settled: false })];
  expect(sharedConditions(own, "site", unsettled, "a").settled).toBe(false);
});

describe("demotion()", () => {
  const master: Standing = {
    phase: "master",
    reason: "leads",
    released: null,
    master: null,
    takeoverReason: null,
    resumeUntil: null,
  };
  const backup: Standing = { ...master, phase: "backup", reason: "10.1.1.3 is the better master" };
  const known = { address: Uint8Array.of(10, 1, 1, 3), text: "10.1.1.3", priority: 150 };
  const others = [member("a"), member("b", { phase: "master" })];

  test("tells the others of a member that yields", () => {
    expect(demotion("site", "a", master, backup, others)).toBe(
      "group site: a is backup (10.1.1.3 is the better master)",
    );
  });

  test.each([
    ["stays master", master, master],
    ["is in fault, which is shared by itself, with a goodbye of each", master, { ...backup, phase: "fault" }],
    ["is released, as all are", master, { ...backup, released: "released" }],
    ["is backup and has heard nobody", backup, backup],
    ["is about to preempt the master that it hears", backup, {
      ...backup,
      master: known,
      takeoverReason: "preempting",
    }],
  ] as [string, Standing, Standing][])("does not when it %s", (_, before, after) => {
    expect(demotion("site", "a", before, after, others)).toBeNull();
  });

  test("tells masters that a member which came to them hears a master as good", () => {
    const hearing = { ...backup, master: known };
    expect(demotion("site", "a", backup, hearing, others)).toBe("group site: a hears the master 10.1.1.3");
    expect(demotion("site", "a", backup, hearing, [member("a"), member("b")])).toBeNull();
  });
});

test("demotion() keeps all from resuming when one of them has heard another master", () => {
  const standing: Standing = {
    phase: "init",
    reason: "waiting",
    released: null,
    master: null,
    takeoverReason: null,
    resumeUntil: 30,
  };
  const members = [member("a", { phase: "init" }), member("b", { phase: "init" })];
  const after = { ...standing, resumeUntil: null };
  expect(demotion("site", "a", standing, after, members)).toBe("group site: a cannot resume");
  expect(demotion("site", "a", standing, standing, members)).toBeNull();
  expect(demotion("site", "a", standing, { ...after, phase: "master" }, members)).toBeNull();
});

test.each([
  [member("a", { phase: "master" }), true],
  [member("a", { ready: true }), true],
  [member("a", { phase: "init" }), true],
  [member("a"), false],
  [member("a", { phase: "fault" }), false],
])("heedsDemotion(%p) is %p", (given, expected) => expect(heedsDemotion(given)).toBe(expected));

describe("resumeTogether()", () => {
  const bounds = (until: number, patience = 10) => ({ until, patience });

  test("holds all members to the tightest bounds, and others to their own", () => {
    const routers = [
      { group: "site", bounds: bounds(30, 5) },
      { group: null, bounds: bounds(70) },
      { group: "site", bounds: bounds(20) },
      { group: null, bounds: null },
    ];
    expect(resumeTogether(routers)).toEqual([bounds(20, 5), bounds(70), bounds(20, 5), null]);
  });

  test.each([[[bounds(30), null, bounds(20)]], [[null, bounds(30), bounds(20)]]])(
    "lets none go on where one may not",
    (members) => {
      const routers = members.map((one) => ({ group: "site", bounds: one }));
      const expected = [null, null, null, bounds(9)];
      expect(resumeTogether([...routers, { group: "lan", bounds: bounds(9) }])).toEqual(expected);
    },
  );
});

test.each(
  [
    [["master", "master"], "master"],
    [["master", "backup"], "backup"],
    [["backup", "init"], "init"],
    [["master", "fault"], "fault"],
    [[], "init"],
  ] as const,
)("groupState(%p) is %s", (phases, expected) => expect(groupState(phases)).toBe(expected));
