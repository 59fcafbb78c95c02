/**
 * Which commands a transition runs, with keepalived's arguments.
 *
 * @module
 */
import type { InstanceState } from "../bus/messages.ts";
import type { NotifyCommand, NotifyPlan, NotifyState, NotifySubject } from "./model.ts";

/** States as keepalived writes them. */
export const STATE_NAMES: Readonly<Record<NotifyState, string>> = {
  master: "MASTER",
  backup: "BACKUP",
  fault: "FAULT",
  stop: "STOP",
};

/** The notification that entering a state means; INIT has none. */
export function notifyState(state: InstanceState): NotifyState | null {
  return state === "init" ? null : state;
}

/** The commands for an instance or a group that enters a state: the specific ones as they are written, then the generic ones. */
export function notifyCommands(
  plan: NotifyPlan,
  subject: NotifySubject,
  state: NotifyState,
): readonly NotifyCommand[] {
  const { kind, name, priority } = subject;
  const generic = plan.any.map((argv) => [...argv, kind, name, STATE_NAMES[state], String(priority)]);
  return [...plan[state], ...generic];
}
