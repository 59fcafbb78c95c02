/**
 * `appliance run --supervise`: keeps a daemon running where no init system does.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { programAt, selfCommand, startPath } from "../../lib/runtime/mod.ts";
import { EXIT_HANDED_ON, SUPERVISED } from "../bus/supervised.ts";

/** A daemon that lived this long was well: the next start is not held back. */
const STABLE_MS = 10_000;
const FIRST_PAUSE_MS = 0;
const MAX_PAUSE_MS = 10_000;
/** Exit codes that starting again cannot mend: stopped on request, could not start, bad config. */
const FINAL_CODES: ReadonlySet<number> = new Set([0, 1, 2]);

interface End {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * Runs this program with other arguments, again whenever a signal or a crash ended it, or a SIGUSR2 (to it or to this
 * process) asked for that; returns its final exit code. What is started is the file that lies where this program was
 * started from: after an upgrade the new one. This process stays what it is.
 */
export async function superviseSelf(args: readonly string[]): Promise<number> {
  const path = startPath();
  const [argv0, ...rest] = selfCommand(args);
  let stopping = false;
  let child: ReturnType<typeof spawn> | null = null;
  let endPause = () => {};
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    process.on(signal, () => {
      stopping ||= signal === "SIGTERM" || signal === "SIGINT";
      child?.kill(signal);
      if (signal !== "SIGHUP" && signal !== "SIGUSR1") endPause();
    });
  }
  let pauseMs = FIRST_PAUSE_MS;
  for (let starts = 0; !stopping; starts++) {
    const started = performance.now();
    const running = spawn(programAt(path), rest, {
      argv0: argv0!,
      env: { ...process.env, [SUPERVISED]: "1" },
      stdio: "inherit",
    });
    child = running;
    const { code, signal } = await new Promise<End>((resolve) => {
      running.on("error", () => resolve({ code: 1, signal: null }));
      running.on("exit", (code, signal) => resolve({ code, signal }));
    });
    child = null;
    if (stopping) return code ?? 1;
    // The signal itself ends one that is only being started.
    if (code === EXIT_HANDED_ON || signal === "SIGUSR2") {
      process.stderr.write("appliance: the daemon was asked to hand on; starting it anew\n");
      pauseMs = FIRST_PAUSE_MS;
      continue;
    }
    // An engine that died after it had run well reports no such code by itself.
    const lived = performance.now() - started;
    if (signal === null && FINAL_CODES.has(code ?? 1) && (starts === 0 || code === 0)) return code ?? 1;
    process.stderr.write(
      `appliance: the daemon ${
        signal === null ? `exited with ${code}` : `was ended by ${signal}`
      }; starting it again\n`,
    );
    pauseMs = lived > STABLE_MS
      ? FIRST_PAUSE_MS
      : Math.min(Math.max(pauseMs * 2, starts === 0 ? 0 : 250), MAX_PAUSE_MS);
    if (pauseMs === 0) continue;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  return 0;
}
