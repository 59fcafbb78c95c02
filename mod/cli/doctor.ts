/**
 * `appliance doctor`: is this machine fit to run it?
 *
 * @module
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, DEFAULT_CONFIG_PATH, DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "../config/model.ts";
import type { Area, Diagnosis, Finding, Severity } from "../doctor/model.ts";
import { addClientCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { readConfigFile } from "./client.ts";
import { EXIT } from "./failure.ts";
import { type Colour, coloured, type Output, plain } from "./output.ts";
import { wrap } from "./table.ts";

interface Options {
  readonly config: string;
  readonly socket?: string;
  readonly json?: boolean;
}

export function addDoctor(cli: Cli): void {
  const command = addClientCommand(
    cli,
    "doctor",
    "is this machine fit to run it; what to type where it is not",
  )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nLooks at the machine with the config's eyes; without a config at the machine alone. Takes up to 5 s, because it " +
        "listens\nfor other routers, and changes nothing.\n\n" +
        "Exit code: 0 nothing stops it (there may be warnings), 1 there is an error",
    );
  handle<Options>(cli, command, (options) => doctor(cli, options));
}

/** What is known of the config file. */
interface Source {
  readonly config: Config | null;
  readonly file: string | null;
  readonly socket: string;
  readonly findings: readonly Finding[];
}

async function doctor(cli: Cli, options: Options): Promise<number> {
  const [{ examine }, { diagnose, isFit }, { tunnelFindings }, { hasLocalAddress }] = await Promise.all([
    import("../doctor/shell.ts"),
    import("../doctor/judge.ts"),
    import("../tunnel/machine/findings.ts"),
    import("../tunnel/path.ts"),
  ]);
  const source = await readSource(options);
  const onListen = (durationMs: number) => {
    if (!options.json && cli.out.isTerminal && cli.err.isTerminal) {
      cli.err.write(`listening for other routers for ${durationMs / 1000} s …\r`);
    }
  };
  const facts = await examine({ ...source, isAtHome: hasLocalAddress, onListen });
  const machine = diagnose(source.config, facts, tunnelFindings);
  const diagnosis: Diagnosis = {
    ...machine,
    findings: [...source.findings, ...machine.findings].map((found) => ({
      ...found,
      fix: found.fix.map((line) => speakingTo(options, line)),
    })),
    areas: source.file === null
      ? machine.areas
      : ["config", ...machine.areas.filter((area) => area !== "config")],
  };
  const head = { node: source.config?.node ?? null, file: source.file, kernel: facts.kernel.release };
  const fit = isFit(diagnosis);
  if (options.json) {
    printJson(cli.out, {
      ok: fit,
      ...head,
      daemon: facts.daemon.type === "running",
      listened_ms: facts.listenedMs,
      ...counts(diagnosis),
      findings: diagnosis.findings,
      unchecked: diagnosis.unchecked,
    });
  } else cli.out.write(screen(diagnosis, head, cli.out));
  return fit ? EXIT.GOOD : EXIT.BAD;
}

/** What to type, with the commands to the daemon speaking to the one that was examined. */
export function speakingTo({ config, socket }: Pick<Options, "config" | "socket">, line: string): string {
  if (socket === undefined && config === DEFAULT_CONFIG_PATH) return line;
  const path = socket ?? resolve(config);
  const word = /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  const flag = socket === undefined ? "-c" : "--socket";
  return line.replaceAll(
    /\bappliance (status|explain|events|release|resume|reload|maintenance)\b/g,
    (command) => `${command} ${flag} ${word}`,
  );
}

async function readSource(options: Options): Promise<Source> {
  const file = resolve(options.config);
  const fallback = options.socket ?? `${DEFAULT_RUNTIME_DIR}/${SOCKET_NAME}`;
  if (options.config === DEFAULT_CONFIG_PATH && !existsSync(file)) {
    const what = `There is no config at ${file}: only the machine was looked at`;
    const fix = ["appliance doctor -c FILE"];
    return {
      config: null,
      file: null,
      socket: fallback,
      findings: [{ area: "config", severity: "note", what, why: null, fix }],
    };
  }
  const broken = (what: string, fix: readonly string[]): Finding => ({
    area: "config",
    severity: "error",
    what,
    why: null,
    fix,
  });
  let text: string;
  try {
    text = readConfigFile(file);
  } catch (thrown) {
    const { message } = thrown as Error;
    return { config: null, file, socket: fallback, findings: [broken(message, [`ls -l ${file}`])] };
  }
  const [{ formatProblem, loadConfig }, { findApiSocket }] = await Promise.all([
    import("../config/load.ts"),
    import("../config/socket.ts"),
  ]);
  const socket = options.socket ?? findApiSocket(text) ?? fallback;
  const loaded = loadConfig(text, file);
  if (!loaded.ok) {
    const findings = loaded.problems.map((problem) => broken(formatProblem(problem), []));
    return { config: null, file, socket, findings };
  }
  const findings = loaded.warnings.map((problem): Finding => ({
    // Its severity stands beside it.
    ...broken(formatProblem({ ...problem, severity: "error" }), []),
    severity: "warning",
  }));
  return { config: loaded.config, file, socket, findings };
}

function counts({ findings }: Diagnosis): Readonly<Record<"errors" | "warnings" | "notes", number>> {
  const count = (wanted: Severity) => findings.filter(({ severity }) => severity === wanted).length;
  return { errors: count("error"), warnings: count("warning"), notes: count("note") };
}

const COLOURS: Readonly<Record<Severity, Colour>> = { error: "red", warning: "yellow", note: "dim" };
const AREA_WIDTH = 12;
const SEVERITY_WIDTH = 9;
const LABEL_WIDTH = 6;
const LEAST_TEXT = 40;

interface Head {
  readonly node: string | null;
  readonly file: string | null;
  readonly kernel: string;
}

/** The whole answer as text: areas in order, what was found in each, what to type. */
function screen(diagnosis: Diagnosis, { node, file, kernel }: Head, out: Output): string {
  const title = [node ?? "this machine", file ?? "no config", `Linux ${kernel}`].map(plain).join("  ·  ");
  const lines = [coloured(title, "bold", out.colours), ""];
  for (const area of areasShown(diagnosis)) lines.push(...areaLines(area, diagnosis, out));
  lines.push("", verdict(diagnosis, out));
  return lines.join("\n") + "\n";
}

function areasShown({ areas, findings, unchecked }: Diagnosis): readonly Area[] {
  return [...new Set([...findings.map(({ area }) => area).filter((area) => area === "config"), ...areas])]
    .concat(
      [...new Set(unchecked.map(({ area }) => area))].filter((area) => !areas.includes(area)),
    );
}

function areaLines(area: Area, { findings, unchecked }: Diagnosis, out: Output): string[] {
  const { colours, columns } = out;
  const indent = " ".repeat(AREA_WIDTH + SEVERITY_WIDTH);
  const width = columns === null ? Infinity : Math.max(LEAST_TEXT, columns - indent.length);
  const lines: string[] = [];
  const start = (word: string, colour: Colour, text: string) => {
    const [first = "", ...rest] = wrap(text, width);
    const name = (lines.length === 0 ? area : "").padEnd(AREA_WIDTH);
    const severity = coloured(word.padEnd(SEVERITY_WIDTH), colour, colours);
    lines.push(`${name}${severity}${first}`, ...rest.map((line) => indent + line));
  };
  const more = (label: string, text: string, cutUp: boolean) => {
    const room = width - LABEL_WIDTH;
    for (const [at, line] of (cutUp ? wrap(text, room) : [plain(text)]).entries()) {
      lines.push(`${indent}${coloured((at === 0 ? label : "").padEnd(LABEL_WIDTH), "dim", colours)}${line}`);
    }
  };
  for (const { severity, what, why, fix } of findings.filter((entry) => entry.area === area)) {
    start(severity, COLOURS[severity], what);
    if (why !== null && why !== "") more("why", why, true);
    // A line to be copied stays in one piece.
    for (const [at, line] of fix.entries()) more(at === 0 ? "do" : "", line, false);
  }
  for (const { what, why } of unchecked.filter((entry) => entry.area === area)) {
    start("unknown", "yellow", `Could not look at ${what}: ${why}`);
  }
  if (lines.length === 0) lines.push(`${area.padEnd(AREA_WIDTH)}${coloured("ok", "green", colours)}`);
  return lines;
}

function verdict(diagnosis: Diagnosis, { colours }: Output): string {
  const { errors, warnings, notes } = counts(diagnosis);
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const sum = [plural(errors, "error"), plural(warnings, "warning"), plural(notes, "note")].join(", ");
  return errors > 0
    ? `${coloured("not fit", "red", colours)}: ${sum}`
    : `${coloured("fit", "green", colours)}: ${sum}`;
}
