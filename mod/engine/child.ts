/**
 * The control process: started on one end of a socket pair, watched, started anew when it dies.
 *
 * @module
 */
import {
  closeFd,
  type Epoll,
  EPOLLIN,
  EPOLLOUT,
  killProcess,
  type ReapedChild,
  setCloseOnExec,
  setNonBlocking,
  SIGKILL,
  socketPair,
} from "../../lib/libc/mod.ts";
import { childEnvironment, SELF_PATH, selfCommand, SMALL, spawnChild } from "../../lib/runtime/mod.ts";
import { LinePipe } from "./pipe.ts";

const FIRST_BACKOFF = 100e6;
const MAX_BACKOFF = 10e9;
/** A control process that lived this long is started again without delay. */
const STABLE_LIFE = 10e9;

/** A control process that was started before the engine had its final form (see mod/launch/main.ts). */
export interface StartedControl {
  readonly fd: number;
  readonly pid: number;
}

/** Starts `appliance control` on a new socket pair; our end is blocking so far. `resume` as in `LaunchOptions`. */
export function startControl(configPath: string, resume: boolean = false): StartedControl {
  const [ours, theirs] = socketPair();
  try {
    const [program, ...args] = selfCommand([
      "control",
      "--config",
      configPath,
      ...(resume ? ["--resume"] : []),
    ]);
    const pid = spawnChild({
      path: SELF_PATH,
      argv: [program!, ...args],
      env: { ...childEnvironment(), ...SMALL },
      stdio: [theirs, theirs, "inherit"],
    });
    return { fd: ours, pid };
  } catch (error) {
    closeFd(ours);
    throw error;
  } finally {
    closeFd(theirs);
  }
}

export class ControlProcess {
  readonly #configPath: string;
  #pid: number;
  #pipe: LinePipe | null;
  #watchingOutput = false;
  #ended = false;
  #exitCode: number | null = null;
  #lastEnd = "ended";
  #restarts = 0;
  #startedAt: number;
  #backoff = FIRST_BACKOFF;

  constructor(configPath: string, started: StartedControl, now: number) {
    this.#configPath = configPath;
    this.#pid = started.pid;
    this.#pipe = new LinePipe(started.fd);
    this.#startedAt = now;
    setCloseOnExec(started.fd, true);
  }

  get pid(): number {
    return this.#pid;
  }

  /** The pipe to it; null while there is none. */
  get pipe(): LinePipe | null {
    return this.#pipe;
  }

  /** Whether the process has been reaped. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Its exit code, when it ended by itself. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** How it ended, in words: "was ended by signal 9". */
  get lastEnd(): string {
    return this.#lastEnd;
  }

  /** How often it was started anew. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Asks epoll for room to write exactly while something waits to be written. */
  watchOutput(epoll: Epoll): void {
    if (this.#pipe === null || this.#pipe.blocked === this.#watchingOutput) return;
    this.#watchingOutput = this.#pipe.blocked;
    epoll.modify(this.#pipe.fd, this.#watchingOutput ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  /** Closes the pipe: the process hears the end of its input. */
  hangUp(): void {
    this.#pipe?.close();
    this.#pipe = null;
    this.#watchingOutput = false;
  }

  /** Notes that it has ended. */
  reaped(child: ReapedChild): void {
    this.#ended = true;
    this.#exitCode = child.exitCode;
    this.#lastEnd = child.signal === null
      ? `exited with ${child.exitCode}`
      : `was ended by signal ${child.signal}`;
  }

  /** How long to wait before starting it anew: nothing after a long life, else doubling. */
  backoff(now: number): number {
    if (now - this.#startedAt > STABLE_LIFE) {
      this.#backoff = FIRST_BACKOFF;
      return 0;
    }
    const wait = this.#backoff;
    this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF);
    return wait;
  }

  /** Starts it anew. Throws Error. */
  start(now: number): void {
    // One that cannot be started has not lived long, or it would be tried again and again without a pause.
    this.#startedAt = now;
    const started = startControl(this.#configPath);
    setNonBlocking(started.fd);
    this.#pid = started.pid;
    this.#pipe = new LinePipe(started.fd);
    this.#ended = false;
    this.#exitCode = null;
    this.#restarts++;
  }

  kill(): void {
    if (!this.#ended) killProcess(this.#pid, SIGKILL);
  }
}
