/**
 * `appliance maintenance`: steps down everywhere, and comes back.
 *
 * @module
 */
import { Argument } from "commander";
import { addAction } from "./act.ts";
import type { Cli } from "./cli.ts";

export function addMaintenance(cli: Cli): void {
  addAction(
    cli,
    "maintenance",
    "release every instance, or resume them all",
    (command) =>
      command.addArgument(new Argument("<on|off>", "on = step down everywhere").choices(["on", "off"]))
        .addHelpText("after", "\nExit code: 0 done, 1 refused, 3 no daemon"),
    (state) => ({ path: "/maintenance", body: { on: state === "on" } }),
  );
}
