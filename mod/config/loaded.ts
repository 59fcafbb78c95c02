/**
 * A config file, read for the daemon: plain data that can cross from one process to another.
 *
 * @module
 */
import { readFailure, readTextFile } from "./files.ts";
import { loadConfig } from "./load.ts";
import { formatProblem, type Loaded } from "./model.ts";

/** Reads and checks the file. */
export function loadFile(path: string): Loaded {
  try {
    return loadText(readTextFile(path), path);
  } catch (error) {
    return { ok: false, problems: [`Cannot read ${path}: ${readFailure(error)}`] };
  }
}

/** Checks the text of a config file. */
export function loadText(text: string, path: string): Loaded {
  const loaded = loadConfig(text, path);
  if (!loaded.ok) return { ok: false, problems: loaded.problems.map(formatProblem) };
  const { config, warnings, interfaces } = loaded;
  return { ok: true, config, warnings: warnings.map(formatProblem), interfaces };
}

/**
 * `appliance read-config FILE`: prints what {@link loadText} makes of standard input as one line of JSON. The daemon
 * reads its config in a process of its own, whose memory (schemas, a YAML parser) is gone when it has.
 */
export function printLoaded(path: string, text: string): Promise<void> {
  // A pipe takes 64 KiB at once, and whoever ends before it has taken all cuts off the rest.
  return new Promise((resolve) => {
    process.stdout.write(JSON.stringify(loadText(text, path)) + "\n", () => resolve());
  });
}
