/**
 * Processes: executing oneself anew, children, scheduling, memory locks, capabilities.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { addressOf, alloc, cString, cStringArray, viewOf } from "./memory.ts";
import { check, resultOf, SyscallError } from "./errno.ts";
import { SI_QUEUE } from "./signal.ts";
import { c, errno } from "./symbols.ts";

const WNOHANG = 1;
const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const SCHED_RESET_ON_FORK = 0x40000000;
const MCL_CURRENT = 1;
const MCL_FUTURE = 2;
const MCL_ONFAULT = 4;
const PR_SET_PDEATHSIG = 1;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;
const SIGINFO_SIZE = 128;

/** Capability numbers (linux/capability.h). */
export const CAP = {
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_LOCK: 14,
  SYS_ADMIN: 21,
  SYS_NICE: 23,
} as const;

/** Whether this process holds a capability in its effective set. */
export function hasCapability(capability: number): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return line !== null && (BigInt(`0x${line[1]}`) >> BigInt(capability) & 1n) === 1n;
}

/** Replaces this process's program by `path`; returns only by throwing SyscallError. */
export function execve(path: string, argv: readonly string[], env: Readonly<Record<string, string>>): never {
  const args = cStringArray(argv);
  const environment = cStringArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  c.execve(cString(path), args.pointers, environment.pointers);
  throw new SyscallError("execve", errno(), `execute ${path}`);
}

/** Sends a signal to a process (negative: to a process group). False when there is no such process. */
export function killProcess(pid: number, signal: number): boolean {
  return c.kill(pid, signal) === 0;
}

/** A child that ended, from {@link reapChild}. */
export interface ReapedChild {
  readonly pid: number;
  /** Exit code, or null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: number | null;
}

const statusCell = alloc(4);
const statusView = viewOf(statusCell);

/** The next child that has ended, or null when none has. */
export function reapChild(pid: number = -1): ReapedChild | null {
  const reaped = resultOf(c.waitpid(pid, statusCell, WNOHANG));
  if (reaped <= 0) return null;
  const status = statusView.getInt32(0, true);
  const signal = status & 0x7f;
  return {
    pid: reaped,
    exitCode: signal === 0 ? (status >> 8) & 0xff : null,
    signal: signal === 0 ? null : signal,
  };
}

/**
 * Schedules the calling thread in real time (SCHED_FIFO, this priority), children excepted, or as usual (null). False
 * when not allowed.
 */
export function setScheduling(priority: number | null): boolean {
  const parameter = alloc(4);
  viewOf(parameter).setInt32(0, priority ?? 0, true);
  const policy = priority === null ? SCHED_OTHER : SCHED_FIFO;
  return c.sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, parameter) === 0;
}

/**
 * Keeps pages in memory once they were touched, or no longer. Without ONFAULT the runtime's reserved heap (6 GB) would
 * be filled. False when not allowed.
 */
export function setMemoryLock(locked: boolean): boolean {
  return (locked ? c.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) : c.munlockall()) === 0;
}

/** Asks the kernel to send this process a signal when its parent ends. */
export function setParentDeathSignal(signal: number): void {
  c.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
}

/** A descriptor that becomes readable when the process ends. Throws SyscallError (ESRCH, ENOSYS before Linux 5.3). */
export function pidfdOpen(pid: number): number {
  return check(c.syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0), "pidfd_open", `watch process ${pid}`);
}

/** Sends a signal to exactly the process behind a pidfd. False when it has not reached one. */
export function pidfdSignal(pidfd: number, signal: number): boolean {
  return c.syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0) === 0;
}

/** The same as sigqueue(3) does it: `queued` in a reader of signals tells it from one that was sent by kill(2). */
export function pidfdQueue(pidfd: number, signal: number): boolean {
  const info = alloc(SIGINFO_SIZE);
  const view = viewOf(info);
  view.setInt32(0, signal, true);
  view.setInt32(8, SI_QUEUE, true);
  view.setInt32(16, process.pid, true);
  view.setInt32(20, process.getuid?.() ?? 0, true);
  return c.syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, addressOf(info), 0) === 0;
}
