/**
 * When a probe runs: at absolute moments, so that its period does not drift however late single runs are.
 *
 * The moments ("slots") lie on a grid of one interval. The first run is not on the grid: it starts at once (plus
 * jitter), because a router waits for it. The grid itself begins at a random phase, so that probes with the same
 * interval do not run in step; without jitter the phase is nought.
 *
 * @module
 */
import type { ProbeCommon } from "./model.ts";

/** All times in milliseconds of one monotonic clock. */
export interface Schedule {
  /** Moment of slot 0. */
  readonly originMs: number;
  /** Slot of the run that is due next. */
  readonly slot: number;
  /** When that run is due: its slot's moment plus jitter. */
  readonly dueMs: number;
}

/** A number in [0, 1), like `Math.random`. */
export type Random = () => number;

type Timing = Pick<ProbeCommon, "intervalMs" | "jitterMs">;

/** The schedule of a probe that starts now. */
export function startSchedule(timing: Timing, nowMs: number, random: Random): Schedule {
  const phaseMs = timing.jitterMs > 0 ? random() * timing.intervalMs : timing.intervalMs;
  return {
    originMs: nowMs + phaseMs - timing.intervalMs,
    slot: 0,
    dueMs: nowMs + random() * timing.jitterMs,
  };
}

/**
 * The schedule after the run that was due has been started or skipped. Slots that passed meanwhile (a paused
 * process) are left out, save the one whose time it is now.
 */
export function advanceSchedule(
  schedule: Schedule,
  timing: Timing,
  nowMs: number,
  random: Random,
): Schedule {
  const current = Math.floor((nowMs - schedule.originMs) / timing.intervalMs);
  const slot = Math.max(schedule.slot + 1, current);
  const momentMs = schedule.originMs + slot * timing.intervalMs;
  return { originMs: schedule.originMs, slot, dueMs: momentMs + random() * timing.jitterMs };
}

/** The schedule after a run out of turn at `nowMs`: the grid begins anew, so the next run is one interval away. */
export function restartSchedule(timing: Timing, nowMs: number, random: Random): Schedule {
  return { originMs: nowMs, slot: 1, dueMs: nowMs + timing.intervalMs + random() * timing.jitterMs };
}
