import { expect, test } from "bun:test";
import { monotonicNs } from "../../../../lib/libc/mod.ts";
import { Deadlines } from "../../../../mod/engine/timer.ts";
import { Undone } from "../../../../mod/engine/undone.ts";

const S = 1e9;

/** Acts that fail as long as they are told to, and what became of them. */
class Bench {
  readonly deadlines = new Deadlines();
  readonly told: string[] = [];
  readonly done: string[] = [];
  readonly refused = new Set<string>();
  readonly undone = new Undone({
    schedule: (timer, due) => this.deadlines.set(timer, due),
    stuck: (error) => this.told.push(error),
  });

  attempt(about: string, what = about): void {
    this.undone.attempt(about, () => {
      if (this.refused.has(about)) throw new Error(`Cannot do ${what}`);
      this.done.push(what);
    });
  }

  /** Lets time pass until the next attempt, as the loop does. */
  wait(): void {
    const timer = this.deadlines.next(monotonicNs() + 6 * S)!;
    this.deadlines.set(timer, Infinity);
    timer.run(monotonicNs());
  }
}

test("what succeeds is done once and never again", () => {
  const bench = new Bench();
  bench.attempt("a");
  expect(bench.done).toEqual(["a"]);
  expect(bench.told).toEqual([]);
  expect(bench.deadlines.nextDue()).toBe(Infinity);
});

test("what is refused is told once, tried again after a pause, and silent when it succeeds", () => {
  const bench = new Bench();
  bench.refused.add("a");
  const before = monotonicNs();
  bench.attempt("a");
  expect(bench.deadlines.nextDue()).toBeGreaterThan(before + 4 * S);
  for (let count = 0; count < 3; count++) bench.wait();
  expect(bench.done).toEqual([]);
  bench.refused.clear();
  bench.wait();
  expect(bench.done).toEqual(["a"]);
  expect(bench.told).toEqual(["Cannot do a"]);
  expect(bench.deadlines.nextDue()).toBe(Infinity);
});

test("of two acts about the same the second counts, and one that succeeds ends the other", () => {
  const bench = new Bench();
  bench.refused.add("a");
  bench.attempt("a", "sleep");
  bench.attempt("a", "wake");
  bench.refused.clear();
  bench.wait();
  expect(bench.done).toEqual(["wake"]);
  expect(bench.told).toEqual(["Cannot do sleep"]);
  bench.refused.add("a");
  bench.attempt("a", "sleep");
  bench.refused.clear();
  bench.attempt("a", "wake");
  expect(bench.deadlines.nextDue()).toBe(Infinity);
  expect(bench.done).toEqual(["wake", "wake"]);
});

test("new failures do not put off the next attempt, and all that waits is tried then", () => {
  const bench = new Bench();
  for (const about of ["a", "b"]) {
    bench.refused.add(about);
    bench.attempt(about);
  }
  const due = bench.deadlines.nextDue();
  bench.attempt("c");
  bench.attempt("b");
  expect(bench.deadlines.nextDue()).toBe(due);
  bench.refused.delete("b");
  bench.wait();
  expect(bench.done).toEqual(["c", "b"]);
  expect(bench.told).toEqual(["Cannot do a", "Cannot do b"]);
  expect(bench.deadlines.nextDue()).toBeLessThan(Infinity);
});
