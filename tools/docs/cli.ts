/**
 * The commands and their options, as the program's own help has them.
 *
 * @module
 */
import type { Command } from "commander";
import type { Entries, Streams } from "../../mod/cli/cli.ts";
import { createCli } from "../../mod/cli/main.ts";
import { code, markdownTable } from "./markdown.ts";

/** Width that helps are laid out for. */
const COLUMNS = 100;

function never(): never {
  throw new Error("Cannot run a command while its help is read");
}

function silent(): { readonly streams: Streams; text: () => string } {
  let written = "";
  const output = {
    isTerminal: false,
    rows: null,
    columns: COLUMNS,
    colours: false,
    closed: false,
    problem: null,
    write: (text: string) => {
      written += text;
    },
  };
  return {
    streams: { out: output, err: output },
    text: () => {
      const text = written;
      written = "";
      return text;
    },
  };
}

function visibleCommands(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program).filter((command) => command.name() !== "help");
}

/** A table of all commands, then the help of each. */
export function commandsText(): string {
  const { streams, text } = silent();
  const entries: Entries = { engine: never, lab: never };
  const { program } = createCli([], entries, streams);
  const commands = visibleCommands(program);
  const rows = commands.map((command) => {
    const help = program.createHelp();
    return [code(help.subcommandTerm(command).replace(" [options]", "")), command.description()];
  });
  const blocks = [markdownTable(["command", "does"], rows)];
  for (const command of commands) {
    command.outputHelp();
    blocks.push(`### ${command.name()}`, "```text\n" + text().trim() + "\n```");
  }
  return blocks.join("\n\n");
}
