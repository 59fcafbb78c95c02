/**
 * `exec`: a command ends with exit code 0 in time.
 *
 * It runs in a session of its own, so that at the time-out the whole process group can be ended: SIGTERM at once,
 * SIGKILL to what is left as soon as the command itself has ended, or 2 s later, or when the probe itself ends. A process
 * that makes itself a session of its own escapes this, as it would any supervisor without cgroups.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { basename } from "node:path";
import { childEnvironment } from "../../../lib/runtime/environment.ts";
import { codeOf, reasonOf } from "../../../lib/runtime/reason.ts";
import { credentialsOf } from "../../../lib/users/mod.ts";
import type { ExecProbe } from "../model.ts";
import { type Check, failure, type Outcome, runWithin } from "./check.ts";

/** Time between SIGTERM and SIGKILL, in milliseconds; keepalived's. */
const KILL_AFTER_MS = 2000;
/** How long the output of a command that has ended is waited for, in milliseconds. */
const OUTPUT_MS = 50;
/** As much of the last line of the output as is kept, in characters. */
const LINE_LIMIT = 200;

/** Keeps the last line that is not blank, of output of any length. */
function lastLineKeeper(): { add(chunk: string): void; line(): string } {
  let tail = "";
  return {
    add(chunk) {
      // Enough for the last line and the blank ones after it; an endless line keeps its end.
      tail = (tail + chunk).slice(-16 * LINE_LIMIT);
    },
    line() {
      const line = tail.trimEnd().split("\n").at(-1)!.trim();
      return line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}…` : line;
    },
  };
}

/** Sends a signal to a process group. False when nobody is in it. */
function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

function outcomeOf(name: string, code: number | null, signal: string | null, lastLine: string): Outcome {
  if (code === 0) return { ok: true };
  const how = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
  return failure(`${name} ${how}${lastLine === "" ? "" : `: ${lastLine}`}`);
}

/** Why a command could not be started. */
export function startTrouble(program: string, user: string | null, thrown: unknown): string {
  // A daemon that is an ordinary user, as that of the systemd unit, can be nobody else.
  if (user !== null && codeOf(thrown) === "EPERM") {
    return `cannot run ${program} as ${user}: the daemon is not root (run it as root, or remove \`user\`)`;
  }
  return `cannot run ${program}: ${reasonOf(thrown)}`;
}

/** Runs the command once per run, no shell between. */
export function execCheck(config: ExecProbe): Check {
  const [program, ...args] = config.command;
  const name = basename(program);
  /** Process groups that were asked to end and have not. */
  const clearing = new Set<number>();

  function start(): ChildProcess {
    return spawn(program, args, {
      ...credentialsOf(config.user, config.group),
      cwd: "/",
      env: childEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
  }

  /** Ends the whole group of a command that has not ended in time. */
  function clearAway(child: ChildProcess, group: number, patient: boolean): void {
    clearing.add(group);
    let timer: ReturnType<typeof setTimeout> | undefined;
    child.on("exit", () => {
      clearTimeout(timer);
      signalGroup(group, "SIGKILL");
      clearing.delete(group);
    });
    if (patient) {
      timer = setTimeout(() => signalGroup(group, "SIGKILL"), KILL_AFTER_MS);
      timer.unref();
    }
    signalGroup(group, patient ? "SIGTERM" : "SIGKILL");
  }

  return {
    run: (signal) =>
      runWithin(config.timeoutMs, signal, () => `${name} has not ended`, (settle) => {
        let child: ChildProcess;
        try {
          child = start();
        } catch (thrown) {
          settle(failure(startTrouble(program, config.user, thrown)));
          return () => {};
        }
        const output = lastLineKeeper();
        for (const stream of [child.stdout!, child.stderr!]) {
          stream.setEncoding("utf8");
          stream.on("data", output.add);
          stream.on("error", () => {});
        }
        let ended = false;
        let timer: ReturnType<typeof setTimeout> | undefined;
        child.on("error", (error) => {
          ended = true;
          settle(failure(startTrouble(program, config.user, error)));
        });
        child.on("exit", (code, signalName) => {
          ended = true;
          const finish = () => settle(outcomeOf(name, code, signalName, output.line()));
          if (code === 0) return finish();
          // The reason may still be in the pipe; a child of the command may hold that open for ever.
          child.on("close", finish);
          timer = setTimeout(finish, OUTPUT_MS);
        });
        return () => {
          clearTimeout(timer);
          if (!ended && child.pid !== undefined) clearAway(child, child.pid, !signal.aborted);
          child.stdout?.destroy();
          child.stderr?.destroy();
        };
      }),
    busy: () => clearing.size > 0,
    close() {
      for (const group of clearing) signalGroup(group, "SIGKILL");
    },
  };
}
