/**
 * Keeps a control process: hears it, starts another when it has died, ends one that hangs.
 *
 * @module
 */
import { type Epoll, EPOLLOUT, monotonicNs, reapChild } from "../../lib/libc/mod.ts";
import type { Command } from "../bus/messages.ts";
import type { ControlProcess } from "./child.ts";
import type { MonotonicNs } from "./deadlines.ts";
import type { Outbox } from "./outbox.ts";
import type { LinePipe } from "./pipe.ts";
import { Timer } from "./timer.ts";

/** A control process that says nothing for so many calls of {@link ControlKeeper.watch} hangs. */
const MAX_SILENCE = 15;

/** What keeping control needs of the engine, and tells it. */
export interface ControlHost {
  readonly outbox: Outbox;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly opened: (fd: number, read: (events: number) => void) => void;
  /** This descriptor is about to be closed. */
  readonly closed: (fd: number) => void;
  /** There is a control process that knows nothing so far. */
  readonly connected: (pipe: LinePipe) => void;
  /** It says this. */
  readonly heard: (command: Command) => void;
  /**
   * It has ended; returns whether another one is to take its place.
   *
   * @param exitCode Null when a signal ended it.
   */
  readonly ended: (exitCode: number | null) => boolean;
}

/** The life of control, one process after the other. */
export class ControlKeeper {
  readonly #host: ControlHost;
  readonly #process: ControlProcess;
  readonly #restartTimer = new Timer((now) => this.#restart(now));
  /** How often it has been watched since it said something. */
  #silence = 0;
  #retired = false;

  /** @param process The first one, which runs already. */
  constructor(process: ControlProcess, host: ControlHost) {
    this.#process = process;
    this.#host = host;
  }

  /** Whether there is none now. */
  get ended(): boolean {
    return this.#process.ended;
  }

  /** How often it was started anew. */
  get restarts(): number {
    return this.#process.restarts;
  }

  /** Whether it takes what it is told: it is there, and not far behind. */
  get listens(): boolean {
    return this.#process.pipe?.congested === false;
  }

  /** Asks epoll for room to write exactly while something waits to be written. */
  watchOutput(epoll: Epoll): void {
    this.#process.watchOutput(epoll);
  }

  /** Begins to speak with the process that is there. */
  connect(): void {
    const { pipe } = this.#process;
    if (pipe === null) return;
    this.#silence = 0;
    this.#host.opened(pipe.fd, (events) => this.#read(events));
    this.#host.connected(pipe);
  }

  /** Ends a process that hangs, so that another one takes its place; to be called at equal periods. */
  watch(): void {
    // Counted in periods rather than in time: after a pause of the whole machine nobody has been silent.
    if (this.ended || this.#retired || this.#silence++ < MAX_SILENCE) return;
    this.#silence = 0;
    this.#host.outbox.event({ kind: "control", subject: null, text: "the control process hangs: ending it" });
    this.kill();
  }

  /** Takes notice of children that have ended. */
  reap(): void {
    let ended = false;
    for (let child = reapChild(); child !== null; child = reapChild()) {
      if (child.pid !== this.#process.pid) continue;
      this.#process.reaped(child);
      ended = true;
    }
    if (ended) this.#gone();
  }

  /** The engine ends: no other is started, and the one that is there may take its time. */
  retire(): void {
    this.#retired = true;
    this.#host.schedule(this.#restartTimer, Infinity);
  }

  /** Speaks and listens no more: the process hears the end of its input. */
  hangUp(): void {
    const { pipe } = this.#process;
    if (pipe === null) return;
    this.#host.closed(pipe.fd);
    this.#host.outbox.disconnect();
    this.#process.hangUp();
  }

  /** Ends the process at once. */
  kill(): void {
    this.#process.kill();
  }

  #read(events: number): void {
    const { pipe } = this.#process;
    if (pipe === null) return;
    if (events & EPOLLOUT) pipe.flush();
    if ((events & ~EPOLLOUT) === 0) return;
    const { lines, closed } = pipe.read();
    if (lines.length > 0) this.#silence = 0;
    for (const line of lines) this.#hear(line);
    // It has died or is about to.
    if (closed) this.hangUp();
  }

  /** What is no command ends nothing: a slip of control must not cost the engine its life. */
  #hear(line: string): void {
    let command: Command;
    try {
      command = JSON.parse(line) as Command;
    } catch (error) {
      const text = `cannot read what control told (${line.length} characters): ${(error as Error).message}`;
      return this.#host.outbox.log("error", ["engine"], text);
    }
    this.#host.heard(command);
  }

  #gone(): void {
    this.hangUp();
    const { exitCode, lastEnd } = this.#process;
    if (!this.#host.ended(exitCode)) return;
    const text = `the control process ${lastEnd}; starting another`;
    this.#host.outbox.event({ kind: "control", subject: null, text });
    this.#restartLater(monotonicNs());
  }

  #restart(now: MonotonicNs): void {
    try {
      this.#process.start(now);
    } catch (error) {
      this.#host.outbox.log("error", ["engine"], (error as Error).message);
      return this.#restartLater(now);
    }
    this.connect();
  }

  #restartLater(now: MonotonicNs): void {
    this.#host.schedule(this.#restartTimer, now + this.#process.backoff(now));
  }
}
