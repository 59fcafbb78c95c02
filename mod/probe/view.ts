/**
 * What others may see of a probe: its entry in the status document, and what the engine is told.
 *
 * @module
 */
import type { TrackedValue } from "../bus/messages.ts";
import type { ProbeSnapshot, ProbeState, ProbeStatus, ProbeType } from "./model.ts";

/** A probe's entry in the status document. Names are the document's. */
export interface ProbeView {
  readonly name: string;
  readonly type: ProbeType;
  readonly state: ProbeStatus;
  /** When the state was entered: ISO 8601 in UTC. */
  readonly since: string;
  /** Duration of the last run in milliseconds, to a microsecond; null before the first. */
  readonly latency_ms: number | null;
  /** Why the last run failed; null when it succeeded. */
  readonly error: string | null;
  /** Integer of a `file` probe; null for every other. */
  readonly value: number | null;
  readonly runs: number;
  readonly failures: number;
  /** What turned the state last; null while it never turned. */
  readonly last_change_reason: string | null;
}

/** A probe as the status document shows it. */
export function viewProbe(probe: ProbeSnapshot): ProbeView {
  const { state } = probe;
  return {
    name: probe.name,
    type: probe.type,
    state: state.status,
    since: new Date(state.sinceMs).toISOString(),
    latency_ms: state.latencyMs === null ? null : Math.round(state.latencyMs * 1000) / 1000,
    error: state.error,
    value: state.value,
    runs: state.runs,
    failures: state.failures,
    last_change_reason: state.lastChangeReason,
  };
}

/** What instances that track the probe reckon with: its status, or its integer while it is up and has one. */
export function trackedValue(state: ProbeState): TrackedValue {
  return state.status === "up" && state.value !== null ? state.value : state.status;
}
