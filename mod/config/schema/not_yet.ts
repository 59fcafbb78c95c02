/**
 * THE ONE PLACE for what the config contract has and this version does not do: it is refused, never ignored. Whoever
 * adds a feature removes its line here and writes its schema.
 *
 * @module
 */
import * as z from "zod/mini";
import { docs, refusedKeys } from "./base.ts";

/** Keys by the mapping they belong to. */
const KEYS = {
  root: ["services", "balance"],
} as const;

/** Words that are values, by key. */
const VALUES = {
  "probe type": ["ping", "dns", "smtp"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const WHAT = "is not supported by this version";

type Place = keyof typeof KEYS;

function refused(key: string) {
  const refuse = z.transform((input: unknown, context): undefined => {
    context.issues.push({
      code: "custom",
      input,
      message: WHAT,
      params: { at: "key", instead: "remove it" },
    });
    return undefined;
  });
  const doc = { description: `\`${key}\` ${WHAT}.`, not: {} };
  const schema = z.optional(z.pipe(z.unknown(), refuse).register(docs, doc));
  refusedKeys.add(schema);
  return schema;
}

/** Entries for the shape of a mapping: each refuses its key with an honest error. */
export function notYet<P extends Place>(
  place: P,
): Record<typeof KEYS[P][number], ReturnType<typeof refused>> {
  const entries = KEYS[place].map((key) => [key, refused(key)] as const);
  return Object.fromEntries(entries) as Record<typeof KEYS[P][number], ReturnType<typeof refused>>;
}

/** Whether a value of the contract is one that this version does not do. */
export function isNotYet(kind: keyof typeof VALUES, value: string): boolean {
  return (VALUES[kind] as readonly string[]).includes(value);
}
