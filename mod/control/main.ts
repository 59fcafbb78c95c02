/**
 * `appliance control`: the process beside the engine, started by it on a socket pair. It ends when the engine does.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { collectGarbage } from "../../lib/runtime/mod.ts";
import type { Loaded } from "../config/model.ts";
import type { Told } from "../bus/messages.ts";
import { Daemon } from "./daemon.ts";
import { EngineLink } from "./engine_link.ts";
import { endFor, endOnFaults } from "./fault.ts";
import { readConfig } from "./load.ts";
import { log, setUpLog } from "./log.ts";

const FIRST_TIDY_MS = 2000;
const TIDY_MS = 15_000;
const EXIT_CANNOT_START = 1;
const EXIT_BAD_CONFIG = 2;

interface ControlOptions {
  /** Path of the config file. */
  readonly config: string;
  /** Ask a daemon that still runs in the same runtime directory to end first, and go on with what it had. */
  readonly resume: boolean;
}

/** @param argv As `startControl` of the engine makes it. Throws TypeError for anything else. */
function readOptions(argv: readonly string[]): ControlOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: { config: { type: "string" }, resume: { type: "boolean" } },
  });
  if (values.config === undefined) throw new TypeError("control is started by the daemon, not by hand");
  return { config: values.config, resume: values.resume ?? false };
}

/** Runs until the engine closes the pipe; returns the exit code. */
export async function runControl(argv: readonly string[]): Promise<number> {
  endOnFaults();
  const options = readOptions(argv);
  // The engine takes the signals, and says when it is time.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) process.on(signal, () => {});
  keepSmall();
  const link = new EngineLink();
  const session = new Session(options, link);
  await link.listen((report) => session.receive(report));
  return session.exitCode ?? await session.end();
}

/** Starting needs much that running does not: gives it back once, and what piles up now and then. */
function keepSmall(): void {
  setTimeout(collectGarbage, FIRST_TIDY_MS).unref();
  setInterval(collectGarbage, TIDY_MS).unref();
}

/** From the engine's first words on. */
class Session {
  readonly #path: string;
  readonly #resume: boolean;
  readonly #link: EngineLink;
  #fromFile: Loaded | null = null;
  #daemon: Daemon | null = null;
  /** What came before the daemon was ready to take it in. */
  #early: Told[] = [];
  exitCode: number | null = null;

  constructor(options: ControlOptions, link: EngineLink) {
    this.#path = options.config;
    this.#resume = options.resume;
    this.#link = link;
  }

  receive(report: Told): void {
    if (report.type === "config") {
      this.#fromFile = report.loaded;
      return;
    }
    if (report.type === "hello") void this.#start(report.source, report.pid);
    if (this.#daemon === null) this.#early.push(report);
    else this.#take(this.#daemon, report);
  }

  /** One report that could not be taken in leaves what is known behind what is true. */
  #take(daemon: Daemon, report: Told): void {
    try {
      daemon.receive(report);
    } catch (error) {
      endFor(`Cannot take in what the engine told (${report.type})`, error);
    }
  }

  async end(): Promise<number> {
    return await this.#daemon?.end() ?? 0;
  }

  /**
   * @param source The config that the engine runs already, when it is only us who were started anew.
   * @param engine Its process id.
   */
  async #start(source: string | null, engine: number): Promise<void> {
    const loaded = source === null
      ? this.#fromFile ?? await readConfig(this.#path)
      : JSON.parse(source) as Loaded;
    if (!loaded.ok) {
      for (const problem of loaded.problems) process.stderr.write(`${problem}\n`);
      return this.#exit(EXIT_BAD_CONFIG);
    }
    await setUpLog(loaded.config.log);
    for (const warning of loaded.warnings) log("warning", ["config"], warning);
    const daemon = new Daemon(this.#path, this.#link, loaded, engine);
    this.#daemon = daemon;
    const early = this.#early;
    this.#early = [];
    for (const report of early) this.#take(daemon, report);
    try {
      await daemon.start(JSON.stringify(loaded), source !== null, this.#resume);
    } catch (error) {
      process.stderr.write(`appliance: ${(error as Error).message}\n`);
      this.#exit(EXIT_CANNOT_START);
    }
  }

  #exit(code: number): void {
    this.exitCode = code;
    process.exit(code);
  }
}
