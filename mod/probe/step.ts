/**
 * What a result means for a probe's status: rise and fall counted as keepalived counts them.
 *
 * The counter runs from 0 to rise + fall − 1 and the probe is up from `rise` on. While down, a success climbs one
 * step and the one that reaches `rise` jumps to the top; a failure falls to 0. While up, a failure goes down one step
 * and the one that passes below `rise` falls to 0; a success jumps to the top. So `fall` failures in a row turn it
 * down, `rise` successes in a row turn it up, and the very first result decides alone.
 *
 * @module
 */
import type { ProbeCommon, ProbeResult, ProbeState } from "./model.ts";

/** A probe that has not run yet. `nowMs`: milliseconds since 1970. */
export function initialProbe(nowMs: number): ProbeState {
  return {
    status: "unknown",
    counter: 0,
    decided: false,
    value: null,
    sinceMs: nowMs,
    latencyMs: null,
    error: null,
    runs: 0,
    failures: 0,
    lastChangeReason: null,
  };
}

/**
 * The state with which a probe goes on whose configuration was changed: what was known stays in force, so that a
 * reload does not make anything unknown, and the first result under the new configuration counts at once.
 */
export function reconfiguredProbe(state: ProbeState): ProbeState {
  return { ...state, decided: false };
}

function countOf(number: number, one: string, many: string): string {
  return number === 1 ? `1 ${one}` : `${number} ${many} in a row`;
}

/** The counter after a result. */
function nextCounter(config: Pick<ProbeCommon, "rise" | "fall">, state: ProbeState, ok: boolean): number {
  const top = config.rise + config.fall - 1;
  if (!state.decided) return ok ? top : 0;
  if (ok) return state.counter + 1 >= config.rise ? top : state.counter + 1;
  return state.counter > config.rise ? state.counter - 1 : 0;
}

/**
 * The state after a run. `nowMs`: milliseconds since 1970. `changed` is true when the status turned, or when the
 * integer of a probe that is up is another one.
 */
export function stepProbe(
  config: Pick<ProbeCommon, "rise" | "fall">,
  state: ProbeState,
  result: ProbeResult,
  nowMs: number,
): { readonly state: ProbeState; readonly changed: boolean } {
  const counter = nextCounter(config, state, result.ok);
  const status = counter >= config.rise ? "up" : "down";
  const turned = status !== state.status;
  const kept = status === "up" ? state.value : null;
  const value = result.ok ? result.value ?? null : kept;
  const next: ProbeState = {
    status,
    counter,
    decided: true,
    value,
    sinceMs: turned ? nowMs : state.sinceMs,
    latencyMs: result.latencyMs,
    error: result.ok ? null : result.error,
    runs: state.runs + 1,
    failures: state.failures + (result.ok ? 0 : 1),
    lastChangeReason: turned ? changeReason(config, state, result) : state.lastChangeReason,
  };
  return { state: next, changed: turned || (status === "up" && value !== state.value) };
}

function changeReason(
  config: Pick<ProbeCommon, "rise" | "fall">,
  state: ProbeState,
  result: ProbeResult,
): string {
  if (result.ok) {
    return state.decided ? countOf(config.rise, "success", "successes") : "the first run succeeded";
  }
  const how = state.decided ? countOf(config.fall, "failure", "failures") : "the first run failed";
  return `${how}: ${result.error}`;
}
