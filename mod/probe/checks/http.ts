/**
 * `http` and `https`: one request on a connection of its own, and its answer judged. Redirects are not followed, no
 * connection is kept, no proxy is asked, and the time-out covers everything from the name to the last byte of the body.
 *
 * @module
 */
import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import type { HttpProbe, HttpRequest } from "../model.ts";
import { type Check, failure, runWithin, type Settle } from "./check.ts";
import { BODY_LIMIT, type BodyTest, bodyTest, statusProblem } from "./expect.ts";
import { connectionError, endpointOf, sharedLookup, tlsError } from "./network.ts";

/** A body that nobody asked for is read this far, in bytes, so that small answers end in good order. */
const DRAIN_LIMIT = 64 * 1024;

interface Prepared {
  readonly send: typeof httpRequest;
  readonly options: RequestOptions;
  readonly host: string;
  readonly port: number;
  readonly endpoint: string;
  readonly serverName: string;
  /** The URL as errors show it: without its query, which may carry a secret. */
  readonly shown: string;
  readonly body: BodyTest | null;
}

function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

/** `[::1]:8080` → `::1`, `a.example:8080` → `a.example`. */
function withoutPort(host: string): string {
  return withoutBrackets(host.replace(/:\d+$/, (port) => isIP(host) === 6 ? port : ""));
}

function prepare(request: HttpRequest): Prepared {
  const url = new URL(request.url);
  const tls = url.protocol === "https:";
  const host = withoutBrackets(url.hostname);
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  const serverName = request.sni ?? (request.host === null ? host : withoutPort(request.host));
  const headers: Record<string, string> = { "User-Agent": "appliance-probe" };
  for (const [name, value] of request.headers) {
    if (name.toLowerCase() === "user-agent") delete headers["User-Agent"];
    headers[name] = value;
  }
  headers["Host"] = request.host ?? url.host;
  const options: RequestOptions & Record<string, unknown> = {
    agent: false,
    host,
    port,
    path: `${url.pathname}${url.search}`,
    method: request.method,
    headers,
    lookup: sharedLookup,
  };
  if (tls) {
    options["rejectUnauthorized"] = !request.insecure;
    // An address is no server name (RFC 6066 §3); the certificate is then checked for the address connected to.
    if (isIP(serverName) === 0) options["servername"] = serverName;
    if (request.caPem !== null) options["secureContext"] = createSecureContext({ ca: request.caPem });
  }
  const shown = `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
  return {
    send: (tls ? httpsRequest : httpRequest) as typeof httpRequest,
    options,
    host,
    port,
    endpoint: endpointOf(host, port),
    serverName,
    shown,
    body: request.body === null ? null : bodyTest(request.body, shown),
  };
}

/** How far a run has come, for the sentence about a time-out. */
type Phase = "connect" | "answer" | "body";

function requestError(thrown: Error, prepared: Prepared): string {
  const { host, port, endpoint, serverName } = prepared;
  const code = (thrown as NodeJS.ErrnoException).code ?? "";
  if (code.startsWith("HPE_")) return `answer of ${endpoint} is not HTTP: ${thrown.message}`;
  return tlsError(thrown, endpoint, serverName) ?? connectionError(thrown, host, port);
}

/** An answer that ends with its head (RFC 9112 §6.3). A server that sends more all the same has answered. */
function hasNoBody(method: string, status: number | undefined): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

function readBody(answer: IncomingMessage, prepared: Prepared, settle: Settle): void {
  const limit = prepared.body === null ? DRAIN_LIMIT : BODY_LIMIT;
  const chunks: Uint8Array[] = [];
  let size = 0;
  const judge = (cut: boolean) => {
    if (prepared.body === null) return settle({ ok: true });
    const text = Buffer.concat(chunks).subarray(0, limit).toString("utf8");
    const problem = prepared.body(text, cut);
    settle(problem === null ? { ok: true } : failure(problem));
  };
  answer.on("data", (chunk: Uint8Array) => {
    size += chunk.length;
    if (prepared.body !== null) chunks.push(chunk);
    if (size > limit) judge(true);
  });
  answer.on("end", () => judge(false));
  // A body that ends before its announced length is an error here, never an "end".
  answer.on(
    "error",
    () => settle(failure(`connection closed by ${prepared.endpoint} in the middle of the body`)),
  );
}

/** Makes a function that performs the request once per call. Throws for a URL, a CA or a pattern that is none. */
export function createRequester(
  request: HttpRequest,
): (settle: Settle, onPhase: (phase: Phase) => void) => () => void {
  const prepared = prepare(request);
  return (settle, onPhase) => {
    const outgoing = prepared.send(prepared.options);
    outgoing.on("socket", (socket) => socket.once("connect", () => onPhase("answer")));
    outgoing.on("error", (error) => settle(failure(requestError(error, prepared))));
    outgoing.on("response", (answer) => {
      onPhase("body");
      const problem = statusProblem(answer.statusCode ?? 0, request.status, prepared.shown);
      if (problem !== null) {
        answer.on("error", () => {});
        return settle(failure(problem));
      }
      if (hasNoBody(request.method, answer.statusCode)) {
        answer.on("error", () => {});
        const missing = prepared.body?.("", false) ?? null;
        return settle(missing === null ? { ok: true } : failure(missing));
      }
      readBody(answer, prepared, settle);
    });
    // 101: the connection is another protocol's now, and there is no body.
    outgoing.on("upgrade", (answer) => {
      const problem = statusProblem(answer.statusCode ?? 0, request.status, prepared.shown);
      settle(problem === null ? { ok: true } : failure(problem));
    });
    outgoing.end();
    return () => outgoing.destroy();
  };
}

/** The words for what a request that timed out was waiting for. */
export function missingPart(phase: Phase, request: HttpRequest): string {
  const url = new URL(request.url);
  if (phase === "connect") {
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    return `no connection to ${endpointOf(withoutBrackets(url.hostname), port)}`;
  }
  const shown = `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
  return phase === "answer" ? `no answer from ${shown}` : `body of ${shown} did not end`;
}

/** Requests the URL. Throws as {@link createRequester} does. */
export function httpCheck(config: HttpProbe): Check {
  const send = createRequester(config.request);
  return {
    run(signal) {
      let phase: Phase = "connect";
      const missing = () => missingPart(phase, config.request);
      return runWithin(config.timeoutMs, signal, missing, (settle) => send(settle, (now) => phase = now));
    },
  };
}
