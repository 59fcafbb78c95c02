/**
 * One probe that runs: its timer, its check and its state.
 *
 * @module
 */
import { createCheck } from "./checks/mod.ts";
import type { ProbeConfig, ProbeReport, ProbeResult, ProbeState } from "./model.ts";
import { advanceSchedule, type Random, restartSchedule, startSchedule } from "./schedule.ts";
import { stepProbe } from "./step.ts";

/** The clocks and the chance that probes depend on; tests bring their own. */
export interface ProbeClock {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  readonly random: Random;
}

/** A probe that runs until it is stopped. */
export interface ProbeTask {
  readonly config: ProbeConfig;
  state(): ProbeState;
  /** No run starts any more; one under way is given up and not reported. */
  stop(): void;
}

/** Starts a probe: its first run comes at once (plus jitter). `onReport` is called after each run. */
export function startProbe(
  config: ProbeConfig,
  initial: ProbeState,
  onReport: (report: ProbeReport) => void,
  clock: ProbeClock,
): ProbeTask {
  const abort = new AbortController();
  const check = createCheck(config, runOutOfTurn);
  let state = initial;
  let running = false;
  let stopped = false;
  let schedule = startSchedule(config, clock.now(), clock.random);
  let timer = arm();

  function arm(): ReturnType<typeof setTimeout> {
    return setTimeout(runInTurn, Math.max(0, Math.ceil(schedule.dueMs - clock.now())));
  }

  function runInTurn(): void {
    schedule = advanceSchedule(schedule, config, clock.now(), clock.random);
    timer = arm();
    // A run that is still busy when the next is due is not disturbed; the next one is left out.
    if (!running && check.busy?.() !== true) void run();
  }

  /**
   * The watched process has ended: that is looked at now. The next run is one whole interval away, so that `fall`
   * failures still take their time and a quick restart is forgiven. After a failed run it tells nothing new.
   */
  function runOutOfTurn(): void {
    if (stopped || running || state.error !== null) return;
    clearTimeout(timer);
    schedule = restartSchedule(config, clock.now(), clock.random);
    timer = arm();
    void run();
  }

  async function run(): Promise<void> {
    running = true;
    let result: ProbeResult;
    try {
      result = await check.run(abort.signal);
    } catch (thrown) {
      result = { ok: false, latencyMs: 0, error: thrown instanceof Error ? thrown.message : String(thrown) };
    }
    running = false;
    if (stopped) return;
    const from = state.status;
    const stepped = stepProbe(config, state, result, clock.wall());
    state = stepped.state;
    onReport({ name: config.name, type: config.type, state, changed: stepped.changed, from });
  }

  return {
    config,
    state: () => state,
    stop() {
      stopped = true;
      clearTimeout(timer);
      abort.abort();
      check.close?.();
    },
  };
}
