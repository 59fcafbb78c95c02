/**
 * The last that is known of everything, and the history. Reports are put in, snapshots and events are taken out; an
 * HTTP request never asks the engine.
 *
 * @module
 */
import { noDrops } from "../bus/messages.ts";
import type {
  Carried,
  EngineFigures,
  HistoryEvent,
  InstanceCounters,
  InstanceReport,
  Told,
} from "../bus/messages.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { ConfigOutcome, HistoryEntry, StatusSnapshot, StatusSources, SyncGroup } from "./model.ts";
import type { TrackEntry } from "./schema.ts";
import { inUnits } from "./unit.ts";
import { UnitEvents } from "./unit_events.ts";

/** What a store is made with. */
export interface StoreOptions {
  readonly node: string;
  /** Version of the product. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How many events are remembered; default 1,000. */
  readonly historySize?: number;
  /**
   * Number of the first event. By default the time of the store's making in milliseconds, so that numbers grow over
   * restarts too and a reader that comes back misses nothing.
   */
  readonly firstEventId?: number;
}

/** What is wanted, as far as the status document shows it. */
export interface WantedStatus {
  readonly node: string;
  readonly vrrp: readonly Pick<VrrpConfig, "name" | "unit" | "family" | "track">[];
  readonly groups: readonly SyncGroup[];
}

const NO_COUNTERS: InstanceCounters = Object.freeze({
  sent: 0,
  received: 0,
  priorityZeroSent: 0,
  priorityZeroReceived: 0,
  sendErrors: 0,
  announced: 0,
  repaired: 0,
  addressMismatch: 0,
  intervalMismatch: 0,
  dropped: Object.freeze(noDrops()),
});

/** Keeps the last snapshot, the history, and whoever listens to it. No I/O, no clock of its own. */
export class StatusStore {
  readonly #options: StoreOptions;
  readonly #historySize: number;
  #node: string;
  #startedMs: number;
  #enginePid: number | null = null;
  #figures: EngineFigures | null = null;
  #maintenance = false;
  #static: Carried | null = null;
  #tracks: Readonly<Record<string, readonly TrackEntry[]>> | null = null;
  #order: ReadonlyMap<string, number> = new Map();
  #config: ConfigOutcome | null = null;
  #groups: readonly SyncGroup[] = [];
  #sources: StatusSources = {};
  readonly #events = new UnitEvents();
  readonly #instances = new Map<string, InstanceReport>();
  readonly #counters = new Map<string, InstanceCounters>();
  #history: HistoryEntry[] = [];
  #nextId: number;
  readonly #listeners = new Set<(entry: HistoryEntry) => void>();

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#historySize = options.historySize ?? 1000;
    this.#node = options.node;
    this.#startedMs = options.now();
    this.#nextId = options.firstEventId ?? Math.floor(this.#startedMs);
  }

  /**
   * Takes in what the engine says. Reports that tell nothing lasting (`log`, `reload`) are ignored. Returns what
   * is told of an event; null when there is nothing to tell.
   */
  apply(report: Told): HistoryEntry | null {
    if (report.type === "event") {
      const told = this.#events.take(report.event);
      return told === null ? null : this.add(told);
    }
    this.#keep(report);
    return null;
  }

  #keep(report: Exclude<Told, { readonly type: "event" }>): void {
    switch (report.type) {
      case "hello":
        this.#enginePid = report.pid;
        this.#startedMs = report.startedMs;
        return;
      case "instance":
        this.#instances.set(report.instance.name, report.instance);
        return;
      case "instance-gone":
        this.#instances.delete(report.name);
        this.#counters.delete(report.name);
        return;
      case "held":
        this.#maintenance = report.held.maintenance;
        return;
      case "static":
        this.#static = report.carried;
        return;
      case "counters":
        for (const [name, changed] of Object.entries(report.counters)) {
          this.#counters.set(name, { ...NO_COUNTERS, ...this.#counters.get(name), ...changed });
        }
        return;
      case "engine":
        this.#figures = report.engine;
        return;
      case "config":
      case "log":
      case "reload":
      case "stopping":
        return;
      default:
        return report satisfies never;
    }
  }

  /** Adds a line to the history and tells the listeners. */
  add(event: HistoryEvent): HistoryEntry {
    const entry: HistoryEntry = { ...event, id: this.#nextId++ };
    this.#history.push(entry);
    // Cut in big steps: shifting a full array at each event would move a thousand elements.
    if (this.#history.length >= 2 * this.#historySize) {
      this.#history = this.#history.slice(-this.#historySize);
    }
    for (const listener of [...this.#listeners]) listener(entry);
    return entry;
  }

  /** Where the entries of probes, tunnels, services and virtual servers come from. */
  setSources(sources: StatusSources): void {
    this.#sources = { ...this.#sources, ...sources };
  }

  /**
   * What is wanted: the node's name, the order of instances, what they track and which of them move together. Nothing
   * else of it is kept. To be told before the engine is, so that whatever it says can be understood.
   */
  setWanted({ node, vrrp, groups }: WantedStatus): void {
    this.#node = node;
    this.#order = new Map(vrrp.map(({ name }, index) => [name, index]));
    this.#groups = groups.map(({ name, members }) => ({ name, members }));
    this.#tracks = Object.fromEntries(vrrp.map(({ unit, track }) => [
      unit,
      track.map(({ kind, name, weight, reverse }) => ({ source: `${kind}:${name}`, weight, reverse })),
    ]));
    this.#events.setRouters(vrrp);
  }

  /** What became of the last attempt to configure. The file of the attempt before is kept unless another is named. */
  setConfig(
    outcome: { readonly ok: boolean; readonly problems: readonly string[]; readonly file?: string },
  ): void {
    const { ok, problems, file = this.#config?.file ?? null } = outcome;
    this.#config = { ok, problems, file, atMs: this.#options.now() };
  }

  /** Names of the instances, in the order of the config. */
  instanceNames(): string[] {
    return [...new Set(this.#inOrder().map(({ unit }) => unit))];
  }

  /** What the engine answers about routers (`web is fault, web:ipv6 is fault`), in the operator's names. */
  inUnits(text: string): string {
    return [...new Set(text.split(", ").map((part) => inUnits(part, this.#events.names)))].join(", ");
  }

  /** Everything known now. */
  snapshot(): StatusSnapshot {
    const { probes, tunnels, services, balance, problems } = this.#sources;
    return {
      node: this.#node,
      version: this.#options.version,
      nowMs: this.#options.now(),
      startedMs: this.#startedMs,
      enginePid: this.#enginePid,
      figures: this.#figures,
      maintenance: this.#maintenance,
      static: this.#static,
      instances: this.#inOrder(),
      counters: this.#counters,
      tracks: this.#tracks,
      groups: this.#groups,
      config: this.#config,
      probes: probes?.() ?? [],
      tunnels: tunnels?.() ?? [],
      services: services?.() ?? [],
      balance: balance?.() ?? [],
      problems: problems?.() ?? [],
    };
  }

  /** Number of the newest event; one less than the first number while there is none. */
  get lastEventId(): number {
    return this.#nextId - 1;
  }

  /** The remembered history, oldest first. */
  history(): readonly HistoryEntry[] {
    return this.#history.slice(-this.#historySize);
  }

  /** The remembered events after a number, oldest first; none after one that was not given out yet. */
  after(id: number): readonly HistoryEntry[] {
    const missing = this.lastEventId - id;
    return missing <= 0 ? [] : this.#history.slice(-Math.min(missing, this.#historySize));
  }

  /** Calls `listener` at each new event until the function returned is called. */
  subscribe(listener: (entry: HistoryEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #inOrder(): InstanceReport[] {
    const rank = ({ name }: InstanceReport) => this.#order.get(name) ?? this.#order.size;
    return [...this.#instances.values()].sort((a, b) => rank(a) - rank(b));
  }
}

/** The counters of an instance, zero where nothing was told yet. */
export function countersOf(snapshot: StatusSnapshot, name: string): InstanceCounters {
  return snapshot.counters.get(name) ?? NO_COUNTERS;
}
