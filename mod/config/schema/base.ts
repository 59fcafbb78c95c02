/**
 * The pieces the config schema is built of. Every scalar arrives as text and is typed here; every piece carries its
 * description and its JSON Schema for editors in `docs`. All keys are optional for zod, so that the rest of a mapping
 * can still be judged when one key is missing or wrong; what is required is said by `required` and checked afterwards.
 *
 * @module
 */
import * as z from "zod/mini";
import { formatAddress, parseAddress } from "../../../lib/packet/address.ts";
import { nearest } from "../names.ts";
import { formatDuration, parseDuration, parseInteger } from "../units.ts";
import type { Reading } from "../units.ts";

// Compiling each mapping to a function costs more than the one file that a process reads.
z.config({ jitless: true });

/** What an editor shows for a piece: JSON Schema keywords, and three of ours that zod would drop or replace. */
export interface Doc {
  readonly description: string;
  /** Becomes `default`. */
  readonly preset?: unknown;
  /** Added to `required`. */
  readonly mustHave?: readonly string[];
  /** A schema of the short form, as an alternative. */
  readonly short?: unknown;
  readonly [keyword: string]: unknown;
}

/** Description and JSON Schema keywords of every piece of the schema. */
export const docs = z.registry<Doc>();

/** Says what is wrong with a scalar: `what` continues a sentence that begins with the key's name. */
export type Fail = (what: string, instead: string | null) => never;

class Mistake extends Error {
  readonly instead: string | null;
  constructor(what: string, instead: string | null) {
    super(what);
    this.instead = instead;
  }
}

const fail: Fail = (what, instead) => {
  throw new Mistake(what, instead);
};

/** A transform of zod whose mistakes, told by `fail`, become its issues. */
export function converted<I, T>(read: (input: I, fail: Fail) => T) {
  return z.transform((input: I, context): T => {
    try {
      return read(input, fail);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      context.issues.push({
        code: "custom",
        input,
        message: error.message,
        params: { instead: error.instead },
      });
      return z.NEVER;
    }
  });
}

/** One value, made of its text by `read`. */
export function scalar<T>(doc: Doc, read: (text: string, fail: Fail) => T) {
  return z.optional(z.pipe(z.string(), converted(read)).register(docs, doc));
}

/** A scalar whose reader returns a result. */
export function reading<T>(doc: Doc, read: (text: string) => Reading<T>) {
  return scalar(doc, (text, fail): T => {
    const result = read(text);
    return result.ok ? result.value : fail(result.what, result.instead);
  });
}

/** Text that is taken as it is; editors may show numbers and booleans too. */
export function text(description: string, keywords: Readonly<Record<string, unknown>> = {}) {
  return scalar({ description, type: ["string", "number", "boolean"], ...keywords }, (value, fail) => {
    return value === "" ? fail("is empty", "write some text, or leave the key out") : value;
  });
}

/** Characters that no password has: one that seems to has them by a slip, as the line end of a block of text. */
// deno-lint-ignore no-control-regex
export const CONTROL = /[\0-\x1f\x7f]/;

/** A password. */
export function password(description: string) {
  return scalar({ description, type: ["string", "number", "boolean"] }, (value, fail) => {
    if (value === "") return fail("is empty", "write some text, or leave the key out");
    if (!CONTROL.test(value)) return value;
    return fail("holds a line end or another control character", "write it on one line");
  });
}

/** A path of a file. */
export function path(description: string, keywords: Readonly<Record<string, unknown>> = {}) {
  return scalar({ description, type: "string", ...keywords }, (value, fail) => {
    return value === "" || value.includes("\0") ? fail("is not a path", "write /path/of/file") : value;
  });
}

/** A whole number within limits. */
export function integer(description: string, min: number, max: number, keywords: Partial<Doc> = {}) {
  return scalar({ description, type: "integer", minimum: min, maximum: max, ...keywords }, (value, fail) => {
    const result = parseInteger(value);
    if (!result.ok) return fail(result.what, result.instead);
    if (result.value < min || result.value > max) {
      return fail(`is ${value}, out of range`, `write a number from ${min} to ${max}`);
    }
    return result.value;
  });
}

const DURATION = {
  type: ["string", "integer"],
  pattern: "^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h))$",
  maximum: 0,
  minimum: 0,
};

/** JSON Schema of a duration, or of one of some words. */
export function durationOr(words: readonly unknown[]): Partial<Doc> {
  return words.length === 0 ? DURATION : { anyOf: [DURATION, { enum: words }] };
}

/** Reads a duration within limits, in milliseconds. */
export function readDuration(value: string, min: number, max: number, fail: Fail): number {
  const result = parseDuration(value);
  if (!result.ok) return fail(result.what, result.instead);
  if (result.value < min || result.value > max) {
    const range = `${formatDuration(min)} to ${formatDuration(max)}`;
    return fail(`is \`${value}\`, out of range`, `write a duration from ${range}`);
  }
  return result.value;
}

/** A duration within limits, in milliseconds. */
export function duration(description: string, min: number, max: number, keywords: Partial<Doc> = {}) {
  return scalar(
    { description, ...DURATION, ...keywords },
    (value, fail) => readDuration(value, min, max, fail),
  );
}

/** What to write instead of a word that is not one of the known. */
export function oneOfWords(value: string, known: readonly string[]): string {
  const guess = nearest(value, known);
  return guess === null ? `write one of ${known.join(", ")}` : `did you mean \`${guess}\`?`;
}

/** Reads `true` or `false`. */
export function readBoolean(value: string, fail: Fail): boolean {
  if (value === "true" || value === "false") return value === "true";
  const word = value.toLowerCase();
  if (["yes", "on", "y", "1", "true"].includes(word)) return fail(`is \`${value}\``, "write true");
  if (["no", "off", "n", "0", "false"].includes(word)) return fail(`is \`${value}\``, "write false");
  return fail(`is \`${value}\``, "write true or false");
}

/** `true` or `false`, in these words only. */
export function boolean(description: string, keywords: Partial<Doc> = {}) {
  return scalar({ description, type: "boolean", ...keywords }, readBoolean);
}

/** One of some words. */
export function oneOf<const T extends string>(
  description: string,
  words: readonly T[],
  keywords: Partial<Doc> = {},
) {
  return scalar({ description, enum: words, ...keywords }, (value, fail): T => {
    const word = words.find((known) => known === value);
    return word ?? fail(`is \`${value}\``, oneOfWords(value, words));
  });
}

/** Reads the name of a network interface by the kernel's rules. */
export function readInterfaceName(value: string, fail: Fail): string {
  if (value === "" || value === "." || value === ".." || /[/:\s\0]/.test(value)) {
    return fail(`is \`${value}\`, which cannot be an interface`, "write a name as `ip link` shows it");
  }
  const length = new TextEncoder().encode(value).length;
  if (length <= 15) return value;
  return fail(`is \`${value}\`, ${length} bytes long`, "Linux interface names have at most 15 bytes");
}

/** The name of a network interface. */
export function interfaceName(description: string, keywords: Partial<Doc> = {}) {
  return scalar(
    { description, type: "string", maxLength: 15, pattern: "^[^/:\\s]+$", ...keywords },
    readInterfaceName,
  );
}

/** An IP address that was read. */
export interface Address {
  readonly family: "ipv4" | "ipv6";
  /** Canonical text. */
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** Reads an IP address without prefix. */
export function readAddress(value: string, fail: Fail): Address {
  const bytes = parseAddress(value);
  if (bytes !== null) {
    return { family: bytes.length === 4 ? "ipv4" : "ipv6", text: formatAddress(bytes), bytes };
  }
  if (value.includes("/") && parseAddress(value.slice(0, value.indexOf("/"))) !== null) {
    return fail(`is \`${value}\``, `write it without prefix: ${value.slice(0, value.indexOf("/"))}`);
  }
  return fail(`is \`${value}\`, which is not an IP address`, "write an address like 10.0.0.1");
}

/** An IP address without prefix. */
export function address(description: string, keywords: Partial<Doc> = {}) {
  return scalar({ description, type: "string", ...keywords }, readAddress);
}

/**
 * Mappings that hold secrets. Nothing in them is shown but words of ours: a secret may stand in any place there by a
 * slip of the pen. What judges their values must not quote them either.
 */
export const secretive = new WeakSet<object>();

/** Marks a mapping that holds secrets: see {@link secretive}. */
export function holdsSecrets<S extends z.core.$ZodType>(schema: S): S {
  secretive.add(schema);
  return schema;
}

/** Keys of the contract that this version refuses: never listed as known. */
export const refusedKeys = new WeakSet<object>();

/** A mapping with exactly these keys. `required` = those that must be there, each with what it holds. */
export function mapping<S extends z.core.$ZodShape>(
  description: string,
  shape: S,
  required: Readonly<Record<string, string>> = {},
) {
  // All known keys and those to list travel in the message: an issue says only which ones were not known.
  const error = (issue: { readonly code?: string }) => {
    if (issue.code !== "unrecognized_keys") return undefined;
    const keys = Object.keys(shape);
    return `${keys};${keys.filter((key) => !refusedKeys.has(shape[key]!))}`;
  };
  const doc = { description, mustHave: Object.keys(required) };
  return z.strictObject(shape, { error }).register(docs, doc);
}

/** Names that the operator gives; they appear in metrics, commands and paths of URLs. */
export const NAME_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}$";

/** A mapping from names that the operator gives. */
export function named<V extends z.core.$ZodType>(description: string, value: V) {
  const keywords = { propertyNames: { pattern: NAME_PATTERN } };
  return z.optional(z.record(z.string(), value).register(docs, { description, ...keywords }));
}

/** A list; `undefined` stands where an item was wrong. */
export function list<V extends z.core.$ZodType>(doc: Doc, item: V) {
  return z.optional(z.array(item).register(docs, doc));
}

/** A value that may be written short, as one scalar: `full` makes the mapping (or list) of it. */
export function shorthand<V extends z.core.$ZodType>(
  doc: Doc,
  full: (short: string, fail: Fail) => unknown,
  value: V,
) {
  const expand = converted((given: unknown, fail): unknown =>
    typeof given === "string" ? full(given, fail) : given
  );
  const pipe = z.pipe(expand, value);
  docs.add(pipe, doc);
  return z.optional(pipe);
}
