/**
 * From the tree to what the schema makes of it, with every mistake told at its place. What is wrong is left out of the
 * result, so that the rest can still be judged in the same go.
 *
 * @module
 */
import { safeParse } from "zod/mini";
import type * as z from "zod/mini";
import { find, offsetOf, toPlain } from "./document.ts";
import type { ConfigDocument, Path, Plain } from "./document.ts";
import type { Problem } from "./model.ts";
import { nearest, unknownKey } from "./names.ts";
import { oneOfWords } from "./schema/base.ts";
import { isNotYet } from "./schema/not_yet.ts";
import { untagged } from "./schema/tagged.ts";
import { keysAt, schemasAt, shownSteps } from "./schema/walk.ts";
import { configSchema } from "./schema.ts";
import type { RawConfig } from "./schema.ts";

/** Text of a path: `vrrp.web.track[0].probe`. */
export function pathText(path: Path): string {
  return path.map((step, i) => typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`).join("");
}

/** The name that a sentence about a path begins with. Of secrets no more is said than that it is a key. */
function subject(path: Path, secret: boolean): string {
  if (secret) return "this key";
  const last = path.findLastIndex((step) => typeof step === "string");
  return last < 0
    ? "the file"
    : `\`${path.slice(last).map((s) => typeof s === "number" ? `[${s}]` : s).join("")}\``;
}

/** Collects problems of one file, each at the place of a path. */
export interface Reporter {
  readonly document: ConfigDocument;
  readonly file: string;
  readonly problems: Problem[];
  /** `what` is a whole sentence when `whole`, else continues one that begins with the key's name. */
  report(problem: {
    readonly path: Path;
    readonly what: string;
    readonly instead?: string | null;
    readonly at?: "key" | "value";
    readonly severity?: "error" | "warning";
    readonly whole?: boolean;
    /** Perhaps only an echo of a broken structure elsewhere. */
    readonly doubtful?: boolean;
  }): void;
  readonly doubtful: Set<Problem>;
  /** Keys that were probably meant by unknown ones: not missing on top of that. As `pathText`. */
  readonly meant: Set<string>;
}

/** A reporter for one file. */
export function newReporter(document: ConfigDocument, file: string): Reporter {
  const problems: Problem[] = [];
  const doubtful = new Set<Problem>();
  return {
    document,
    file,
    problems,
    doubtful,
    meant: new Set(),
    report({ path, what, instead = null, at = "value", severity = "error", whole = false, ...rest }) {
      const { line, column } = document.position(offsetOf(document.root, path, at));
      const shown = path.slice(0, shownSteps(configSchema, path));
      const text = whole ? what : `${subject(path, shown.length < path.length)} ${what}`;
      const problem = { severity, file, line, column, path: pathText(shown), what: text, instead };
      problems.push(problem);
      if (rest.doubtful === true) doubtful.add(problem);
    },
  };
}

const KINDS: Readonly<Record<string, readonly [what: string, instead: string]>> = {
  string: ["a single value", "write one value"],
  object: ["a mapping", "write key: value lines, or { key: value }"],
  record: ["a mapping", "write key: value lines, or { key: value }"],
  array: ["a list", "write [item, item], or lines that begin with -"],
};

/** What our own issues of zod carry. */
interface Params {
  readonly instead?: string | null;
  readonly at?: "key";
}

/** Tells of a key that is not known. */
function tellUnknown(
  path: Path,
  known: readonly string[],
  shown: readonly string[],
  reporter: Reporter,
): void {
  const mapping = path.slice(0, -1);
  const key = String(path.at(-1));
  const { guess, seen, instead } = unknownKey(key, known, shown);
  if (guess !== null) reporter.meant.add(pathText([...mapping, guess]));
  const secret = shownSteps(configSchema, path) < path.length;
  const name = seen ?? (secret ? null : key);
  const what = name === null ? "unknown key" : `unknown key \`${name}\``;
  reporter.report({ path, what, instead, at: "key", whole: true });
}

/**
 * Tells of one issue of zod, and returns the paths of the values that must not be used. `again` gets the paths of those
 * that were put right, and are to be judged now.
 */
function tell(issue: z.core.$ZodIssue, plain: Plain, reporter: Reporter, again: Path[]): Path[] {
  const path = issue.path as (string | number)[];
  if (issue.code === "unrecognized_keys") {
    const [known = [], shown = []] = issue.message.split(";").map((keys) => keys.split(","));
    return issue.keys.map((key) => {
      tellUnknown([...path, key], known, shown, reporter);
      return [...path, key];
    });
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const { options = [] } = issue as { readonly options?: readonly unknown[] };
    return tellTag(path, options.map(String), plain, reporter, again);
  }
  const located = find(reporter.document.root, path);
  if (located?.kind === "broken") return [path];
  // What is refused altogether is refused without a value too.
  const params = issue.code === "custom" ? issue.params as Params | undefined : undefined;
  if (located?.kind === "empty" && valueAt(plain, path) === null && params?.at !== "key") {
    reporter.report({ path, what: "has no value", instead: "write one, or remove the key", at: "key" });
    return [path];
  }
  if (issue.code === "custom") {
    reporter.report({
      path,
      what: issue.message,
      instead: params?.instead ?? null,
      at: params?.at ?? "value",
    });
    return [path];
  }
  if (issue.code === "invalid_type") {
    const [kind, instead] = KINDS[issue.expected] ?? [`a ${issue.expected}`, null];
    reporter.report({ path, what: `must be ${kind}`, instead });
    return [path];
  }
  reporter.report({ path, what: `is not valid: ${issue.message}` });
  return [path];
}

/**
 * Tells what is wrong with the key that says which one of several a mapping is. Where it can be guessed, the mapping
 * becomes that one, and is judged `again`; else it is judged here by what all have in common.
 */
function tellTag(
  path: Path,
  options: readonly string[],
  plain: Plain,
  reporter: Reporter,
  again: Path[],
): Path[] {
  const at = path.slice(0, -1);
  const tag = String(path.at(-1));
  const mapping = valueAt(plain, at) as { [key: string]: Plain };
  const known = keysAt(configSchema, at);
  const like = (key: string) => known.includes(key) ? key : unknownKey(key, known).guess;
  const slip = Object.hasOwn(mapping, tag)
    ? undefined
    : Object.keys(mapping).find((key) => like(key) === tag);
  const given = mapping[slip ?? tag];
  if (slip !== undefined) {
    tellUnknown([...at, slip], known, known, reporter);
    delete mapping[slip];
  }
  const later = typeof given === "string" && isNotYet("probe type", given);
  const near = typeof given === "string" && !later ? nearest(given, options) : null;
  const wrong = near === null ? slip === undefined || given !== null : near !== given;
  if (wrong) tellTagValue([...at, slip ?? tag], given, later, options, reporter);
  if (near !== null) {
    mapping[tag] = near;
    again.push(at);
    return [];
  }
  // A stranger's own keys are no mistakes.
  const familiar = Object.entries(mapping).filter(([key]) => like(key) !== null);
  const judge = untagged(schemasAt(configSchema, at));
  const result = judge === null ? null : safeParse(judge, Object.fromEntries(familiar));
  for (const issue of result?.error?.issues ?? []) {
    tell({ ...issue, path: [...at, ...issue.path] }, plain, reporter, again);
  }
  return [at];
}

/** `given` = what stands at the path, undefined = nothing. */
function tellTagValue(
  path: Path,
  given: Plain | undefined,
  later: boolean,
  options: readonly string[],
  reporter: Reporter,
): void {
  const located = find(reporter.document.root, path);
  if (located?.kind === "broken") return;
  if (typeof given === "string") {
    const what = later ? `is \`${given}\`, which is not supported by this version` : `is \`${given}\``;
    return reporter.report({ path, what, instead: later ? null : oneOfWords(given, options) });
  }
  const instead = `write one of ${options.join(", ")}`;
  if (given === undefined) {
    reporter.report({ path, what: "is missing", instead, at: "key", doubtful: true });
  } else if (given === null) {
    reporter.report({ path, what: "has no value", instead, at: "key" });
  } else reporter.report({ path, what: "must be a single value", instead });
}

function valueAt(plain: Plain, path: Path): Plain | undefined {
  let value: Plain | undefined = plain;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as { [key: string | number]: Plain })[step];
  }
  return value;
}

/** Takes a value out; a list keeps its length, so that paths stay true. Returns whether there was one. */
function removeAt(plain: Plain, path: Path): boolean {
  // A shorthand's path goes deeper than what was written: its nearest value goes.
  for (let length = path.length; length > 0; length--) {
    const parent = valueAt(plain, path.slice(0, length - 1));
    const key = path[length - 1]!;
    if (Array.isArray(parent) && typeof key === "number" && parent[key] !== undefined) {
      parent[key] = undefined as unknown as Plain;
      return true;
    }
    if (
      typeof parent === "object" && parent !== null && !Array.isArray(parent) && Object.hasOwn(parent, key)
    ) {
      delete parent[key];
      return true;
    }
  }
  return false;
}

/** A section of the top that was left empty is as if it were not there; deeper, an empty value is a mistake. */
function dropEmptySections(plain: Plain): void {
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) return;
  for (const key of ["api", "log", "engine", "probes", "tunnels", "vrrp", "links", "static"]) {
    if (plain[key] === null) delete plain[key];
  }
}

/** Takes from the sections what they have not from the file: a name such as `toString` stands for nothing in them. */
function disinherited(raw: RawConfig): RawConfig {
  for (const section of [raw.probes, raw.tunnels, raw.vrrp, raw.groups, raw.links]) {
    if (section !== undefined) Object.setPrototypeOf(section, null);
  }
  return raw;
}

/** What the schema makes of the tree; null where nothing can be made of it. */
export function readSchema(reporter: Reporter): RawConfig | null {
  const { root } = reporter.document;
  if (root === null || root.kind === "empty") return null;
  const plain = toPlain(root);
  dropEmptySections(plain);
  const silent = { ...reporter, report: () => {} };
  // The first round tells every mistake; those after it only those of what was put right, and make sure that nothing
  // wrong is left.
  let fresh: readonly Path[] = [[]];
  for (let round = 0; round < 6; round++) {
    const result = configSchema.safeParse(plain);
    if (result.success) return disinherited(result.data);
    const again: Path[] = [];
    const wrong = result.error.issues.flatMap((issue) => {
      const isFresh = fresh.some((path) => path.every((step, i) => step === issue.path[i]));
      return tell(issue, plain, isFresh ? reporter : silent, again);
    });
    const removed = wrong.map((path) => removeAt(plain, path));
    if (!removed.includes(true) && again.length === 0) return null;
    fresh = again;
  }
  return null;
}
