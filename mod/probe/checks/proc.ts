/**
 * Processes as /proc shows them. The calls are synchronous: /proc is memory, a file of it is read in microseconds.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** What stays the same for as long as a process lives, and differs from whatever has its pid later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start in clock ticks since boot. */
  readonly start: number;
}

/** A process that lives. */
export interface ProcessInfo extends ProcessIdentity {
  /** The kernel's name, at most 15 bytes. */
  readonly comm: string;
  readonly parent: number;
}

/** The process with a pid, or null when there is none or only its remains (a zombie). */
export function readProcess(pid: number): ProcessInfo | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  // proc(5): pid (comm) state ppid …; comm may hold spaces and parentheses, so the last one counts.
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const state = fields[0]!;
  const threads = Number(fields[17]);
  // A leader that ended before its threads is shown as a zombie too, but its process lives.
  if (state === "X" || (state === "Z" && threads <= 1)) return null;
  return { pid, comm: text.slice(open + 1, close), parent: Number(fields[1]), start: Number(fields[19]) };
}

/** Whether this very process still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readProcess(identity.pid)?.start === identity.start;
}

/** The pids that /proc shows. */
export function listPids(): number[] {
  return readdirSync("/proc").filter((name) => /^\d/.test(name)).map(Number);
}

/** The arguments, or what the process wrote over them; none for kernel threads. */
export function commandWords(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0+$/, "");
    return text === "" ? [] : text.split("\0");
  } catch {
    return [];
  }
}

/** As {@link commandWords}, joined with one space. */
export function commandLine(pid: number): string {
  return commandWords(pid).join(" ");
}

/** Base name of the program file, null when it cannot be known. */
export function executableName(pid: number): string | null {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    return null;
  }
}

/** Which network namespace a process is in (`net:[4026531840]`), null when this process may not know. */
export function networkNamespace(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}
