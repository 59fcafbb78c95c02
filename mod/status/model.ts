/**
 * What the status API is made of: where its figures come from, what it may ask for, and who may ask.
 *
 * @module
 */
import type {
  Carried,
  EngineFigures,
  HistoryEvent,
  InstanceCounters,
  InstanceReport,
} from "../bus/messages.ts";
import type { BalanceEntry, ProbeEntry, ServiceEntry, TrackEntry, TunnelEntry } from "./schema.ts";

/** A line of the history with its number. Numbers grow, also from one run of the daemon to the next. */
export interface HistoryEntry extends HistoryEvent {
  readonly id: number;
}

/** What is known of the config that runs. */
export interface ConfigOutcome {
  readonly file: string | null;
  /** When it was last applied or refused, in milliseconds since 1970. */
  readonly atMs: number;
  /** False = the last attempt was refused and the config before goes on. */
  readonly ok: boolean;
  readonly problems: readonly string[];
}

/** Instances that share one state, by the names that the operator gave them. */
export interface SyncGroup {
  readonly name: string;
  readonly members: readonly string[];
}

/** Entries that other features show; each is asked for when a document is made. */
export interface StatusSources {
  readonly probes?: () => readonly ProbeEntry[];
  readonly tunnels?: () => readonly TunnelEntry[];
  readonly services?: () => readonly ServiceEntry[];
  readonly balance?: () => readonly BalanceEntry[];
  /** What else is not well, in words. */
  readonly problems?: () => readonly string[];
}

/** Everything known at one moment; what a status document is made from. */
export interface StatusSnapshot {
  readonly node: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Start of the engine, in milliseconds since 1970. */
  readonly startedMs: number;
  readonly enginePid: number | null;
  readonly figures: EngineFigures | null;
  /** Whether an operator made the whole node stand back. */
  readonly maintenance: boolean;
  /** What is there whoever is master; null = not told yet. */
  readonly static: Carried | null;
  /** The engine's routers, of which two may be one instance. */
  readonly instances: readonly InstanceReport[];
  /** By router. */
  readonly counters: ReadonlyMap<string, InstanceCounters>;
  /** By instance what it tracks; null = not known, then every probe counts as tracked. */
  readonly tracks: Readonly<Record<string, readonly TrackEntry[]>> | null;
  readonly groups: readonly SyncGroup[];
  readonly config: ConfigOutcome | null;
  readonly probes: readonly ProbeEntry[];
  readonly tunnels: readonly TunnelEntry[];
  readonly services: readonly ServiceEntry[];
  readonly balance: readonly BalanceEntry[];
  /** What else is not well, in words. */
  readonly problems: readonly string[];
}

/** What became of a request to act. */
export interface ActionResult {
  readonly ok: boolean;
  /** One sentence, without a final period. */
  readonly text: string;
  /** Each thing that is wrong, for a config that was refused: `FILE:LINE:COL: …`. */
  readonly problems?: readonly string[];
}

/** What the API can ask of the daemon. A method that is absent is answered with 501. */
export interface Actions {
  reload?(): Promise<ActionResult>;
  release?(instance: string): Promise<ActionResult>;
  resume?(instance: string): Promise<ActionResult>;
  maintenance?(on: boolean): Promise<ActionResult>;
}

/** Who may act: whoever reaches the listener, or whoever knows the token. Everybody may read. */
export type Access =
  | { readonly type: "full" }
  /** A function, so that a reload can change it; null = nobody may act. */
  | { readonly type: "token"; readonly token: () => string | null };
