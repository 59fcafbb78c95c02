/**
 * Clusters without trouble: started, settled, each led by the right machine.
 *
 * @module
 */
import { trackSource } from "../../mod/track/step.ts";
import * as life from "./life.ts";
import { isMaster, type Machine } from "./parts.ts";
import type { Random } from "./random.ts";
import { TRACE } from "./runs.ts";
import { HEALTHY, randomScenario, type Scenario, settlingTime, type Wish } from "./scenario.ts";
import { traceTo } from "./trace.ts";
import { judge } from "./verdict.ts";

/** Lets a cluster find rest, and looks whether it is as it should be. */
export function rest(scenario: Scenario): void {
  const { world } = scenario;
  world.run(world.now + settlingTime(scenario, true));
  judge(world);
}

/** A random cluster at rest. Everything that it tracks is up. */
export function healthyScenario(random: Random, wish: Wish = {}): Scenario {
  const scenario = { ...randomScenario(random, wish), refusals: false };
  const { world } = scenario;
  if (TRACE) world.trace = traceTo(world);
  for (const { network } of world.segments) network.weather = HEALTHY;
  for (const machine of world.machines) {
    for (const { config } of machine.routers) {
      for (const track of config.track) {
        if (track.kind === "probe") machine.probes.set(trackSource(track), track.reverse ? "down" : "up");
      }
    }
    life.start(world, machine);
  }
  // What probes find is told now: only then is it clear who is better.
  world.run(world.now);
  rest(scenario);
  return scenario;
}

/** The machines that are master somewhere. */
export function leadersOf({ world }: Scenario): readonly Machine[] {
  return world.machines.filter(({ routers }) => routers.some(isMaster));
}
