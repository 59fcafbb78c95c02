/**
 * `appliance events`: the history, and what happens from now on.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import type { EventDocument } from "../status/schema.ts";
import { readSince } from "../status/since.ts";
import { addClientCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { type DaemonOptions, getDocument, socketOf, streamEvents } from "./client.ts";
import { EXIT, Failure } from "./failure.ts";
import { interruption } from "./interruption.ts";
import { type Colour, coloured, plain } from "./output.ts";

interface Options extends DaemonOptions {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly since?: string;
}

/** The control process may be started anew; its socket is back within this time. Milliseconds. */
const RETURN_WITHIN = 5_000;
const RETRY_PAUSE = 200;

export function addEvents(cli: Cli): void {
  const command = addClientCommand(cli, "events", "history of transitions, probe changes, repairs")
    .option("-f, --follow", "go on with what happens from now on")
    .option(
      "--since <TIME>",
      "only what came after a time (ISO 8601) or the number of an event",
      checkedSince,
    )
    .addOption(jsonOption())
    .addHelpText("after", "\nWith --follow and --json each event is one line of JSON.");
  handle<Options>(cli, command, async (options) => {
    const socket = await socketOf(options);
    if (options.follow) return await follow(cli, socket, options);
    const since = options.since === undefined ? "" : `&since=${encodeURIComponent(options.since)}`;
    const events = await getDocument<EventDocument[]>(socket, `/events?follow=false${since}`);
    if (options.json) printJson(cli.out, events);
    else for (const event of events) cli.out.write(eventLine(event, cli.out.colours));
    return EXIT.GOOD;
  });
}

function checkedSince(text: string): string {
  if (readSince(text) !== null) return text;
  throw new InvalidArgumentError("Write the number of an event or a time like 2026-11-20T03:00:00Z.");
}

async function follow(cli: Cli, socket: string, options: Options): Promise<number> {
  const interrupted = interruption();
  try {
    return await followUntil(cli, socket, options, interrupted.signal);
  } finally {
    interrupted.abort();
  }
}

async function followUntil(
  { out }: Cli,
  socket: string,
  { json, since = "0" }: Options,
  signal: AbortSignal,
): Promise<number> {
  const path = `/events?since=${encodeURIComponent(since)}`;
  let heard: string | null = null;
  let lostAt: number | null = null;
  while (!signal.aborted && !out.closed) {
    try {
      for await (const { id, data } of streamEvents(socket, path, signal, heard)) {
        lostAt = null;
        heard = id ?? heard;
        out.write(json ? `${data}\n` : eventLine(JSON.parse(data), out.colours));
        if (out.closed) break;
      }
      lostAt ??= Date.now();
    } catch (thrown) {
      if (lostAt === null || !(thrown instanceof Failure) || Date.now() - lostAt > RETURN_WITHIN) {
        throw thrown;
      }
    }
    if (!signal.aborted && !out.closed) await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE));
  }
  return EXIT.GOOD;
}

const COLOURS: Readonly<Record<string, Colour>> = {
  transition: "bold",
  "split-brain": "red",
  error: "red",
  mismatch: "yellow",
};

/** `2026-11-20T03:00:00.000Z  transition   web  backup → master: …` */
export function eventLine({ at, kind, subject, text }: EventDocument, colours: boolean): string {
  const name = subject === null ? "" : `${plain(subject)}: `;
  return `${at}  ${coloured(kind.padEnd(15), COLOURS[kind] ?? null, colours)}  ${name}${plain(text)}\n`;
}
