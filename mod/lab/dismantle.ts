/**
 * Removing a lab: its processes, its namespaces, its files.
 *
 * @module
 */
import { rmSync } from "node:fs";
import { deleteNetns, netnsPath } from "../../lib/libc/mod.ts";
import { livesIn, readPidFile } from "./process.ts";
import { type LabState, listStates, ownerLives, removeState } from "./state.ts";

/** A daemon gives its addresses away and runs its stop scripts. */
const STOP_TIMEOUT_MS = 2500;
const KILL_TIMEOUT_MS = 1000;
const POLL_MS = 10;

/** Removes a lab. Rejects with the first thing that could not be removed, after having tried all. */
export async function dismantle(state: LabState): Promise<void> {
  await stopProcesses(state);
  const failures: Error[] = [];
  const attempt = (what: string, action: () => void) => {
    try {
      action();
    } catch (thrown) {
      failures.push(new Error(`Cannot remove ${what}: ${(thrown as Error).message}`, { cause: thrown }));
    }
  };
  for (const name of state.namespaces) attempt(netnsPath(name), () => deleteNetns(name));
  attempt(state.directory, () => rmSync(state.directory, { recursive: true, force: true }));
  if (failures.length > 0) throw failures[0];
  removeState(state.prefix);
}

/** Removes labs whose owner was killed. */
export async function dismantleAbandoned(): Promise<void> {
  for (const state of listStates()) {
    if (state.owner !== null && !ownerLives(state)) await dismantle(state);
  }
}

/**
 * Ends the lab's processes. A recorded process counts only while it is in one of the lab's namespaces: its number may
 * have gone to a stranger since.
 */
async function stopProcesses(state: LabState): Promise<void> {
  const ours = livesIn(state.namespaces);
  const recorded = state.processes.map(({ pid }) => pid);
  const fromFiles = state.pidFiles.map(readPidFile).filter((pid) => pid !== null);
  const pids = [...new Set([...recorded, ...fromFiles])].filter(ours);
  for (const pid of pids) send(pid, "SIGTERM");
  if (await allGone(pids, ours, STOP_TIMEOUT_MS)) return;
  for (const pid of pids.filter(ours)) {
    // With its children, if it leads a group, as all do that we started.
    send(-pid, "SIGKILL");
    send(pid, "SIGKILL");
  }
  await allGone(pids, ours, KILL_TIMEOUT_MS);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

async function allGone(
  pids: readonly number[],
  lives: (pid: number) => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (pids.some(lives)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
