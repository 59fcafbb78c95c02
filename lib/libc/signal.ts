/**
 * Signals as a descriptor. They must be blocked in every thread of the process, so they are blocked first thing and
 * the program is executed anew (`execve` in process.ts): all threads of the new image inherit the mask.
 *
 * @module
 */
import type { Pointer } from "bun:ffi";
import { alloc, viewOf } from "./memory.ts";
import { check } from "./errno.ts";
import { readFd } from "./file.ts";
import { c } from "./symbols.ts";

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;

const SIG_BLOCK = 0;
const SIG_DFL = 0;
const SIG_IGN = 1;
const SFD_NONBLOCK_CLOEXEC = 0o2004000;
const SIGINFO_SIZE = 128;
/** `si_code` of a signal that was sent by sigqueue(3). */
export const SI_QUEUE = -1;

/** sigset_t: glibc's has 128 bytes, of which the kernel reads the first eight. */
function signalSet(signals: readonly number[]): Uint8Array {
  const set = alloc(128);
  for (const signal of signals) set[(signal - 1) >> 3]! |= 1 << ((signal - 1) & 7);
  return set;
}

/** Blocks signals in the calling thread, and so in every image executed from it. */
export function blockSignals(signals: readonly number[]): void {
  const result = c.pthread_sigmask(SIG_BLOCK, signalSet(signals), null);
  if (result !== 0) throw new Error(`Cannot block signals: error ${result}`);
}

/** Makes signals do nothing to this process: for one whose end is told to it in another way. */
export function ignoreSignals(signals: readonly number[]): void {
  for (const signal of signals) c.signal(signal, SIG_IGN as Pointer);
}

/** Gives signals back what they do by themselves; those that came before are still told to whoever listens. */
export function resetSignals(signals: readonly number[]): void {
  for (const signal of signals) c.signal(signal, SIG_DFL as unknown as Pointer);
}

/** Blocked signals, read one after the other from a descriptor. */
export class SignalReader {
  readonly fd: number;
  readonly #info = alloc(SIGINFO_SIZE);
  readonly #view = viewOf(this.#info);

  constructor(signals: readonly number[]) {
    this.fd = check(c.signalfd(-1, signalSet(signals), SFD_NONBLOCK_CLOEXEC), "signalfd", "receive signals");
  }

  /** The number of the next pending signal, or null when none is. */
  next(): number | null {
    return readFd(this.fd, this.#info) === SIGINFO_SIZE ? this.#view.getUint32(0, true) : null;
  }

  /** Whether the signal that was read last was sent by sigqueue(3). */
  get queued(): boolean {
    return this.#view.getInt32(8, true) === SI_QUEUE;
  }

  close(): void {
    c.close(this.fd);
  }
}
