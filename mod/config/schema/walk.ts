/**
 * Finds the schema of a place in the file.
 *
 * @module
 */
import type * as z from "zod/mini";
import { secretive } from "./base.ts";

type Schema = z.core.$ZodType;
type Step = string | number;

/** The parts of zod's definitions that lead from one schema to the next. */
interface Definition {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly options?: readonly Schema[];
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly valueType?: Schema;
  readonly element?: Schema;
}

function definitionOf(schema: Schema): Definition {
  return schema._zod.def as Definition;
}

/** What a schema comes down to: the mappings, lists and scalars that may stand there; a union's own schema first. */
function unwrapped(schema: Schema): Schema[] {
  const { innerType, in: input, out: output, options = [] } = definitionOf(schema);
  const inside = [innerType, input, output, ...options].filter((part) => part !== undefined);
  return [schema, ...inside.flatMap(unwrapped)];
}

/** The keys of a mapping with keys of our own; null = it is none. */
function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | null {
  return definitionOf(schema).shape ?? null;
}

function inside(schema: Schema, step: Step): Schema | undefined {
  const { valueType, element } = definitionOf(schema);
  const shape = shapeOf(schema);
  if (shape !== null) return Object.hasOwn(shape, step) ? shape[step] : undefined;
  return typeof step === "number" ? element : valueType;
}

/** Every schema that may judge the place of a path. */
export function schemasAt(root: Schema, path: readonly Step[]): readonly Schema[] {
  let schemas = unwrapped(root);
  for (const step of path) {
    schemas = schemas.flatMap((schema) => {
      const next = inside(schema, step);
      return next === undefined ? [] : unwrapped(next);
    });
  }
  return schemas;
}

/**
 * How many steps of a path may be shown: the words of a mapping that holds secrets may be shown only as far as they are
 * ours.
 */
export function shownSteps(root: Schema, path: readonly Step[]): number {
  for (const [index, step] of path.entries()) {
    const holders = schemasAt(root, path.slice(0, index)).filter((schema) => secretive.has(schema));
    if (holders.some((schema) => !Object.hasOwn(shapeOf(schema) ?? {}, step))) return index;
  }
  return path.length;
}

/** The keys that mappings at a path may have. */
export function keysAt(root: Schema, path: readonly Step[]): readonly string[] {
  return [...new Set(schemasAt(root, path).flatMap((schema) => Object.keys(shapeOf(schema) ?? {})))];
}
