/**
 * What processes cost, and how busy the machine is otherwise.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { alloc, viewOf } from "../../lib/libc/mod.ts";
import { c } from "../../lib/libc/symbols.ts";
import { pause } from "../netns/lab/wait.ts";

const CPUCLOCK_SCHED = 2;
const time = alloc(16);

/** Processor time that a process has used so far, all its threads, ended ones too, in seconds. */
export function processorS(pid: number): number {
  // clock_getcpuclockid(3) of another process, as the kernel encodes it.
  if (c.clock_gettime(~pid << 3 | CPUCLOCK_SCHED, time) !== 0) throw new Error(`process ${pid} is gone`);
  const view = viewOf(time);
  return Number(view.getBigInt64(0, true)) + Number(view.getBigInt64(8, true)) / 1e9;
}

/** Memory of a process, in MiB. */
export interface Memory {
  /** Pages that nobody else has mapped. */
  readonly privateMib: number;
  /** Of these, what is in no file and so cannot be dropped and read again. */
  readonly anonymousMib: number;
}

/** Reads a process's memory. */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? NaN) / 1024;
  return { privateMib: mib("Private_Clean") + mib("Private_Dirty"), anonymousMib: mib("Anonymous") };
}

/** Time that all processors together have worked so far, in seconds. */
export function workedS(): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").split("\n")[0]!
    .split(/\s+/).map(Number);
  // In ticks of 10 ms (USER_HZ).
  return (user! + nice! + system! + irq! + softirq! + steal!) / 100;
}

/** Share of all processors that was at work in the `ms` milliseconds from now on, 0..1. */
export async function busyShare(ms: number): Promise<number> {
  const fromMs = performance.now();
  const before = workedS();
  await pause(ms);
  return (workedS() - before) / ((performance.now() - fromMs) / 1000 * cpus().length);
}

const CALM_SHARE = 0.12;

/**
 * Waits for a second in which others leave the machine alone, as long as there is patience for it. Who measures fractions of a
 * millisecond beside somebody's tests measures those.
 */
export class Patience {
  #leftMs: number;

  constructor(totalMs: number) {
    this.#leftMs = totalMs;
  }

  /** Waits `atMost` milliseconds; less when patience ends. */
  async calm(atMost = 20_000): Promise<void> {
    const startMs = performance.now();
    const limit = Math.min(atMost, this.#leftMs);
    while (performance.now() - startMs < limit && await busyShare(500) > CALM_SHARE);
    this.#leftMs -= performance.now() - startMs;
  }
}
