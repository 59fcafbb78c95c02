/**
 * Finding the process that a probe watches: by pid file, by name, or by command line.
 *
 * A host sees the processes of all its containers and namespaces. By name or command line only those count that are in
 * our own network namespace (or whose namespace we may not see): another router's nginx, or a container's, says nothing
 * about the service behind our addresses. A process in a namespace of its own is found by its pid file.
 *
 * nginx's workers carry its name too and outlive a killed master, so for nginx only the master counts: the process
 * titled `nginx: master process …`, or, with `master_process off`, one without such a title.
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { codeOf, reasonOf } from "../../../lib/runtime/reason.ts";
import type { ProcessMatch } from "../model.ts";
import {
  commandLine,
  commandWords,
  executableName,
  isAlive,
  listPids,
  networkNamespace,
  type ProcessIdentity,
  type ProcessInfo,
  readProcess,
} from "./proc.ts";

/** The process, or the sentence that says it is not there. */
export type Found =
  | { readonly ok: true; readonly process: ProcessIdentity }
  | { readonly ok: false; readonly error: string };

/** Looks for one process; remembers it, so that looking again costs one read while it lives. */
export type ProcessFinder = () => Found;

/** What kind of process is meant: any, or nginx's master. */
export type ProcessKind = "process" | "nginx master process";

/** The kernel keeps this many bytes of a process's name. */
const COMM_BYTES = 15;

function lost(error: string): Found {
  return { ok: false, error };
}

function pidFileFinder(path: string, kind: ProcessKind): ProcessFinder {
  let known: (ProcessIdentity & { readonly stamp: string }) | null = null;
  return () => {
    if (known !== null && isAlive(known)) return { ok: true, process: known };
    let text: string;
    let stamp: string;
    try {
      const stat = statSync(path);
      // A named pipe without a writer would hold the whole process.
      if (stat.isFIFO()) return lost(`cannot read pid file ${path}: it is a named pipe`);
      stamp = `${stat.ino} ${stat.mtimeMs}`;
      text = readFileSync(path, "utf8").slice(0, 64).trim();
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return lost(`no ${kind}: pid file ${path} does not exist`);
      return lost(`cannot read pid file ${path}: ${reasonOf(thrown)}`);
    }
    const pid = /^\d{1,10}(?=\s|$)/.test(text) ? parseInt(text, 10) : 0;
    if (pid === 0) return lost(`pid file ${path} does not hold a process id`);
    const found = readProcess(pid);
    // The same pid with another start under an unchanged file: the pid went to a stranger.
    const stranger = found !== null && known?.pid === pid && known.start !== found.start &&
      known.stamp === stamp;
    if (found === null || stranger) return lost(`${kind} ${pid} (pid file ${path}) is gone`);
    known = { pid, start: found.start, stamp };
    return { ok: true, process: known };
  };
}

/** Finds the oldest process that `matches` in our network namespace; `missing` says that there is none. */
function scanFinder(
  matches: (candidate: ProcessInfo) => boolean,
  kind: ProcessKind,
  missing: string,
): ProcessFinder {
  let known: ProcessIdentity | null = null;
  return () => {
    if (known !== null && isAlive(known)) return { ok: true, process: known };
    const home = networkNamespace("self");
    let elsewhere = 0;
    let oldest: ProcessInfo | null = null;
    for (const pid of listPids()) {
      if (pid === process.pid || pid === process.ppid) continue;
      const candidate = readProcess(pid);
      if (candidate === null || !matches(candidate)) continue;
      const namespace = networkNamespace(pid);
      if (namespace !== null && home !== null && namespace !== home) elsewhere++;
      else if (oldest === null || candidate.start < oldest.start) oldest = candidate;
    }
    if (oldest !== null) {
      known = { pid: oldest.pid, start: oldest.start };
      return { ok: true, process: known };
    }
    const others = elsewhere === 0 ? "" : ` (${elsewhere} in other network namespaces)`;
    return lost(known === null ? `${missing}${others}` : `${kind} ${known.pid} is gone${others}`);
  };
}

function nameMatcher(name: string): (candidate: ProcessInfo) => boolean {
  const comm = Buffer.from(name).subarray(0, COMM_BYTES).toString();
  const cut = comm !== name;
  return (candidate) => {
    if (!cut && candidate.comm === name) return true;
    if (cut && candidate.comm !== comm) return false;
    return executableName(candidate.pid) === name || (cut && isScript(candidate.pid, name));
  };
}

/** Whether a process whose name was cut is a script of this name: `/bin/sh /usr/sbin/name`, `/bin/sh -e name`. */
function isScript(pid: number, name: string): boolean {
  return commandWords(pid).slice(0, 3).some((word) => basename(word) === name);
}

/** Whether a process of nginx's name is its master; forks of nginx put their own name before the colon. */
function isNginxMaster(pid: number): boolean {
  const title = /^[\w-]+: (.*)/.exec(commandLine(pid));
  return title === null || title[1]!.startsWith("master process");
}

/** Makes the finder for a way of matching. Throws SyntaxError for a pattern that is none. */
export function createProcessFinder(match: ProcessMatch, kind: ProcessKind = "process"): ProcessFinder {
  switch (match.by) {
    case "pid_file":
      return pidFileFinder(match.path, kind);
    case "name": {
      const named = nameMatcher(match.name);
      const nginx = kind === "nginx master process";
      const matches = nginx ? (found: ProcessInfo) => named(found) && isNginxMaster(found.pid) : named;
      return scanFinder(matches, kind, `no ${kind} named ${match.name} is running`);
    }
    case "cmdline": {
      const pattern = new RegExp(match.source);
      const matches = (found: ProcessInfo) => {
        const line = commandLine(found.pid);
        return line !== "" && pattern.test(line);
      };
      return scanFinder(matches, kind, `no process with a command line that matches ${pattern} is running`);
    }
  }
}
