/**
 * A time of trouble for a cluster, and its end.
 *
 * @module
 */
import { trackSource } from "../../mod/track/step.ts";
import type { Ns } from "../../mod/vrrp/timers.ts";
import * as life from "./life.ts";
import type { Machine, Router, Segment } from "./parts.ts";
import type { Random } from "./random.ts";
import { HEALTHY, randomWeather, type Scenario } from "./scenario.ts";
import type { World } from "./world.ts";

function randomPartition(random: Random, { network, routers, duality }: Segment, now: Ns): void {
  const sides = routers.map(() => random.int(0, 1));
  const oneWay = random.chance(0.3);
  routers.forEach((_, id) => {
    duality.excuseAll(id, now);
    routers.forEach((_, other) => {
      const cut = oneWay ? random.chance(0.3) : sides[id] !== sides[other];
      network.open[id]![other] = id === other || !cut;
    });
  });
}

/** Lets something befall some of a machine's probes; most of the time its engine is told. */
function randomProbes(random: Random, world: World, machine: Machine): void {
  for (const { track } of machine.routers.map(({ config }) => config)) {
    for (const one of track) {
      if (random.chance(0.6)) machine.probes.set(trackSource(one), random.pick(["up", "up", "down"]));
    }
  }
  if (machine.alive) life.tellProbes(world, machine);
}

function randomFault(random: Random, world: World, router: Router): void {
  if (router.cutOff || router.fault !== null) {
    router.cutOff = false;
    router.fault = null;
  } else if (random.chance(0.5)) router.cutOff = true;
  else router.fault = "interface eth0 has no IPv4 address";
  world.excuse(router);
  world.review(router.machine);
}

function running({ alive, paused, frozenAt }: Machine): boolean {
  return alive && !paused && frozenAt === null;
}

/** Does one random thing to a random router, machine or segment. */
function trouble(random: Random, { world, interval, refusals, grouped }: Scenario): void {
  const segment = random.pick(world.segments);
  const router = random.pick(segment.routers);
  const { machine } = router;
  const later = world.now + Math.round(random.next() * 6 * interval);
  const soon = Math.round(random.next() * random.pick([1e6, interval, 3 * interval]));
  switch (random.int(0, 18)) {
    case 0:
    case 1:
      return randomPartition(random, segment, world.now);
    case 2:
      return segment.network.heal();
    case 3:
      segment.network.weather = randomWeather(random, interval);
      return;
    case 4:
      life.powerOff(world, machine);
      return world.at(later, () => life.start(world, machine, soon));
    case 5:
    case 6:
      life.crash(world, machine);
      return world.at(random.chance(0.5) ? world.now + soon : later, () => life.start(world, machine, soon));
    case 7:
    case 8:
      life.pause(world, machine);
      return world.at(later, () => life.wake(world, machine));
    case 9:
      life.freeze(world, machine);
      return world.at(later, () => life.thaw(world, machine));
    case 10:
    case 11:
      return randomProbes(random, world, machine);
    case 12:
      return randomFault(random, world, router);
    case 13:
    case 14:
      if (!running(machine) || router.leaving) return;
      return router.state.released === null ? life.release(world, router) : life.resume(world, router);
    case 15:
      life.stop(world, machine);
      return world.at(later, () => life.start(world, machine, soon));
    case 16:
      return randomConfigure(random, world, machine, grouped);
    case 17:
      if (refusals) router.refuses = !router.refuses;
      else for (const key of router.kernel.keys()) if (random.chance(0.5)) life.vanish(world, router, key);
      return;
    case 18:
      if (segment.history.length === 0) return;
      world.excuse(router);
      return world.deliver(router, random.pick(segment.history));
  }
}

function randomConfigure(random: Random, world: World, machine: Machine, grouped: boolean): void {
  const change = { priority: random.pick([50, 100, 150]), preempt: random.chance(0.8) };
  const left = grouped && random.chance(0.3) ? random.pick(machine.routers) : null;
  life.configure(world, machine, (config) => {
    if (config.priority === 255) return config;
    if (left === null) return { ...config, ...change };
    return { ...config, group: left.config.name === config.name && config.group !== null ? null : "site" };
  });
}

/** Starts the machines one after the other and lets trouble come, for some intervals. */
export function runTrouble(random: Random, scenario: Scenario): void {
  const { world, interval } = scenario;
  // Now and then a reload makes members of routers that were on their own so far.
  const ungrouped = scenario.grouped && random.chance(0.15);
  for (const machine of world.machines) {
    if (ungrouped) life.configure(world, machine, (config) => ({ ...config, group: null }));
    for (const { config } of machine.routers) {
      for (const track of config.track) {
        if (!random.chance(0.8)) continue;
        machine.probes.set(trackSource(track), random.pick(["up", "up", "up", "down"]));
      }
    }
    const delay = random.chance(0.5) ? 0 : Math.round(random.next() * 5 * interval);
    world.at(world.now + delay, () => life.start(world, machine));
  }
  const until = world.now + random.int(4, 20) * interval;
  for (let count = random.int(1, 12); count > 0; count--) {
    world.at(world.now + Math.round(random.next() * (until - world.now)), () => trouble(random, scenario));
  }
  world.run(until);
}

/**
 * Ends all trouble: everything runs, hears everything, and knows what it tracks. `swept` = also what was still on its
 * way is lost, so that nothing of the past arrives any more.
 */
export function healAll(random: Random, { world, grouped }: Scenario, swept: boolean): void {
  for (const { network } of world.segments) {
    network.heal();
    network.weather = HEALTHY;
  }
  if (swept) world.sweep();
  for (const machine of world.machines) healMachine(random, world, machine, grouped);
}

function healMachine(random: Random, world: World, machine: Machine, grouped: boolean): void {
  for (const router of machine.routers) {
    router.refuses = false;
    router.cutOff = false;
    router.fault = null;
    world.excuse(router);
    for (const track of router.config.track) {
      const source = trackSource(track);
      if (!machine.probes.has(source)) machine.probes.set(source, random.pick(["up", "down"]));
    }
  }
  life.thaw(world, machine);
  life.wake(world, machine);
  // One that is about to end is started anew when it has.
  if (machine.alive && machine.routers.some(({ leaving }) => leaving)) life.crash(world, machine);
  life.start(world, machine);
  life.tellProbes(world, machine);
  if (grouped) {
    life.configure(world, machine, (config) => config.group ? config : { ...config, group: "site" });
  }
  if (!random.chance(0.7)) return;
  for (const router of machine.routers) if (router.state.released !== null) life.resume(world, router);
}
