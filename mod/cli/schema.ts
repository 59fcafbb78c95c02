/**
 * `appliance schema`: the JSON schema of the config, for editors.
 *
 * @module
 */
import { addCommand, type Cli, handle, jsonOption } from "./cli.ts";
import { EXIT } from "./failure.ts";

export function addSchema(cli: Cli): void {
  // It prints JSON anyway; whoever asks for it is not refused.
  const command = addCommand(cli, "schema", "JSON schema of the config, for editors").addOption(jsonOption());
  handle(cli, command, async () => {
    const { configJsonSchemaText } = await import("../config/json_schema.ts");
    cli.out.write(configJsonSchemaText());
    return EXIT.GOOD;
  });
}
