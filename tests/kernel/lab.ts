/**
 * The kernel lab: boots user-mode Linux (Debian's `user-mode-linux`) on this machine's files in about two seconds, runs
 * one command inside it as root, and brings its exit code and output back. For what the machine's own kernel may not
 * have (GRE, IPVS, dummy, AH, netem) or should not be troubled with.
 *
 * The guest sees the host's files at the same paths, copy-on-write: what it changes is in its memory and gone with it.
 * It has no network but the one that it makes itself. Labs may run side by side.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync } from "node:fs";
import { existsSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { findKernel, type KernelHost, parseMemory } from "./host.ts";

/** What is loaded when nothing else is asked for, in this order. */
export const DEFAULT_MODULES: readonly string[] = [
  ...["ipv6", "veth", "bridge", "macvlan", "dummy", "tun", "ip_gre", "ip6_gre", "ah4", "ah6", "sch_netem"],
  ...["nf_tables", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh"],
];

/** How one run of the lab differs from the usual. */
export interface KernelOptions {
  /** Boot and command together, milliseconds. Default 170 000. */
  readonly timeoutMs?: number;
  /** The guest's memory, as the kernel's `mem=`; it also holds the files that the guest changes. Default "1G". */
  readonly memory?: string;
  /** Kernel modules to load, instead of {@link DEFAULT_MODULES}. One that cannot be loaded fails the run (125). */
  readonly modules?: readonly string[];
  /** Added to what is passed on anyway: PATH, HOME, CI, NO_COLOR, FORCE_COLOR and all of APPLIANCE* and BUN_*. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The folder in which the command starts. Default: this process's. */
  readonly cwd?: string;
  /** Called with each new piece of output, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** What became of a command. */
export interface KernelResult {
  /** The command's own; 124 = it took too long; 125 = the lab failed, `output` ends with why; 0 when skipped. */
  readonly exitCode: number;
  /** Standard output and standard error together. */
  readonly output: string;
  /** Why this machine cannot boot the lab, when it cannot; nothing ran then. Otherwise null. */
  readonly skipped: string | null;
}

const DEFAULT_TIMEOUT_MS = 170_000;
const POLL_MS = 50;
/** How long a guest that has delivered its exit code may take to power off. */
const POWER_OFF_MS = 3000;
const CONSOLE_LINES = 80;
const EXIT_TIMEOUT = 124;
const EXIT_LAB = 125;
const EXIT_KILLED = 137;
const PASSED_ON = /^(PATH|HOME|CI|NO_COLOR|FORCE_COLOR|APPLIANCE(_.*)?|BUN_.*)$/;
const INIT = join(import.meta.dirname, "init.sh");

/**
 * Runs a command in a fresh kernel.
 *
 * @param command A program and its arguments, or a text for bash.
 * @returns Does not reject for what happens to the command or to the kernel: see {@link KernelResult}.
 */
export async function runInKernel(
  command: string | readonly string[],
  options: KernelOptions = {},
): Promise<KernelResult> {
  const host = findKernel(parseMemory(options.memory ?? "1G"));
  if (!host.ok) return { exitCode: 0, output: "", skipped: host.reason };
  const job = realpathSync(mkdtempSync(join(tmpdir(), "appliance-kernel-")));
  let guest: Guest | null = null;
  const abandon = () => {
    guest?.kill();
    rmSync(job, { recursive: true, force: true });
  };
  process.on("exit", abandon);
  try {
    writeJob(job, command, options);
    guest = boot(host, job, options);
    return await watch(guest, job, options);
  } finally {
    process.off("exit", abandon);
    abandon();
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The folder that both sides share: what init.sh reads, and an empty output for it to fill. */
function writeJob(job: string, command: string | readonly string[], options: KernelOptions): void {
  const environment = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name))),
    ...options.environment,
    APPLIANCE_KERNEL_LAB: "guest",
  };
  const files = {
    environment: Object.entries(environment).map(([name, value]) => `${name}=${quote(value ?? "")}`),
    command: [typeof command === "string" ? command : `exec ${command.map(quote).join(" ")}`],
    cwd: [options.cwd ?? process.cwd()],
    modules: options.modules ?? DEFAULT_MODULES,
    output: [],
  };
  for (const [name, lines] of Object.entries(files)) {
    writeFileSync(join(job, name), lines.map((line) => `${line}\n`).join(""));
  }
}

interface Guest {
  /** How it ended, once it has; null before. `late`: its time was over. */
  readonly ended: () => { readonly code: number; readonly late: boolean } | null;
  readonly kill: () => void;
}

function boot(host: KernelHost & { ok: true }, job: string, options: KernelOptions): Guest {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const terminal = openSync(join(job, "console"), "w");
  // `timeout` ends the guest even when this process is killed before.
  const child: ChildProcess = spawn(host.timeout, [
    ...["-k", "2", `${timeoutMs / 1000}`, host.program],
    ...[`umid=${basename(job)}`, `uml_dir=${job}/`, `mem=${options.memory ?? "1G"}`, "panic=-1"],
    ...["rootfstype=hostfs", "rootflags=/", "ro", `init=${INIT}`, `LAB_JOB=${job}`],
    ...["con=null", "con0=null,fd:1", "con1=null,fd:1", "ssl=null"],
  ], {
    stdio: ["ignore", terminal, terminal],
    detached: true,
    env: { ...process.env, TMPDIR: host.memoryFolder },
  });
  closeSync(terminal);
  const started = performance.now();
  let end: { readonly code: number; readonly late: boolean } | null = null;
  // The exit code alone does not tell: a kernel that panics dies of a signal, as one that is killed does.
  const finish = (code: number) => end ??= { code, late: performance.now() - started >= timeoutMs };
  child.on("exit", (code) => finish(code ?? EXIT_KILLED));
  child.on("error", () => finish(EXIT_LAB));
  return { ended: () => end, kill: () => end ?? killGuest(job, child.pid) };
}

/** The kernel leaves the process group of `timeout` for one of its own, which all of its processes are in. */
function killGuest(job: string, timeoutPid: number | undefined): void {
  killGroup(kernelPid(job));
  killGroup(timeoutPid);
}

function kernelPid(job: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(job, basename(job), "pid"), "utf8"));
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`LAB_JOB=${job}\0`) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself, which is what was wanted.
  }
}

/** Passes the output on until the guest has delivered an exit code, or has ended without one. */
async function watch(guest: Guest, job: string, options: KernelOptions): Promise<KernelResult> {
  const output = followOutput(job, options.onOutput ?? (() => {}));
  try {
    for (;;) {
      const ended = guest.ended();
      const exitCode = readExit(job);
      output.advance();
      if (exitCode !== null) {
        await poweredOff(guest);
        return { exitCode, output: output.text(), skipped: null };
      }
      if (ended !== null) return lost(ended.code, ended.late, job, output, options);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    output.close();
  }
}

function readExit(job: string): number | null {
  const path = join(job, "exit");
  return existsSync(path) ? Number(readFileSync(path, "utf8")) : null;
}

async function poweredOff(guest: Guest): Promise<void> {
  const deadline = Date.now() + POWER_OFF_MS;
  while (guest.ended() === null && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What to say of a guest that ended without an exit code. */
function lost(
  code: number,
  late: boolean,
  job: string,
  output: Follower,
  options: KernelOptions,
): KernelResult {
  const lines = readFileSync(join(job, "console"), "utf8").trimEnd().split("\n");
  if (late) {
    output.append(`lab: stopped after ${(options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000} s\n`);
    return { exitCode: EXIT_TIMEOUT, output: output.text(), skipped: null };
  }
  // A kernel that never came as far as our init says something of the machine; one that did is a failure of ours.
  if (!lines.some((line) => line.includes(`Run ${INIT} as init process`))) {
    const words = lines.find((line) => /panic|fail|denied|not permitted/i.test(line)) ?? lines.at(-1);
    const reason = `user-mode Linux does not boot here: ${words || `it ended with ${code}`}`;
    return { exitCode: 0, output: "", skipped: reason };
  }
  output.append(`lab: the kernel ended early; its last words:\n${lines.slice(-CONSOLE_LINES).join("\n")}\n`);
  return { exitCode: EXIT_LAB, output: output.text(), skipped: null };
}

interface Follower {
  /** Takes what the guest has written since. */
  readonly advance: () => void;
  readonly append: (text: string) => void;
  readonly text: () => string;
  readonly close: () => void;
}

function followOutput(job: string, onOutput: (text: string) => void): Follower {
  const file = openSync(join(job, "output"), "r");
  const decoder = new StringDecoder("utf8");
  const buffer = new Uint8Array(64 << 10);
  const pieces: string[] = [];
  const append = (text: string) => {
    if (text === "") return;
    pieces.push(text);
    onOutput(text);
  };
  return {
    advance: () => {
      for (let size = 1; size > 0;) {
        size = readSync(file, buffer, 0, buffer.length, null);
        append(decoder.write(buffer.subarray(0, size)));
      }
    },
    append,
    text: () => pieces.join(""),
    close: () => closeSync(file),
  };
}
