/**
 * The command line: picks the command and turns its end into an exit code.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { addCheck } from "./check.ts";
import { type Cli, type Entries, jsonOption, type Streams } from "./cli.ts";
import { addCompletion } from "./completion.ts";
import { addDoctor } from "./doctor.ts";
import { addEvents } from "./events.ts";
import { addExplain } from "./explain.ts";
import { EXIT, Failure } from "./failure.ts";
import { addLab } from "./lab.ts";
import { addMaintenance } from "./maintenance.ts";
import { openOutput } from "./output.ts";
import { addRelease } from "./release.ts";
import { addReload } from "./reload.ts";
import { addResume } from "./resume.ts";
import { addRun } from "./run.ts";
import { addSchema } from "./schema.ts";
import { addStatus } from "./status.ts";
import { addVersion } from "./version.ts";
import { addWatch } from "./watch.ts";

/** Runs a command line (without the program's name) and returns the exit code. Never rejects. */
export async function main(
  argv: readonly string[],
  entries: Entries,
  streams: Streams = standardStreams(),
): Promise<number> {
  const code = await runCommand(createCli(argv, entries, streams));
  const { problem } = streams.out;
  if (problem === null) return code;
  streams.err.write(`Cannot write: ${problem}\n`);
  return code === EXIT.GOOD ? EXIT.BAD : code;
}

async function runCommand(cli: Cli): Promise<number> {
  const { program, argv } = cli;
  try {
    const unknown = unknownCommand(program, argv);
    await program.parseAsync(unknown === null ? [...argv] : [unknown], { from: "user" });
    return cli.exitCode;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return fail(cli, thrown);
    if (thrown.exitCode === 0) return EXIT.GOOD;
    // The parser has printed its own.
    const said = thrown.code === "commander.help" ? "a command is missing" : thrown.message;
    tellProgram(cli, said.replace(/^error: /, "").replaceAll("\n", " "));
    return EXIT.USAGE;
  }
}

/** A word in a command's place that is none, though help is asked for: the parser would help with everything then. */
function unknownCommand(program: Command, argv: readonly string[]): string | null {
  const words = argv.filter((word) => word !== "--help" && word !== "-h");
  const [first = "help", second = "help"] = program.parseOptions(words).operands;
  const name = first === "help" ? second : first;
  return name === "help" || program.commands.some((command) => command.name() === name) ? null : name;
}

/** Says what went wrong; returns the exit code. */
function fail(cli: Cli, thrown: unknown): number {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const problems = thrown instanceof Failure ? thrown.problems : [];
  cli.err.write([...problems, message].map((line) => `${line}\n`).join(""));
  tellProgram(cli, message, problems);
  return thrown instanceof Failure ? thrown.exitCode : EXIT.BAD;
}

/** Whoever asked for JSON gets it also where a command fails: on one line, like the events of a stream before it. */
function tellProgram({ argv, out }: Cli, error: string, problems: readonly string[] = []): void {
  const end = argv.indexOf("--");
  if (!(end < 0 ? argv : argv.slice(0, end)).includes("--json")) return;
  out.write(`${JSON.stringify({ ok: false, error, ...(problems.length > 0 ? { problems } : {}) })}\n`);
}

function standardStreams(): Streams {
  return { out: openOutput(1), err: openOutput(2) };
}

/** The program with all its commands. */
export function createCli(argv: readonly string[], entries: Entries, { out, err }: Streams): Cli {
  const program = new Command("appliance")
    .description("Keeps a service's address alive across Linux routers")
    .option("-c, --config <FILE>", "config file")
    .addOption(jsonOption().hideHelp())
    .hook("preAction", (_, command) => {
      // Wherever it stands, the parser takes it for the program's own.
      const knows = command.options.some(({ long }) => long === "--json");
      if (program.opts()["json"] === true && !knows) command.error("error: unknown option '--json'");
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => out.write(text),
      writeErr: (text) => err.write(text),
      getOutHelpWidth: () => out.columns ?? 100,
      getErrHelpWidth: () => err.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const cli: Cli = { program, argv, entries, out, err, exitCode: EXIT.GOOD };
  addRun(cli);
  addCheck(cli);
  addStatus(cli);
  addWatch(cli);
  addExplain(cli);
  addEvents(cli);
  addRelease(cli);
  addResume(cli);
  addMaintenance(cli);
  addReload(cli);
  addDoctor(cli);
  addLab(cli);
  addSchema(cli);
  addCompletion(cli);
  addVersion(cli);
  return cli;
}
