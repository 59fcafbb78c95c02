/**
 * Files that a config names: their contents are needed before anything is applied.
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";

/** Text of a file. Throws an error with a `code` as node:fs does. */
export type FileReader = (path: string) => string;

/** Reads from the disk. */
export const diskReader: FileReader = (path) => readFileSync(path, "utf8");

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
  return REASONS[code] ?? (code !== "" ? code : String(error));
}
