/**
 * `appliance watch`: the status screen, live.
 *
 * @module
 */
import type { StatusDocument } from "../status/schema.ts";
import { addClientCommand, type Cli, handle, jsonOption } from "./cli.ts";
import { daemonArguments, type DaemonOptions, getDocument, socketOf, streamEvents } from "./client.ts";
import { EXIT, Failure } from "./failure.ts";
import { interruption } from "./interruption.ts";
import type { Output } from "./output.ts";
import { statusScreen } from "./screen.ts";

/** Ages and latencies are redrawn this often. Milliseconds. */
const PERIOD = 1_000;

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

export function addWatch(cli: Cli): void {
  const command = addClientCommand(cli, "watch", "the same as status, live")
    .addOption(jsonOption())
    .addHelpText("after", "\nEnds with Ctrl-C. With --json each change is one line of JSON.");
  handle<DaemonOptions & { readonly json?: boolean }>(cli, command, async (options) => {
    const socket = await socketOf(options);
    const first = await getDocument<StatusDocument>(socket, "/status");
    const json = options.json ?? false;
    const show: Show = json
      ? (status) => `${JSON.stringify(status)}\n`
      : (status) => statusScreen(status, cli.out, daemonArguments(options), cli.out.rows);
    return await watch(cli.out, socket, first, show, json);
  });
}

/** Makes the text that is printed of a status. */
type Show = (status: StatusDocument) => string;

async function watch(
  out: Output,
  socket: string,
  first: StatusDocument,
  show: Show,
  json: boolean,
): Promise<number> {
  const interrupted = interruption();
  const { signal } = interrupted;
  const bell = new Bell(signal);
  const live = out.isTerminal && !json;
  void ringOnEvents(socket, bell, signal);
  if (live) out.write(HIDE_CURSOR);
  try {
    let frame = show(first);
    while (true) {
      out.write(live ? asFrame(frame, out.rows) : json ? frame : `${frame}\n`);
      if (out.closed) break;
      // Only a terminal wants to be redrawn when nothing happened.
      await bell.wait(live ? PERIOD : Infinity);
      if (signal.aborted) break;
      frame = await draw(out, socket, show);
    }
  } finally {
    interrupted.abort();
    if (live) out.write(SHOW_CURSOR);
  }
  return EXIT.GOOD;
}

async function draw(out: Output, socket: string, show: Show): Promise<string> {
  try {
    return show(await getDocument<StatusDocument>(socket, "/status"));
  } catch (thrown) {
    if (!out.isTerminal || !(thrown instanceof Failure)) throw thrown;
    return `${thrown.message}\n`;
  }
}

/**
 * Draws over the frame before without a flicker. What the terminal has no lines for is left out at the end: printed, it
 * would push the beginning away.
 */
export function asFrame(text: string, rows: number | null): string {
  const lines = text.trimEnd().split("\n");
  const shown = rows === null || lines.length < rows ? [...lines, ""] : [
    ...lines.slice(0, rows - 1),
    `… and ${lines.length - rows + 1} more: appliance status`,
  ];
  return `\x1b[H${shown.join("\x1b[K\n")}\x1b[J`;
}

/** Something to wait for. A ring while nobody waits is remembered. */
class Bell {
  #rung = false;
  #wake: (() => void) | null = null;

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.ring());
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Until the next ring, `limitMs` at most. */
  async wait(limitMs: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = limitMs === Infinity ? undefined : setTimeout(resolve, limitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#rung = false;
    this.#wake = null;
  }
}

/** Rings at each event of the daemon, and once when its stream breaks off. */
async function ringOnEvents(socket: string, bell: Bell, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _ of streamEvents(socket, "/events", signal)) bell.ring();
    } catch {
      // Whoever draws will say so.
    }
    bell.ring();
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}
