/**
 * Listening for HTTP on a unix socket or on TCP.
 *
 * @module
 */
import { chmodSync, linkSync, lstatSync, mkdirSync, rmSync, unlinkSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { codeOf, reasonOf } from "./reason.ts";

/** Answers one request. What it throws becomes a bare 500. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** A server that listens. */
export interface Listener {
  /** The socket's path, or `127.0.0.1:8405` / `[::1]:8405` with the port that was really taken. */
  readonly address: string;
  /**
   * Accepts nothing any more from now on, and removes the unix socket unless another process has replaced it. Requests
   * that are under way may finish; connections without one are closed.
   */
  retire(): void;
  /** As {@link retire}, and closes every connection. */
  stop(): Promise<void>;
  /** Whether somebody has removed the unix socket: then nobody can come in any more. */
  isLost(): boolean;
}

/** Where to listen on TCP. */
export interface TcpOptions {
  /** An address of this machine: `127.0.0.1`, `::1`, `0.0.0.0`. */
  readonly hostname: string;
  /** 0 = any free port. */
  readonly port: number;
  /** A connection that is silent for so long is closed, in seconds (1..255, 0 = never); event streams are exempt. */
  readonly idleTimeoutS?: number;
}

/** Where to listen on a unix socket. */
export interface UnixOptions {
  readonly path: string;
  /** Access mode of the socket; default 0660. */
  readonly mode?: number;
}

/** Longest path that fits into sockaddr_un with its NUL, in bytes (unix(7)). */
const MAX_UNIX_PATH = 107;
/** No request to this product has a large body. */
const MAX_BODY_BYTES = 64 * 1024;
const DEFAULT_IDLE_S = 60;

/**
 * Listens on TCP.
 *
 * Throws an Error: "Cannot listen on 127.0.0.1:8405: address already in use".
 */
export function serveTcp(handler: FetchHandler, options: TcpOptions): Listener {
  const at = (port: number) =>
    options.hostname.includes(":") ? `[${options.hostname}]:${port}` : `${options.hostname}:${port}`;
  const server = listen(at(options.port), () =>
    Bun.serve({
      hostname: options.hostname,
      port: options.port,
      // Outside development mode the runtime sets SO_REUSEPORT by itself: a second daemon would share the port unseen.
      reusePort: false,
      ...common(handler, options.idleTimeoutS),
    }));
  return {
    address: at(server.port ?? options.port),
    isLost: () => false,
    retire: () => void server.stop(),
    stop: () => server.stop(true),
  };
}

/**
 * Listens on a unix socket. The parent directory is made (0750) where it is missing. A socket that a dead process left
 * behind is replaced; one that somebody answers on, and a file that is no socket, are left alone and refused.
 *
 * Rejects with an Error: "Cannot listen on /run/x/api.sock: another process answers there".
 */
export async function serveUnix(handler: FetchHandler, options: UnixOptions): Promise<Listener> {
  const { path, mode = 0o660 } = options;
  // Bound under a name of its own and linked into place: it has its mode before anyone sees it, of two processes that
  // start at once one fails, and the server, which removes the name it was bound to, cannot remove another's socket.
  const bound = join(dirname(path), `.${process.pid}.sock`);
  if (Math.max(bytesOf(path), bytesOf(bound)) > MAX_UNIX_PATH) {
    throw new Error(`Cannot listen on ${path}: the path is longer than ${MAX_UNIX_PATH} bytes`);
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  } catch (thrown) {
    throw refusal(path, thrown);
  }
  await removeStale(path);
  rmSync(bound, { force: true });
  const mask = process.umask(0o777 & ~mode);
  let server: Bun.Server<undefined>;
  try {
    server = listen(path, () => {
      // Never idle: only trusted local users get here, and the exemption of event streams works on TCP only.
      const settings = { unix: bound, ...common(handler, 0) };
      // The published types have idleTimeout for TCP only; a unix socket honours it too.
      return Bun.serve(settings as unknown as Bun.Serve.Options<undefined>);
    });
  } finally {
    process.umask(mask);
  }
  try {
    chmodSync(bound, mode);
    linkSync(bound, path);
    unlinkSync(bound);
  } catch (thrown) {
    await server.stop(true);
    throw refusal(path, thrown);
  }
  const mine = identityOf(path);
  const remove = () => {
    if (mine !== null && identityOf(path) === mine) unlinkSync(path);
  };
  return {
    address: path,
    isLost: () => mine !== null && identityOf(path) === null,
    retire() {
      void server.stop();
      remove();
    },
    async stop() {
      await server.stop(true);
      remove();
    },
  };
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function refusal(address: string, thrown: unknown): Error {
  // The runtime says anything of a name that leads nowhere.
  const named = /^[^/[]*[a-z][^/[]*:\d+$/i.test(address) && !address.startsWith("localhost:");
  const unknown = named && !["EADDRINUSE", "EACCES"].includes(codeOf(thrown) ?? "");
  const reason = unknown ? "the name leads to no address of this machine" : reasonOf(thrown);
  return new Error(`Cannot listen on ${address}: ${reason}`, { cause: thrown });
}

/**
 * A request without a Host header, as HTTP/1.0 allows it (HAProxy's and other plain health checks send such), has no
 * whole URL for the runtime.
 */
function withHost(request: Request): Request {
  return request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request;
}

function common(handler: FetchHandler, idleTimeoutS: number = DEFAULT_IDLE_S) {
  return {
    idleTimeout: idleTimeoutS,
    maxRequestBodySize: MAX_BODY_BYTES,
    development: false,
    async fetch(request: Request, server: Bun.Server<undefined>): Promise<Response> {
      const response = await handler(withHost(request));
      if (response.headers.get("content-type")?.startsWith("text/event-stream")) server.timeout(request, 0);
      return response;
    },
    error: () => Response.json({ error: "Internal error" }, { status: 500 }),
  };
}

function listen(address: string, start: () => Bun.Server<undefined>): Bun.Server<undefined> {
  try {
    return start();
  } catch (thrown) {
    throw refusal(address, thrown);
  }
}

function identityOf(path: string): string | null {
  try {
    const stat = lstatSync(path);
    // Inode numbers are used again at once, the time of birth is not; where there is none, that of the last change, which
    // a new mode or group changes too.
    return `${stat.dev}:${stat.ino}:${stat.birthtimeMs || stat.ctimeMs}`;
  } catch {
    return null;
  }
}

/** Removes a socket that nobody answers on; throws when something else is in the way. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return;
    throw refusal(path, thrown);
  }
  if (!isSocket) throw new Error(`Cannot listen on ${path}: a file that is not a socket is in the way`);
  const code = await connectError(path);
  if (code === null) throw new Error(`Cannot listen on ${path}: another process answers there`);
  if (code === "ENOENT") return;
  if (code !== "ECONNREFUSED") throw refusal(path, { code });
  unlinkSync(path);
}

/** The error code of connecting to a unix socket; null when somebody accepts. */
function connectError(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.once("error", (thrown) => resolve(codeOf(thrown) ?? "EIO"));
  });
}
