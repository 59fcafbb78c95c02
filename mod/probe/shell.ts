/**
 * All probes of a daemon, running.
 *
 * @module
 */
import { diffByName } from "../../lib/compare/mod.ts";
import type { ProbeConfig, ProbeReport, ProbeSnapshot } from "./model.ts";
import { initialProbe, reconfiguredProbe } from "./step.ts";
import { type ProbeClock, type ProbeTask, startProbe } from "./task.ts";

/** The probes that run. */
export interface ProbeRunner {
  /**
   * Runs these probes from now on. One whose configuration is the same goes on untouched; a changed one starts anew
   * with the state it had, and its first result counts at once; one that is no longer there stops without a report.
   */
  update(configs: readonly ProbeConfig[]): void;
  /** Stops all; nothing is reported afterwards. */
  stop(): void;
  /** What is known of each, in the order of the configuration. */
  snapshot(): readonly ProbeSnapshot[];
}

/**
 * Starts probes. `onReport` is called after every run of each; `changed` says whether anybody but the status document
 * need care. Names are unique.
 */
export function createProbeRunner(
  configs: readonly ProbeConfig[],
  onReport: (report: ProbeReport) => void,
  clock: Partial<ProbeClock> = {},
): ProbeRunner {
  const full: ProbeClock = {
    now: clock.now ?? (() => performance.now()),
    wall: clock.wall ?? (() => Date.now()),
    random: clock.random ?? Math.random,
  };
  let tasks: readonly ProbeTask[] = [];

  function update(wanted: readonly ProbeConfig[]): void {
    const { added, changed } = diffByName(tasks.map((task) => task.config), wanted);
    const fresh = new Set([...added, ...changed]);
    const old = new Map(tasks.map((task) => [task.config.name, task]));
    tasks = wanted.map((config) => {
      const before = old.get(config.name);
      if (before !== undefined && !fresh.has(config)) {
        old.delete(config.name);
        return before;
      }
      const state = before === undefined ? initialProbe(full.wall()) : reconfiguredProbe(before.state());
      return startProbe(config, state, onReport, full);
    });
    for (const task of old.values()) task.stop();
  }

  update(configs);
  return {
    update,
    stop() {
      for (const task of tasks) task.stop();
      tasks = [];
    },
    snapshot: () =>
      tasks.map((task) => ({ name: task.config.name, type: task.config.type, state: task.state() })),
  };
}
