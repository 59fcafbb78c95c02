/**
 * `appliance reload`: reads the file again and applies the difference.
 *
 * @module
 */
import { accessSync, existsSync } from "node:fs";
import { codeOf } from "../../lib/runtime/mod.ts";
import type { StatusDocument } from "../status/schema.ts";
import { addAction } from "./act.ts";
import type { Cli } from "./cli.ts";
import { type DaemonOptions, getDocument, problemsOf, readConfigFile } from "./client.ts";
import { daemonsRunning } from "./elsewhere.ts";
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

/**
 * Without a daemon to check the file, that it is bad comes first all the same. A good one may have moved the socket, on
 * which no daemon can be before it has been reloaded.
 *
 * @returns The socket of a daemon that runs the file.
 */
async function checkHere({ config, socket }: DaemonOptions, tried: string): Promise<string | null> {
  // Without a file at the default place, the daemon's own may be anywhere.
  if (socket !== undefined || !existsSync(config)) return null;
  const problems = await problemsOf(readConfigFile(config), config);
  if (problems.length > 0) throw new Failure(`${config} cannot be run`, EXIT.USAGE, problems);
  const [daemon, ...others] = daemonsRunning(config);
  if (daemon === undefined || others.length > 0) return null;
  for (const path of daemon.sockets) {
    const status = await getDocument<StatusDocument>(path, "/status").catch(() => null);
    if (status?.engine?.pid === daemon.engine) return path;
  }
  if (!isAbsent(tried)) return null;
  throw new Failure(
    `No daemon answers on ${tried}, but process ${daemon.engine} runs ${config} (kill -HUP ${daemon.engine} reloads it)`,
    EXIT.NO_DAEMON,
  );
}

/** Whether nothing is there, rather than something that this user may not use. */
function isAbsent(path: string): boolean {
  try {
    accessSync(path);
    return false;
  } catch (error) {
    return codeOf(error) === "ENOENT";
  }
}
