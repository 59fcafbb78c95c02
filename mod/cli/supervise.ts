/**
 * `appliance run --supervise`: keeps a daemon running where no init system does.
 *
 * @module
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { programAt, SELF_PATH, selfCommand, startPath } from "../../lib/runtime/mod.ts";
import { EXIT_HANDED_ON, SUPERVISED } from "../bus/supervised.ts";

/** A daemon that lived this long was well: the next start is not held back. */
const STABLE_MS = 10_000;
const FIRST_PAUSE_MS = 0;
const MAX_PAUSE_MS = 10_000;
/** A program that takes longer to check the config does not follow. */
const CHECK_MS = 5000;
/** Exit codes that starting again cannot mend: stopped on request, could not start, bad config. */
const FINAL_CODES: ReadonlySet<number> = new Set([0, 1, 2]);

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it could not be started; null = it was. */
  readonly error: string | null;
}

interface Started {
  readonly child: ChildProcess | null;
  readonly end: Promise<End>;
}

/** Starts a program file with arguments; one that cannot be started ends at once with 1. */
function start(program: string, args: readonly string[], options: SpawnOptions): Started {
  const failed = ({ message }: Error): End => ({ code: 1, signal: null, error: message });
  try {
    const child = spawn(program, args, options);
    const end = new Promise<End>((resolve) => {
      child.on("error", (error) => resolve(failed(error)));
      child.on("exit", (code, signal) => resolve({ code, signal, error: null }));
    });
    return { child, end };
  } catch (error) {
    // What is no program at all is not told by an event.
    return { child: null, end: Promise.resolve(failed(error as Error)) };
  }
}

/** Whether a program starts at all and accepts the config; says why not. */
async function canFollow(program: string, config: string): Promise<boolean> {
  const end = await start(program, selfCommand(["check", "-c", config]).slice(1), {
    stdio: ["ignore", "ignore", "inherit"],
    timeout: CHECK_MS,
    killSignal: "SIGKILL",
  }).end;
  if (end.code === 0) return true;
  process.stderr.write(`appliance: not handing on to ${program}: its check of the config ${endText(end)}\n`);
  return false;
}

function endText({ code, signal, error }: End): string {
  if (error !== null) return `could not be started (${error})`;
  return signal === null ? `exited with ${code}` : `was ended by ${signal}`;
}

/**
 * Runs this program with other arguments, again whenever a signal or a crash ended it, or a SIGUSR2 (to it or to this
 * process) asked for that; returns its final exit code. What is started is the file that lies where this program was
 * started from: after an upgrade the new one. This process stays what it is.
 *
 * @param config Path of the config file, which a new program has to accept before the one that runs is asked to end.
 */
export async function superviseSelf(args: readonly string[], config: string): Promise<number> {
  const path = startPath();
  const [argv0, ...rest] = selfCommand(args);
  let stopping = false;
  let child: ChildProcess | null = null;
  let endPause = () => {};
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
    process.on(signal, () => {
      stopping ||= signal === "SIGTERM" || signal === "SIGINT";
      child?.kill(signal);
      if (stopping) endPause();
    });
  }
  process.on("SIGUSR2", async () => {
    // What runs is not given up for a program that could not take its place.
    if (child === null || await canFollow(programAt(path), config)) child?.kill("SIGUSR2");
    endPause();
  });
  let pauseMs = FIRST_PAUSE_MS;
  let broken = false;
  for (let starts = 0; !stopping; starts++) {
    const started = performance.now();
    const program: string = broken ? SELF_PATH : programAt(path);
    const running = start(program, rest, {
      argv0: argv0!,
      env: { ...process.env, [SUPERVISED]: "1" },
      stdio: "inherit",
    });
    child = running.child;
    const end = await running.end;
    const { code, signal } = end;
    child = null;
    if (stopping) return code ?? 1;
    broken = end.error !== null && program !== SELF_PATH;
    if (broken) {
      process.stderr.write(`appliance: ${program} ${endText(end)}; starting the program that this one is\n`);
      continue;
    }
    // The signal itself ends one that is only being started.
    if (code === EXIT_HANDED_ON || signal === "SIGUSR2") {
      process.stderr.write("appliance: the daemon was asked to hand on; starting it anew\n");
      pauseMs = FIRST_PAUSE_MS;
      continue;
    }
    // An engine that died after it had run well reports no such code by itself.
    const lived = performance.now() - started;
    if (signal === null && FINAL_CODES.has(code ?? 1) && (starts === 0 || code === 0)) return code ?? 1;
    process.stderr.write(`appliance: the daemon ${endText(end)}; starting it again\n`);
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
