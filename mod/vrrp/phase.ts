/**
 * The phases of a virtual router: how each is entered and left (RFC 3768 §6.4, RFC 5798 §6.4).
 *
 * @module
 */
import { formatAddress } from "../../lib/packet/mod.ts";
import type { VrrpConfig } from "./config.ts";
import { endConflict } from "./conflict.ts";
import type { Conditions, KnownMaster, MonotonicNs, VrrpEffect, VrrpState } from "./model.ts";
import { intervalNs, masterDownInterval, type Ns, NS_PER_MS, skewTime } from "./timers.ts";

/** A master that resumes waits at most so long for its priority to be known, and speaks so long before a peer may take over. */
const RESUME_PATIENCE: Ns = 1000 * NS_PER_MS;
const RESUME_MARGIN: Ns = 20 * NS_PER_MS;

/** Conditions before anything is known. */
const UNKNOWN: Conditions = Object.freeze({
  source: null,
  faults: [],
  waiting: ["the first look at its interface"],
  adjustments: [],
  settled: false,
  deaf: false,
});

/** Where the authentication header's numbers of a process begin: two for each second since then. */
const NUMBERS_EPOCH_MS = Date.UTC(2024, 0, 1);
const MS_PER_NUMBER = 500;
const MOST_NUMBERS = 0xf000_0000;

/**
 * What the numbers of authentication headers are to be above when a process starts at this time, in milliseconds since
 * 1970: a router that is started anew would else be refused by all who heard it before. Version 2 advertises once a
 * second at most, so time is always ahead. 0 where the clock tells nothing.
 */
export function sequenceFloor(nowMs: number): number {
  const floor = Math.floor((nowMs - NUMBERS_EPOCH_MS) / MS_PER_NUMBER);
  return floor > 0 && floor < MOST_NUMBERS ? floor : 0;
}

/** A virtual router that has not taken part yet. `ahFloor` as by {@link sequenceFloor}. */
export function initialState(config: VrrpConfig, now: MonotonicNs, ahFloor: number = 0): VrrpState {
  return {
    config,
    phase: "init",
    reason: "starting",
    conditions: UNKNOWN,
    resumeUntil: null,
    resumeBy: -Infinity,
    released: null,
    blocked: null,
    ownFailures: 0,
    priority: config.priority,
    interval: intervalNs(config.intervalCs),
    due: Infinity,
    delaying: false,
    ready: false,
    preemptAt: null,
    takeoverReason: null,
    master: null,
    heardAt: now,
    lingerUntil: null,
    masterSince: now,
    gaveUpAt: -Infinity,
    conflict: null,
    transitions: 0,
    ahSequence: 0,
    ahFloor,
    checksum: config.checksum === "auto" ? "pseudo" : config.checksum,
    spokeAt: -Infinity,
  };
}

/** A master's last signs of life, from an engine that is gone. */
export interface LastSigns {
  readonly spokeAt: MonotonicNs;
  readonly ahSequence: number;
  /** How long it could be silent, by what it advertised then; without it, the present config tells. */
  readonly silenceNs?: Ns;
  /** Within which bounds it may go on, where that is not for it alone to say. */
  readonly bounds?: ResumeBounds;
}

/** What a master that resumes has to keep to. */
export interface ResumeBounds {
  /** The least time after which a peer may have taken over. */
  readonly until: MonotonicNs;
  /** How long it may say nothing, so that its priority is known first: its addresses must live on. */
  readonly patience: Ns;
}

/**
 * A virtual router whose engine was master and is gone. Until the least time after which a peer may have taken over
 * it may go on where that one stopped; afterwards it begins like any other.
 */
export function resumedState(
  config: VrrpConfig,
  now: MonotonicNs,
  last: LastSigns,
  ahFloor: number = 0,
): VrrpState {
  const { until, patience } = last.bounds ?? resumeBounds(config, last.spokeAt, last.silenceNs);
  return {
    ...initialState(config, now, ahFloor),
    resumeUntil: until,
    resumeBy: Math.min(now + patience, until - RESUME_MARGIN),
    heardAt: last.spokeAt,
    ahSequence: last.ahSequence,
  };
}

/** The least time for which the master of this config can be silent without being replaced. */
export function sufferedSilence({ downAdverts, intervalCs }: VrrpConfig): Ns {
  return downAdverts * intervalNs(intervalCs);
}

/** The bounds for a master that spoke last at `spokeAt` and is in no group. */
export function resumeBounds(
  config: VrrpConfig,
  spokeAt: MonotonicNs,
  silenceNs: Ns = sufferedSilence(config),
): ResumeBounds {
  const { leaseMs } = config;
  return {
    until: spokeAt + silenceNs,
    patience: Math.min(RESUME_PATIENCE, leaseMs === null ? Infinity : (leaseMs * NS_PER_MS) / 3),
  };
}

/** Begins like any other: by numbers of its own it would refuse those of the master that has come meanwhile. */
export function forgoResume(state: VrrpState, effects: VrrpEffect[]): VrrpState {
  if (state.resumeUntil === null) return state;
  effects.push({ type: "remove-leftovers" });
  return { ...state, resumeUntil: null, ahSequence: 0 };
}

/** Does not resume, as another master has come: whether to begin otherwise is thought over at once. */
export function yieldResume(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  return state.resumeUntil === null ? state : { ...forgoResume(state, effects), due: now };
}

/** A few numbers may have been used after the last that was noted. */
const UNNOTED_NUMBERS = 16;

/** Where the numbers of a master that resumes begin. */
export function resumedSequence({ ahSequence }: VrrpState): number {
  return ahSequence + UNNOTED_NUMBERS;
}

/** `3.61 s`, `410 ms`. */
export function duration(ns: Ns): string {
  return ns >= 1e9 ? `${(ns / 1e9).toFixed(2)} s` : `${(ns / 1e6).toFixed(ns < 1e8 ? 1 : 0)} ms`;
}

/** What forbids to take part now, in words. */
export function faultsOf(state: VrrpState): readonly string[] {
  const faults = [...state.conditions.faults];
  if (state.released !== null) faults.push(state.released);
  if (state.blocked !== null) faults.push(state.blocked.error);
  return faults;
}

/** Base priority and weights within 1..254; an owner's 255 never moves. */
export function effectivePriority(config: VrrpConfig, conditions: Conditions): number {
  if (config.priority === 255) return 255;
  let total = config.priority;
  for (const { weight } of conditions.adjustments) total += weight;
  return Math.max(1, Math.min(254, total));
}

/** Master_Down_Interval with the interval in force. */
export function downTime(state: VrrpState): Ns {
  return masterDownInterval(state.config, state.priority, state.interval);
}

/** The owner of the addresses preempts whatever is configured (RFC 3768 §6.1, RFC 5798 §6.1). */
export function mayPreempt(state: VrrpState, masterPriority: number): boolean {
  return masterPriority < state.priority && (state.config.preempt || state.config.priority === 255);
}

/** This router as the master that it is. */
export function selfAsMaster(state: VrrpState): KnownMaster | null {
  const { source } = state.conditions;
  return source && { address: source, text: formatAddress(source), priority: state.priority };
}

export function transition(
  state: VrrpState,
  to: VrrpState["phase"],
  reason: string,
  effects: VrrpEffect[],
): VrrpState {
  effects.push({ type: "transition", from: state.phase, to, reason });
  return { ...state, phase: to, reason, transitions: state.transitions + 1 };
}

/** Leaves mastership: the addresses go at once, or stay for a while when `lingerNs` says so. */
export function abandon(
  state: VrrpState,
  goodbye: boolean,
  lingerNs: Ns,
  now: MonotonicNs,
  effects: VrrpEffect[],
): VrrpState {
  if (goodbye) effects.push({ type: "advertise", priority: 0 });
  if (lingerNs === 0) effects.push({ type: "drop-addresses" });
  const alone = endConflict(state, now, effects);
  return { ...alone, lingerUntil: lingerNs === 0 ? null : now + lingerNs };
}

/** Until a successor that has spoken has its addresses, too, and has announced them: more of them take longer. */
const LET_GO_TIME: Ns = 25 * NS_PER_MS;
const LET_GO_TIME_EACH: Ns = 0.5 * NS_PER_MS;

/** The successor is heard: the addresses that were kept for the hand-over go as soon as it answers for them. */
export function letGo(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  const { config, lingerUntil } = state;
  if (lingerUntil === null) return state;
  // Whatever is answered from a virtual MAC address leads switches back here.
  if (config.vmac !== null) return endLinger(state, effects);
  const until = now + LET_GO_TIME + config.addresses.length * LET_GO_TIME_EACH;
  return { ...state, lingerUntil: Math.min(lingerUntil, until) };
}

export function endLinger(state: VrrpState, effects: VrrpEffect[]): VrrpState {
  if (state.lingerUntil === null) return state;
  effects.push({ type: "drop-addresses" });
  return { ...state, lingerUntil: null };
}

export function toMaster(
  state: VrrpState,
  reason: string,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  const interval = intervalNs(state.config.intervalCs);
  effects.push({ type: "advertise", priority: state.priority }, { type: "own-addresses" }, {
    type: "announce",
  });
  return transition(
    {
      ...state,
      interval,
      due: now + interval,
      delaying: false,
      ready: false,
      preemptAt: null,
      takeoverReason: null,
      resumeUntil: null,
      lingerUntil: null,
      masterSince: now,
      conflict: null,
      spokeAt: now,
      // One number is left out, for an advertisement of the master before that may be on the way.
      ahSequence: state.ahSequence + (state.config.auth.type === "ah" ? 1 : 0),
      master: selfAsMaster(state),
    },
    "master",
    reason,
    effects,
  );
}

export function toBackup(
  state: VrrpState,
  reason: string,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  const listening = {
    ...state,
    delaying: false,
    ready: false,
    preemptAt: null,
    takeoverReason: null,
    heardAt: now,
    gaveUpAt: state.phase === "master" ? now : state.gaveUpAt,
  };
  return transition({ ...listening, due: now + downTime(listening) }, "backup", reason, effects);
}

/**
 * A master that was held up for so long that another may have taken over goes backup before it speaks. One interval
 * and the skew are enough to hear a successor, who is speaking already.
 */
export function listenFirst(state: VrrpState, now: MonotonicNs, effects: VrrpEffect[]): VrrpState {
  const left = abandon(state, false, 0, now, effects);
  const reason = `was held up for ${duration(now - state.due)}: listening before speaking`;
  const backup = toBackup({ ...left, master: null }, reason, effects, now);
  return {
    ...backup,
    due: now + state.interval + skewTime(state.config.version, state.priority, state.interval),
  };
}
