/** What a client saw: the arithmetic of answers and of the times without one. */
import { describe, expect, test } from "bun:test";
import { decodeOutcome, encodeOutcome, type Outcome, summarize } from "../../../../mod/lab/outage.ts";

function answer(atMs: number, who = "a"): Outcome {
  return { ok: true, atMs, rttMs: 1, who };
}

function failure(atMs: number): Outcome {
  return { ok: false, atMs, why: "no answer in time" };
}

describe("summarize", () => {
  test("the longest time between two answers, whoever gave them", () => {
    const outcomes = [answer(1000), answer(1010), failure(1100), answer(1110, "b"), answer(1120, "b")];
    expect(summarize(outcomes, 1000, 1125)).toEqual({
      outageMs: 100,
      answered: 4,
      unanswered: 1,
      servedBy: ["a", "b"],
    });
  });

  test("a time without an answer that began before the span counts whole", () => {
    const outcomes = [answer(1000), answer(1300, "b"), answer(1310, "b")];
    expect(summarize(outcomes, 1250, 1310)).toEqual({
      outageMs: 300,
      answered: 2,
      unanswered: 0,
      servedBy: ["b"],
    });
  });

  test("a time without an answer that has not ended counts until now", () => {
    expect(summarize([answer(1000), failure(1100)], 1000, 1900).outageMs).toBe(900);
    expect(summarize([], 1000, 1900)).toEqual({ outageMs: 900, answered: 0, unanswered: 0, servedBy: [] });
  });

  test("what comes after the span is not counted", () => {
    const { outageMs, answered } = summarize([answer(1000), answer(1010), answer(5000)], 1000, 1020);
    expect({ outageMs, answered }).toEqual({ outageMs: 10, answered: 2 });
  });
});

describe("the client's lines", () => {
  test.each<Outcome>([
    { ok: true, atMs: 1_795_154_787_797.351, rttMs: 3.874, who: "edge-a" },
    { ok: false, atMs: 1_795_154_787_797.351, why: "connection refused" },
  ])("are read as they were written", (outcome) => {
    expect(decodeOutcome(encodeOutcome(outcome))).toEqual(outcome);
  });

  test.each(["", "A 12", "A 12 3", "B 1 2 x", "F 12", "A 1 2 two words"])("%j is none", (line) => {
    expect(decodeOutcome(line)).toBeNull();
  });
});
