/**
 * Decides when which address is announced: a burst, a second one, refreshes, all paced if so configured.
 *
 * @module
 */
import type { AnnounceConfig } from "../vrrp/config.ts";
import type { Announcer, MonotonicNs, Target } from "./model.ts";

const NS_PER_MS = 1e6;
/** How long the master before us may take to let go of the addresses. */
const SETTLE_TIME = 30 * NS_PER_MS;

/**
 * Begins a burst at once; a second one and refreshes follow as configured. Where the MAC address is one that the master
 * before us has too, a switch may have heard that one last: it is told again when that one has let go.
 */
export function announce(config: AnnounceConfig, targets: readonly Target[], now: MonotonicNs): Announcer {
  const burst = targets.length * config.repeat;
  return {
    config,
    targets,
    left: burst,
    burst,
    packetDue: burst > 0 ? now : Infinity,
    readyAt: now,
    settleDue: burst > 0 && targets.some(({ virtual }) => virtual) ? now + SETTLE_TIME : Infinity,
    secondDue: config.delayMs > 0 ? now + config.delayMs * NS_PER_MS : Infinity,
    refreshDue: config.refreshMs > 0 ? now + config.refreshMs * NS_PER_MS : Infinity,
  };
}

/** When the next {@link timer} is wanted. */
export function nextDue(state: Announcer): MonotonicNs {
  return Math.min(state.packetDue, state.settleDue, state.secondDue, state.refreshDue);
}

/** Begins a burst, or lengthens the one that runs: to begin anew would leave its last addresses waiting. */
function begin(state: Announcer, repeat: number, now: MonotonicNs): Announcer {
  const more = state.targets.length * repeat;
  if (state.left > 0) return { ...state, burst: state.burst + more, left: state.left + more };
  return { ...state, burst: more, left: more, packetDue: more > 0 ? Math.max(now, state.readyAt) : Infinity };
}

/**
 * What to send now: each address once before any of them a second time, so that all are announced as early as can be.
 * The repeats are due at once, too, yet whatever else is due comes before them, as other instances' first announcements.
 */
export function timer(
  before: Announcer,
  now: MonotonicNs,
): { readonly state: Announcer; readonly send: readonly Target[] } {
  let state = before;
  if (now >= state.settleDue) state = { ...begin(state, 1, now), settleDue: Infinity };
  if (now >= state.secondDue) state = { ...begin(state, state.config.repeat, now), secondDue: Infinity };
  if (now >= state.refreshDue) {
    const refreshDue = now + state.config.refreshMs * NS_PER_MS;
    // A burst that is still running says all that a refresh would.
    state = state.left > 0
      ? { ...state, refreshDue }
      : { ...begin(state, state.config.refreshRepeat, now), refreshDue };
  }
  if (now < state.packetDue || state.left === 0) return { state, send: [] };
  const gap = state.config.intervalMs * NS_PER_MS;
  const first = state.burst - state.left;
  const round = state.targets.length - first % state.targets.length;
  const count = gap === 0 ? Math.min(round, state.left) : 1;
  const send: Target[] = [];
  for (let index = first; index < first + count; index++) {
    send.push(state.targets[index % state.targets.length]!);
  }
  const left = state.left - count;
  const readyAt = now + gap;
  return { state: { ...state, left, readyAt, packetDue: left === 0 ? Infinity : readyAt }, send };
}
