/**
 * A daemon that is killed and started again in time goes on as master: its peers see nothing, its clients lose nothing,
 * and there is never a second master. One that comes later begins as backup.
 *
 * @module
 */
import { resumeTogether } from "../../mod/group/step.ts";
import { resumeBounds } from "../../mod/vrrp/phase.ts";
import { healthyScenario, leadersOf, rest } from "./healthy.ts";
import * as life from "./life.ts";
import type { Machine, Router } from "./parts.ts";
import { seededRandom } from "./random.ts";
import type { Figures } from "./runs.ts";

/** Until when each router of a machine that was killed may be resumed; null = never. */
function limitsOf(machine: Machine): readonly (number | null)[] {
  return resumeTogether(machine.routers.map(({ config, sign }) => ({
    group: config.group,
    bounds: sign?.master === true ? resumeBounds(config, sign.spokeAt, sign.silenceNs) : null,
  }))).map((bounds) => bounds?.until ?? null);
}

/** Until when its addresses live without it. */
function leaseOf({ kernel }: Router): number {
  return Math.min(Infinity, ...kernel.values());
}

/** Kills what leads a random cluster, and starts it again. */
export function schedule(seed: number): Figures {
  const random = seededRandom(seed);
  // A peer that waits for fewer advertisements than the master reckons with may be quicker.
  const scenario = healthyScenario(random, { alike: true });
  const { world } = scenario;
  const leader = random.pick(leadersOf(scenario));
  const mastered = leader.routers.filter(({ state }) => state.phase === "master");
  world.run(world.now + Math.round(random.next() * scenario.interval));
  life.crash(world, leader);
  const limits = limitsOf(leader);
  const limit = Math.min(...limits.map((one) => one ?? Infinity)) - 20e6;
  const inTime = random.chance(0.7) && limit > world.now;
  const peers = world.routers.filter(({ machine }) => machine !== leader);
  const transitions = () => peers.map(({ state }) => state.transitions);
  const before = transitions();
  world.measuring = true;
  if (!inTime) {
    world.run(Math.max(...limits.map((one) => one ?? world.now)) + 1);
    const tellAfter = Math.round(random.next() * scenario.interval);
    life.start(world, leader, tellAfter);
    if (leader.routers.some(({ state }) => state.phase === "master" && state.config.priority !== 255)) {
      throw new Error("A router resumes too late");
    }
    world.run(world.now + tellAfter);
    rest(scenario);
    return { late: 1 };
  }
  const [restart, told] = [random.next(), random.next()].sort().map((part) =>
    Math.round(world.now + part * (limit - world.now))
  ) as [number, number];
  world.run(restart);
  const patience = Math.min(...leader.routers.map(({ config }) => (config.leaseMs ?? 3000) * 1e6 / 3), 1e9);
  const lease = Math.min(...mastered.map(leaseOf));
  const tellAfter = Math.min(told - restart, patience);
  life.start(world, leader, tellAfter);
  world.run(world.now + tellAfter);
  rest(scenario);
  if (String(before) !== String(transitions())) throw new Error("A peer noticed");
  if (mastered.some(({ state }) => state.phase !== "master")) throw new Error("It did not go on as master");
  const served = world.segments.every(({ unheld, unserved }) => unheld === 0 && unserved === 0);
  if (lease > restart + tellAfter && !served) throw new Error("Clients noticed");
  // Those of the time before have been settled. Where it was backup it begins anew, and knows only its own interval.
  if (mastered.some(({ segment }) => segment.duality.lastBegan > restart)) throw new Error("Two masters");
  return { inTime: 1 };
}
