/**
 * What the checks beyond the schema share.
 *
 * @module
 */
import { find } from "../document.ts";
import type { Path } from "../document.ts";
import type { FileReader, ProgramJudge } from "../files.ts";
import { pathText } from "../read.ts";
import type { Reporter } from "../read.ts";
import { NAME_PATTERN } from "../schema/base.ts";

/** The file's reporter, and what the checks learn for the config that is built in the end. */
export interface Check extends Reporter {
  readonly readFile: FileReader;
  readonly judgeProgram: ProgramJudge;
  /** Contents of the files that the config names, by absolute path. */
  readonly contents: Map<string, string>;
}

/** Whether the file has a value there, be it a wrong one. */
export function isWritten(check: Check, path: Path): boolean {
  return find(check.document.root, path) !== undefined;
}

/** Keys of the mapping at a path, as the file has them, wrong values included. */
export function writtenKeys(check: Check, path: Path): readonly string[] {
  const node = find(check.document.root, path);
  return node?.kind === "map" ? [...node.entries.keys()] : [];
}

/** Line of the key at a path, to point at from elsewhere. */
export function lineOf(check: Check, path: Path): number {
  const parent = find(check.document.root, path.slice(0, -1));
  const last = path[path.length - 1];
  if (parent?.kind === "map") {
    return check.document.position(parent.entries.get(String(last))?.keyAt ?? 0).line;
  }
  return check.document.position(find(check.document.root, path)?.at ?? 0).line;
}

/** Tells which keys of a mapping are missing. */
export function requireKeys(check: Check, path: Path, required: Readonly<Record<string, string>>): void {
  for (const [key, hold] of Object.entries(required)) {
    const full = [...path, key];
    if (isWritten(check, full) || check.meant.has(pathText(full))) continue;
    // A shorthand is the value of its one required key.
    if (find(check.document.root, path)?.kind === "scalar") continue;
    check.report({ path, what: `has no \`${key}\``, instead: hold, at: "key", doubtful: true });
  }
}

/** Tells which names of a section cannot be names. */
export function checkNames(check: Check, section: string): void {
  for (const name of writtenKeys(check, [section])) {
    if (new RegExp(NAME_PATTERN).test(name)) continue;
    const what = `\`${name.slice(0, 80)}\` cannot be a name`;
    const instead = "use letters, digits, _ . - and @, at most 63, a letter or digit first";
    check.report({ path: [section, name], what, instead, at: "key", whole: true });
  }
}
