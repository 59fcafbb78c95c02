/**
 * Writes the JSON schema of the config, which editors use, from the schema that the daemon checks with.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { configJsonSchemaText } from "../mod/config/json_schema.ts";

writeFileSync("config/appliance.schema.json", configJsonSchemaText());
