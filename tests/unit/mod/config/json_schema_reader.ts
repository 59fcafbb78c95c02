/**
 * A small independent reader of JSON Schema: the keywords that ours uses, and an error for any other.
 *
 * @module
 */
type Json = Readonly<Record<string, unknown>>;

const SILENT = new Set(["$schema", "title", "description", "default", "format"]);

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (Number.isInteger(value)) return "integer";
  return typeof value;
}

function keyword(schema: Json, name: string, value: unknown): boolean {
  const rule = schema[name];
  const object = typeOf(value) === "object" ? value as Json : null;
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Json>>;
  switch (name) {
    case "type": {
      const types = [rule].flat();
      return types.includes(typeOf(value)) || (types.includes("number") && typeof value === "number");
    }
    case "enum":
      return (rule as unknown[]).includes(value);
    case "const":
      return rule === value;
    case "minimum":
      return typeof value !== "number" || value >= (rule as number);
    case "maximum":
      return typeof value !== "number" || value <= (rule as number);
    case "maxLength":
      return typeof value !== "string" || value.length <= (rule as number);
    case "pattern":
      return typeof value !== "string" || new RegExp(rule as string).test(value);
    case "items":
      return !Array.isArray(value) || value.every((item) => conforms(rule as Json, item));
    case "minItems":
      return !Array.isArray(value) || value.length >= (rule as number);
    case "required":
      return object === null || (rule as string[]).every((key) => Object.hasOwn(object, key));
    case "properties":
      return object === null ||
        Object.entries(object).every(([key, item]) =>
          !Object.hasOwn(properties, key) || conforms(properties[key]!, item)
        );
    case "additionalProperties":
      return object === null || Object.entries(object).every(([key, item]) => {
        if (Object.hasOwn(properties, key)) return true;
        return rule !== false && conforms(rule as Json, item);
      });
    case "propertyNames":
      return object === null || Object.keys(object).every((key) => conforms(rule as Json, key));
    case "anyOf":
      return (rule as Json[]).some((one) => conforms(one, value));
    case "oneOf":
      return (rule as Json[]).filter((one) => conforms(one, value)).length === 1;
    case "not":
      return !conforms(rule as Json, value);
    default:
      throw new Error(`Cannot judge by the keyword ${name}`);
  }
}

/** Whether a value is what a schema describes. Throws an Error at a keyword that it does not know. */
export function conforms(schema: Json, value: unknown): boolean {
  return Object.keys(schema).every((name) => SILENT.has(name) || keyword(schema, name, value));
}
