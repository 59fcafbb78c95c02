/**
 * What every command shares: options, output, and how its exit code gets out.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { DEFAULT_CONFIG_PATH } from "../config/model.ts";
import type { Output } from "./output.ts";

/** The streams of the program. */
export interface Streams {
  readonly out: Output;
  readonly err: Output;
}

/** Programs behind commands that are too large, or too different, to be loaded with the others. */
export interface Entries {
  readonly engine: () => Promise<{ launchEngine(options: RunOptions): Promise<number> }>;
  readonly lab: () => Promise<{
    runLab(options: LabOptions): Promise<number>;
    runLabChild(role: string, args: readonly string[]): Promise<number>;
  }>;
}

/** `appliance run` */
export interface RunOptions {
  readonly config: string;
  /** Take over from a daemon that still runs. */
  readonly resume: boolean;
  /** The whole command line without the program: what it takes to execute it anew. */
  readonly argv: readonly string[];
}

/** `appliance lab` */
export interface LabOptions {
  readonly verb: "demo" | "up" | "down";
  readonly json: boolean;
  /** The two-server scenario over GRE. */
  readonly gre: boolean;
  /** Do not clean up at the end. */
  readonly keep: boolean;
}

/** What a command is added to. */
export interface Cli extends Streams {
  readonly program: Command;
  readonly argv: readonly string[];
  readonly entries: Entries;
  /** Exit code of the command that ran. */
  exitCode: number;
}

/** `-c, --config FILE` */
export function configOption(): Option {
  return new Option("-c, --config <FILE>", "config file").default(DEFAULT_CONFIG_PATH);
}

/** `--socket PATH` */
export function socketOption(): Option {
  return new Option("--socket <PATH>", "socket of the daemon (default: as the config file says)");
}

/** `--json` */
export function jsonOption(): Option {
  return new Option("--json", "print JSON");
}

/** A command of its own that takes `-c`. */
export function addCommand(cli: Cli, name: string, summary: string, hidden = false): Command {
  return cli.program.command(name, { hidden }).description(summary).addOption(configOption());
}

/** A command that speaks to the daemon. */
export function addClientCommand(cli: Cli, name: string, summary: string): Command {
  return addCommand(cli, name, summary).addOption(socketOption());
}

/** Makes what a handler returns the exit code. Options given before the command's name count too. */
export function handle<Options>(
  cli: Cli,
  command: Command,
  handler: (options: Options, ...args: (string | undefined)[]) => number | Promise<number>,
): void {
  command.action(async (...args: unknown[]) => {
    const given = args.slice(0, -2) as (string | undefined)[];
    cli.exitCode = await handler(command.optsWithGlobals() as Options, ...given);
  });
}

/** Prints a document for programs. */
export function printJson(out: Output, document: unknown): void {
  out.write(JSON.stringify(document, null, 2) + "\n");
}
