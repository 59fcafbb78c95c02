/**
 * Whatever happened before: once the networks are healthy there is one master, the right one, who alone holds the
 * addresses and announced them last, and one machine leads all members of a group.
 *
 * @module
 */
import type { VrrpState } from "../../mod/vrrp/model.ts";
import { seededRandom } from "./random.ts";
import { type Figures, TRACE } from "./runs.ts";
import { randomScenario, type Scenario, settlingTime } from "./scenario.ts";
import { traceTo } from "./trace.ts";
import { healAll, runTrouble } from "./trouble.ts";
import { judge } from "./verdict.ts";

/** Troubles a random cluster, heals it, and judges what becomes of it. */
export function schedule(seed: number): Figures {
  const random = seededRandom(seed);
  const scenario: Scenario = randomScenario(random);
  const { world } = scenario;
  if (TRACE) world.trace = traceTo(world);
  runTrouble(random, scenario);
  const swept = random.chance(0.7);
  healAll(random, scenario, swept);
  world.run(world.now + settlingTime(scenario, swept));
  const settled = world.routers.map(({ state }): VrrpState => state);
  world.run(world.now + 2 * Math.max(...world.routers.map(({ config }) => config.intervalCs)) * 1e7);
  const findings = judge(world);
  world.routers.forEach(({ config, machine, state }, index) => {
    if (state.transitions === settled[index]!.transitions) return;
    throw new Error(`${config.name} of machine ${machine.id} finds no rest`);
  });
  const dualities = world.segments.map(({ duality }) => duality);
  return {
    ...findings,
    longestMs: Math.max(...dualities.map(({ longest }) => longest / 1e6)),
    longestUnexcusedMs: Math.max(...dualities.map(({ longestUnexcused }) => longestUnexcused / 1e6)),
    dualities: dualities.reduce((sum, { count }) => sum + count, 0),
    steps: world.steps,
  };
}
