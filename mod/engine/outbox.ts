/**
 * What the engine has to tell control: sent at the end of a wake-up, and told again to a control process that was
 * started anew.
 *
 * @module
 */
import { realtimeMs } from "../../lib/libc/mod.ts";
import type { LogLevel } from "../bus/log_level.ts";
import type { HistoryEvent, Report } from "../bus/messages.ts";
import type { LinePipe } from "./pipe.ts";

/** Events and log records that a new control process is told of again. */
const KEPT_EVENTS = 256;
/** Log records that wait for a control process to print them. */
const KEPT_LOGS = 256;

interface KeptEvent {
  readonly event: HistoryEvent;
  /** A control process has taken it in. */
  heard: boolean;
}

export class Outbox {
  #pipe: LinePipe | null = null;
  #lines = "";
  readonly #events: KeptEvent[] = [];
  /** What the control process that is there was told of and has not taken in yet, oldest first. */
  #unheard: KeptEvent[] = [];
  #logs: Report[] = [];
  /** A reload was asked for, and nobody has begun with it. */
  #reload = false;

  /** Speaks to a new control process from now on: says hello, then repeats the history. */
  connect(pipe: LinePipe, startedMs: number, source: string | null): void {
    this.#pipe = pipe;
    this.#lines = "";
    this.send({ type: "hello", pid: process.pid, startedMs, source });
    this.#unheard = [];
    for (const kept of this.#events) this.#tell(kept);
    for (const log of this.#logs) this.send(log);
    this.#logs = [];
    if (this.#reload) this.reload();
  }

  disconnect(): void {
    this.#pipe = null;
    this.#lines = "";
  }

  /** Says something when this wake-up ends; lost when there is nobody to hear it. */
  send(report: Report): void {
    if (this.#pipe !== null) this.#lines += JSON.stringify(report) + "\n";
  }

  /** Asks for a reload; a control process that is about to die may not hear it, and the next one is asked again. */
  reload(): void {
    this.#reload = true;
    this.send({ type: "reload" });
  }

  /** Answers SIGUSR1, which makes keepalived write what it knows into a file; by itself it would end the process. */
  noDump(): void {
    this.log("warning", ["engine"], "SIGUSR1 does nothing here; `appliance status --json` tells everything");
  }

  /** Control has begun with the reload. */
  reloading(): void {
    this.#reload = false;
  }

  /** Tells and keeps one line of the history. */
  event(event: Omit<HistoryEvent, "atMs">): void {
    const stamped: HistoryEvent = { atMs: realtimeMs(), ...event };
    const kept: KeptEvent = { event: stamped, heard: false };
    this.#events.push(kept);
    if (this.#events.length > KEPT_EVENTS) this.#events.shift();
    this.#tell(kept);
  }

  /** So many more events were taken in. */
  heard(events: number): void {
    for (const kept of this.#unheard.splice(0, events)) kept.heard = true;
  }

  /** Tells a log record, or keeps it until someone can print it. */
  log(level: LogLevel, category: readonly string[], text: string): void {
    const record: Report = { type: "log", atMs: realtimeMs(), level, category, text };
    if (this.#pipe !== null && !this.#pipe.congested) return this.send(record);
    this.#logs.push(record);
    if (this.#logs.length > KEPT_LOGS) this.#logs.shift();
  }

  /** Writes what was said. */
  flush(): void {
    if (this.#lines === "" || this.#pipe === null) return;
    const lines = this.#lines;
    this.#lines = "";
    this.#pipe.write(lines);
  }

  #tell(kept: KeptEvent): void {
    if (this.#pipe === null) return;
    this.#unheard.push(kept);
    this.send({ type: "event", event: kept.event, ...(kept.heard ? { again: true } : {}) });
  }
}
