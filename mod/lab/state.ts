/**
 * What labs exist on this machine: one file each, so that `lab down`, and the next lab after one that was killed, can
 * remove what was left. Only root can write where the files are.
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, reasonOf } from "../../lib/runtime/mod.ts";
import { startTime } from "./process.ts";

const STATE_DIR = "/run/appliance-lab";

/** A process of a lab. */
export interface RecordedProcess {
  readonly title: string;
  readonly pid: number;
}

/** A lab and everything that has to be removed with it. */
export interface LabState {
  /** Namespaces are named `PREFIX-MACHINE`. */
  readonly prefix: string;
  /** The process that removes it at its end; null = it stays until `lab down`. */
  readonly owner: { readonly pid: number; readonly start: string } | null;
  readonly directory: string;
  readonly namespaces: readonly string[];
  readonly processes: readonly RecordedProcess[];
  /** Files with the process ids of servers that somebody may have started anew. */
  readonly pidFiles: readonly string[];
}

function fileOf(prefix: string): string {
  return join(STATE_DIR, `${prefix}.json`);
}

/**
 * Registers a new lab under a name that no other has. Throws an Error: "Cannot register a lab in /run/appliance-lab:
 * permission denied".
 *
 * @param describe The lab of that name.
 */
export function registerLab(describe: (prefix: string) => LabState): LabState {
  try {
    mkdirSync(STATE_DIR, { recursive: true, mode: 0o700 });
    for (let number = 1;; number++) {
      const state = describe(`applab-${process.pid}${number === 1 ? "" : `-${number}`}`);
      if (claim(state)) return state;
    }
  } catch (thrown) {
    throw new Error(`Cannot register a lab in ${STATE_DIR}: ${reasonOf(thrown)}`, { cause: thrown });
  }
}

/** Writes the file of a new lab; false when its name is taken. */
function claim(state: LabState): boolean {
  try {
    writeFileSync(fileOf(state.prefix), encode(state), { flag: "wx", mode: 0o600 });
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return false;
    throw thrown;
  }
}

function encode(state: LabState): string {
  return JSON.stringify(state, null, 2) + "\n";
}

/** Writes the file of a lab, whole or not at all. */
export function saveState(state: LabState): void {
  const file = fileOf(state.prefix);
  writeFileSync(`${file}.new`, encode(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Forgets a lab that has been removed. */
export function removeState(prefix: string): void {
  rmSync(fileOf(prefix), { force: true });
}

/** All labs; a file that cannot be read is left out. */
export function listStates(): LabState[] {
  let names: string[];
  try {
    names = readdirSync(STATE_DIR).filter((name) => name.endsWith(".json")).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(STATE_DIR, name), "utf8")) as LabState];
    } catch {
      return [];
    }
  });
}

/** This process as an owner. */
export function ourOwnership(): LabState["owner"] {
  return { pid: process.pid, start: startTime(process.pid) ?? "" };
}

/** Whether the process that is to remove a lab still lives. */
export function ownerLives({ owner }: LabState): boolean {
  return owner !== null && startTime(owner.pid) === owner.start;
}
