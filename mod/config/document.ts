/**
 * A YAML text as a tree whose every key and value knows where it stands. Scalars stay text (YAML's failsafe schema):
 * what they mean is the config schema's business, so `051` is never silently 41 and `1.10` never 1.1.
 *
 * @module
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument, visit } from "yaml";
import type { Document, YAMLError } from "yaml";

/** Keys and list indexes from the top. */
export type Path = readonly (string | number)[];

/** A value and its offset in the text. `size` counts the values in it, aliases written out. */
export type Located =
  | { readonly kind: "scalar"; readonly at: number; readonly size: number; readonly text: string }
  | { readonly kind: "empty"; readonly at: number; readonly size: number }
  /** Something that could not be read, told already. */
  | { readonly kind: "broken"; readonly at: number; readonly size: number }
  | { readonly kind: "map"; readonly at: number; readonly size: number; readonly entries: Map<string, Entry> }
  | { readonly kind: "list"; readonly at: number; readonly size: number; readonly items: readonly Located[] };

/** A key's offset and its value. */
export interface Entry {
  readonly keyAt: number;
  readonly value: Located;
}

/** Something wrong with the text as YAML, said without a word of the text: it may be part of a secret. */
export interface SyntaxProblem {
  readonly at: number;
  readonly what: string;
  readonly instead: string | null;
  /** The structure of the text is in doubt from here on. */
  readonly structural: boolean;
}

/** A text that was read as far as it could be. */
export interface ConfigDocument {
  readonly root: Located | null;
  readonly problems: readonly SyntaxProblem[];
  /** 1-based line and column (UTF-16 units) of an offset. */
  position(at: number): { readonly line: number; readonly column: number };
}

/** What a decoder makes of bytes that are not UTF-8, and what it leaves of a character of two bytes (UTF-16). */
const NOT_TEXT = /[\uFFFD\0]/;
const MAX_SIZE = 1_000_000;
const MAX_DEPTH = 100;

/** What to do about an error of the YAML parser, by its code. */
const REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent the keys of one mapping alike",
  BLOCK_AS_IMPLICIT_KEY: "put a value that contains `: ` in quotes, or start a new line",
  MULTILINE_IMPLICIT_KEY: "a key and its colon stand on one line",
  MISSING_CHAR: "close the bracket or quote, or write the missing colon or comma",
  BAD_SCALAR_START: "put the value in quotes",
  UNEXPECTED_TOKEN: "put a value with special characters in quotes",
  BAD_DQ_ESCAPE: "write \\\\ for a backslash, or use single quotes",
  TAG_RESOLVE_FAILED: "remove it",
  BAD_COLLECTION_TYPE: "remove it",
  BAD_DIRECTIVE: "remove it",
};

/**
 * What is said instead of those messages of the parser that quote the file: where the structure is in doubt nobody can
 * tell a secret from the rest.
 */
const OWN_WORDS: Readonly<Record<string, string>> = {
  UNEXPECTED_TOKEN: "not valid YAML: this does not belong here",
  BAD_SCALAR_START: "not valid YAML: a value cannot begin with this character",
  BAD_DQ_ESCAPE: "not valid YAML: this escape sequence is not known",
  BAD_PROP_ORDER: "not valid YAML: anchors and tags stand after the indicator",
  BAD_DIRECTIVE: "not valid YAML: this directive is not known",
  TAG_RESOLVE_FAILED: "this tag is not known",
  BAD_COLLECTION_TYPE: "this tag is not known",
  RESOURCE_EXHAUSTION: "nested too deeply",
};

function syntaxProblem(error: YAMLError, document: Document, text: string): SyntaxProblem {
  const { code } = error;
  const at = code === "BAD_INDENT" ? afterBlanks(text, error.pos[0]) : error.pos[0];
  const instead = REMEDIES[code] ?? null;
  const structural = error.name === "YAMLParseError";
  if (code === "MULTIPLE_DOCS") {
    return { at, what: "a second YAML document begins here", instead: "one file holds one", structural };
  }
  const own = OWN_WORDS[code];
  if (own !== undefined) return { at, what: own, instead, structural };
  const message = error.message.split("\n")[0]!;
  if (code === "MISSING_CHAR" && message.includes("closing")) {
    return {
      at: openingOf(document, at),
      what: "this quote is never closed",
      instead: "close it",
      structural,
    };
  }
  const closing = /end with a ([\]}])/.exec(message)?.[1];
  if (closing !== undefined) {
    const what = `not valid YAML: a \`${closing === "]" ? "[" : "{"}\` above is not closed`;
    return { at, what, instead: `write the missing \`${closing}\``, structural };
  }
  return { at, what: `not valid YAML: ${message}`, instead, structural };
}

/** The first offset from here on that is not blank: what is indented wrongly, and not the blanks before it. */
function afterBlanks(text: string, at: number): number {
  const blanks = /\s*/y;
  blanks.lastIndex = at;
  const end = at + blanks.exec(text)![0].length;
  return end < text.length ? end : at;
}

/** Where the quoted value began that the parser lost at an offset. */
function openingOf(document: Document, lost: number): number {
  let at = lost;
  visit(document, {
    Scalar(_, node) {
      if (!node.type?.startsWith("QUOTE") || node.range === null || node.range === undefined) return;
      if (node.range[0] < lost && lost <= node.range[2]) at = node.range[0];
    },
  });
  return at;
}

interface Walk {
  readonly anchors: Map<string, Located>;
  readonly problems: SyntaxProblem[];
}

function located(node: unknown, walk: Walk, at: number, depth: number): Located {
  if (depth > MAX_DEPTH) {
    walk.problems.push({ at, what: "nested too deeply", instead: null, structural: true });
    return { kind: "broken", at, size: 1 };
  }
  if (isAlias(node)) {
    const target = walk.anchors.get(node.source);
    if (target !== undefined) return target;
    const start = node.range?.[0] ?? at;
    const what = "no value above is marked for this alias";
    walk.problems.push({ at: start, what, instead: "mark one with `&` and its name", structural: false });
    return { kind: "broken", at: start, size: 1 };
  }
  const value = contents(node, walk, at, depth);
  const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
  if (anchor !== undefined) walk.anchors.set(anchor, value);
  return value;
}

function contents(node: unknown, walk: Walk, at: number, depth: number): Located {
  if (isMap(node)) return mapping(node.items, walk, node.range?.[0] ?? at, depth);
  if (isSeq(node)) {
    const items = node.items.map((item) => located(item, walk, node.range?.[0] ?? at, depth + 1));
    const size = items.reduce((sum, item) => sum + item.size, 1);
    return { kind: "list", at: node.range?.[0] ?? at, size, items };
  }
  if (!isScalar(node)) return { kind: "empty", at, size: 1 };
  const start = node.range?.[0] ?? at;
  const text = String(node.value ?? "");
  const plain = node.type === undefined || node.type === "PLAIN";
  if (plain && (text === "" || text === "~" || text === "null")) return { kind: "empty", at: start, size: 1 };
  return { kind: "scalar", at: start, size: 1, text };
}

function mapping(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  walk: Walk,
  at: number,
  depth: number,
): Located {
  const entries = new Map<string, Entry>();
  const merged: Entry[] = [];
  for (const { key, value } of items) {
    const keyAt = isScalar(key) ? key.range?.[0] ?? at : at;
    const name = isScalar(key) ? String(key.value ?? "") : "";
    const entry = { keyAt, value: located(value, walk, keyAt, depth + 1) };
    const report = (what: string, instead: string | null) =>
      walk.problems.push({ at: keyAt, what, instead, structural: false });
    if (name === "" || name === "__proto__") report("a key must be a plain word", "write `name: value`");
    else if (name === "<<") merged.push(entry);
    else if (entries.has(name)) report("this key is written twice in one mapping", "keep one of the two");
    else entries.set(name, entry);
  }
  for (const { keyAt, value } of merged) {
    for (const source of value.kind === "list" ? value.items : [value]) {
      if (source.kind !== "map") {
        const what = "`<<` takes a mapping that is marked `&name` above";
        walk.problems.push({ at: keyAt, what, instead: "write <<: *name", structural: false });
        continue;
      }
      for (const [name, entry] of source.entries) if (!entries.has(name)) entries.set(name, entry);
    }
  }
  let size = 1;
  for (const entry of entries.values()) size += entry.value.size;
  return { kind: "map", at, size, entries };
}

/** Offsets at which lines begin. (The parser's own counter loses lines in texts that it cannot parse.) */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The line that an offset is in, counted from 0. */
function lineAt(starts: readonly number[], at: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Reads a YAML text. Never throws; `root` is null where there is nothing to go on with. */
export function parseConfigDocument(text: string): ConfigDocument {
  const starts = lineStarts(text);
  // A byte order mark takes no column in an editor.
  const mark = text.startsWith("\uFEFF") ? 1 : 0;
  const position = (at: number) => {
    const line = lineAt(starts, at);
    return { line: line + 1, column: at - starts[line]! + (line === 0 && at >= mark ? 1 - mark : 1) };
  };
  const walk: Walk = { anchors: new Map(), problems: [] };
  let root: Located | null = null;
  const foreign = text.search(NOT_TEXT);
  if (foreign >= 0) {
    const what = "this is not UTF-8 text";
    walk.problems.push({ at: foreign, what, instead: "save the file as UTF-8", structural: true });
    // Of another encoding nothing that is worth judging is left.
    if (text.includes("\0")) return { root, problems: walk.problems, position };
  }
  try {
    const document = parseDocument(text, {
      schema: "failsafe",
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
    for (const error of [...document.errors, ...document.warnings]) {
      walk.problems.push(syntaxProblem(error, document, text));
    }
    if (document.contents !== null) root = located(document.contents, walk, 0, 0);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    walk.problems.push({ at: 0, what: "nested too deeply", instead: null, structural: true });
  }
  if (root !== null && root.size > MAX_SIZE) {
    const what = "its aliases (`*name`) stand for more than a million values";
    walk.problems.push({ at: 0, what, instead: null, structural: true });
    root = null;
  }
  return { root, problems: walk.problems, position };
}

/** A value as the schema reads it; null = no value was written. */
export type Plain = string | null | Plain[] | { [key: string]: Plain };

/** The tree as plain objects, lists and texts, every alias written out. */
export function toPlain(node: Located): Plain {
  if (node.kind === "scalar") return node.text;
  if (node.kind === "empty" || node.kind === "broken") return null;
  if (node.kind === "list") return node.items.map(toPlain);
  const object: { [key: string]: Plain } = {};
  for (const [name, entry] of node.entries) object[name] = toPlain(entry.value);
  return object;
}

/** The value at a path; undefined where the text has none. */
export function find(root: Located | null, path: Path): Located | undefined {
  let node = root ?? undefined;
  for (const step of path) {
    if (node?.kind === "map") node = node.entries.get(String(step))?.value;
    else if (node?.kind === "list" && typeof step === "number") node = node.items[step];
    else return undefined;
  }
  return node;
}

/** Offset of the key (or list item) at a path, or of its value; where the text has none, of the nearest key around it. */
export function offsetOf(root: Located | null, path: Path, part: "key" | "value"): number {
  let node = root;
  let at = part === "value" ? root?.at ?? 0 : 0;
  for (let i = 0; i < path.length; i++) {
    const step = path[i]!;
    const last = i === path.length - 1;
    if (node?.kind === "map") {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return at;
      const wantsValue = last && part === "value" && entry.value.kind !== "empty";
      at = wantsValue ? entry.value.at : entry.keyAt;
      node = entry.value;
    } else if (node?.kind === "list" && typeof step === "number" && node.items[step] !== undefined) {
      node = node.items[step]!;
      at = node.at;
    } else {
      // A shorthand: the path goes into a mapping that was written as one value.
      return part === "value" && node?.kind === "scalar" ? node.at : at;
    }
  }
  return at;
}
