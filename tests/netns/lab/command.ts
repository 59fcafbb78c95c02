/**
 * Programs: run to their end, or kept running with their output collected.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { within } from "./wait.ts";

/** How a program ended. */
export interface CommandResult {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of everything that the lab starts: nothing of the caller's leaks in. */
export const CLEAN_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  HOME: "/nonexistent",
};

/** Runs a program to its end, at most `timeoutMs` (default 10 s). Never throws for a bad exit code. */
export function run(
  argv: readonly string[],
  options: { readonly stdin?: string; readonly timeoutMs?: number } = {},
): CommandResult {
  const [program, ...args] = argv;
  const done = spawnSync(program!, args, {
    env: CLEAN_ENV,
    encoding: "utf8",
    input: options.stdin ?? "",
    timeout: options.timeoutMs ?? 10_000,
    killSignal: "SIGKILL",
    maxBuffer: 64 << 20,
  });
  if (done.error !== undefined && done.status === null && done.signal === null) throw done.error;
  return { code: done.status, signal: done.signal, stdout: done.stdout, stderr: done.stderr };
}

/** As {@link run}, throwing when the exit code is not 0; returns stdout. */
export function must(
  argv: readonly string[],
  options: { readonly stdin?: string; readonly timeoutMs?: number } = {},
): string {
  const { code, signal, stdout, stderr } = run(argv, options);
  if (code !== 0) {
    throw new Error(`${argv.join(" ")}: exit ${code ?? signal}: ${stderr || stdout}\n${options.stdin ?? ""}`);
  }
  return stdout;
}

/** How a kept process ended, and when (milliseconds since 1970). */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly atMs: number;
}

/** Ids of the direct children of a process, whichever of its threads made them. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8");
      children.push(...text.split(" ").filter(Boolean).map(Number));
    }
  } catch {
    // It ended while we looked: what was seen is all there is.
  }
  return children;
}

/** Ids of all processes below a process. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Whether a process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Sends a signal to each process that still exists. */
export function killAll(pids: readonly number[], signal: NodeJS.Signals = "SIGKILL"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already.
    }
  }
}

/** `kill -9` of several processes as if at one moment: none of them sees another one's end. */
export function killTogether(pids: readonly number[]): void {
  killAll(pids, "SIGSTOP");
  killAll(pids, "SIGKILL");
}

/** A program that runs beside the test. */
export class Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  readonly startedMs = Date.now();
  #end: ProcessEnd | null = null;
  #out = "";
  #error = "";
  #lineReader: ((line: string) => void) | null = null;
  #partial = "";

  /** `onLine`: called for each line of stdout, which is then not kept. */
  constructor(argv: readonly string[], onLine: ((line: string) => void) | null = null) {
    const [program, ...args] = argv;
    this.#lineReader = onLine;
    this.child = spawn(program!, args, { env: CLEAN_ENV, stdio: ["pipe", "pipe", "pipe"] });
    if (this.child.pid === undefined) throw new Error(`Cannot start ${argv.join(" ")}`);
    this.pid = this.child.pid;
    this.child.stdin!.on("error", () => {});
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#error += text;
    });
    this.ended = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        this.#end = { code, signal, atMs: Date.now() };
        resolve(this.#end);
      });
    });
  }

  #take(text: string): void {
    if (this.#lineReader === null) {
      this.#out += text;
      return;
    }
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop()!;
    for (const line of lines) this.#lineReader(line);
  }

  /** How it ended; null while it runs. */
  get end(): ProcessEnd | null {
    return this.#end;
  }

  get stdout(): string {
    return this.#out;
  }

  get stderr(): string {
    return this.#error;
  }

  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals): void {
    if (this.#end === null) killAll([this.pid], signal);
  }

  /** Sends a signal and waits for the end; after `timeoutMs` it kills hard and rejects. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 5000): Promise<ProcessEnd> {
    this.kill(signal);
    try {
      return await within(this.ended, timeoutMs, `process ${this.pid} to end on ${signal}`);
    } catch (thrown) {
      killTogether([this.pid, ...descendantsOf(this.pid)]);
      throw thrown;
    }
  }
}
