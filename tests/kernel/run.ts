/**
 * The kernel lab's command line (lab.ts says what the lab is):
 *
 *     bun tests/kernel/run.ts [-t SECONDS] [-m MEMORY] [-M MODULE,...] [--require] COMMAND [ARGUMENT...]
 *
 * One COMMAND alone is a text for bash; with arguments it is run as it stands. Exits with the command's code, 124 when it
 * took too long, 125 when the lab failed. On a machine that cannot have the lab it prints "skipped: " and the reason
 * and exits 0, or 1 with `--require`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { parseMemory } from "./host.ts";
import { type KernelOptions, runInKernel } from "./lab.ts";

export { DEFAULT_MODULES, type KernelOptions, type KernelResult, runInKernel } from "./lab.ts";

const USAGE = "Usage: run.ts [-t SECONDS] [-m MEMORY] [-M MODULE,...] [--require] COMMAND [ARGUMENT...]";

interface CommandLine {
  readonly command: string | readonly string[];
  readonly options: KernelOptions;
  /** Whether a lab that cannot be had is a failure. */
  readonly required: boolean;
}

function readCommandLine(words: readonly string[]): CommandLine {
  // Options end where the command begins; its own are not ours.
  const start = commandStart(words);
  const { values } = parseArgs({
    args: words.slice(0, start),
    options: {
      time: { type: "string", short: "t" },
      memory: { type: "string", short: "m" },
      modules: { type: "string", short: "M" },
      require: { type: "boolean" },
    },
  });
  const command = words.slice(start);
  if (command.length === 0) throw new RangeError("No command to run");
  const seconds = values.time === undefined ? undefined : Number(values.time);
  if (seconds !== undefined && !(seconds > 0)) {
    throw new RangeError(`Not a number of seconds: ${values.time}`);
  }
  return {
    command: command.length === 1 ? command[0]! : command,
    options: {
      timeoutMs: seconds && seconds * 1000,
      memory: values.memory,
      modules: values.modules?.split(",").filter((name) => name !== ""),
      onOutput: (text) => void process.stdout.write(text),
    },
    required: values.require ?? false,
  };
}

function commandStart(words: readonly string[]): number {
  let index = 0;
  while (index < words.length && words[index]!.startsWith("-")) {
    index += /^-[tmM]$/.test(words[index]!) ? 2 : 1;
  }
  return Math.min(index, words.length);
}

async function main(): Promise<number> {
  let line: CommandLine;
  try {
    line = readCommandLine(process.argv.slice(2));
    parseMemory(line.options.memory ?? "1G");
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  const { exitCode, skipped } = await runInKernel(line.command, line.options);
  if (skipped === null) return exitCode;
  console.log(`skipped: ${skipped}`);
  return line.required ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
