/**
 * Processes as /proc shows them.
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { netnsPath } from "../../lib/libc/mod.ts";

/** State letter and start time from /proc/PID/stat; null when there is no such process. */
function readStat(pid: number): { readonly state: string; readonly start: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may itself hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0]!, start: fields[19]! };
  } catch {
    return null;
  }
}

/** When a process was started, in the kernel's ticks since boot; null when it is gone or a zombie. */
export function startTime(pid: number): string | null {
  const stat = readStat(pid);
  return stat === null || stat.state === "Z" || stat.state === "X" ? null : stat.start;
}

/** Inode of a namespace file; null when it does not exist. */
function inode(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/** Tells whether a living process is in one of these network namespaces. */
export function livesIn(namespaces: readonly string[]): (pid: number) => boolean {
  const inodes = new Set(
    namespaces.map((name) => inode(netnsPath(name))).filter((number) => number !== null),
  );
  return (pid) => {
    const own = inode(`/proc/${pid}/ns/net`);
    return own !== null && inodes.has(own) && startTime(pid) !== null;
  };
}

/** The process id in a file; null when there is none. */
export function readPidFile(path: string): number | null {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}
