/**
 * Child processes inside network namespaces.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { inNetns } from "../../lib/libc/mod.ts";
import { SELF_PATH, selfCommand } from "../../lib/runtime/mod.ts";

/** What to start, and where. */
export interface ChildPlan {
  /** For people: `nginx on edge-a`. */
  readonly title: string;
  readonly namespace: string;
  readonly path: string;
  /** `argv[0]` and the arguments. */
  readonly argv: readonly string[];
  /** File that takes its standard error, and its output where `onLine` is absent; it is appended to. */
  readonly log: string;
  /** Takes each line of its standard output. */
  readonly onLine?: (line: string) => void;
}

/** A process that we started, leader of a process group of its own. */
export interface Child {
  readonly title: string;
  readonly pid: number;
  /** How it ended, in words: `exit code 1`, `signal SIGKILL`; null while it runs. */
  ending(): string | null;
  /** Kills it and every process of its group at one moment. */
  killGroup(): void;
  signal(signal: "SIGTERM" | "SIGKILL"): void;
  /** Lets this process end before the child. */
  release(): void;
}

/** The plan's path and argv that start this same program with other arguments. */
export function ourselves(...args: readonly string[]): Pick<ChildPlan, "path" | "argv"> {
  return { path: SELF_PATH, argv: selfCommand(args) };
}

/** What a child may inherit: all but what would change what a compiled program is. */
function environment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) =>
    !name.startsWith("BUN_") && !name.startsWith("APPLIANCE_")
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Starts a process in a namespace. Throws Error when it cannot be started. */
export function startChild(plan: ChildPlan): Child {
  const log = openSync(plan.log, "a", 0o600);
  let child: ChildProcess;
  try {
    // A child inherits the namespace of the thread that starts it.
    child = inNetns(plan.namespace, () =>
      spawn(plan.path, plan.argv.slice(1), {
        argv0: plan.argv[0]!,
        env: environment(),
        stdio: ["ignore", plan.onLine === undefined ? log : "pipe", log],
        // A Ctrl-C is for us alone; we end the children in order.
        detached: true,
      }));
  } catch (thrown) {
    throw new Error(`Cannot start ${plan.title}: ${(thrown as Error).message}`, { cause: thrown });
  } finally {
    closeSync(log);
  }
  const { pid } = child;
  let ending: string | null = null;
  child.on("error", (error) => ending ??= error.message);
  child.on("exit", (code, signal) => ending ??= signal === null ? `exit code ${code}` : `signal ${signal}`);
  if (pid === undefined) throw new Error(`Cannot start ${plan.title}: ${plan.path} does not run`);
  if (plan.onLine !== undefined) readLines(child, plan.onLine);
  const kill = (target: number, signal: NodeJS.Signals) => {
    if (ending !== null) return;
    try {
      process.kill(target, signal);
    } catch {
      // It has just ended.
    }
  };
  return {
    title: plan.title,
    pid,
    ending: () => ending,
    killGroup: () => kill(-pid, "SIGKILL"),
    signal: (signal) => kill(pid, signal),
    release: () => child.unref(),
  };
}

function readLines(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = "";
  child.stdout?.setEncoding("utf8");
  child.stdout?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  });
}
