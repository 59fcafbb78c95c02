/**
 * The daemon's API, as commands use it.
 *
 * @module
 */
import { existsSync, realpathSync } from "node:fs";
import { codeOf, fetchUnix, reasonOf } from "../../lib/runtime/mod.ts";
import { readTextFile } from "../config/files.ts";
import { DEFAULT_CONFIG_PATH, DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "../config/model.ts";
import type { ActionDocument, ErrorDocument, StatusDocument } from "../status/schema.ts";
import { EXIT, Failure } from "./failure.ts";

/** Where the daemon is looked for. */
export interface DaemonOptions {
  readonly config: string;
  readonly socket?: string;
}

const READ_TIMEOUT_MS = 5_000;
/** More than the daemon allows itself. */
const ACTION_TIMEOUT_MS = 35_000;

/** Text of a config file; a {@link Failure} with exit code 2 when it cannot be read. */
export function readConfigFile(file: string): string {
  try {
    return readTextFile(file);
  } catch (thrown) {
    throw new Failure(`Cannot read ${file}: ${reasonOf(thrown)}`, EXIT.USAGE);
  }
}

/**
 * Path of the API's socket: as told, else by the config file; a {@link Failure} where that does not tell. Without a file
 * at the default place the default socket is tried, because a daemon may have been started with another file.
 */
export async function socketOf(options: DaemonOptions): Promise<string> {
  if (options.socket !== undefined) return options.socket;
  let text: string;
  try {
    text = readConfigFile(options.config);
  } catch (thrown) {
    if (options.config === DEFAULT_CONFIG_PATH) return `${DEFAULT_RUNTIME_DIR}/${SOCKET_NAME}`;
    throw thrown;
  }
  const { findApiSocket } = await import("../config/socket.ts");
  const socket = findApiSocket(text);
  if (socket !== null) return socket;
  throw new Failure(
    `${options.config} does not tell where the daemon is (correct runtime_dir, or give --socket PATH)`,
    EXIT.USAGE,
    await problemsOf(text, options.config),
  );
}

/** What another command takes to reach the same daemon: ` -c FILE`, or nothing. */
export function daemonArguments({ config, socket }: DaemonOptions): string {
  const word = (text: string) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  return (config === DEFAULT_CONFIG_PATH ? "" : ` -c ${word(config)}`) +
    (socket === undefined ? "" : ` --socket ${word(socket)}`);
}

/** What is wrong with the text of a config file, a line each. */
export async function problemsOf(text: string, file: string): Promise<readonly string[]> {
  const { formatProblem, loadConfig } = await import("../config/load.ts");
  const loaded = loadConfig(text, file);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

/**
 * Rejects with a {@link Failure} when the daemon runs another config file than this one: two files that share a
 * runtime directory must not command each other's daemon.
 */
export async function assertRuns(socket: string, file: string): Promise<void> {
  const { config } = await getDocument<StatusDocument>(socket, "/status");
  const running = config?.file ?? null;
  if (running === null || !existsSync(running) || realpathSync(running) === realpathSync(file)) return;
  throw new Failure(`The daemon on ${socket} runs ${running}, not ${file} (give -c ${running})`, EXIT.USAGE);
}

/** A {@link Failure} with exit code 3 that says why the daemon cannot be spoken to. */
function noDaemon(socket: string, thrown: unknown): Failure {
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new Failure(`The daemon on ${socket} does not answer in time`, EXIT.NO_DAEMON);
  }
  const code = codeOf(thrown);
  if (code === "EACCES" || code === "EPERM") {
    return new Failure(`Cannot connect to ${socket}: ${reasonOf(thrown)}`, EXIT.NO_DAEMON);
  }
  return new Failure(`No daemon answers on ${socket} (is "appliance run" running?)`, EXIT.NO_DAEMON);
}

/** Sends one request; rejects with a {@link Failure} when nobody answers. */
async function request(socket: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetchUnix(socket, path, init);
  } catch (thrown) {
    throw noDaemon(socket, thrown);
  }
}

/** The JSON document at a path; a {@link Failure} with exit code 1 when the daemon refuses. */
export async function getDocument<T>(socket: string, path: string): Promise<T> {
  const response = await request(socket, path, { signal: AbortSignal.timeout(READ_TIMEOUT_MS) });
  const body = await bodyOf(socket, response);
  if (!response.ok && response.status !== 503) throw refusal(response.status, body);
  return body as T;
}

/** Asks the daemon to act. A refusal with a reason is an answer like any other. */
export async function postAction(
  socket: string,
  path: string,
  body?: unknown,
): Promise<ActionDocument & { readonly status: number }> {
  const init: RequestInit = { method: "POST", signal: AbortSignal.timeout(ACTION_TIMEOUT_MS) };
  const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await request(socket, path, body === undefined ? init : { ...init, ...json });
  const answer = await bodyOf(socket, response);
  if (typeof answer === "object" && answer !== null && "ok" in answer) {
    return { ...answer as ActionDocument, status: response.status };
  }
  throw refusal(response.status, answer);
}

async function bodyOf(socket: string, response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (thrown) {
    if (thrown instanceof SyntaxError) {
      throw new Failure(`What answers on ${socket} is not this program's daemon`, EXIT.NO_DAEMON);
    }
    throw noDaemon(socket, thrown);
  }
}

function refusal(status: number, body: unknown): Failure {
  const { error } = (body ?? {}) as Partial<ErrorDocument>;
  return new Failure(error ?? `The daemon answered with status ${status}`, EXIT.BAD);
}

/** One server-sent event. */
export interface StreamedEvent {
  readonly id: string | null;
  readonly data: string;
}

/**
 * The daemon's event stream from a path, until it ends or `signal` aborts. Rejects with a {@link Failure} when nobody
 * answers; a stream that breaks off just ends.
 *
 * @param heard Number of the last event that was heard before the stream broke off; null = none was.
 */
export async function* streamEvents(
  socket: string,
  path: string,
  signal: AbortSignal,
  heard: string | null = null,
): AsyncGenerator<StreamedEvent> {
  const headers: Record<string, string> = heard === null ? {} : { "last-event-id": heard };
  const response = await request(socket, path, { signal, headers });
  if (!response.ok || response.body === null) throw refusal(response.status, await bodyOf(socket, response));
  const decoder = new TextDecoder();
  let pending = "";
  try {
    for await (const chunk of response.body) {
      pending += decoder.decode(chunk, { stream: true });
      const blocks = pending.split("\n\n");
      pending = blocks.pop()!;
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event !== null) yield event;
      }
    }
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    // The daemon has gone or the reader wants no more.
  }
}

/** One block of an event stream (WHATWG HTML §9.2.6); null when it carries no data. */
export function parseBlock(block: string): StreamedEvent | null {
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const match = /^(id|data): ?(.*)$/.exec(line);
    if (match?.[1] === "id") id = match[2]!;
    if (match?.[1] === "data") data.push(match[2]!);
  }
  return data.length === 0 ? null : { id, data: data.join("\n") };
}
