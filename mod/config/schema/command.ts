/**
 * Commands as operators write them.
 *
 * @module
 */
import * as z from "zod/mini";
import { splitCommand } from "../units.ts";
import { converted, docs } from "./base.ts";

const ARGV = { type: "array", items: { type: ["string", "number", "boolean"] }, minItems: 1 };

function isArgv(value: unknown): value is [string, ...string[]] {
  return Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === "string") &&
    value[0] !== "";
}

/** A program and its arguments. */
export type Argv = readonly [string, ...string[]];

/** One command: a line that is split at blanks, or a list of program and arguments. */
export function command(description: string) {
  const doc = { description: `${description} No shell is between.`, anyOf: [{ type: "string" }, ARGV] };
  const convert = converted((given: unknown, fail): Argv => {
    if (isArgv(given)) return given;
    if (typeof given !== "string") return fail("is not a command", "write [program, argument]");
    const line = splitCommand(given);
    return line.ok ? line.value as Argv : fail(line.what, line.instead);
  });
  return z.optional(z.pipe(z.unknown(), convert).register(docs, doc));
}

/** One command as a line or a list, or several as a list of lists. */
export function commands(description: string) {
  const doc = {
    description: `${description}: [program, argument], or a list of such lists. No shell is between.`,
    anyOf: [{ type: "string" }, ARGV, { type: "array", items: ARGV, minItems: 1 }],
  };
  const convert = converted((given: unknown, fail): readonly Argv[] => {
    if (isArgv(given)) return [given];
    if (typeof given === "string") {
      const line = splitCommand(given);
      return line.ok ? [line.value as Argv] : fail(line.what, line.instead);
    }
    if (!Array.isArray(given) || given.length === 0) {
      return fail("is not a command", "write [program, argument]");
    }
    return given.every(isArgv)
      ? given
      : fail("has an item that is not a command", "write [program, argument]");
  });
  return z.optional(z.pipe(z.unknown(), convert).register(docs, doc));
}
