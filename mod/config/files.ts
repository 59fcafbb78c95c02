/**
 * Files that a config names: their contents are needed before anything is applied.
 *
 * @module
 */
import { readFileSync, statfsSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";

/** Text of a file. Throws an error with a `code` as node:fs does. */
export type FileReader = (path: string) => string;

/** A descriptor of some process by its path: a pipe there is one that somebody fills. */
const DESCRIPTOR = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/(?:self|thread-self|\d+)\/fd\/\d+)$/;
/** PIPEFS_MAGIC: a pipe that has no name, behind a link to such a descriptor. */
const PIPE_FILE_SYSTEM = 0x50495045;

/** What is no regular file, in words; null = it is one, or a directory, whose reading tells so. */
function oddKind(stat: Stats): string | null {
  if (stat.isFIFO()) return "a named pipe";
  if (stat.isSocket()) return "a socket";
  return stat.isFile() || stat.isDirectory() ? null : "a device";
}

/**
 * Text of a file. What could block for ever or never end (a named pipe without a writer, a device) is refused; pipes by
 * their descriptor (`/dev/stdin`, `<(command)` of a shell) are not. Throws Error, with a `code` as node:fs does.
 */
export function readTextFile(path: string): string {
  const kind = DESCRIPTOR.test(resolve(path)) ? null : oddKind(statSync(path));
  if (kind !== null && Number(statfsSync(path).type) !== PIPE_FILE_SYSTEM) {
    throw new Error(`it is ${kind}, and no regular file`);
  }
  return readFileSync(path, "utf8");
}

/** Reads from the disk. */
export const diskReader: FileReader = readTextFile;

/** Why a program, by its absolute path, cannot be run on this machine; null when it can, or nobody can say. */
export type ProgramFault = "missing" | "not executable";
export type ProgramJudge = (path: string) => ProgramFault | null;

/** Looks on the disk. By the mode alone: who checks a config may have other rights than the daemon. */
export const diskJudge: ProgramJudge = (path) => {
  try {
    const stat = statSync(path);
    return stat.isFile() && (stat.mode & 0o111) !== 0 ? null : "not executable";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code === "ENOENT" || code === "ENOTDIR" ? "missing" : null;
  }
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ELOOP: "too many symbolic links",
};

/** Why a file could not be read, in a few words. */
export function readFailure(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (code !== "" ? code : error instanceof Error ? error.message : String(error));
}
