/**
 * The user-space datapath: a process for each tunnel, started, watched, started again, ended. A changed tunnel gets a new
 * process, which takes over from the one before.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { interfaceIndex } from "../../../lib/libc/interface.ts";
import { hasTun } from "../../../lib/libc/tun.ts";
import { childEnvironment } from "../../../lib/runtime/environment.ts";
import { reasonOf } from "../../../lib/runtime/reason.ts";
import { SELF_PATH, selfCommand } from "../../../lib/runtime/self.ts";
import { type Datapath, type Ensured, UnsupportedError } from "../datapath.ts";
import type { TunnelConfig } from "../model.ts";
import {
  isTap,
  settingsOf,
  type UserTunnelCounters,
  type UserTunnelReport,
  type UserTunnelSettings,
  type UserTunnelWord,
} from "./settings.ts";

/** What is known of one tunnel's process. */
export interface UserTunnelStatus {
  readonly pid: number;
  /** Its packets can leave. */
  readonly up: boolean;
  /** Why not, as a sentence; null when up, and before it is known. */
  readonly reason: string | null;
  /** Bytes; null before it is known. */
  readonly mtu: number | null;
  /** Null before the first packet. */
  readonly counters: UserTunnelCounters | null;
  /** How often the process was started again after it had ended by itself. */
  readonly restarts: number;
}

/** The datapath, and what its processes tell. */
export interface UserDatapath extends Datapath {
  readonly kind: "user";
  /** Null when there is no process for this tunnel. */
  status(name: string): UserTunnelStatus | null;
}

/** How a datapath differs from the usual. */
export interface UserDatapathOptions {
  /** The program file and the arguments (`argv[0]` included) that run `runUserTunnel`, instead of this same binary. */
  readonly command?: (name: string) => { readonly path: string; readonly argv: readonly string[] };
  /** See {@link UserTunnelSettings.engine}; default: null. */
  readonly engine?: number | null;
  /** Silence in milliseconds after which a process has hung; default: 5000. */
  readonly hangMs?: number;
  /** Called after each report of a process. */
  readonly onReport?: (name: string, report: UserTunnelReport) => void;
}

/** How long a process may take until it tells its state: a cold start of the binary on a busy machine. */
const START_MS = 10_000;
/** How long a process may take to end when it is told to. */
const STOP_MS = 2000;
/** A process that has said nothing for this long has hung: it says something each second. */
const HANG_MS = 5000;
/** As often as it should say something it is looked whether it has, in the time in which it may be silent. */
const WATCHES = 5;
/** A process that lived this long is started again at once. */
const STABLE_MS = 10_000;
const FIRST_BACKOFF_MS = 250;
const MOST_BACKOFF_MS = 8000;
/** An event on the interface may come before the report that explains it. */
const SETTLE_MS = 20;
/** A report longer than this is not ours. */
const LINE_LIMIT = 64 << 10;

function hasInterface(name: string): boolean {
  try {
    return interfaceIndex(name) > 0;
  } catch {
    return false;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ownCommand(name: string): { readonly path: string; readonly argv: readonly string[] } {
  return { path: SELF_PATH, argv: selfCommand(["tunnel", name]) };
}

function wordLine(word: UserTunnelWord): string {
  return `${word}\n`;
}

/** One process. */
class UserProcess {
  readonly settings: UserTunnelSettings;
  readonly startedMs = performance.now();
  readonly #child: ChildProcess;
  readonly #onReport: (report: UserTunnelReport) => void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Resolves when it has told its state, or has ended. */
  readonly told: Promise<void>;
  #tell: () => void = () => {};
  #rest = "";
  #heardMs = performance.now();
  #watchedMs = performance.now();
  #over = false;
  #state: Extract<UserTunnelReport, { type: "state" }> | null = null;
  #counters: UserTunnelCounters | null = null;
  #failure: string | null = null;

  /** Throws Error. */
  constructor(
    settings: UserTunnelSettings,
    command: { readonly path: string; readonly argv: readonly string[] },
    onReport: (report: UserTunnelReport) => void,
    hangMs: number,
  ) {
    this.settings = settings;
    this.#onReport = onReport;
    const [argv0, ...args] = command.argv;
    // A session of its own: ^C is for the daemon, which ends its tunnels when nothing needs them any more.
    this.#child = spawn(command.path, args, {
      ...(argv0 === undefined ? {} : { argv0 }),
      cwd: "/",
      env: childEnvironment(),
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    this.told = new Promise((resolve) => this.#tell = resolve);
    this.ended = new Promise((resolve) => {
      const end = (failure: string) => {
        this.#over = true;
        this.#failure ??= failure;
        this.#tell();
        resolve();
      };
      this.#child.on("error", (error) => end(`Cannot start its process: ${reasonOf(error)}`));
      // After its last words have been read.
      this.#child.on("close", (code, signal) => {
        end(`Its process ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}`);
      });
    });
    this.#child.stdin!.on("error", () => {});
    this.#child.stdout!.on("error", () => {});
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stdin!.write(`${JSON.stringify(settings)}\n`);
    this.#child.unref();
    const watch = setInterval(() => this.#watch(hangMs), hangMs / WATCHES);
    watch.unref();
    void this.ended.then(() => clearInterval(watch));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get over(): boolean {
    return this.#over;
  }

  get state(): Extract<UserTunnelReport, { type: "state" }> | null {
    return this.#state;
  }

  get counters(): UserTunnelCounters | null {
    return this.#counters;
  }

  /** Why it ended, as a sentence; null while it runs. */
  get failure(): string | null {
    return this.#over ? this.#failure : null;
  }

  /** Lets it go on until its successor has taken over. */
  release(): void {
    this.#child.stdin!.write(wordLine("release"));
  }

  /** The same, and hears no more of it. */
  hangUp(): void {
    this.#child.stdin!.end();
  }

  /** Waits until it and its device, unless a successor has that, are gone. */
  async stop(): Promise<void> {
    this.#child.stdin!.end(wordLine("end"));
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends it when it has hung: what keeps the tunnel then starts another one. */
  #watch(hangMs: number): void {
    const nowMs = performance.now();
    // Whoever was held up itself has not heard what was said meanwhile.
    if (nowMs - this.#watchedMs > 2 * hangMs / WATCHES) this.#heardMs = nowMs;
    this.#watchedMs = nowMs;
    if (this.#state === null || nowMs - this.#heardMs < hangMs) return;
    this.#failure = `Its process hung for ${hangMs / 1000} s`;
    this.#child.kill("SIGKILL");
  }

  #read(text: string): void {
    this.#heardMs = performance.now();
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!.slice(-LINE_LIMIT);
    for (const line of lines) this.#take(line);
  }

  #take(line: string): void {
    let report: UserTunnelReport;
    try {
      report = JSON.parse(line) as UserTunnelReport;
    } catch {
      // Not one of its lines: something printed by the runtime, which says why on standard error.
      return;
    }
    switch (report.type) {
      case "state":
        this.#state = report;
        this.#tell();
        break;
      case "counters":
        this.#counters = report.counters;
        break;
      case "failed":
        this.#failure = report.reason;
        break;
      case "alive":
        break;
    }
    this.#onReport(report);
  }
}

/** Where a tunnel stands between two of its processes. */
interface Place {
  process: UserProcess | null;
  /** The one before, which goes on until `process` has taken over. */
  former: UserProcess | null;
  restarts: number;
  backoffMs: number;
  /** No earlier than this is another one started: monotonic milliseconds. */
  nextMs: number;
  failure: string;
}

function differencesOf(before: UserTunnelSettings, after: UserTunnelSettings): string[] {
  const keys = Object.keys(after) as (keyof UserTunnelSettings)[];
  return keys.filter((key) => before[key] !== after[key]).map((key) => `${key} was ${before[key] ?? "none"}`);
}

/** Makes the user-space datapath; nothing is started before the first tunnel. */
export function createUserDatapath(options: UserDatapathOptions = {}): UserDatapath {
  const { command = ownCommand, engine = null, hangMs = HANG_MS, onReport = () => {} } = options;
  const places = new Map<string, Place>();

  function placeOf(name: string): Place {
    let place = places.get(name);
    if (place === undefined) {
      place = { process: null, former: null, restarts: 0, backoffMs: 0, nextMs: 0, failure: "" };
      places.set(name, place);
    }
    return place;
  }

  /** Takes note of a process that ended by itself: the next one may have to wait. */
  function bury(place: Place, ended: UserProcess): void {
    place.process = null;
    place.restarts++;
    place.failure = ended.failure ?? "Its process ended";
    const nowMs = performance.now();
    // The first one after a long life has no time to lose.
    if (nowMs - ended.startedMs >= STABLE_MS) place.backoffMs = 0;
    place.nextMs = nowMs + place.backoffMs;
    place.backoffMs = Math.min(Math.max(2 * place.backoffMs, FIRST_BACKOFF_MS), MOST_BACKOFF_MS);
  }

  async function start(place: Place, settings: UserTunnelSettings): Promise<void> {
    if (!hasTun()) {
      throw new UnsupportedError(
        `Cannot create tunnel ${settings.name}: there is no /dev/net/tun (modprobe tun; in a container, pass the device in)`,
      );
    }
    const waitMs = place.nextMs - performance.now();
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 100) / 10;
      throw new Error(`${place.failure} (the next try in ${seconds} s at the earliest)`);
    }
    const process = new UserProcess(
      settings,
      command(settings.name),
      (report) => onReport(settings.name, report),
      hangMs,
    );
    place.process = process;
    const timer = setTimeout(() => void process.stop(), START_MS);
    await process.told;
    clearTimeout(timer);
    if (process.state !== null && !process.over) return;
    await process.ended;
    if (place.process === process) bury(place, process);
    throw new Error(process.failure ?? `Cannot create tunnel ${settings.name}: its process said nothing`);
  }

  /** The device is there; whether its packets can leave is another question. */
  async function requireUnderlay(process: UserProcess): Promise<void> {
    if (process.state?.up === false) await pause(SETTLE_MS);
    const state = process.state;
    if (state?.up === false) throw new Error(state.reason ?? `${process.settings.name} cannot send`);
  }

  async function ensure(config: TunnelConfig): Promise<Ensured> {
    const settings = settingsOf(config, engine);
    const place = placeOf(config.name);
    const running = place.process;
    let ensured: Ensured = { did: "nothing" };
    if (running !== null) {
      const was = differencesOf(running.settings, settings);
      if (was.length > 0) {
        // A device of another kind is needed, or the same one goes on.
        if (isTap(running.settings) !== isTap(settings)) await running.stop();
        else {
          running.release();
          place.former = running;
        }
        place.process = null;
        place.nextMs = 0;
        ensured = { did: "corrected", was };
      } else if (running.over || !hasInterface(config.name)) {
        // Its device is gone, so it is about to end, if it has not already.
        await running.stop();
        bury(place, running);
        ensured = { did: "made" };
      }
    } else ensured = { did: "made" };
    if (place.process === null) await start(place, settings);
    // It has handed over by now.
    await place.former?.stop();
    place.former = null;
    await requireUnderlay(place.process!);
    return ensured;
  }

  return {
    kind: "user",
    ensure,
    async remove(config) {
      const place = places.get(config.name);
      places.delete(config.name);
      await Promise.all([place?.process?.stop(), place?.former?.stop()]);
    },
    async end(handedOn) {
      const all = [...places.values()].flatMap(({ process, former }) => [process, former]);
      places.clear();
      await Promise.all(all.map((one) => handedOn ? one?.hangUp() : one?.stop()));
    },
    status(name) {
      const place = places.get(name);
      const process = place?.process;
      if (!place || !process || process.over) return null;
      const { pid, state, counters } = process;
      return {
        pid,
        up: state?.up ?? false,
        reason: state?.reason ?? null,
        mtu: state?.mtu ?? null,
        counters,
        restarts: place.restarts,
      };
    },
  };
}
