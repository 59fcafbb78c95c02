/**
 * Names to addresses, and the sentences for connections that fail.
 *
 * @module
 */
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import {
  AF_INET,
  AF_INET6,
  closeFd,
  connectSocket,
  ENETUNREACH,
  openSocket,
  SOCK_DGRAM,
  sockaddrIn,
  sockaddrIn6,
} from "../../../lib/libc/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";

/** `127.0.0.1:80`, `[::1]:80`. */
export function endpointOf(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
const pending = new Map<string, Answer[]>();

/**
 * Resolves names like the system does, but asks at most once at a time for the same name: with a dead name server a
 * lookup lasts far longer than a run, and each occupies a thread.
 */
export const sharedLookup: LookupFunction = (hostname, options, callback) => {
  const answer: Answer = (error, addresses) => {
    if (error !== null || options.all === true) return callback(error, addresses);
    callback(null, addresses[0]!.address, addresses[0]!.family);
  };
  const waiting = pending.get(hostname);
  if (waiting !== undefined) {
    waiting.push(answer);
    return;
  }
  pending.set(hostname, [answer]);
  systemLookup(hostname, { all: true }, (error, addresses) => {
    const answers = pending.get(hostname) ?? [];
    pending.delete(hostname);
    const nothing = error === null && addresses.length === 0;
    const found = nothing ? Object.assign(new Error("no address"), { code: "ENOTFOUND" }) : error;
    for (const each of answers) each(found, addresses);
  });
};

/**
 * Whether the kernel knows no way to an address. The runtime calls whatever ends a connection before it stands "refused";
 * connecting a datagram socket sends nothing and tells.
 */
function hasNoRoute(address: string | undefined): boolean {
  const bytes = parseAddress(address ?? "");
  if (bytes === null) return false;
  const fd = openSocket(bytes.length === 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0, "look for a route");
  try {
    return connectSocket(fd, bytes.length === 4 ? sockaddrIn(bytes, 9) : sockaddrIn6(bytes, 9)) ===
      -ENETUNREACH;
  } finally {
    closeFd(fd);
  }
}

/** Why a connection to `host`:`port` could not be made or broke, for operators. */
export function connectionError(thrown: unknown, host: string, port: number | string): string {
  const error = thrown as NodeJS.ErrnoException & { readonly address?: string };
  const endpoint = endpointOf(host, port);
  const code = error.code === "ECONNREFUSED" && hasNoRoute(error.address) ? "ENETUNREACH" : error.code;
  switch (code) {
    case "ECONNREFUSED":
      return `connection refused by ${endpoint}`;
    case "ECONNRESET":
    case "EPIPE":
      return `connection closed by ${endpoint} before it answered`;
    case "ETIMEDOUT":
      return `no answer from ${endpoint} (the kernel gave up)`;
    case "EHOSTUNREACH":
    case "EHOSTDOWN":
      return `no route to ${endpoint}, or the host is down`;
    case "ENETUNREACH":
      return `network of ${endpoint} is unreachable`;
    case "EADDRNOTAVAIL":
      return `no local address or port is free to reach ${endpoint}`;
    case "EMFILE":
    case "ENFILE":
      return `cannot open a socket to ${endpoint}: too many open files`;
    case "ENOTFOUND":
    case "ENODATA":
      return `cannot resolve ${host}: no such name`;
    case "EAI_AGAIN":
      return `cannot resolve ${host}: no name server answers`;
    default:
      return `cannot reach ${endpoint}: ${error.message?.trim() || error.code || String(thrown)}`;
  }
}

const UNTRUSTED = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "INVALID_CA",
  "CERT_UNTRUSTED",
]);

/** Why the TLS greeting with an endpoint failed, for operators; null when the error is not about TLS. */
export function tlsError(thrown: unknown, endpoint: string, serverName: string): string | null {
  const error = thrown as NodeJS.ErrnoException;
  const code = error.code ?? "";
  if (UNTRUSTED.has(code)) return `certificate of ${endpoint} is not trusted: ${error.message}`;
  if (code === "CERT_HAS_EXPIRED") return `certificate of ${endpoint} has expired`;
  if (code === "CERT_NOT_YET_VALID") return `certificate of ${endpoint} is not valid yet`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `certificate of ${endpoint} is not for ${serverName}`;
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return `${endpoint} does not speak TLS`;
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS")) {
    return `TLS greeting with ${endpoint} failed: ${error.message}`;
  }
  return null;
}
