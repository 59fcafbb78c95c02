/**
 * What befalls machines: they start, stop, hang, freeze, die, are commanded and configured.
 *
 * @module
 */
import * as address from "../../mod/address/step.ts";
import type { VrrpConfig } from "../../mod/vrrp/config.ts";
import { resumeTogether } from "../../mod/group/step.ts";
import { resumeBounds, sequenceFloor } from "../../mod/vrrp/phase.ts";
import { initialState, nextDue, resumedState } from "../../mod/vrrp/step.ts";
import { intervalNs, type Ns, skewTime } from "../../mod/vrrp/timers.ts";
import type { Datagram } from "./datagram.ts";
import { decodeDatagram } from "./datagram.ts";
import type { Machine, Router } from "./parts.ts";
import { companions, type World } from "./world.ts";

/** As the engine has them: how long a planned step down answers beyond Skew_Time, and at most on the daemon's end. */
const HANDOVER_MARGIN: Ns = 1e9;
export const STOP_LINGER: Ns = 850e6;

/** The time of day when a simulation begins. */
const WALL_CLOCK = Date.UTC(2026, 10, 20);

/**
 * Starts a process. It goes on as master where the one before it was, if that was just now, and removes what else it
 * left in the kernel. What its probes find is told later; `tellAfter` = after how long.
 */
export function start(world: World, machine: Machine, tellAfter: Ns = 0): void {
  if (machine.alive || machine.frozenAt !== null) return;
  const now = world.clock(machine);
  const floor = sequenceFloor(WALL_CLOCK + world.now / 1e6);
  machine.alive = true;
  machine.paused = false;
  machine.tracked.clear();
  const limits = resumeTogether(machine.routers.map(({ config, sign }) => ({
    group: config.group,
    bounds: sign?.master === true ? resumeBounds(config, sign.spokeAt, sign.silenceNs) : null,
  })));
  for (const [index, router] of machine.routers.entries()) {
    const { config, sign } = router;
    const bounds = limits[index] ?? null;
    router.leaving = false;
    router.announcer = null;
    router.addresses = address.NO_ADDRESSES;
    router.state = sign !== null && bounds !== null
      ? resumedState(config, now, { ...sign, bounds }, floor)
      : initialState(config, now, floor);
    router.own = router.state.conditions;
    router.sign = null;
    world.excuse(router);
    if (router.state.resumeUntil === null) router.kernel.clear();
  }
  world.review(machine);
  const { run } = machine;
  world.at(world.now + tellAfter, () => {
    if (machine.run === run) tellProbes(world, machine);
  });
}

/** Tells an engine all that its probes have found. */
export function tellProbes(world: World, machine: Machine): void {
  for (const [name, value] of machine.probes) machine.tracked.set(name, value);
  world.review(machine);
}

/** Kills a process: its kernel keeps the addresses until their lease is over. */
export function crash(world: World, machine: Machine): void {
  if (!machine.alive) return;
  for (const router of machine.routers) {
    if (router.state.phase === "master") router.leftUnheard = true;
    world.excuse(router);
  }
  machine.paused = false;
  world.end(machine);
  world.watchMasters(machine);
}

/** Takes the power away: nothing is left. */
export function powerOff(world: World, machine: Machine): void {
  thaw(world, machine);
  crash(world, machine);
  for (const router of machine.routers) {
    router.kernel.clear();
    router.sign = null;
  }
}

/** Makes all members of a router's group step down; they answer until their successors are heard. */
export function release(world: World, router: Router): void {
  world.together(router.machine, () => {
    for (const member of companions(router)) stepDown(world, member, "released", Infinity);
  });
}

export function resume(world: World, router: Router): void {
  world.together(router.machine, () => {
    for (const member of companions(router)) world.dispatch(member, { type: "resume" });
  });
}

/** Stops a process in good order: it ends when all addresses are handed over. */
export function stop(world: World, machine: Machine): void {
  if (!machine.alive || machine.paused || machine.frozenAt !== null) return;
  const { run } = machine;
  world.together(machine, () => {
    for (const router of machine.routers) {
      router.leaving = true;
      if (machine.run === run) stepDown(world, router, "stopping", STOP_LINGER);
    }
  });
}

function stepDown(world: World, router: Router, reason: string, limit: Ns): void {
  const { version, intervalCs } = router.config;
  const lingerNs = Math.min(skewTime(version, 1, intervalNs(intervalCs)) + HANDOVER_MARGIN, limit);
  world.dispatch(router, { type: "release", reason, lingerNs });
}

/** Lets a process run no more for a while; its kernel goes on. */
export function pause(world: World, machine: Machine): void {
  if (!machine.alive || machine.paused) return;
  machine.paused = true;
  for (const router of machine.routers) world.excuse(router);
  world.watchMasters(machine);
}

/** Lets a paused process run: packets first, then the kernel's events, what became of its surroundings, deadlines. */
export function wake(world: World, machine: Machine): void {
  if (!machine.alive || !machine.paused || machine.frozenAt !== null) return;
  machine.paused = false;
  world.together(machine, () => {
    for (const router of machine.routers) world.excuse(router);
    world.watchMasters(machine);
    for (const { router, datagram } of machine.inbox.splice(0)) hear(world, router, datagram);
    const now = world.clock(machine);
    for (const router of machine.routers) {
      for (const key of router.addresses.owned.keys()) {
        if ((router.kernel.get(key) ?? 0) <= now) vanish(world, router, key);
      }
    }
    world.review(machine);
    // All virtual routers decide before any renews or announces.
    const late = machine.routers.filter(({ state }) => nextDue(state) <= now);
    late.sort((a, b) => nextDue(a.state) - nextDue(b.state));
    for (const router of late) if (machine.alive) world.dispatch(router, { type: "timer" });
  });
}

function hear(world: World, router: Router, datagram: Datagram): void {
  if (router.machine.alive) world.dispatch(router, { type: "packet", packet: decodeDatagram(datagram) });
}

/** Lets a whole machine stand still, its clock included, as a virtual machine does. */
export function freeze(world: World, machine: Machine): void {
  if (machine.frozenAt !== null) return;
  machine.frozenAt = world.now;
  for (const router of machine.routers) world.excuse(router);
  world.watchMasters(machine);
}

/** Lets it go on as if no time had passed. */
export function thaw(world: World, machine: Machine): void {
  if (machine.frozenAt === null) return;
  machine.lag += world.now - machine.frozenAt;
  machine.frozenAt = null;
  for (const router of machine.routers) world.excuse(router);
  world.watchMasters(machine);
  world.review(machine);
}

/** An address is gone from the kernel though nobody here removed it. */
export function vanish(world: World, router: Router, key: string): void {
  const { machine } = router;
  if (machine.frozenAt !== null) return;
  router.kernel.delete(key);
  if (!machine.alive || machine.paused) return;
  router.addresses = address.lost(router.addresses, key, world.clock(machine));
}

/** Gives the routers of a machine other configs. */
export function configure(world: World, machine: Machine, change: (config: VrrpConfig) => VrrpConfig): void {
  const running = machine.alive && !machine.paused && machine.frozenAt === null;
  world.together(machine, () => {
    for (const router of machine.routers) {
      if (router.leaving) continue;
      const config = change(router.config);
      if (config === router.config || (!running && machine.alive)) continue;
      if (config.group !== router.config.group) machine.regrouped = true;
      router.config = config;
      world.excuse(router);
      if (running) world.dispatch(router, { type: "configure", config });
    }
    // Whoever holds one member back holds back its group.
    for (const router of machine.routers) {
      if (running && !router.leaving && router.state.released !== null) release(world, router);
    }
    world.review(machine);
  });
}
