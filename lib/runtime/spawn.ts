/**
 * Starting a child on given descriptors, without waiting for it.
 *
 * @module
 */
import { childEnvironment, type RuntimeSettings } from "./environment.ts";
import { reasonOf } from "./reason.ts";

/** A descriptor of the child: one of ours, the same as ours, or /dev/null. */
export type ChildStdio = number | "inherit" | "ignore";

/** What to start. */
export interface ChildOptions {
  /** The program file. */
  readonly path: string;
  /** `argv[0]` (what `ps` shows) and the arguments. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment; nothing is inherited beside it. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input, output and error. All other descriptors stay closed in the child. */
  readonly stdio: readonly [ChildStdio, ChildStdio, ChildStdio];
  /** Working directory; the parent's by default. */
  readonly cwd?: string;
  /** True = a session and process group of its own. */
  readonly detached?: boolean;
}

/**
 * Starts a child and returns its process id. Nothing is awaited and no exit handler is set, so it can be called from a
 * loop that never returns to the event loop; whoever calls it reaps the child.
 *
 * Throws an Error, "Cannot start /usr/sbin/nginx: no such file or directory".
 */
export function spawnChild(options: ChildOptions): number {
  const [argv0, ...args] = options.argv;
  try {
    const child = Bun.spawn([options.path, ...args], {
      argv0,
      env: { ...options.env },
      stdio: [...options.stdio],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.detached === undefined ? {} : { detached: options.detached }),
    });
    child.unref();
    return child.pid;
  } catch (thrown) {
    throw new Error(`Cannot start ${options.path}: ${reasonOf(thrown)}`, { cause: thrown });
  }
}

/** What to run to its end. */
export interface RunOptions extends Pick<ChildOptions, "path" | "argv"> {
  /** Its standard input. */
  readonly input: string;
  /** After so long it is killed. */
  readonly timeoutMs: number;
  /** How it is to run, where it is this program. */
  readonly settings?: RuntimeSettings;
}

/**
 * Runs a program to its end; standard error is ours. Throws an Error when it cannot be started, or does not end in time.
 */
export async function runForOutput(
  { path, argv, input, timeoutMs, settings = {} }: RunOptions,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const [argv0, ...args] = argv;
  const child = Bun.spawn([path, ...args], {
    argv0,
    env: { ...childEnvironment(), ...settings },
    stdio: [new TextEncoder().encode(input), "pipe", "inherit"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (child.signalCode !== null) throw new Error(`${argv.join(" ")} was ended by ${child.signalCode}`);
  return { exitCode, output };
}
