/**
 * A daemon that still runs while its successor starts.
 *
 * @module
 */
import { fetchUnix } from "../../lib/runtime/mod.ts";
import { readHeartbeat } from "../heartbeat/shell.ts";

const LIMIT_MS = 2000;

/** Process id of the engine of a daemon that runs in a runtime directory and answers on its API's socket, or null. */
export async function findPredecessor(runtimeDir: string, socket: string): Promise<number | null> {
  try {
    const response = await fetchUnix(socket, "/status", { signal: AbortSignal.timeout(LIMIT_MS) });
    const { engine } = await response.json() as { engine?: { pid?: number } };
    const pid = engine?.pid ?? null;
    // A number from a file alone could be anybody's by now.
    return pid === readHeartbeat(runtimeDir)?.pid ? pid : null;
  } catch {
    return null;
  }
}
