/**
 * Commands that ask the daemon to do something.
 *
 * @module
 */
import type { Command } from "commander";
import { addClientCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { assertRuns, type DaemonOptions, postAction, socketOf } from "./client.ts";
import { EXIT, Failure } from "./failure.ts";

/** HTTP status of a config that was refused. */
const BAD_CONFIG = 422;

/** A request to act. */
export interface ActionRequest {
  readonly path: string;
  readonly body?: unknown;
}

/**
 * Adds a command that sends one request and tells what became of it: exit 0, 1 refused, 2 bad config.
 *
 * @param alone Where no daemon answers: rejects with a {@link Failure} that is to be said instead, or finds another socket on
 *   which to ask; null = there is none.
 */
export function addAction(
  cli: Cli,
  name: string,
  summary: string,
  shape: (command: Command) => Command,
  request: (argument: string) => ActionRequest,
  alone: (options: DaemonOptions, socket: string) => Promise<string | null> = () => Promise.resolve(null),
): void {
  const command = shape(addClientCommand(cli, name, summary).addOption(jsonOption()));
  handle<DaemonOptions & { readonly json?: boolean }>(cli, command, async (options, argument = "") => {
    const { path, body } = request(argument);
    const socket = await socketOf(options);
    const named = command.getOptionValueSourceWithGlobals("config") === "cli" && options.socket === undefined;
    const ask = async (socket: string, sure: boolean) => {
      if (sure) await assertRuns(socket, options.config);
      return await postAction(socket, path, body);
    };
    const { status, ...answer } = await ask(socket, named).catch(async (failure: unknown) => {
      const nobody = failure instanceof Failure && failure.exitCode === EXIT.NO_DAEMON;
      const other = nobody ? await alone(options, socket) : null;
      if (other === null) throw failure;
      // Wherever it was found: it is to be the one that runs this file.
      return await ask(other, true);
    });
    if (options.json) printJson(cli.out, answer.ok ? answer : { ...answer, error: answer.text });
    else if (answer.ok) cli.out.write(`${answer.text}\n`);
    if (!answer.ok) {
      cli.err.write([answer.text, ...(answer.problems ?? [])].map((line) => `${line}\n`).join(""));
    }
    return answer.ok ? EXIT.GOOD : status === BAD_CONFIG ? EXIT.USAGE : EXIT.BAD;
  });
}
