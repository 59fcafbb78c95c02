/**
 * What must hold at every moment, whatever happens.
 *
 * @module
 */
import type { VrrpEffect, VrrpEvent, VrrpState } from "../../mod/vrrp/model.ts";
import { nextDue } from "../../mod/vrrp/step.ts";
import type { Machine, Router } from "./parts.ts";

/** A number that was sent or accepted is never accepted again. */
export function checkSequence(
  { ahSequence }: VrrpState,
  event: VrrpEvent,
  effects: readonly VrrpEffect[],
): void {
  if (event.type !== "packet" || event.packet.ah === undefined) return;
  const accepted = effects.some(({ type }) => type === "received");
  if (accepted && event.packet.ah.sequence <= ahSequence) {
    throw new Error(`Number ${event.packet.ah.sequence} is accepted after ${ahSequence}`);
  }
}

/** Who is master, or hands over, has its addresses, nobody else; and everybody waits for something. */
export function checkRouter({ state, addresses, config, machine }: Router): void {
  const held = addresses.owned.size > 0;
  const who = `Router ${config.name} of ${machine.id} in ${state.phase}`;
  if (held !== (state.phase === "master" || state.lingerUntil !== null)) {
    throw new Error(`${who} ${held ? "holds" : "lacks"} its addresses`);
  }
  const due = nextDue(state);
  const active = state.phase === "master" || state.phase === "backup";
  if (Number.isNaN(due) || (active && !Number.isFinite(state.due))) {
    throw new Error(`${who} waits for ${due}`);
  }
}

/** All members of a group are master or none is; all are in FAULT or none is. */
export function checkGroups(machine: Machine): void {
  const members = machine.routers.filter(({ config, leaving }) => config.group !== null && !leaving);
  const differ = (phase: string) => {
    const count = members.filter(({ state }) => state.phase === phase).length;
    return count > 0 && count < members.length;
  };
  const mixed = differ("master");
  // One that may still resume does so by itself.
  if (!mixed && members.every(({ state }) => state.phase !== "init")) machine.regrouped = false;
  if ((mixed && !machine.regrouped) || differ("fault")) {
    const phases = members.map(({ config, state }) => `${config.name} ${state.phase} (${state.reason})`);
    throw new Error(`Members of machine ${machine.id} differ: ${phases.join(", ")}`);
  }
}
