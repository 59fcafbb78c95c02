/**
 * Test texts that mark where each problem must be told: `§` stands right before the key or value.
 *
 * @module
 */
import { formatProblem, loadConfig } from "../../../../mod/config/load.ts";
import type { Config } from "../../../../mod/config/load.ts";
import type { FileReader, ProgramJudge } from "../../../../mod/config/files.ts";

/** The text without marks, and the marks as `line:column`. */
export function unmark(marked: string): { readonly text: string; readonly marks: readonly string[] } {
  const marks: string[] = [];
  const parts = marked.split("§");
  let before = "";
  for (const part of parts.slice(0, -1)) {
    before += part;
    const lines = before.split("\n");
    marks.push(`${lines.length}:${lines[lines.length - 1]!.length + 1}`);
  }
  return { text: parts.join(""), marks };
}

/** No file is there. */
export const noFiles: FileReader = () => {
  throw Object.assign(new Error("none"), { code: "ENOENT" });
};

/** Every program can be run. */
export const allPrograms: ProgramJudge = () => null;

/** Loads a marked text: what was told as `line:column: text`, and where it should have been. */
export function told(
  marked: string,
  readFile: FileReader = noFiles,
  judgeProgram: ProgramJudge = allPrograms,
) {
  const { text, marks } = unmark(marked);
  const result = loadConfig(text, "a.yaml", readFile, judgeProgram);
  const problems = result.ok ? result.warnings : result.problems;
  const lines = problems.map((problem) => formatProblem(problem).replace(/^a\.yaml:/, ""));
  return { ok: result.ok, lines, marks, at: lines.map((line) => line.split(": ")[0]!) };
}

/** The config of a text that must be good. */
export function good(text: string, readFile: FileReader = noFiles): Config {
  const result = loadConfig(text, "a.yaml", readFile, allPrograms);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}
