/**
 * `appliance resume`: come back after a release.
 *
 * @module
 */
import { addAction } from "./act.ts";
import type { Cli } from "./cli.ts";

export function addResume(cli: Cli): void {
  addAction(
    cli,
    "resume",
    "come back after a release",
    (command) =>
      command.argument("<INSTANCE>", "name of an instance")
        .addHelpText("after", "\nExit code: 0 done, 1 refused, 3 no daemon"),
    (instance) => ({ path: `/resume/${encodeURIComponent(instance)}` }),
  );
}
