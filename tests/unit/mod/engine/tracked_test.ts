import { expect, test } from "bun:test";
import type { Tracked } from "../../../../mod/engine/conditions.ts";
import { TrackedValues } from "../../../../mod/engine/tracked.ts";

const S = 1e9;
const UP: Tracked = { value: "up", error: null };
const DOWN: Tracked = { value: "down", error: "it is not there" };

test("what control says holds while control is there", () => {
  const values = new TrackedValues();
  expect(values.get("probe:web").value).toBe("unknown");
  values.tell("probe:web", DOWN);
  expect(values.get("probe:web")).toBe(DOWN);
  expect(values.nextDue()).toBe(Infinity);
  expect(values.forgetOld(1000 * S)).toEqual([]);
});

test("when control is gone it holds for 30 s more", () => {
  const values = new TrackedValues();
  values.tell("probe:web", UP);
  values.doubt(100 * S);
  expect(values.nextDue()).toBe(130 * S);
  expect(values.forgetOld(129 * S)).toEqual([]);
  expect(values.get("probe:web")).toBe(UP);
  expect(values.forgetOld(130 * S)).toEqual(["probe:web"]);
  expect(values.get("probe:web").value).toBe("unknown");
  expect(values.nextDue()).toBe(Infinity);
});

test("what another control process says again is not forgotten", () => {
  const values = new TrackedValues();
  values.tell("probe:web", UP);
  values.tell("probe:old", UP);
  values.doubt(100 * S);
  values.tell("probe:web", DOWN);
  expect(values.forgetOld(130 * S)).toEqual(["probe:old"]);
  expect(values.get("probe:web")).toBe(DOWN);
  expect(values.nextDue()).toBe(Infinity);
});

test("a control process that dies again and again does not put off what none of them says again", () => {
  const values = new TrackedValues();
  values.tell("probe:web", UP);
  values.tell("probe:old", UP);
  values.doubt(100 * S);
  values.tell("probe:web", UP);
  values.doubt(110 * S);
  expect(values.forgetOld(130 * S)).toEqual(["probe:old"]);
  expect(values.nextDue()).toBe(140 * S);
  expect(values.forgetOld(140 * S)).toEqual(["probe:web"]);
});
