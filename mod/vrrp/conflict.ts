/**
 * Two masters at once: how it is noticed, told once, and how clients are led back to the one that stays.
 *
 * @module
 */
import { formatAddress } from "../../lib/packet/mod.ts";
import type { Conflict, MonotonicNs, VrrpEffect, VrrpState } from "./model.ts";
import { masterDownInterval, type Ns, NS_PER_MS } from "./timers.ts";

/** How long a yielding router may take to drop its addresses before ours are announced again. */
const SETTLE_TIME: Ns = 30 * NS_PER_MS;
/** A lasting conflict is answered with announcements at most this often. */
const CONFLICT_ANNOUNCE_GAP: Ns = 1000 * NS_PER_MS;
/** Silence of so many intervals ends a conflict. */
const SILENT_INTERVALS = 3;

/** What was heard of another router that is, or has just been, master of the same VRID. */
export interface Rival {
  readonly address: string;
  /** Its advertisement interval; 0 where that could not be read. */
  readonly interval: Ns;
  /** Why its advertisements are refused, in words; null = the election settles it. */
  readonly refused: string | null;
  /** It said goodbye: a master no more, but clients may still have its announcement. */
  readonly goodbye: boolean;
}

/** Two masters are one no more once nothing was heard of the other for this long. */
function conflictEnd(conflict: Conflict): MonotonicNs {
  return conflict.last + SILENT_INTERVALS * conflict.interval;
}

/** When a conflict wants the next `timer`. */
export function conflictDue(conflict: Conflict): MonotonicNs {
  return Math.min(conflict.settleDue, conflictEnd(conflict));
}

function ownText(state: VrrpState): string {
  return state.conditions.source === null ? "?" : formatAddress(state.conditions.source);
}

/**
 * A master heard of another one. However many others there are, they make one episode: it is told once, with the
 * address of the one heard then, and ends when all of them are silent.
 */
export function noteRival(
  state: VrrpState,
  rival: Rival,
  now: MonotonicNs,
  effects: VrrpEffect[],
): VrrpState {
  const interval = Math.max(state.interval, rival.interval);
  const before = state.conflict;
  let conflict: Conflict = before === null
    ? {
      address: rival.address,
      since: now,
      last: now,
      interval,
      reported: false,
      announcedAt: -Infinity,
      settleDue: Infinity,
      answered: false,
    }
    : { ...before, address: rival.address, last: now, interval: Math.max(before.interval, interval) };
  if (!conflict.reported && !rival.goodbye && isSplit(state, conflict, now)) {
    const own = ownText(state);
    const why = rival.refused === null ? "" : ` (its advertisements are refused: ${rival.refused})`;
    effects.push({
      type: "event",
      kind: "split-brain",
      text: `two masters: ${own} (this router) and ${rival.address}${why}`,
      detail: { ours: own, theirs: rival.address },
    });
    conflict = { ...conflict, reported: true };
  }
  // Where the other is refused the election cannot settle it, and announcing would only make clients waver.
  if (rival.refused === null) conflict = announceAgain(conflict, now, effects);
  return { ...state, conflict };
}

/**
 * Whether another master is more than a hand-over in progress: it goes on for longer than an interval, or it has not
 * heard of us who have been master for so long that it must have.
 */
function isSplit(state: VrrpState, conflict: Conflict, now: MonotonicNs): boolean {
  const settled = masterDownInterval(state.config, state.priority, state.interval);
  return now - conflict.since > state.interval || now - state.masterSince > settled;
}

/**
 * Announces now, again at the other's last word, for its announcements may have been later than ours, and once more when it
 * has let go; under a flood later, but never not at all.
 */
function announceAgain(conflict: Conflict, now: MonotonicNs, effects: VrrpEffect[]): Conflict {
  const allowed = conflict.announcedAt + CONFLICT_ANNOUNCE_GAP;
  if (!conflict.answered && conflict.settleDue <= conflict.announcedAt + SETTLE_TIME) {
    effects.push({ type: "announce" });
    return { ...conflict, answered: true };
  }
  if (now < allowed) return { ...conflict, settleDue: Math.min(conflict.settleDue, allowed) };
  effects.push({ type: "announce" });
  return { ...conflict, announcedAt: now, settleDue: now + SETTLE_TIME, answered: false };
}

/** Announces in a moment, should this router still be master then. */
export function announceSoon(state: VrrpState, now: MonotonicNs): VrrpState {
  const { conflict } = state;
  if (conflict === null) return state;
  return { ...state, conflict: { ...conflict, settleDue: Math.min(conflict.settleDue, now + SETTLE_TIME) } };
}

/** Serves the deadlines of {@link conflictDue}. */
export function conflictTimer(
  state: VrrpState,
  conflict: Conflict,
  now: MonotonicNs,
  effects: VrrpEffect[],
): VrrpState {
  const over = now >= conflictEnd(conflict);
  if (now >= conflict.settleDue || (over && (conflict.reported || conflict.settleDue !== Infinity))) {
    effects.push({ type: "announce" });
  }
  if (over) return endConflict(state, now, effects);
  if (now < conflict.settleDue) return state;
  return { ...state, conflict: { ...conflict, settleDue: Infinity, announcedAt: now } };
}

/** Ends an episode: one that was told has its end told, too. */
export function endConflict(state: VrrpState, now: MonotonicNs, effects: VrrpEffect[]): VrrpState {
  const { conflict } = state;
  if (conflict === null) return state;
  if (conflict.reported) {
    effects.push({
      type: "event",
      kind: "split-brain-end",
      text: `${now >= conflictEnd(conflict) ? conflict.address : "this router"} is master no more`,
      detail: { theirs: conflict.address, durationMs: Math.round((now - conflict.since) / NS_PER_MS) },
    });
  }
  return { ...state, conflict: null };
}
