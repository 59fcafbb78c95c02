/**
 * The state machine of a virtual router (RFC 3768 §6.4, RFC 5798 §6.4, RFC 9568 §6.4) with keepalived's additions:
 * preemption delay, weights, FAULT. Pure and total: every event is answered in every phase, and nothing throws.
 *
 * @module
 */
import type { VrrpConfig } from "./config.ts";
import { conflictDue, conflictTimer } from "./conflict.ts";
import { onPacket } from "./hear.ts";
import type { Conditions, MonotonicNs, VrrpEffect, VrrpEvent, VrrpState, VrrpStep } from "./model.ts";
import {
  abandon,
  downTime,
  duration,
  effectivePriority,
  endLinger,
  faultsOf,
  forgoResume,
  listenFirst,
  mayPreempt,
  resumedSequence,
  selfAsMaster,
  toBackup,
  toMaster,
  transition,
  yieldResume,
} from "./phase.ts";
import { intervalNs, type Ns, NS_PER_MS } from "./timers.ts";

export { faultsOf, initialState, resumedState } from "./phase.ts";

/** Until addresses that could not be put in place are tried again: doubled with each failure in a row. */
const FIRST_RETRY: Ns = 5000 * NS_PER_MS;
const LAST_RETRY: Ns = 300_000 * NS_PER_MS;

const LAST_SEQUENCE = 0xffffffff;

const NOTHING: readonly VrrpEffect[] = Object.freeze([]);

/** When the next `timer` event is wanted; Infinity = never. */
export function nextDue(state: VrrpState): MonotonicNs {
  let due = state.due;
  if (state.lingerUntil !== null && state.lingerUntil < due) due = state.lingerUntil;
  if (state.blocked !== null && state.blocked.until < due) due = state.blocked.until;
  if (state.conflict !== null) due = Math.min(due, conflictDue(state.conflict));
  return due;
}

/** Decides what an event means. A master that was held up first goes backup, whatever it is that woke it. */
export function step(state: VrrpState, event: VrrpEvent, now: MonotonicNs): VrrpStep {
  if (!isHeldUp(state, now)) return numbered(decide(state, event, now));
  const effects: VrrpEffect[] = [];
  const rest = decide(listenFirst(state, now, effects), event, now);
  return numbered({ state: rest.state, effects: [...effects, ...rest.effects] });
}

/** Where advertisements go out in an authentication header, each gets the next sequence number. */
function numbered({ state, effects }: VrrpStep): VrrpStep {
  if (state.config.auth.type !== "ah") return { state, effects };
  let { ahSequence } = state;
  const withNumbers = effects.map((effect): VrrpEffect => {
    if (effect.type !== "advertise") return effect;
    // The last number of all is used again: peers refuse it, yet to begin anew takes other keys (RFC 4302 §3.3.2).
    ahSequence = Math.min(Math.max(ahSequence, state.ahFloor) + 1, LAST_SEQUENCE);
    return { ...effect, ahSequence };
  });
  return { state: { ...state, ahSequence }, effects: withNumbers };
}

/**
 * Whether this is a master that has been silent for longer than its peers wait. Those of a lower priority wait longer
 * than it would itself, one of a higher priority would have preempted it.
 */
function isHeldUp(state: VrrpState, now: MonotonicNs): boolean {
  return state.phase === "master" && state.config.priority !== 255 &&
    now - state.due + state.interval > downTime(state);
}

function decide(state: VrrpState, event: VrrpEvent, now: MonotonicNs): VrrpStep {
  switch (event.type) {
    case "packet":
      return onPacket(state, event.packet, now);
    case "timer":
      return onTimer(state, now);
    case "conditions":
      return reprioritized({ ...state, conditions: event.conditions }, state, now);
    case "configure":
      return onConfigure(
        { ...state, conditions: event.conditions ?? state.conditions },
        state,
        event.config,
        now,
      );
    case "release":
      return reconsider({ ...state, released: event.reason }, [], now, event.lingerNs);
    case "resume":
      return state.released === null ? stay(state) : reconsider({ ...state, released: null }, [], now);
    case "promote":
      return onPromote(state, event.reason, now);
    case "demote":
      return onDemote(state, event.reason, now);
    case "own-failed":
      return onOwnFailed(state, event.error, now);
    default:
      return unreachable(event);
  }
}

function unreachable(event: never): never {
  throw new TypeError(`Cannot handle event ${JSON.stringify(event)}`);
}

function stay(state: VrrpState, effects: readonly VrrpEffect[] = NOTHING): VrrpStep {
  return { state, effects };
}

/** Begins to take part, or stops, as conditions say; the one place that enters and leaves INIT and FAULT. */
function reconsider(
  state: VrrpState,
  before: readonly VrrpEffect[],
  now: MonotonicNs,
  lingerNs: Ns = 0,
): VrrpStep {
  const effects = [...before];
  const faults = faultsOf(state);
  if (faults.length > 0) {
    const reason = faults.join("; ");
    if (state.phase === "fault") return stay({ ...state, reason }, effects);
    const wasMaster = state.phase === "master";
    const left = wasMaster ? abandon(state, true, lingerNs, now, effects) : state;
    const master = wasMaster ? null : left.master;
    const quiet = forgoResume({ ...left, due: Infinity, master }, effects);
    return { state: transition(quiet, "fault", reason, effects), effects };
  }
  if (state.phase === "master" || state.phase === "backup") return stay(state, effects);
  const { waiting } = state.conditions;
  if (waiting.length > 0) {
    const reason = `waiting for ${waiting.join(", ")}`;
    if (state.phase === "init") return stay({ ...awaitResume(state, effects, now), reason }, effects);
    return { state: transition({ ...state, due: Infinity }, "init", reason, effects), effects };
  }
  // With a priority that lacks some of its weights it would be preempted.
  if (mayResume(state, now) && !state.conditions.settled && now < state.resumeBy) {
    const reason = "waiting for what it tracks, to resume as master";
    return stay({ ...state, due: state.resumeBy, reason }, effects);
  }
  const fresh = knowsMaster(state, now) ? state : { ...state, interval: intervalNs(state.config.intervalCs) };
  const begun = state.config.priority === 255
    ? toMaster(fresh, "owner of the addresses (priority 255)", effects, now)
    : mayResume(state, now)
    ? resume(fresh, effects, now)
    : toBackup(
      forgoResume(fresh, effects),
      state.phase === "fault" ? "fault cleared" : "started",
      effects,
      now,
    );
  return { state: begun, effects };
}

/** Whether a router that stood by has heard of a master that is still to be reckoned with, at the interval learnt of it. */
function knowsMaster(state: VrrpState, now: MonotonicNs): boolean {
  return state.master !== null && now - state.heardAt < downTime(state);
}

/** Whether it can go on as the master that the engine before was, whom no peer can have replaced yet. */
function mayResume(state: VrrpState, now: MonotonicNs): boolean {
  return state.phase === "init" && state.resumeUntil !== null && now < state.resumeUntil;
}

function resume(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  const reason = `resumed as master after ${duration(now - state.heardAt)}`;
  return toMaster({ ...state, ahSequence: resumedSequence(state) }, reason, effects, now);
}

/** What the engine before left behind stays for as long as it may be resumed, and no longer. */
function awaitResume(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  if (state.resumeUntil === null || mayResume(state, now)) {
    return { ...state, due: state.resumeUntil ?? Infinity };
  }
  return { ...forgoResume(state, effects), due: Infinity };
}

// --- Changes of conditions and configuration ----------------------------------------------------------------------

function onConfigure(state: VrrpState, old: VrrpState, config: VrrpConfig, now: MonotonicNs): VrrpStep {
  const before = old.config;
  const own = intervalNs(config.intervalCs);
  const sameInterval = config.intervalCs === before.intervalCs && config.version === before.version;
  // What a version 3 backup has learnt of its master stays true.
  const learnt = state.phase === "backup" && config.version === 3 && state.master !== null;
  const interval = sameInterval || learnt ? state.interval : own;
  const sameAddresses = JSON.stringify(config.addresses) === JSON.stringify(before.addresses);
  // Other addresses need not fail as the ones before did.
  const blocked = sameAddresses ? state.blocked : null;
  const ownFailures = sameAddresses ? state.ownFailures : 0;
  const checksum = config.checksum === "auto" ? state.checksum : config.checksum;
  const result = reprioritized({ ...state, config, interval, blocked, ownFailures, checksum }, old, now);
  if (state.phase !== "master" || result.state.phase !== "master") return result;
  const due = sameInterval ? result.state.due : Math.min(result.state.due, now + own);
  const effects: VrrpEffect[] = [...result.effects, { type: "own-addresses" }];
  if (announcedBy(config) !== announcedBy(before)) effects.push({ type: "announce" });
  return { state: { ...result.state, due }, effects };
}

/** What a config has announced, and how, as text: where that changes, announcing begins anew. */
function announcedBy({ addresses, extra, announce }: VrrpConfig): string {
  return JSON.stringify([addresses, extra, announce]);
}

/** Applies a change of conditions or config: the effective priority, the running timer, and the phase. */
function reprioritized(next: VrrpState, before: VrrpState, now: MonotonicNs): VrrpStep {
  const priority = effectivePriority(next.config, next.conditions);
  const effects: VrrpEffect[] = [];
  let state: VrrpState = { ...next, priority };
  if (priority !== before.priority) {
    effects.push({
      type: "event",
      kind: "priority",
      text: `priority ${before.priority} → ${priority}${explainAdjustments(next.conditions)}`,
      detail: { from: before.priority, to: priority },
    });
    // Waiting backups learn of it now and not at the next advertisement.
    if (state.phase === "master" && state.config.handover === "fast" && faultsOf(state).length === 0) {
      effects.push({ type: "advertise", priority });
      state = { ...state, spokeAt: now };
    }
  }
  if (state.phase === "backup") state = retimed(state, before, now);
  if (state.phase === "master") state = { ...state, master: selfAsMaster(state) };
  return reconsider(state, effects, now);
}

/** Shifts a backup's running timer by what Master_Down_Interval has changed, and thinks over a preemption. */
function retimed(next: VrrpState, before: VrrpState, now: MonotonicNs): VrrpState {
  const delayed = (next.config.preemptDelayMs - before.config.preemptDelayMs) * NS_PER_MS;
  const state = next.preemptAt === null ? next : { ...next, preemptAt: next.preemptAt + delayed };
  if (before.conditions.deaf !== state.conditions.deaf) return listening(state, now);
  const { master } = state;
  if (state.takeoverReason !== null && master !== null && !mayPreempt(state, master.priority)) {
    const due = Math.max(now, state.heardAt + downTime(state));
    return { ...state, due, takeoverReason: null, preemptAt: null, delaying: false, ready: false };
  }
  const shift = downTime(state) - downTime(before);
  return shift === 0 || state.delaying ? state : { ...state, due: Math.max(now, state.due + shift) };
}

/** Begins anew to wait for the master, whom it may have missed until now. */
function listening(state: VrrpState, now: MonotonicNs): VrrpState {
  const heard = { heardAt: now, takeoverReason: null, preemptAt: null, delaying: false, ready: false };
  return { ...state, ...heard, due: now + downTime(state) };
}

function explainAdjustments(conditions: Conditions): string {
  if (conditions.adjustments.length === 0) return "";
  const parts = conditions.adjustments.map(({ source, weight }) =>
    `${source} ${weight > 0 ? "+" : ""}${weight}`
  );
  return ` (${parts.join(", ")})`;
}

// --- Deadlines ----------------------------------------------------------------------------------------------------

function onTimer(state: VrrpState, now: MonotonicNs): VrrpStep {
  const effects: VrrpEffect[] = [];
  let current = state;
  if (current.lingerUntil !== null && now >= current.lingerUntil) current = endLinger(current, effects);
  if (current.blocked !== null && now >= current.blocked.until) {
    return reconsider({ ...current, blocked: null }, effects, now);
  }
  if (current.conflict !== null) current = conflictTimer(current, current.conflict, now, effects);
  if (now < current.due) return stay(current, effects);
  if (current.phase === "master") return stay(masterTimer(current, effects, now), effects);
  if (current.phase === "backup") return stay(backupTimer(current, effects, now), effects);
  if (current.phase === "init") return reconsider({ ...current, due: Infinity }, effects, now);
  return stay({ ...current, due: Infinity }, effects);
}

/** Due at absolute times, so that the period does not drift. */
function masterTimer(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  effects.push({ type: "advertise", priority: state.priority });
  const next = state.due + state.interval;
  return { ...state, spokeAt: now, ownFailures: 0, due: next > now ? next : now + state.interval };
}

function backupTimer(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  if (state.conditions.deaf) return { ...state, due: now + downTime(state) };
  const wait = state.config.takeoverDelayMs * NS_PER_MS + disputeTime(state);
  if (wait > 0 && !state.delaying) return { ...state, delaying: true, due: now + wait };
  // A member of a group waits for the others, and asks again after as long a silence.
  if (state.config.group !== null) {
    effects.push({ type: "wants-master" });
    // After all that silence the master that it knew is none.
    const master = state.takeoverReason === null ? null : state.master;
    const delaying = state.delaying && state.config.takeoverDelayMs > 0;
    return { ...state, ready: true, delaying, due: now + downTime(state), master };
  }
  return toMaster(state, takeoverReason(state, now), effects, now);
}

/** Groups that have given way to each other try again at moments that differ by so much. */
const DISPUTE_TIME: Ns = 100 * NS_PER_MS;

/**
 * Two groups, each with a member that is better than the other's, give way to each other as soon as both lead, and would
 * do so again and again. So a member that gave mastership up and has then heard no other master waits for a while that
 * each router, each time, finds another.
 */
function disputeTime({ config, gaveUpAt, heardAt, interval, conditions, transitions }: VrrpState): Ns {
  // The last word of a rival comes sooner than the first advertisement of a master that stays.
  if (config.group === null || heardAt - gaveUpAt > 0.75 * interval) return 0;
  let hash = transitions;
  for (const byte of conditions.source ?? []) hash = Math.imul(hash ^ byte, 0x01000193) ^ (hash >>> 15);
  return Math.round((Math.min(interval, DISPUTE_TIME) * (hash & 0xff)) / 256);
}

/** Why a backup whose time has run out becomes master. */
export function takeoverReason(state: VrrpState, now: MonotonicNs): string {
  return state.takeoverReason ?? `no advertisement heard for ${duration(now - state.heardAt)}`;
}

/** A router that cannot have its addresses must not take mastership from a healthy one again and again. */
function onOwnFailed(state: VrrpState, error: string, now: MonotonicNs): VrrpStep {
  const until = now + Math.min(FIRST_RETRY * 2 ** state.ownFailures, LAST_RETRY);
  return reconsider({ ...state, blocked: { error, until }, ownFailures: state.ownFailures + 1 }, [], now);
}

// --- Groups -------------------------------------------------------------------------------------------------------

function onPromote(state: VrrpState, reason: string, now: MonotonicNs): VrrpStep {
  if (state.phase !== "backup") return stay(state);
  const effects: VrrpEffect[] = [];
  return { state: toMaster(state, reason, effects, now), effects };
}

/**
 * Follows another member out of mastership, and says so once the addresses are gone: waiting peers need not wait for
 * Master_Down_Interval, and one that is master already learns of a rival that may have misled its clients.
 */
function onDemote(state: VrrpState, reason: string, now: MonotonicNs): VrrpStep {
  const effects: VrrpEffect[] = [];
  if (state.phase !== "master") return stay(yieldResume({ ...state, ready: false }, effects, now), effects);
  const left = abandon(state, false, 0, now, effects);
  effects.push({ type: "advertise", priority: 0 });
  return { state: toBackup({ ...left, master: null }, reason, effects, now), effects };
}
