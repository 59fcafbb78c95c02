/**
 * Other programs that deal with addresses, as /proc shows them.
 *
 * @module
 */
import { readdirSync, readlinkSync } from "node:fs";
import type { Facts, LinkFact, ProcessFact } from "../model.ts";
import { readText } from "./machine.ts";

/** Programs that hold virtual addresses. */
const RIVALS = ["keepalived", "ucarp", "vrrpd", "uvrrpd", "heartbeat", "corosync", "pacemakerd"];
const MANAGERS: Readonly<Record<string, string>> = {
  NetworkManager: "NetworkManager",
  // The kernel keeps 15 characters of a name.
  "systemd-network": "systemd-networkd",
};

interface Running {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
}

/** A link under /proc/PID; null when it has ended or this user may not know. */
function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** All processes by the kernel's names of them. */
function listProcesses(): Running[] {
  return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).flatMap((pid) => {
    const text = readText(`/proc/${pid}/stat`);
    if (text === null) return [];
    // proc(5): pid (comm) state ppid …; comm may hold spaces and parentheses, so the last one counts.
    const close = text.lastIndexOf(")");
    const [state, parent] = text.slice(close + 2).split(" ");
    if (state === "Z" || state === "X") return [];
    return [{ pid: Number(pid), name: text.slice(text.indexOf("(") + 1, close), parent: Number(parent) }];
  });
}

/** Whether a process is in the network namespace of this one; null = not permitted to know. */
function isHere(pid: number): boolean | null {
  const theirs = readLink(`/proc/${pid}/ns/net`);
  return theirs === null ? null : theirs === readLink("/proc/self/ns/net");
}

function argumentsOf(pid: number): string[] {
  return (readText(`/proc/${pid}/cmdline`) ?? "").split("\0").filter((word) => word !== "");
}

/** The file after `-f` or `--use-file`. */
function fileArgument(words: readonly string[]): string | null {
  for (const [at, word] of words.entries()) {
    if (word === "-f" || word === "--use-file") return words[at + 1] ?? null;
    const joined = /^(?:--use-file=|-f)(.+)$/.exec(word)?.[1];
    if (joined !== undefined) return joined;
  }
  return null;
}

function configOf({ name, pid }: Running): ProcessFact["config"] {
  const words = argumentsOf(pid);
  if (name === "ucarp") return { path: "(its command line)", text: words.join(" ") };
  const path = name === "keepalived"
    ? fileArgument(words) ?? "/etc/keepalived/keepalived.conf"
    : name === "vrrpd"
    ? "/etc/frr/frr.conf"
    : null;
  const text = path === null ? null : readText(path);
  return path === null || text === null ? null : { path, text };
}

/** Which interfaces a manager has in its hands, by what it keeps under /run. */
function managedBy(manager: string, links: readonly LinkFact[]): string[] {
  return links.filter(({ index }) => {
    if (manager === "NetworkManager") {
      return /^managed=true$/m.test(readText(`/run/NetworkManager/devices/${index}`) ?? "");
    }
    const state = /^ADMIN_STATE=(.*)$/m.exec(readText(`/run/systemd/netif/links/${index}`) ?? "")?.[1];
    return state !== undefined && state !== "unmanaged" && state !== "initialized";
  }).map(({ name }) => name);
}

/** Rivals and managers. */
export function readProcesses(links: readonly LinkFact[]): Pick<Facts, "processes" | "managed"> {
  const running = listProcesses();
  const rivals = running.filter(({ name }) => RIVALS.includes(name));
  // keepalived has a process for each of its parts: the first one stands for all.
  const first = rivals.filter(({ name, parent }) =>
    !rivals.some((other) => other.pid === parent && other.name === name)
  );
  const managers = running.filter(({ name, pid }) => name in MANAGERS && isHere(pid) !== false)
    .map(({ name }) => MANAGERS[name]!);
  return {
    processes: first.map((process) => ({
      name: process.name,
      pid: process.pid,
      here: isHere(process.pid),
      config: configOf(process),
    })),
    managed: Object.fromEntries(managers.map((name) => [name, managedBy(name, links)])),
  };
}
