/**
 * The JSON Schema of the config file, for editors. Its types are those that YAML 1.2 gives plain scalars, because that
 * is how editors read them.
 *
 * @module
 */
import * as z from "zod/mini";
import { docs } from "./schema/base.ts";
import { configSchema } from "./schema.ts";

type Json = Record<string, unknown>;

/** Puts our keywords in the place of those that zod drops or makes of the texts that it reads. */
function adapt(schema: Json): void {
  const { preset, mustHave, short } = schema;
  delete schema["preset"];
  delete schema["mustHave"];
  delete schema["short"];
  if (schema["type"] === "string" && (schema["anyOf"] ?? schema["enum"] ?? schema["not"]) !== undefined) {
    delete schema["type"];
  }
  if (preset !== undefined) schema["default"] = preset;
  if (Array.isArray(mustHave) && mustHave.length > 0) {
    schema["required"] = [...(schema["required"] as string[] | undefined ?? []), ...mustHave];
  }
  if (short === undefined) return;
  const { description, ...full } = schema;
  for (const keyword of Object.keys(schema)) delete schema[keyword];
  Object.assign(schema, { description, anyOf: [short, full] });
}

/** JSON Schema (draft 2020-12) of the config file. */
export function configJsonSchema(): Json {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    metadata: docs,
    override: ({ jsonSchema }) => adapt(jsonSchema as Json),
  }) as Json;
  const { $schema, ...rest } = schema;
  return { $schema, title: "appliance", ...rest };
}

/** The text of `config/appliance.schema.json`. */
export function configJsonSchemaText(): string {
  return JSON.stringify(configJsonSchema(), null, 2) + "\n";
}
