/**
 * `process`: a process lives. Zombies are dead.
 *
 * @module
 */
import type { ProbeResult, ProcessProbe } from "../model.ts";
import type { Check } from "./check.ts";
import { createProcessFinder } from "./find_process.ts";
import { createProcessWatch } from "./watch_process.ts";

/** `onEnd` is called between runs when the process has ended. */
export function processCheck(config: ProcessProbe, onEnd: () => void): Check {
  const watch = createProcessWatch(createProcessFinder(config.process), onEnd);
  return {
    run(): Promise<ProbeResult> {
      const startMs = performance.now();
      const found = watch.look();
      const latencyMs = performance.now() - startMs;
      return Promise.resolve(
        found.ok ? { ok: true, latencyMs } : { ok: false, latencyMs, error: found.error },
      );
    },
    close: () => watch.close(),
  };
}
