/**
 * `file`: a file is there, is not, or holds an integer.
 *
 * @module
 */
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { codeOf, reasonOf } from "../../../lib/runtime/reason.ts";
import type { FileProbe } from "../model.ts";
import { type Check, failure, type Outcome, runWithin } from "./check.ts";

/** As much of the file as is read, in bytes. */
const READ_LIMIT = 4096;
/** As much of a wrong content as an error shows, in characters. */
const SHOWN = 32;

async function checkPresence(path: string, wanted: boolean): Promise<Outcome> {
  try {
    await stat(path);
    return wanted ? { ok: true } : failure(`file ${path} is present`);
  } catch (thrown) {
    const code = codeOf(thrown);
    const absent = code === "ENOENT" || code === "ENOTDIR";
    if (!absent) return failure(`cannot look at file ${path}: ${reasonOf(thrown)}`);
    return wanted ? failure(`file ${path} does not exist`) : { ok: true };
  }
}

async function readStart(path: string): Promise<string> {
  // Non-blocking, so that a named pipe without a writer does not hold the thread.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_LIMIT), 0, READ_LIMIT, null);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function checkInteger(path: string): Promise<Outcome> {
  let text: string;
  try {
    text = (await readStart(path)).trim();
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return failure(`file ${path} does not exist`);
    return failure(`cannot read file ${path}: ${reasonOf(thrown)}`);
  }
  if (text === "") return failure(`file ${path} is empty (expected an integer)`);
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return { ok: true, value: value + 0 };
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return failure(`file ${path} holds ${JSON.stringify(shown)} (expected an integer)`);
}

/** Looks at the file anew in each run. */
export function fileCheck(config: FileProbe): Check {
  const { path, expect } = config;
  // A file system that hangs (NFS) holds a thread for as long: never more than one.
  let looking = false;
  const look = () => expect === "integer" ? checkInteger(path) : checkPresence(path, expect === "present");
  return {
    run: (signal) =>
      runWithin(config.timeoutMs, signal, () => `the file system of ${path} does not answer`, (settle) => {
        looking = true;
        look().then(settle, (thrown) => settle(failure(reasonOf(thrown)))).finally(() => looking = false);
        return () => {};
      }),
    busy: () => looking,
  };
}
