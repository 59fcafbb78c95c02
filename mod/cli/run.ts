/**
 * `appliance run`: the daemon.
 *
 * @module
 */
import { superviseSelf } from "./supervise.ts";
import { addCommand, type Cli, handle } from "./cli.ts";

interface RunFlags {
  readonly config: string;
  readonly resume?: boolean;
  readonly supervise?: boolean;
}

export function addRun(cli: Cli): void {
  const command = addCommand(cli, "run", "the daemon, in the foreground, logging to standard error")
    .addHelpText("after", "\nExit code: 0 stopped on request, 1 could not start, 2 bad config")
    .option("--resume", "take over from a daemon that still runs, without a fail-over: for upgrades")
    .option(
      "--supervise",
      "start the daemon again when it dies or on SIGUSR2, soon enough to go on as master",
    );
  handle<RunFlags>(cli, command, async ({ config, resume = false, supervise = false }) => {
    if (supervise) return await superviseSelf(cli.argv.filter((word) => word !== "--supervise"), config);
    const { launchEngine } = await cli.entries.engine();
    return await launchEngine({ config, resume, argv: cli.argv });
  });
}
