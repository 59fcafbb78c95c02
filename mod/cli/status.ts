/**
 * `appliance status`: one screen about the running daemon.
 *
 * @module
 */
import type { StatusDocument } from "../status/schema.ts";
import { addClientCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { daemonArguments, type DaemonOptions, getDocument, socketOf } from "./client.ts";
import { EXIT } from "./failure.ts";
import { statusScreen } from "./screen.ts";

export function addStatus(cli: Cli): void {
  const command = addClientCommand(cli, "status", "one screen about the running daemon")
    .addOption(jsonOption())
    .addHelpText("after", "\nExit code: 0 all well, 1 something is in fault or down, 3 no daemon");
  handle<DaemonOptions & { readonly json?: boolean }>(cli, command, async (options) => {
    const status = await getDocument<StatusDocument>(await socketOf(options), "/status");
    if (options.json) printJson(cli.out, status);
    else cli.out.write(statusScreen(status, cli.out, daemonArguments(options)));
    return statusExitCode(status);
  });
}

/** 1 when something is in fault or down, tracked or not. */
export function statusExitCode({ healthy, probes }: StatusDocument): number {
  return healthy && !probes.some(({ state }) => state === "down") ? EXIT.GOOD : EXIT.BAD;
}
