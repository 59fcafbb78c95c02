/**
 * Writing log records to standard error, as text or as JSON lines.
 *
 * @module
 */
import { configure, getLogger, type LogRecord } from "@logtape/logtape";
import type { LogLevel } from "../bus/log_level.ts";
import type { EventKind, HistoryEvent } from "../bus/messages.ts";

const ROOT = "appliance";

function textOf(record: LogRecord): string {
  return record.message.map((part) => typeof part === "string" ? part : String(part)).join("");
}

/** What the record is about, `vrrp.web`. */
function subjectOf({ properties, category }: LogRecord): string {
  return typeof properties["subject"] === "string" ? properties["subject"] : category.slice(1).join(".");
}

/** One line without control characters: what a probe's command or a peer said must not drive the reader's terminal. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

function formatText(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const subject = subjectOf(record);
  const text = oneLine(textOf(record));
  return `${time} ${record.level.padEnd(7)} ${subject === "" ? "" : `${subject}: `}${text}\n`;
}

function formatJson(record: LogRecord): string {
  const { timestamp, level } = record;
  return JSON.stringify({
    time: new Date(timestamp).toISOString(),
    level,
    category: subjectOf(record),
    message: textOf(record),
  }) + "\n";
}

let ready = false;

/** Sets level and format for the whole process; may be called again at a reload. */
export async function setUpLog(
  options: { readonly level: LogLevel; readonly format: "text" | "json" },
): Promise<void> {
  const format = options.format === "json" ? formatJson : formatText;
  await configure({
    reset: true,
    sinks: { stderr: (record: LogRecord) => void process.stderr.write(format(record)) },
    loggers: [
      { category: [ROOT], lowestLevel: options.level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
  ready = true;
}

/** Logs the error that this process ends for; a plain line where it comes before {@link setUpLog}. */
export function logLast(category: readonly string[], text: string): void {
  if (ready) log("error", category, text);
  else process.stderr.write(`appliance: ${oneLine(text)}\n`);
}

/** Logs a record that was born at `atMs`, here or in the engine. */
export function log(
  level: LogLevel,
  category: readonly string[],
  text: string,
  atMs: number = Date.now(),
): void {
  // One logger for all: those below it are looked up as properties of an object, and an instance may be called
  // `constructor`.
  getLogger(ROOT).emit({
    level,
    message: [text],
    rawMessage: text,
    timestamp: atMs,
    properties: { subject: category.join(".") },
  });
}

/** Levels of events in the log. */
const EVENT_LEVELS: Partial<Record<EventKind, "warning" | "error">> = {
  "split-brain": "warning",
  mismatch: "warning",
  repair: "warning",
  error: "error",
};

/** Logs what is told in the history. */
export function logEvent({ kind, subject, text, atMs }: HistoryEvent): void {
  log(EVENT_LEVELS[kind] ?? "info", subject === null ? [kind] : [kind, subject], text, atMs);
}
