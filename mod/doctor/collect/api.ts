/**
 * Who answers on the API's socket and port, and whether the runtime directory can be used.
 *
 * @module
 */
import { accessSync, constants, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { parseAddress } from "../../../lib/packet/mod.ts";
import { codeOf, fetchUnix, reasonOf } from "../../../lib/runtime/mod.ts";
import type { StatusDocument } from "../../status/schema.ts";
import type { DaemonFact, Facts, PortHolder } from "../model.ts";
import { readText } from "./machine.ts";

const TIMEOUT_MS = 1500;
const TCP_LISTEN = "0A";

/** Asks the daemon for its state. `denied`: this user may not. */
export async function askDaemon(socket: string): Promise<DaemonFact | "denied"> {
  try {
    if (!lstatSync(socket).isSocket()) {
      return { type: "trouble", why: "it is there already, and is no socket" };
    }
  } catch (thrown) {
    return codeOf(thrown) === "EACCES" ? "denied" : { type: "none" };
  }
  try {
    const response = await fetchUnix(socket, "/status", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const { node, config, engine, problems, instances, tunnels } = await response.json() as StatusDocument;
    return {
      type: "running",
      node,
      pid: engine.pid,
      file: config?.file ?? null,
      realtime: engine.realtime,
      problems,
      instances,
      tunnels,
    };
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "TimeoutError") {
      return { type: "trouble", why: `the daemon behind it did not answer in ${TIMEOUT_MS / 1000} s` };
    }
    const code = codeOf(thrown);
    if (code === "EACCES" || code === "EPERM") return "denied";
    // A daemon that was killed leaves its socket behind; the next one takes its place.
    if (code === "ECONNREFUSED" || code === "ConnectionRefused" || code === "FailedToOpenSocket") {
      return { type: "none" };
    }
    return { type: "trouble", why: `what answers there is not this program's daemon (${reasonOf(thrown)})` };
  }
}

/** The bytes of an address in /proc/net/tcp: words in the machine's order, which is little-endian. */
function addressBytes(hex: string): Uint8Array {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return bytes;
}

function overlap(a: Uint8Array, b: Uint8Array): boolean {
  const any = (address: Uint8Array) => address.every((byte) => byte === 0);
  // An IPv6 socket on :: takes IPv4 too, as a rule.
  if (any(a) || any(b)) return a.length === b.length || (a.length === 16 ? any(a) : any(b));
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Inode of a socket that listens on an address and port; null = there is none. */
function findListener(host: string, port: number): string | null {
  const wanted = parseAddress(host === "localhost" ? "127.0.0.1" : host);
  if (wanted === null) return null;
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of (readText(file) ?? "").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = "", hexPort = ""] = (fields[1] ?? "").split(":");
      if (fields[3] !== TCP_LISTEN || parseInt(hexPort, 16) !== port) continue;
      if (overlap(wanted, addressBytes(address))) return fields[9] ?? null;
    }
  }
  return null;
}

function ownerOf(inode: string): PortHolder {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`) {
          const parent = /^PPid:\s*(\d+)$/m.exec(readText(`/proc/${pid}/status`) ?? "")?.[1];
          const name = readText(`/proc/${pid}/comm`);
          return { pid: Number(pid), parent: parent === undefined ? null : Number(parent), name };
        }
      }
    } catch {
      // It has ended, or is not ours to look into.
    }
  }
  return { pid: null, parent: null, name: null };
}

/** Who listens on a port; null = nobody. */
export function readPortHolder(
  listen: { readonly host: string; readonly port: number } | null,
): Facts["portHolder"] {
  const inode = listen === null ? null : findListener(listen.host, listen.port);
  return inode === null ? null : ownerOf(inode);
}

/** Why a directory cannot be made or written to by this process; null = it can. */
export function runtimeDirTrouble(directory: string): string | null {
  for (let path = directory;; path = dirname(path)) {
    try {
      if (!lstatSync(path).isDirectory() && path === directory) return "it is no directory";
      accessSync(path, constants.W_OK | constants.X_OK);
      return null;
    } catch (thrown) {
      if (codeOf(thrown) !== "ENOENT" || path === "/") return `${path}: ${reasonOf(thrown)}`;
    }
  }
}
