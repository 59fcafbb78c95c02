/**
 * Finding the daemon that runs a config file when it does not answer where the file says: the file may have moved its
 * socket, and the daemon is still on the one before.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const ACCEPTS_CONNECTIONS = 0x10000;

/** A daemon that runs a file. */
export interface Elsewhere {
  /** Process id of its engine, which takes the signals. */
  readonly engine: number;
  /** Paths of sockets that may be its own: they are where it listens. None where this user may not know. */
  readonly sockets: readonly string[];
}

/** Whether a process is the control process of a daemon that runs a file. */
function runsFile(pid: string, file: string): boolean {
  const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const at = argv.indexOf("control");
  const path = argv[at + 2];
  if (at < 0 || argv[at + 1] !== "--config" || path === undefined || path === "") return false;
  const whole = path.startsWith("/") ? path : resolve(readlinkSync(`/proc/${pid}/cwd`), path);
  return realpathSync(whole) === file;
}

/** A socket is bound under another name than the one that it gets: all that lie beside it are told. */
function socketsOf(pid: string): readonly string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const held = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const bound = readFileSync(`/proc/${pid}/net/unix`, "utf8").split("\n").flatMap((line) => {
    const [, flags, inode, path] = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    const listens = (parseInt(flags ?? "0", 16) & ACCEPTS_CONNECTIONS) !== 0;
    return path !== undefined && listens && held.has(inode!) ? [path] : [];
  });
  return [...new Set(bound.map(dirname))].flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isSocket())
      .map(({ name }) => join(directory, name))
  );
}

function seen(look: () => readonly string[]): readonly string[] {
  try {
    return look();
  } catch {
    return [];
  }
}

function engineOf(pid: string): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

/** The daemons of this machine that run a file, as far as this user may see them. */
export function daemonsRunning(file: string): readonly Elsewhere[] {
  const wanted = realpathSync(file);
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return runsFile(pid, wanted) ? [{ engine: engineOf(pid), sockets: seen(() => socketsOf(pid)) }] : [];
    } catch {
      // It has ended, or is not ours to look at.
      return [];
    }
  });
}
