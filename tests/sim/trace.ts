/**
 * Tells every step of a simulation, for whoever looks for what went wrong.
 *
 * @module
 */
import { formatAddress } from "../../lib/packet/mod.ts";
import type { VrrpEffect, VrrpEvent } from "../../mod/vrrp/model.ts";
import type { Router } from "./parts.ts";
import type { World } from "./world.ts";

function told(effect: VrrpEffect): string {
  switch (effect.type) {
    case "transition":
      return `${effect.from}>${effect.to} (${effect.reason})`;
    case "advertise":
      return `advertise ${effect.priority}${effect.ahSequence === undefined ? "" : ` #${effect.ahSequence}`}`;
    case "dropped":
      return `dropped ${effect.reason}`;
    default:
      return effect.type;
  }
}

function toldEvent(event: VrrpEvent): string {
  if (event.type === "conditions") {
    const { faults, waiting, adjustments } = event.conditions;
    return `conditions [${faults}] [${waiting}] [${adjustments.map(({ weight }) => weight)}]`;
  }
  if (event.type !== "packet") return event.type;
  const { source, decode, ah } = event.packet;
  const what = decode.ok ? decode.advert.priority : decode.reason;
  return `packet ${what} from ${formatAddress(source)}${ah === undefined ? "" : ` #${ah.sequence}`}`;
}

/** A line for each step on standard output. */
export function traceTo(world: World): NonNullable<World["trace"]> {
  return ({ machine, config, state }: Router, event: VrrpEvent, effects: readonly VrrpEffect[]) => {
    const due = ((state.due + machine.lag) / 1e6).toFixed(3);
    console.log(
      (world.now / 1e6).toFixed(3),
      `${config.name} of ${machine.id} ${config.priority}/${state.priority}`,
      toldEvent(event),
      "→",
      effects.map(told).join(", "),
      `due ${due}`,
    );
  };
}
