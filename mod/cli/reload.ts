/**
 * `appliance reload`: reads the file again and applies the difference.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { addAction } from "./act.ts";
import type { Cli } from "./cli.ts";
import { type DaemonOptions, problemsOf, readConfigFile } from "./client.ts";
import { EXIT, Failure } from "./failure.ts";

export function addReload(cli: Cli): void {
  addAction(
    cli,
    "reload",
    "check the file, then apply the difference; a bad file changes nothing",
    (command) => command.addHelpText("after", "\nExit code: 0 applied, 2 bad config, 3 no daemon"),
    () => ({ path: "/reload" }),
    checkHere,
  );
}

/** Without a daemon to check the file, that it is bad comes first all the same. */
async function checkHere({ config, socket }: DaemonOptions): Promise<void> {
  // Without a file at the default place, the daemon's own may be anywhere.
  if (socket !== undefined || !existsSync(config)) return;
  const problems = await problemsOf(readConfigFile(config), config);
  if (problems.length > 0) throw new Failure(`${config} cannot be run`, EXIT.USAGE, problems);
}
