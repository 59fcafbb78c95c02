/**
 * What an observation means for a tunnel's status. Pure: both clocks come as arguments.
 *
 * Without keepalive a tunnel is up while its interface is. With keepalive it is up only while its far end answers: it
 * is down when nothing was heard for `retries` intervals and the time that the last answer may take.
 *
 * @module
 */
import type { TunnelConfig, TunnelLink, TunnelState, TunnelStatus } from "./model.ts";

/** How long the last question may wait for its answer, at most, in milliseconds. */
const GRACE_MS = 900;

/** Both clocks at one moment. */
export interface Moment {
  /** Monotonic milliseconds. */
  readonly monoMs: number;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}

/** What may happen to a tunnel. */
export type TunnelEvent =
  /** The interface is as it should be; `repaired`: what had to be put back for that. */
  | {
    readonly type: "settled";
    readonly link: TunnelLink;
    readonly repaired: string | null;
    /** Why it carries nothing all the same, in words; null = nothing is known to. */
    readonly obstacle: string | null;
  }
  /** The interface could not be made or put right. */
  | { readonly type: "failed"; readonly error: string }
  /** A question left (`error` null) or could not. */
  | { readonly type: "asked"; readonly error: string | null }
  | { readonly type: "answered"; readonly latencyMs: number }
  /** Time passed. */
  | { readonly type: "tick" };

/** A tunnel that nothing is known of. */
export function initialTunnel(wallMs: number): TunnelState {
  return {
    status: "unknown",
    sinceMs: wallMs,
    link: null,
    error: null,
    latencyMs: null,
    heardMs: null,
    sendError: null,
    sent: 0,
    received: 0,
    repairs: 0,
    lastRepair: null,
    lastChangeReason: null,
  };
}

/** The state with which a tunnel goes on whose configuration changed: silence counts from now on. */
export function reconfiguredTunnel(state: TunnelState): TunnelState {
  return { ...state, heardMs: null, latencyMs: null, sendError: null };
}

/** For how long nothing may be heard, in milliseconds. */
export function silenceMs(keepalive: { readonly intervalMs: number; readonly retries: number }): number {
  return keepalive.retries * keepalive.intervalMs + Math.min(GRACE_MS, keepalive.intervalMs);
}

/** The monotonic millisecond at which a `tick` is due; Infinity when none is. */
export function tickDue(config: TunnelConfig, state: TunnelState): number {
  const { keepalive } = config;
  if (keepalive === null || state.heardMs === null) return Infinity;
  // Whoever waits while down is to learn that it was in vain.
  if (state.status === "down" && state.error !== waitingFor(config)) return Infinity;
  return state.heardMs + silenceMs(keepalive);
}

function turn(
  state: TunnelState,
  status: TunnelStatus,
  reason: string,
  error: string | null,
  now: Moment,
): TunnelState {
  const latencyMs = status === "up" ? state.latencyMs : null;
  if (status === state.status) return { ...state, error, latencyMs };
  return { ...state, status, error, latencyMs, sinceMs: now.wallMs, lastChangeReason: reason };
}

/** The far end as it is asked. */
function farEnd(config: TunnelConfig): string {
  return config.keepalive?.target ?? config.remote;
}

function waitingFor(config: TunnelConfig): string {
  return `waiting for an answer from ${farEnd(config)}`;
}

function settled(
  config: TunnelConfig,
  before: TunnelState,
  event: Extract<TunnelEvent, { type: "settled" }>,
  now: Moment,
): TunnelState {
  const { link, repaired, obstacle } = event;
  const state = {
    ...before,
    link,
    repairs: before.repairs + (repaired === null ? 0 : 1),
    lastRepair: repaired ?? before.lastRepair,
  };
  if (!link.running) {
    const why = link.datapath === "user" ? "nothing moves its packets yet" : "the device below it is down";
    const error = `${config.name} is not running: ${why}`;
    return { ...turn(state, "down", error, error, now), heardMs: null };
  }
  if (obstacle !== null) return { ...turn(state, "down", obstacle, obstacle, now), heardMs: null };
  if (config.keepalive === null) {
    return { ...turn(state, "up", "its interface is up", null, now), heardMs: null };
  }
  if (before.heardMs === null) {
    return { ...state, heardMs: now.monoMs, error: state.status === "down" ? waitingFor(config) : null };
  }
  // The interface was put back before anybody missed it: the far end says whether it works.
  return state;
}

/** What most often is behind silence. */
function hint(config: TunnelConfig): string {
  const { methods } = config.keepalive!;
  if (methods.length > 1 || methods[0] !== "gre") return "";
  return " (a Linux peer answers GRE keepalives only where this daemon runs: else set `target`)";
}

function silent(config: TunnelConfig, state: TunnelState, now: Moment): TunnelState {
  if (now.monoMs < tickDue(config, state)) return state;
  const seconds = Math.round((now.monoMs - state.heardMs!) / 100) / 10;
  const why = state.sendError === null ? hint(config) : ` (${state.sendError})`;
  const error = `no answer from ${farEnd(config)} for ${seconds} s${why}`;
  return turn(state, "down", error, error, now);
}

/** The state after an event. */
export function stepTunnel(
  config: TunnelConfig,
  state: TunnelState,
  event: TunnelEvent,
  now: Moment,
): TunnelState {
  switch (event.type) {
    case "settled":
      return settled(config, state, event, now);
    case "failed":
      return { ...turn(state, "down", event.error, event.error, now), link: null, heardMs: null };
    case "asked":
      return { ...state, sent: state.sent + (event.error === null ? 1 : 0), sendError: event.error };
    case "answered": {
      // An answer that was under way while the interface went says nothing of the one that is there now.
      if (state.heardMs === null || config.keepalive === null) return state;
      const heard = { ...state, heardMs: now.monoMs, received: state.received + 1 };
      const reason = `${farEnd(config)} answers`;
      return { ...turn(heard, "up", reason, null, now), latencyMs: event.latencyMs };
    }
    case "tick":
      return silent(config, state, now);
    default:
      return event satisfies never;
  }
}
