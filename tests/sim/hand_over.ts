/**
 * A planned hand-over loses nothing: while another machine can serve there is no moment at which nobody answers for the
 * addresses, nor one at which clients are led to somebody who does not.
 *
 * @module
 */
import { trackSource } from "../../mod/track/step.ts";
import { faultsOf } from "../../mod/vrrp/step.ts";
import { intervalNs, masterDownInterval, skewTime } from "../../mod/vrrp/timers.ts";
import { ANNOUNCING, CROSSING, HEALTHY_DELAY, SETTLING } from "./duality.ts";
import { healthyScenario, leadersOf, rest } from "./healthy.ts";
import * as life from "./life.ts";
import type { Machine } from "./parts.ts";
import { type Random, seededRandom } from "./random.ts";
import type { Figures } from "./runs.ts";
import { agrees, type Scenario } from "./scenario.ts";

function canServe({ alive, routers }: Machine): boolean {
  return alive && routers.every(({ state }) => faultsOf(state).length === 0);
}

/** Whether a machine speaks before one that stops, whatever interval that has, has to let go of its addresses. */
function isQuick({ routers }: Machine): boolean {
  return routers.every(({ config: { version, handover, takeoverDelayMs }, state: { priority }, segment }) => {
    const longest = Math.max(...segment.routers.map(({ config }) => config.intervalCs));
    const skew = handover === "fast" ? 100e6 : skewTime(version, priority, intervalNs(longest));
    return skew + takeoverDelayMs * 1e6 < life.STOP_LINGER - 20e6;
  });
}

/** Whether a machine that starts anew, and knows only its own interval, may lose patience before it hears a master. */
function isHasty({ routers }: Machine): boolean {
  return routers.some(({ config, segment }) => {
    const longest = Math.max(...segment.routers.map(({ config }) => intervalNs(config.intervalCs)));
    return masterDownInterval(config, 254, intervalNs(config.intervalCs)) <= longest + HEALTHY_DELAY;
  });
}

/**
 * How long clients are misled when the old master's second burst of announcements crosses its successor's first: until its
 * last word has arrived, upon which the successor announces again.
 */
const CROSSED_BURST = 2 * HEALTHY_DELAY;

/** Does something that an operator does, to a machine that leads; returns what it was. */
function plan(random: Random, { world }: Scenario, leader: Machine): string {
  switch (random.int(0, 3)) {
    case 0:
      for (const one of leader.routers) if (one.state.released === null) life.release(world, one);
      return "release";
    case 1:
      life.stop(world, leader);
      return "stop";
    case 2:
      life.configure(world, leader, (config) => ({ ...config, priority: 10 }));
      return "lower its priority";
    default:
      for (const { config } of leader.routers) {
        for (const one of config.track) {
          if (one.weight !== null) leader.probes.set(trackSource(one), one.reverse ? "up" : "down");
        }
      }
      life.tellProbes(world, leader);
      return "probes down";
  }
}

/** Brings back what was taken away. */
function comeBack({ world }: Scenario, machine: Machine): void {
  life.start(world, machine);
  for (const router of machine.routers) if (router.state.released !== null) life.resume(world, router);
}

/** Hands a random cluster over a few times. */
export function schedule(seed: number): Figures {
  const random = seededRandom(seed);
  const scenario = healthyScenario(random);
  const { world } = scenario;
  let handed = 0;
  const assertServed = (what: string, hasty: boolean) => {
    for (const segment of world.segments) {
      const { id, unheld, unserved, routers } = segment;
      [segment.unheld, segment.unserved] = [0, 0];
      // Of several successors some may speak at the same moment, and all but one have to give way; as has a hasty one.
      const crossed = routers.some(({ config: { announce } }) => announce.delayMs > 0) ? CROSSED_BURST : 0;
      const allowed = routers.length === 2 && !hasty ? crossed : SETTLING + CROSSING + ANNOUNCING;
      if (unheld === 0 && unserved <= allowed) continue;
      throw new Error(
        `After ${what}: segment ${id} has ${unheld / 1e6} ms nobody, ${unserved / 1e6} ms misled`,
      );
    }
  };
  for (let count = random.int(1, 3); count > 0; count--) {
    // Where groups dispute who is better there may be nobody for a while.
    if (scenario.grouped && !agrees(world)) break;
    const leader = random.pick(leadersOf(scenario));
    const others = world.machines.filter((machine) => machine !== leader && canServe(machine));
    if (others.length === 0 || !others.every(isQuick) || leader.routers[0]!.config.priority === 255) break;
    const before = world.routers.filter(({ state }) => state.phase === "master");
    world.measuring = true;
    const what = plan(random, scenario, leader);
    rest(scenario);
    assertServed(what, false);
    if (before.some(({ state }) => state.phase !== "master")) handed++;
    const anew = !leader.alive;
    comeBack(scenario, leader);
    rest(scenario);
    assertServed(`coming back from ${what}`, anew && isHasty(leader));
    world.measuring = false;
  }
  return { handed };
}
