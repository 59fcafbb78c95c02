/**
 * Everything that the two processes say to each other: one JSON object on one line. `Command` goes from control to the
 * engine, `Report` from the engine to control. Nothing else crosses, so either side can be recorded and replayed.
 *
 * @module
 */
import type { StaticConfig } from "../route/config.ts";
import type { Loaded } from "../config/model.ts";
import type { LogLevel } from "./log_level.ts";
import type { Family, VrrpConfig } from "../vrrp/config.ts";

/** The wanted state of the engine. It replaces the one before; what is equal in both is not touched. */
export interface EngineWanted {
  readonly node: string;
  /** Where the engine leaves its signs of life. */
  readonly runtimeDir: string;
  readonly instances: readonly VrrpConfig[];
  /** Addresses, routes and rules that are there whoever is master. */
  readonly static: StaticConfig;
  /** What stands back from the start, for an engine that has no config yet; null = nothing, or it knows by itself. */
  readonly held: Held | null;
  /** Real-time scheduling of the engine: SCHED_FIFO priority, or null for ordinary scheduling. */
  readonly realtime: number | null;
  /** Whether the engine's pages are to stay in memory once they were touched. */
  readonly lockMemory: boolean;
  /** The loaded config that this came from, as JSON: given back to a control process that is started anew. */
  readonly source: string;
}

/** What an operator wants to stay as it is until he says otherwise: over a restart of the daemon, too. */
export interface Held {
  /** The whole node stands back, whatever instances it has. */
  readonly maintenance: boolean;
  /** Names (units) of the instances that stand back one by one; empty in maintenance. */
  readonly released: readonly string[];
}

/** What is known of a tracked object. A number is a `file` probe's integer, multiplied by the weight. */
export type TrackedValue = "unknown" | "up" | "down" | number;

export type Command =
  | {
    readonly type: "configure";
    readonly id: number;
    readonly wanted: EngineWanted;
    /** Process id of the engine whose place this one takes: it has to end first. */
    readonly predecessor?: number;
  }
  /** The state of something that control watches; `source` as in `TrackConfig`: `probe:nginx`, `tunnel:gretap1`. */
  | {
    readonly type: "tracked";
    readonly source: string;
    readonly value: TrackedValue;
    readonly error: string | null;
  }
  /** Said now and then: a control process that is silent for long hangs. */
  | { readonly type: "alive" }
  /** Has begun to read the file again, as asked: whoever comes after it need not. */
  | { readonly type: "reloading" }
  /** So many more events were taken in: a control process that comes later is told so. */
  | { readonly type: "heard"; readonly events: number }
  | { readonly type: "release"; readonly id: number; readonly instance: string }
  | { readonly type: "resume"; readonly id: number; readonly instance: string }
  | { readonly type: "maintenance"; readonly id: number; readonly on: boolean };

export type InstanceState = "init" | "backup" | "master" | "fault";

/** Why a packet was ignored; the names of the counters in the status document. */
export const DROP_REASONS = [
  "truncated",
  "length",
  "version",
  "type",
  "checksum",
  "ttl",
  "vrid",
  "auth",
  "interval",
  "count",
  "mode",
  "peer",
  "own",
  "owner",
] as const;
export type DropReason = typeof DROP_REASONS[number];
export type DropCounters = Readonly<Record<DropReason, number>>;

/** Counts by drop reason, all zero. */
export function noDrops(): Record<DropReason, number> {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
}

/** A virtual router as others may see it. */
export interface InstanceReport {
  readonly name: string;
  /** What the operator called it: another router has the same one where there are addresses of both families. */
  readonly unit: string;
  readonly state: InstanceState;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly reason: string;
  readonly vrid: number;
  readonly version: 2 | 3;
  readonly family: Family;
  readonly interface: string;
  readonly priority: {
    readonly base: number;
    readonly effective: number;
    readonly adjustments: readonly { readonly source: string; readonly weight: number }[];
  };
  /** The master as this router knows it, itself included. */
  readonly master: { readonly address: string; readonly priority: number } | null;
  /** `10.9.0.100/24` */
  readonly addresses: readonly string[];
  /** What comes and goes with the addresses, as iproute2 would say it. */
  readonly carried: Carried;
  readonly transitions: number;
  /** Each thing that holds the instance in FAULT, in words. */
  readonly faults: readonly string[];
  /** Each thing it waits for before it may leave INIT, in words. */
  readonly waiting: readonly string[];
  /** The interval in force: the master's where it was learnt. Milliseconds. */
  readonly advertIntervalMs: number;
  readonly masterDownIntervalMs: number;
  readonly preempt: boolean;
  /** When a lower master that is heard will be preempted, in milliseconds since 1970; null = there is no such wait. */
  readonly preemptAtMs: number | null;
  /** It hears no master and would be one, but for the other members of its group. */
  readonly ready: boolean;
  readonly released: boolean;
  /** Why its last advertisement could not be sent, in words; null = it was, or there was none. */
  readonly sendError: string | null;
  /** Sender of a conflicting advertisement while this router is master too. */
  readonly splitBrainWith: string | null;
}

/** Addresses that are not advertised, routes and rules; of an instance, or those that are always there. */
export interface Carried {
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  readonly rules: readonly string[];
  /** What of it should be in the kernel now and is not, and why, in words. */
  readonly problems: readonly string[];
}

/** Counters of one instance; they only grow while the instance lives. */
export interface InstanceCounters {
  readonly sent: number;
  readonly received: number;
  readonly priorityZeroSent: number;
  readonly priorityZeroReceived: number;
  readonly sendErrors: number;
  readonly announced: number;
  /** Addresses, routes and rules put back after someone else deleted them. */
  readonly repaired: number;
  /** Advertisements whose address list differs from ours. */
  readonly addressMismatch: number;
  /** Advertisements (v3) whose interval differs from ours. */
  readonly intervalMismatch: number;
  readonly dropped: DropCounters;
}

export type EventKind =
  | "started"
  | "stopping"
  | "transition"
  | "priority"
  | "split-brain"
  | "split-brain-end"
  | "mismatch"
  | "repair"
  | "error"
  | "probe"
  | "reload"
  | "control"
  | "tunnel"
  | "service";

/** One line of the history. */
export interface HistoryEvent {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly kind: EventKind;
  /** Name of the instance, probe or tunnel concerned. */
  readonly subject: string | null;
  readonly text: string;
  /** For transitions: from and to; for split-brain: the two addresses; and so on. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** What answers a command. */
export type Answered =
  | {
    readonly type: "configured";
    readonly id: number;
    readonly ok: boolean;
    readonly problems: readonly string[];
  }
  | { readonly type: "done"; readonly id: number; readonly ok: boolean; readonly text: string };

/** What is told unasked. */
export type Told =
  /** Before all else, from the process that starts both: the config that the file has. */
  | { readonly type: "config"; readonly loaded: Extract<Loaded, { ok: true }> }
  /** The first words. `source` = the loaded config that the engine runs already, as JSON; null = it has none yet. */
  | {
    readonly type: "hello";
    readonly pid: number;
    readonly startedMs: number;
    readonly source: string | null;
  }
  | { readonly type: "instance"; readonly instance: InstanceReport }
  | { readonly type: "instance-gone"; readonly name: string }
  /** What an operator holds back, once there is a config and whenever it changed. */
  | { readonly type: "held"; readonly held: Held }
  /** What is always there, when any of it changed. */
  | { readonly type: "static"; readonly carried: Carried }
  /** Of each instance the counters that changed since they were last told (all of them at first). */
  | { readonly type: "counters"; readonly counters: Readonly<Record<string, Partial<InstanceCounters>>> }
  /** Packets that belong to no instance, by reason, and the loop's own figures. */
  | { readonly type: "engine"; readonly engine: EngineFigures }
  /** `again` = a control process before this one took it in. */
  | { readonly type: "event"; readonly event: HistoryEvent; readonly again?: true }
  | {
    readonly type: "log";
    readonly atMs: number;
    readonly level: LogLevel;
    readonly category: readonly string[];
    readonly text: string;
  }
  /** SIGHUP arrived: read the file again, and say `reloading`. */
  | { readonly type: "reload" }
  /** The engine ends; control is to end too. `handedOn` = another engine goes on with all that is ours. */
  | { readonly type: "stopping"; readonly handedOn: boolean };

export type Report = Told | Answered;

/** What the engine tells of itself. */
export interface EngineFigures {
  readonly controlRestarts: number;
  readonly realtime: boolean;
  readonly dropped: DropCounters;
  /** Upper bounds in milliseconds → deadlines served at most that late, cumulative as in Prometheus. */
  readonly lateness: {
    readonly boundsMs: readonly number[];
    readonly counts: readonly number[];
    readonly sumMs: number;
  };
}
