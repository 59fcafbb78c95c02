/**
 * Mappings that are told apart by one of their keys, as probes by `type`.
 *
 * @module
 */
import * as z from "zod/mini";
import { docs, mapping } from "./base.ts";

/** A mapping that may be one of these. */
type Option = z.ZodMiniObject<z.core.$ZodLooseShape, z.core.$strict>;

const untold = new WeakMap<object, z.core.$ZodType>();

/** Takes any value, and none. */
const anything = z.optional(z.unknown());

/**
 * Judges a mapping of which nobody knows which one of the options it is: by the keys that all have in common. It takes
 * whatever stands at the keys of some.
 */
function commonOf(description: string, tag: string, options: readonly Option[]): z.core.$ZodType {
  const shape: Record<string, z.core.$ZodType> = {};
  for (const key of new Set(options.flatMap((option) => Object.keys(option.shape)))) {
    const schemas = new Set(options.map((option) => option.shape[key]));
    const [only] = schemas;
    shape[key] = schemas.size === 1 && only !== undefined && key !== tag ? only : anything;
  }
  return mapping(description, shape);
}

/** One of some mappings, by the word at the key `tag`. */
export function tagged<const O extends readonly [Option, ...Option[]]>(
  description: string,
  tag: string,
  options: O,
) {
  const union = z.discriminatedUnion(tag, options);
  docs.add(union, { description });
  untold.set(union, commonOf(description, tag, options));
  return union;
}

/** What judges a mapping whose tag is not known, where one of these schemas is told by a tag. */
export function untagged(schemas: readonly z.core.$ZodType[]): z.core.$ZodType | null {
  return schemas.map((schema) => untold.get(schema)).find((schema) => schema !== undefined) ?? null;
}
