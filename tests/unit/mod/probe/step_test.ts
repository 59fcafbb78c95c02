import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ProbeResult } from "../../../../mod/probe/model.ts";
import { advanceSchedule, restartSchedule, startSchedule } from "../../../../mod/probe/schedule.ts";
import { initialProbe, reconfiguredProbe, stepProbe } from "../../../../mod/probe/step.ts";
import { trackedValue, viewProbe } from "../../../../mod/probe/view.ts";

const good: ProbeResult = { ok: true, latencyMs: 1 };
const bad: ProbeResult = { ok: false, latencyMs: 2, error: "boom" };
const limits = fc.record({ rise: fc.integer({ min: 1, max: 6 }), fall: fc.integer({ min: 1, max: 6 }) });

describe("rise and fall", () => {
  test("agree with counting results in a row", () => {
    fc.assert(
      fc.property(limits, fc.array(fc.boolean(), { minLength: 1, maxLength: 80 }), (config, results) => {
        let state = initialProbe(0);
        let up: boolean | null = null;
        let inRow = 0;
        let since = 0;
        results.forEach((ok, index) => {
          const before = up;
          inRow = index > 0 && results[index - 1] === ok ? inRow + 1 : 1;
          if (up === null) up = ok;
          else if (ok && !up && inRow >= config.rise) up = true;
          else if (!ok && up && inRow >= config.fall) up = false;
          if (up !== before) since = 1000 + index;
          const stepped = stepProbe(config, state, ok ? good : bad, 1000 + index);
          state = stepped.state;
          expect(state.status).toBe(up ? "up" : "down");
          expect(stepped.changed).toBe(up !== before);
          expect(state.sinceMs).toBe(since);
          expect(state.counter).toBeWithin(0, config.rise + config.fall);
        });
        expect(state.runs).toBe(results.length);
        expect(state.failures).toBe(results.filter((ok) => !ok).length);
      }),
    );
  });

  test("a changed configuration keeps the status and lets the first result decide", () => {
    const config = { rise: 3, fall: 3 };
    const up = stepProbe(config, initialProbe(0), good, 5).state;
    const again = reconfiguredProbe(up);
    expect([again.status, again.sinceMs]).toEqual(["up", 5]);
    expect(stepProbe(config, again, bad, 9).state.status).toBe("down");
    expect(stepProbe(config, up, bad, 9).state.status).toBe("up");
  });

  test("an integer counts while up, and a new one is a change", () => {
    const config = { rise: 1, fall: 2 };
    const one = stepProbe(config, initialProbe(0), { ok: true, latencyMs: 1, value: -7 }, 1);
    expect(trackedValue(one.state)).toBe(-7);
    expect(stepProbe(config, one.state, { ok: true, latencyMs: 1, value: -7 }, 2).changed).toBeFalse();
    expect(stepProbe(config, one.state, { ok: true, latencyMs: 1, value: 8 }, 2).changed).toBeTrue();
    const failing = stepProbe(config, one.state, bad, 2);
    expect(trackedValue(failing.state)).toBe(-7);
    expect(trackedValue(stepProbe(config, failing.state, bad, 3).state)).toBe("down");
  });

  test("the view has the status document's names", () => {
    const state =
      stepProbe({ rise: 1, fall: 1 }, initialProbe(0), { ...bad, latencyMs: 0.81234 }, 1000).state;
    expect(viewProbe({ name: "n", type: "tcp", state })).toEqual({
      name: "n",
      type: "tcp",
      state: "down",
      since: "1970-01-01T00:00:01.000Z",
      latency_ms: 0.812,
      error: "boom",
      value: null,
      runs: 1,
      failures: 1,
      last_change_reason: "the first run failed: boom",
    });
  });
});

describe("schedule", () => {
  const unit = fc.double({ min: 0, max: 0.999, noNaN: true });

  test("runs stay within the jitter of their slot however late each is", () => {
    const timing = { intervalMs: 50, jitterMs: 10 };
    fc.assert(
      fc.property(
        unit,
        fc.array(fc.tuple(unit, fc.double({ min: 0, max: 20, noNaN: true }))),
        (phase, runs) => {
          let schedule = startSchedule(timing, 1000, () => phase);
          expect(schedule.dueMs).toBeWithin(1000, 1010);
          for (const [chance, lateMs] of runs) {
            const before = schedule;
            schedule = advanceSchedule(schedule, timing, schedule.dueMs + lateMs, () => chance);
            expect(schedule.slot).toBe(before.slot + 1);
            expect(schedule.originMs).toBe(before.originMs);
            const offset = schedule.dueMs - schedule.originMs - schedule.slot * 50;
            expect(offset).toBeGreaterThan(-1e-6);
            expect(offset).toBeLessThan(10 + 1e-6);
          }
        },
      ),
    );
  });

  test("slots missed in a pause are left out, and a restart begins a whole interval later", () => {
    const timing = { intervalMs: 50, jitterMs: 0 };
    const start = startSchedule(timing, 0, () => 0.5);
    expect(start.dueMs).toBe(0);
    expect(advanceSchedule(start, timing, 1020, () => 0)).toEqual({ originMs: 0, slot: 20, dueMs: 1000 });
    expect(restartSchedule(timing, 1020, () => 0).dueMs).toBe(1070);
  });

  test("probes with jitter get different phases", () => {
    const timing = { intervalMs: 50, jitterMs: 10 };
    const second = (chance: number) => {
      return advanceSchedule(startSchedule(timing, 0, () => chance), timing, 0, () => 0).dueMs;
    };
    expect([second(0.2), second(0.8)]).toEqual([10, 40]);
  });
});
