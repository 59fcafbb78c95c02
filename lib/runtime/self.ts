/**
 * This program itself: its version, and how to start it again.
 *
 * @module
 */
import { accessSync, constants, realpathSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { version } from "../../package.json" with { type: "json" };

/** Replaced at build time by `--define APPLIANCE_COMMIT='"<commit>"'`; not there when it was not. */
declare const APPLIANCE_COMMIT: string | undefined;

/** Version of the product: `0.1.0`. */
export const VERSION: string = version;

/** Source commit that the binary was built from, or null when the build did not say. */
export const COMMIT: string | null = typeof APPLIANCE_COMMIT === "string" && APPLIANCE_COMMIT !== ""
  ? APPLIANCE_COMMIT
  : null;

/** The runtime and its version: `bun 1.4.4`. */
export const RUNTIME: string = `bun ${Bun.version}`;

/** True in the compiled binary, false when run from source. */
export const isCompiled: boolean = Bun.main.startsWith("/$bunfs/");

/**
 * The program file of this process, by a name that goes on working after the file was replaced or deleted. To be given
 * to {@link spawnChild} as `path`, with the argv of {@link selfCommand}.
 */
export const SELF_PATH = "/proc/self/exe";

/**
 * Where the program file of this process was found when it was started, a link on the way to it not followed. After an
 * upgrade there is another file. To be asked early: the kernel knows no name of a file that was deleted.
 */
export function startPath(): string {
  const { argv0, execPath } = process;
  const named = argv0.includes("/") ? resolve(argv0) : Bun.which(argv0);
  try {
    // Whoever starts a program may write anything into argv[0].
    if (named !== null && realpathSync(named) === execPath) return named;
  } catch {
    // Nothing is there.
  }
  return execPath;
}

/** The program file at a path, or that of this process where there is none that could be executed. */
export function programAt(path: string): string {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return SELF_PATH;
  }
}

/**
 * Gives this process a name in lists of processes, where one that was executed by {@link SELF_PATH} is called `exe`:
 * `pgrep` and `top` would not find it.
 */
export function nameProcess(name: string): void {
  try {
    writeFileSync("/proc/self/comm", name);
  } catch {
    // It is called something else then.
  }
}

/**
 * The command that starts this same program with other arguments: `[binary, …args]` for the compiled one,
 * `[bun, main.ts, …args]` from source. Paths are absolute.
 */
export function selfCommand(args: readonly string[]): string[] {
  return isCompiled ? [process.execPath, ...args] : [process.execPath, Bun.main, ...args];
}

/** The arguments this process was given, without the program and script names. */
export function programArguments(): string[] {
  return process.argv.slice(2);
}
