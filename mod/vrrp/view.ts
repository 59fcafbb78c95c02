/**
 * What others may see of a virtual router.
 *
 * @module
 */
import type { Carried, InstanceReport } from "../bus/messages.ts";
import type { VrrpState } from "./model.ts";
import { faultsOf } from "./step.ts";
import { masterDownInterval, NS_PER_MS } from "./timers.ts";

/** Nothing comes and goes with the addresses. */
export const NOTHING_CARRIED: Carried = Object.freeze({ addresses: [], routes: [], rules: [], problems: [] });

/**
 * @param sinceMs When its phase began, in milliseconds since 1970.
 * @param bootMs When the monotonic clock began, in milliseconds since 1970.
 * @param carried What comes and goes with its addresses.
 * @param sendError Why its last advertisement could not be sent, in words.
 */
export function instanceReport(
  state: VrrpState,
  sinceMs: number,
  bootMs: number,
  carried: Carried = NOTHING_CARRIED,
  sendError: string | null = null,
): InstanceReport {
  const { config } = state;
  return {
    name: config.name,
    unit: config.unit,
    state: state.phase,
    sinceMs,
    reason: state.reason,
    vrid: config.vrid,
    version: config.version,
    family: config.family,
    interface: config.interface,
    priority: {
      base: config.priority,
      effective: state.priority,
      adjustments: config.priority === 255 ? [] : state.conditions.adjustments,
    },
    master: state.master === null ? null : { address: state.master.text, priority: state.master.priority },
    addresses: config.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    carried,
    transitions: state.transitions,
    faults: faultsOf(state),
    waiting: state.conditions.waiting,
    advertIntervalMs: state.interval / NS_PER_MS,
    masterDownIntervalMs: Math.round(masterDownInterval(config, state.priority, state.interval) / NS_PER_MS),
    preempt: config.preempt,
    preemptAtMs: state.preemptAt === null || config.preemptDelayMs === 0
      ? null
      : Math.round(bootMs + state.preemptAt / NS_PER_MS),
    ready: state.phase === "backup" && state.ready,
    released: state.released !== null,
    sendError,
    splitBrainWith: state.conflict?.reported === true ? state.conflict.address : null,
  };
}
