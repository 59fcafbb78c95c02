import { expect, test } from "bun:test";
import { Deadlines, Timer } from "../../../../mod/engine/timer.ts";

function timer(deadlines: Deadlines, due: number, { slack = 0, first = false } = {}): Timer {
  const made = new Timer(() => {}, first);
  made.slack = slack;
  deadlines.set(made, due);
  return made;
}

test("a timer is served when it is due, or within its slack before", () => {
  const deadlines = new Deadlines();
  const exact = timer(deadlines, 200);
  const lax = timer(deadlines, 100, { slack: 10 });
  expect(deadlines.next(89)).toBeNull();
  expect(deadlines.next(90)).toBe(lax);
  deadlines.set(lax, Infinity);
  expect(deadlines.next(199)).toBeNull();
  expect(deadlines.next(200)).toBe(exact);
});

test("slack wakes nobody: the loop sleeps until something is due", () => {
  const deadlines = new Deadlines();
  timer(deadlines, 100, { slack: 50, first: true });
  timer(deadlines, 120, { slack: 50 });
  expect(deadlines.nextDue()).toBe(100);
});

test("virtual routers come before all else, however long that has waited", () => {
  const deadlines = new Deadlines();
  const other = timer(deadlines, 10);
  const router = timer(deadlines, 100, { slack: 5, first: true });
  expect(deadlines.next(94)).toBe(other);
  expect(deadlines.next(95)).toBe(router);
});
