/**
 * `appliance release`: step down without a gap and stay down.
 *
 * @module
 */
import { addAction } from "./act.ts";
import type { Cli } from "./cli.ts";

export function addRelease(cli: Cli): void {
  addAction(
    cli,
    "release",
    "step down without a gap and stay down",
    (command) =>
      command.argument("<INSTANCE>", "name of an instance")
        .addHelpText("after", "\nExit code: 0 done, 1 refused, 3 no daemon"),
    (instance) => ({ path: `/release/${encodeURIComponent(instance)}` }),
  );
}
