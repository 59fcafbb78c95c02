/**
 * A lab as it is seen while it runs: the nodes' events, the client's answers, and waiting for what should happen.
 *
 * @module
 */
import type { EventDocument } from "../status/schema.ts";
import { nowMs } from "./client.ts";
import { Lab } from "./lab.ts";
import type { Scenario, WebServer } from "./model.ts";
import { type Answer, type Outcome, type Span, summarize } from "./outage.ts";
import type { TimelineEntry } from "./report.ts";
import { seeTunnel, type TunnelSeen, watchEvents } from "./watch.ts";

const POLL_MS = 5;
/** Status documents are larger than what is looked at otherwise. */
const STATUS_POLL_MS = 50;
/** Events about the daemon itself say nothing about the cluster. */
const HIDDEN_EVENTS: ReadonlySet<string> = new Set(["started", "control", "reload"]);

/** Something that should have happened did not. */
export class Unmet extends Error {}

/** A lab, its events and its client. Ends with {@link Cluster.close} or {@link Cluster.leave}. */
export class Cluster {
  readonly lab: Lab;
  readonly timeline: TimelineEntry[] = [];
  readonly outcomes: Outcome[] = [];
  readonly #onEntry: (entry: TimelineEntry) => void;
  readonly #signal: AbortSignal;
  readonly #watching = new AbortController();
  readonly #states = new Map<string, string>();
  readonly #startMs = Math.floor(nowMs());
  #lastAnswer: Answer | null = null;
  #datapath: TunnelSeen["datapath"] = null;

  /**
   * @param signal Ends every wait: its reason is what they reject with.
   * @param onEntry Takes the time line as it comes.
   */
  constructor(
    scenario: Scenario,
    web: WebServer,
    signal: AbortSignal,
    onEntry: (entry: TimelineEntry) => void,
  ) {
    this.#signal = signal;
    this.#onEntry = onEntry;
    this.lab = new Lab(scenario, web);
  }

  /** Milliseconds since this began. */
  elapsedMs(): number {
    return nowMs() - this.#startMs;
  }

  /** Notes what the demo does. */
  act(text: string): void {
    this.#note(nowMs(), null, "action", null, text);
  }

  /** Builds the lab and starts everything but the client. */
  start(): void {
    const { lab } = this;
    lab.build();
    for (const node of lab.scenario.nodes) lab.startWeb(node);
    for (const node of lab.scenario.nodes) {
      lab.startDaemon(node);
      void watchEvents(
        lab.socket(node.name),
        this.#watching.signal,
        (event) => this.#onEvent(node.name, event),
      );
    }
  }

  startClient(): void {
    this.lab.startClient((outcome) => this.#onOutcome(outcome));
  }

  /** Who moves the packets of the tunnel between the nodes; null when there is none, or it is not yet known. */
  get datapath(): TunnelSeen["datapath"] {
    return this.#datapath;
  }

  /** Waits until a tunnel is up on all nodes. Rejects with {@link Unmet} after `timeoutMs`. */
  async tunnelIsUp(name: string, timeoutMs: number): Promise<void> {
    const deadline = nowMs() + timeoutMs;
    for (const node of this.lab.scenario.nodes) {
      for (;;) {
        const seen = await seeTunnel(this.lab.socket(node.name), name, this.#signal);
        if (seen?.state === "up") {
          this.#datapath = seen.datapath;
          break;
        }
        if (nowMs() > deadline) {
          const state = `it is ${seen?.state ?? "unknown"}${seen?.error ? ` (${seen.error})` : ""}`;
          throw new Unmet(`${name} on ${node.name} is up: not within ${timeoutMs / 1000} s, ${state}`);
        }
        await this.pause(STATUS_POLL_MS);
      }
    }
  }

  /** State of the instance on a node, as its events tell; null = nothing was told yet. */
  stateOf(node: string): string | null {
    return this.#states.get(node) ?? null;
  }

  /** Whether the client's last answer came from a node, and after a moment (milliseconds since 1970). */
  answeredBy(node: string, sinceMs: number): boolean {
    return this.lastServer(sinceMs) === node;
  }

  /** Who gave the client its last answer, if that came after a moment (milliseconds since 1970). */
  lastServer(sinceMs: number = 0): string | null {
    const last = this.#lastAnswer;
    return last !== null && last.atMs > sinceMs ? last.who : null;
  }

  /** What the client saw since a moment. */
  span(fromMs: number): Span {
    return summarize(this.outcomes, fromMs, nowMs());
  }

  /**
   * Waits until `condition` holds. Rejects with {@link Unmet} after `timeoutMs`: "edge-a is master: not within 4 s, it
   * is backup"; and as soon as a process of the lab has ended by itself.
   */
  async until(
    what: string,
    timeoutMs: number,
    condition: () => boolean,
    instead: () => string,
  ): Promise<void> {
    const deadline = nowMs() + timeoutMs;
    while (!condition()) {
      const broken = this.lab.broken();
      if (broken !== null) throw new Unmet(broken);
      if (nowMs() > deadline) {
        const late = timeoutMs === 0 ? "no longer" : `not within ${timeoutMs / 1000} s`;
        throw new Unmet(`${what}: ${late}, ${instead()}`);
      }
      await this.pause(POLL_MS);
    }
  }

  /** Lets time pass. */
  async pause(ms: number): Promise<void> {
    this.#signal.throwIfAborted();
    let stop = () => {};
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      stop = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#signal.addEventListener("abort", stop);
    });
    this.#signal.removeEventListener("abort", stop);
    this.#signal.throwIfAborted();
  }

  /** Stops watching and lets the lab stand. */
  leave(): void {
    this.#watching.abort();
    this.lab.leave();
  }

  /** Stops watching and removes the lab. */
  async close(): Promise<void> {
    this.#watching.abort();
    await this.lab.close();
  }

  #note(atMs: number, who: string | null, kind: string, subject: string | null, text: string): void {
    // The nodes tell whole milliseconds; with fractions a cause of our own would come after its effect.
    const entry = { atMs: Math.max(0, Math.floor(atMs) - this.#startMs), who, kind, subject, text };
    this.timeline.push(entry);
    this.#onEntry(entry);
  }

  #onEvent(node: string, { at, kind, subject, text, detail }: EventDocument): void {
    if (kind === "transition" && subject === this.lab.scenario.instance) {
      this.#states.set(node, String(detail["to"]));
    }
    if (HIDDEN_EVENTS.has(kind)) return;
    // Nobody wants to read where the lab's files are.
    this.#note(Date.parse(at), node, kind, subject, text.replaceAll(`${this.lab.directory}/`, ""));
  }

  #onOutcome(outcome: Outcome): void {
    this.outcomes.push(outcome);
    if (!outcome.ok) return;
    const before = this.#lastAnswer;
    this.#lastAnswer = outcome;
    if (before?.who === outcome.who) return;
    const gap = before === null
      ? ""
      : `, ${Math.round(outcome.atMs - before.atMs)} ms after ${before.who}'s last answer`;
    this.#note(outcome.atMs, this.lab.scenario.client, "client", null, `served by ${outcome.who}${gap}`);
  }
}
