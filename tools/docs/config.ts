/**
 * The keys of the config, from its JSON Schema: one table for each mapping.
 *
 * @module
 */
import { configJsonSchema } from "../../mod/config/json_schema.ts";
import { code, markdownTable } from "./markdown.ts";

/** As much of JSON Schema as ours uses. */
interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly default?: unknown;
}

const DURATION_PATTERN = "(ms|s|m|h)";
const U32 = 0xffff_ffff;

/** Sections whose entries are named after interfaces. */
const OF_INTERFACES: readonly string[] = ["tunnels", "links"];

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function rangeText({ minimum, maximum }: Schema): string {
  if (minimum === undefined || maximum === undefined) return "number";
  return maximum === U32 ? `number from ${minimum}` : `number from ${minimum} to ${maximum}`;
}

/** What may be written, in words. */
function valueText(schema: Schema): string {
  if (schema.pattern?.includes(DURATION_PATTERN)) return "duration";
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((word) => code(String(word))).join(", ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choicesText(choices);
  if (Array.isArray(schema.type)) return schema.type.includes("string") ? "text" : schema.type.join(" or ");
  switch (schema.type) {
    case "integer":
      return rangeText(schema);
    case "boolean":
      return "`true`, `false`";
    case "array":
      return `list of ${schema.items === undefined ? "values" : plural(schema.items)}`;
    case "object":
      return "mapping";
    default:
      return "text";
  }
}

/** Where one of several may be written alone, the list of it needs no second description. */
function choicesText(choices: readonly Schema[]): string {
  const texts: string[] = [];
  for (const choice of choices) {
    const item = choice.items === undefined ? null : valueText(choice.items);
    const again = item !== null && item !== "text" && (texts.includes(item) || item === texts.join(" or "));
    texts.push(again ? "a list of such" : valueText(choice));
  }
  return unique(texts).join(" or ");
}

function plural(schema: Schema): string {
  return valueText(schema).replace(/^list\b/, "lists").replaceAll(/\b(text|mapping|number)\b/g, "$1s");
}

function defaultText(schema: Schema, required: boolean): string {
  if (required) return "**required**";
  return schema.default === undefined ? "" : code(String(schema.default));
}

/** The mapping among what may be written; null when there is none. */
function mappingOf(schema: Schema): Schema | null {
  if (schema.properties !== undefined) return schema;
  return schema.anyOf?.find(({ properties }) => properties !== undefined) ?? null;
}

/** Writes sections one after the other; a mapping that was described before is not described again. */
class Writer {
  readonly #blocks: string[] = [];
  readonly #described = new Map<string, string>();

  get text(): string {
    return this.#blocks.join("\n\n");
  }

  add(block: string): void {
    this.#blocks.push(block);
  }

  /** The table of a mapping at a path, and below it those of the mappings in its lists. */
  mapping(path: string, schema: Schema): void {
    const rows: string[][] = [];
    const lists: { readonly path: string; readonly schema: Schema }[] = [];
    this.#collect("", path, schema, rows, lists);
    if (rows.length > 0) this.add(markdownTable(["key", "value", "default", "meaning"], rows));
    for (const list of lists) this.#list(list.path, list.schema);
  }

  #collect(
    prefix: string,
    path: string,
    schema: Schema,
    rows: string[][],
    lists: { path: string; schema: Schema }[],
  ): void {
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (isRefused(property)) continue;
      const name = `${prefix}${key}`;
      const required = schema.required?.includes(key) ?? false;
      const inner = mappingOf(property);
      const meaning = property.description ?? "";
      rows.push([code(name), valueText(property), defaultText(property, required), meaning]);
      if (inner !== null) this.#collect(`${name}.`, path, inner, rows, lists);
      const item = property.items ?? property.anyOf?.find(({ items }) => items !== undefined)?.items;
      if (item !== undefined && mappingOf(item) !== null) {
        lists.push({ path: `${path}.${name}[]`, schema: item });
      }
    }
  }

  #list(path: string, schema: Schema): void {
    const inner = mappingOf(schema)!;
    const key = JSON.stringify(inner.properties);
    const before = this.#described.get(key);
    this.add(`#### ${code(path)}`);
    if (before !== undefined) {
      this.add(`As ${code(before)}.`);
      return;
    }
    this.#described.set(key, path);
    this.add(schema.description ?? inner.description ?? "");
    this.mapping(path, inner);
  }
}

/** The keys that every variant has with the same meaning, and for each variant the others. */
function split(variants: readonly Schema[]): { readonly common: Schema; readonly own: readonly Schema[] } {
  const [first, ...others] = variants;
  const isCommon = (key: string) =>
    others.every(({ properties }) =>
      JSON.stringify(properties?.[key]) === JSON.stringify(first?.properties?.[key])
    );
  const pick = (schema: Schema, wanted: boolean): Schema => ({
    ...schema,
    properties: Object.fromEntries(
      Object.entries(schema.properties ?? {}).filter(([key]) => isCommon(key) === wanted && key !== "type"),
    ),
  });
  return { common: pick(first!, true), own: variants.map((variant) => pick(variant, false)) };
}

function variants(writer: Writer, path: string, schemas: readonly Schema[]): void {
  const { common, own } = split(schemas);
  writer.add("Every probe has a `type`, and these keys:");
  writer.mapping(path, common);
  const seen = new Map<string, string>();
  schemas.forEach((schema, index) => {
    const type = String(schema.properties?.["type"]?.const);
    writer.add(`#### ${code(`type: ${type}`)}`);
    writer.add(schema.description ?? "");
    const key = JSON.stringify(own[index]!.properties);
    const before = seen.get(key);
    if (before !== undefined) writer.add(`The same keys as ${code(`type: ${before}`)}.`);
    else writer.mapping(path, own[index]!);
    seen.set(key, type);
  });
}

/** Whether this version refuses the key. */
function isRefused({ not }: Schema): boolean {
  return typeof not === "object" && not !== null && Object.keys(not).length === 0;
}

/** Whether a key of the top is too large for the first table: names to mappings, or a mapping with lists. */
function isSection({ additionalProperties, properties }: Schema): boolean {
  return Boolean(additionalProperties) ||
    Object.values(properties ?? {}).some(({ items }) => items !== undefined);
}

/** Everything about the keys, as Markdown. */
export function configText(): string {
  const schema = configJsonSchema() as Schema;
  const writer = new Writer();
  const properties = Object.entries(schema.properties ?? {});
  const sections = properties.filter(([, property]) => isSection(property));
  writer.add("### The node");
  writer.mapping("", {
    properties: Object.fromEntries(properties.filter(([, property]) => !isSection(property))),
  });
  for (const [name, section] of sections) {
    const item = section.additionalProperties || null;
    const path = item === null ? name : `${name}.${OF_INTERFACES.includes(name) ? "INTERFACE" : "NAME"}`;
    writer.add(`### ${code(path)}`);
    writer.add([section.description, item?.description].filter((text) => text !== undefined).join(" "));
    if (item?.oneOf !== undefined) variants(writer, path, item.oneOf);
    else writer.mapping(path, item ?? section);
  }
  return writer.text;
}
