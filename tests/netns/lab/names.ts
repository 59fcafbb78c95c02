/**
 * Unique names, and the removal of everything that carries them: at the end, on a signal, and at the next start for
 * runs that were killed.
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, killAll, run } from "./command.ts";

const PREFIX = "apltest";
const PATTERN = new RegExp(`^${PREFIX}-(\\d+)-`);
const NETNS_DIR = "/run/netns";

let labs = 0;
let swept = false;
let hooked = false;

/** Something that can be cleaned without waiting. */
export interface Cleanable {
  cleanNow(): void;
}

const open = new Set<Cleanable>();

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Kills what runs in a namespace and deletes it. */
export function deleteNamespace(name: string): void {
  const pids = run(["ip", "netns", "pids", name]).stdout.split("\n").filter(Boolean).map(Number);
  killAll(pids.filter((pid) => pid !== process.pid));
  run(["ip", "netns", "del", name]);
}

function ownerIsDead(name: string): boolean {
  const match = PATTERN.exec(name);
  return match !== null && !isAlive(Number(match[1]));
}

/** Removes namespaces and directories of test runs whose process is no more. */
export function sweepLeftovers(): void {
  for (const name of list(NETNS_DIR).filter(ownerIsDead)) deleteNamespace(name);
  for (const name of list(tmpdir()).filter(ownerIsDead)) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function cleanAll(): void {
  for (const lab of [...open]) lab.cleanNow();
}

function hookExit(): void {
  if (hooked) return;
  hooked = true;
  process.on("exit", cleanAll);
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.on(signal, () => {
      cleanAll();
      process.exit(code);
    });
  }
}

/** Sees to it that `lab` is cleaned however this process ends, short of SIGKILL. */
export function register(lab: Cleanable): void {
  if (!swept) sweepLeftovers();
  swept = true;
  hookExit();
  open.add(lab);
}

export function unregister(lab: Cleanable): void {
  open.delete(lab);
}

/** A prefix that no other lab has: `apltest-1234-1-failover-`. */
export function uniquePrefix(theme: string): string {
  return `${PREFIX}-${process.pid}-${++labs}-${theme}-`;
}

/** A new directory of a lab, short enough for the path of a unix socket. */
export function labDirectory(): string {
  return mkdtempSync(join(tmpdir(), `${PREFIX}-${process.pid}-`));
}
