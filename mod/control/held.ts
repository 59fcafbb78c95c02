/**
 * What an operator holds back, kept in the runtime directory so that a daemon that is started anew holds it back, too.
 *
 * @module
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { codeOf, reasonOf } from "../../lib/runtime/mod.ts";
import type { Held } from "../bus/messages.ts";

/** Name of the file in the runtime directory; it is there while something is held back. */
const FILE = "held.json";

const NOTHING_HELD: Held = { maintenance: false, released: [] };
const EVERYTHING_HELD: Held = { maintenance: true, released: [] };

/** What was held back, and why that is not known. */
export interface HeldReading {
  readonly held: Held;
  readonly problem: string | null;
}

function decode(text: string): Held | null {
  const { maintenance, released } = Object(JSON.parse(text)) as Partial<Record<keyof Held, unknown>>;
  const good = typeof maintenance === "boolean" && Array.isArray(released) &&
    released.every((name) => typeof name === "string");
  return good ? { maintenance, released } : null;
}

/**
 * What was held back when the daemon before this one ended. A file that cannot be read is a sign that something was:
 * then everything is held back until the operator says otherwise.
 */
export function readHeld(runtimeDir: string): HeldReading {
  const path = join(runtimeDir, FILE);
  const unknown = (why: string): HeldReading => ({
    held: EVERYTHING_HELD,
    problem: `Cannot read what was held back from ${path}: ${why}; the node is in maintenance until ` +
      "`appliance maintenance off`",
  });
  try {
    const held = decode(readFileSync(path, "utf8"));
    return held === null ? unknown("it is not ours") : { held, problem: null };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { held: NOTHING_HELD, problem: null };
    return unknown(error instanceof SyntaxError ? "it is cut or garbled" : reasonOf(error));
  }
}

/** Keeps what is held back, or that nothing is. Throws Error: why it cannot. */
export function writeHeld(runtimeDir: string, held: Held): void {
  const path = join(runtimeDir, FILE);
  try {
    if (held.maintenance || held.released.length > 0) {
      mkdirSync(runtimeDir, { recursive: true, mode: 0o750 });
      writeWhole(path, JSON.stringify(held) + "\n");
    } else removeFile(path);
  } catch (error) {
    throw new Error(`Cannot write ${path}: ${reasonOf(error)}`);
  }
}

/** Keeps the file as the engine tells what is held back. */
export class HeldKeeper {
  readonly #failed: (problem: string) => void;
  #runtimeDir: string;
  #held: Held | null = null;
  #problem: string | null = null;

  /** @param failed Told when the file can no longer be kept, and why. */
  constructor(runtimeDir: string, failed: (problem: string) => void) {
    this.#runtimeDir = runtimeDir;
    this.#failed = failed;
  }

  /** Why a daemon that is started anew would not know what is held back, in words; null = it would. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Notes what is held back from now on. */
  keep(held: Held): void {
    this.#held = held;
    try {
      writeHeld(this.#runtimeDir, held);
      this.#problem = null;
    } catch (error) {
      this.#problem = `a restart of the daemon would not know of it: ${(error as Error).message}`;
      this.#failed(this.#problem);
    }
  }

  /** Keeps the file in another directory from now on. */
  move(runtimeDir: string): void {
    const before = this.#runtimeDir;
    if (runtimeDir === before) return;
    this.#runtimeDir = runtimeDir;
    if (this.#held === null) return;
    this.keep(this.#held);
    // A daemon that is given the old directory again begins with nothing.
    try {
      if (this.#problem === null) writeHeld(before, NOTHING_HELD);
    } catch (error) {
      this.#failed((error as Error).message);
    }
  }

  /** Adds to the answer to an operator what he has to know. */
  answered<A extends { readonly ok: boolean; readonly text: string }>(answer: A): A {
    if (!answer.ok || this.#problem === null) return answer;
    return { ...answer, text: `${answer.text}; ${this.#problem}` };
  }
}

/** Half a file is never seen, and a power cut does not undo what was answered for. */
function writeWhole(path: string, text: string): void {
  const fresh = `${path}.new`;
  try {
    const fd = openSync(fresh, "w", 0o640);
    try {
      // One write may take a part only, where the file system is nearly full.
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, path);
  } catch (error) {
    removeFile(fresh);
    throw error;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
