/**
 * What others may see of a group.
 *
 * @module
 */
import type { InstanceState } from "../bus/messages.ts";

/** The one state that stands for all members: the worst that any is in, and master only when all are. */
export function groupState(phases: readonly InstanceState[]): InstanceState {
  for (const worse of ["fault", "init", "backup"] as const) if (phases.includes(worse)) return worse;
  return phases.length === 0 ? "init" : "master";
}
