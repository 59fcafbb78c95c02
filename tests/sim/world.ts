/**
 * Routers on one fake clock: the real steps of vrrp, group, track, address and announce, performed as the engine
 * performs them, on kernels and networks made of data. What must hold at every moment is asserted at every moment.
 *
 * @module
 */
import type { AddressStep } from "../../mod/address/model.ts";
import * as address from "../../mod/address/step.ts";
import * as announcement from "../../mod/announce/step.ts";
import { sameConditions } from "../../mod/engine/conditions.ts";
import { demotion, heedsDemotion, mayLead, sharedConditions } from "../../mod/group/step.ts";
import type { VrrpEffect, VrrpEvent, VrrpState } from "../../mod/vrrp/model.ts";
import { sufferedSilence } from "../../mod/vrrp/phase.ts";
import { nextDue, step, takeoverReason } from "../../mod/vrrp/step.ts";
import type { Ns } from "../../mod/vrrp/timers.ts";
import { Agenda } from "./agenda.ts";
import { type Datagram, decodeDatagram, encodeAdverts } from "./datagram.ts";
import { Network, type Weather } from "./network.ts";
import {
  addRouter,
  isMaster,
  type Machine,
  newMachine,
  newSegment,
  type Router,
  type Segment,
  type Setup,
} from "./parts.ts";
import { checkGroups, checkRouter, checkSequence } from "./checks.ts";
import type { Random } from "./random.ts";
import { conditionsOf, memberOf, placementsOf, targetsOf } from "./surroundings.ts";

/** More steps than this at one moment are an endless loop. */
const STEPS_AT_ONCE = 4000;
const RECEIVE_BUFFER = 64;
const HISTORY = 16;

export class World {
  now: Ns = 1e9;
  readonly machines: Machine[];
  readonly segments: Segment[];
  steps = 0;
  /** Whether the time without service is to be measured. */
  measuring = false;
  /** Told of every step. */
  trace: ((router: Router, event: VrrpEvent, effects: readonly VrrpEffect[]) => void) | null = null;
  readonly #agenda = new Agenda();
  /** Machines whose groups are to be looked at before time goes on. */
  readonly #touched = new Set<Machine>();
  readonly #failures: { readonly router: Router; readonly error: string }[] = [];

  /** @param setups By segment, then by machine. */
  constructor(setups: readonly (readonly Setup[])[], weather: Weather, random: Random) {
    this.machines = setups[0]!.map((_, id) => newMachine(id));
    this.segments = setups.map((ofMachines, id) => {
      const segment = newSegment(id, ofMachines, new Network(ofMachines.length, weather, random));
      ofMachines.forEach((setup, index) => addRouter(segment, this.machines[index]!, setup, this.now));
      return segment;
    });
    this.routers = this.segments.flatMap(({ routers }) => routers);
  }

  /** All of them, segment by segment. */
  readonly routers: readonly Router[];

  // --- Time ---------------------------------------------------------------------------------------------------------

  /** What a machine's own clock shows. */
  clock({ frozenAt, lag }: Machine): Ns {
    return (frozenAt ?? this.now) - lag;
  }

  /** Does something at a moment to come. */
  at(at: Ns, act: () => void): void {
    this.#agenda.add(at, act);
  }

  /** Lets everything happen up to a moment, that moment included. */
  run(until: Ns): void {
    let atOnce = 0;
    for (;;) {
      let due = Infinity;
      let next: Router | null = null;
      for (const machine of this.machines) {
        if (!machine.alive || machine.paused || machine.frozenAt !== null) continue;
        for (const router of machine.routers) {
          const at = dueOf(router) + machine.lag;
          if (at < due) [due, next] = [at, router];
        }
      }
      const appointment = this.#agenda.nextAt();
      const at = Math.min(due, appointment);
      if (at > until) break;
      atOnce = at > this.now ? 0 : atOnce + 1;
      if (atOnce > STEPS_AT_ONCE) throw new Error(`Time stands still at ${this.now} ns`);
      if (at > this.now) this.#advance(at);
      // A wake-up serves packets before deadlines.
      if (appointment <= due) this.#agenda.keepNext();
      else this.deadlines(next!);
    }
    this.#advance(until);
  }

  #advance(to: Ns): void {
    if (to > this.now && this.#touched.size > 0) {
      for (const machine of this.#touched) if (machine.alive) checkGroups(machine);
      this.#touched.clear();
    }
    if (this.measuring) {
      for (const segment of this.segments) {
        const ends = segment.routers.map((router) => heldUntil(router));
        segment.unheld += Math.max(0, to - Math.max(this.now, ...ends));
        const { lastAnnouncer } = segment;
        if (lastAnnouncer === null) continue;
        segment.unserved += Math.max(0, to - Math.max(this.now, ends[lastAnnouncer.machine.id]!));
      }
    }
    this.now = to;
  }

  /** Serves what is due of a router. */
  deadlines(router: Router): void {
    const { machine } = router;
    // Whatever is due, the virtual router decides first: a master held up must not renew or announce.
    if (nextDue(router.state) <= this.clock(machine)) this.dispatch(router, { type: "timer" });
    if (!machine.alive) return;
    this.#enter(machine);
    const now = this.clock(machine);
    if (address.nextDue(router.addresses) <= now) {
      this.#performAddresses(router, address.timer(router.addresses, now));
      this.#tellFailures();
    }
    this.#runAnnouncer(router);
    this.#leave(machine);
  }

  // --- Decisions ----------------------------------------------------------------------------------------------------

  /** Lets a router decide, performs what it decided, and looks whether all is as it must be. */
  dispatch(router: Router, event: VrrpEvent): void {
    this.steps++;
    const { machine } = router;
    const before = router.state;
    this.#enter(machine);
    const { state, effects } = step(before, event, this.clock(machine));
    router.state = state;
    this.trace?.(router, event, effects);
    checkSequence(before, event, effects);
    const left = before.phase === "master" && state.phase !== "master";
    // Who was held up listens first and says nothing; all others have a last word or a goodbye.
    if (left) {
      router.leftUnheard = effects.some((effect) =>
        effect.type === "transition" && effect.reason.startsWith("was held up")
      );
    }
    for (const effect of effects) this.#perform(router, effect, left);
    if (before.priority !== state.priority) this.excuse(router);
    if (state.config.group !== null) this.#moveTogether(router, before);
    this.#tellFailures();
    checkRouter(router);
    if (router.leaving && machine.alive) this.#endWhenLeft(machine);
    this.#watchMasters(router);
    this.#leave(machine);
  }

  /** What follows belongs together: between its parts members of a group may differ. */
  together(machine: Machine, act: () => void): void {
    this.#enter(machine);
    act();
    this.#leave(machine);
  }

  #enter(machine: Machine): void {
    machine.depth++;
  }

  #leave(machine: Machine): void {
    if (--machine.depth === 0 && machine.routers.length > 1) this.#touched.add(machine);
  }

  #moveTogether(router: Router, before: VrrpState): void {
    const { state, config: { name, group } } = router;
    if (before.blocked !== state.blocked) this.review(router.machine);
    const members = companions(router);
    const reason = demotion(group ?? "", name, before, state, members.map(memberOf));
    if (reason === null) return;
    for (const member of members) {
      if (member === router || !heedsDemotion(memberOf(member))) continue;
      this.dispatch(member, { type: "demote", reason });
    }
  }

  #askGroup(router: Router): void {
    const members = companions(router);
    if (!mayLead(members.map(memberOf))) return;
    const now = this.clock(router.machine);
    for (const member of members) {
      this.dispatch(member, { type: "promote", reason: takeoverReason(member.state, now) });
    }
  }

  #tellFailures(): void {
    for (let failure = this.#failures.shift(); failure !== undefined; failure = this.#failures.shift()) {
      this.dispatch(failure.router, { type: "own-failed", error: failure.error });
    }
  }

  /** Tells each router of a machine what its surroundings allow now, where that changed. */
  review(machine: Machine): void {
    if (!machine.alive || machine.paused || machine.frozenAt !== null) return;
    this.#enter(machine);
    const present = machine.routers.filter(({ leaving }) => !leaving);
    for (const router of present) router.own = conditionsOf(router);
    for (const router of present) {
      const { own, config: { group, name } } = router;
      const conditions = group === null
        ? own
        : sharedConditions(own, group, companions(router).map(memberOf), name);
      if (sameConditions(conditions, router.state.conditions)) continue;
      this.excuse(router);
      this.dispatch(router, { type: "conditions", conditions });
    }
    this.#leave(machine);
  }

  // --- Effects ------------------------------------------------------------------------------------------------------

  #perform(router: Router, effect: VrrpEffect, left: boolean): void {
    const { config, machine } = router;
    switch (effect.type) {
      case "advertise":
        return this.#send(router, effect.priority, effect.ahSequence ?? 0, left);
      case "own-addresses": {
        const now = this.clock(machine);
        return this.#performAddresses(
          router,
          address.own(router.addresses, config.name, placementsOf(config), now),
        );
      }
      case "drop-addresses":
        router.announcer = null;
        return this.#performAddresses(router, address.drop(router.addresses, config.name));
      case "remove-leftovers":
        for (const key of router.kernel.keys()) {
          if (!router.addresses.owned.has(key)) router.kernel.delete(key);
        }
        return;
      case "wants-master":
        return this.#askGroup(router);
      case "transition":
        if (effect.from !== "master") return;
        // Who only keeps the addresses until the successor speaks has nothing to announce any more.
        router.announcer = null;
        if (router.sign !== null) router.sign = { ...router.sign, master: false };
        return;
      case "announce":
        router.announcer = announcement.announce(config.announce, targetsOf(config), this.clock(machine));
        return this.#runAnnouncer(router);
    }
  }

  #send(router: Router, priority: number, ahSequence: number, lastWord: boolean): void {
    const { segment, machine, state } = router;
    const datagrams = encodeAdverts(state, priority, ahSequence);
    if (datagrams.length === 0) return;
    router.sign = {
      master: priority !== 0,
      spokeAt: this.clock(machine),
      ahSequence: state.ahSequence,
      silenceNs: sufferedSilence(state.config),
    };
    for (const datagram of datagrams) {
      if (segment.history.push(datagram) > HISTORY) segment.history.shift();
      const unicast = state.config.peers.length > 0;
      for (const other of segment.routers) {
        if (other === router || (unicast && !sameBytes(datagram.destination, other.source))) continue;
        this.#carry(router, other, datagram, lastWord);
      }
    }
  }

  #carry(from: Router, to: Router, datagram: Datagram, lastWord: boolean): void {
    const { network, duality } = from.segment;
    const [a, b] = [from.machine, to.machine];
    const delays = from.cutOff ? [] : network.carry(a.id, b.id, this.now);
    const deaf = !b.alive || b.paused || b.frozenAt !== null || to.cutOff;
    if (delays.length === 0 || deaf) {
      duality.excuse(a.id, b.id, this.now);
      if (lastWord) from.leftUnheard = true;
    }
    const { epoch } = network;
    for (const delay of delays) {
      if (lastWord) from.lastWordAt = Math.max(from.lastWordAt, this.now + delay);
      duality.delayed(a.id, b.id, this.now, delay);
      this.at(this.now + delay, () => {
        if (epoch !== network.epoch) return;
        this.deliver(to, datagram, lastWord ? () => from.leftUnheard = true : null);
      });
    }
  }

  /** A packet arrives. `unheard` is called when nobody will ever hear it. */
  deliver(router: Router, datagram: Datagram, unheard: (() => void) | null = null): void {
    const { machine, cutOff } = router;
    const gone = !machine.alive || cutOff || machine.frozenAt !== null;
    if (gone || (machine.paused && machine.inbox.length >= RECEIVE_BUFFER)) return unheard?.();
    if (machine.paused) machine.inbox.push({ router, datagram, unheard });
    else this.dispatch(router, { type: "packet", packet: decodeDatagram(datagram) });
  }

  #performAddresses(router: Router, { state, effects }: AddressStep): void {
    router.addresses = state;
    const now = this.clock(router.machine);
    for (const effect of effects) {
      if (effect.type === "repaired") {
        if (router.state.phase === "master") this.#perform(router, { type: "announce" }, false);
        continue;
      }
      for (const placement of effect.placements) {
        const key = address.placementKey(placement.ifindex, placement.text, placement.prefix);
        if (effect.type === "remove") router.kernel.delete(key);
        else if (router.refuses) {
          this.#failures.push({ router, error: `Cannot add address ${placement.text}: refused` });
        } else router.kernel.set(key, now + (placement.leaseNs ?? Infinity));
      }
    }
  }

  #runAnnouncer(router: Router): void {
    if (router.announcer === null) return;
    const { state, send } = announcement.timer(router.announcer, this.clock(router.machine));
    router.announcer = state;
    if (send.length === 0 || router.cutOff) return;
    router.segment.lastAnnouncer = router;
    router.leftUnheard = false;
  }

  /** Whether the kernel answers for the router's addresses. */
  holds(router: Router): boolean {
    return heldUntil(router) > this.now;
  }

  // --- Excuses and ends ---------------------------------------------------------------------------------------------

  /** Something befell a router that changes what it hears or who is better. */
  excuse({ segment, machine }: Router): void {
    segment.duality.excuseAll(machine.id, this.now);
  }

  #watchMasters(router: Router): void {
    const { segment, machine } = router;
    for (const other of segment.routers) {
      if (other === router) continue;
      const both = isMaster(router) && isMaster(other);
      const interval = Math.min(router.config.intervalCs, other.config.intervalCs) * 1e7;
      segment.duality.observe(machine.id, other.machine.id, both, interval, this.now);
    }
  }

  /** A machine stopped or started to run: whoever was master at the same time is seen to be so no more, or again. */
  watchMasters(machine: Machine): void {
    for (const router of machine.routers) this.#watchMasters(router);
  }

  /** Loses all that is on its way. */
  sweep(): void {
    for (const segment of this.segments) {
      segment.network.sweep();
      for (const router of segment.routers) {
        if (router.lastWordAt > this.now) router.leftUnheard = true;
        this.excuse(router);
      }
    }
  }

  #endWhenLeft(machine: Machine): void {
    if (machine.routers.every(({ leaving, state }) => leaving && state.lingerUntil === null)) {
      this.end(machine);
    }
  }

  /** A process is no more; its kernel goes on. */
  end(machine: Machine): void {
    machine.alive = false;
    machine.run++;
    for (const { unheard } of machine.inbox.splice(0)) unheard?.();
    for (const router of machine.routers) router.announcer = null;
  }
}

/** The members of a router's group, itself included; one without a group is alone. */
export function companions(router: Router): readonly Router[] {
  const { group } = router.config;
  return group === null
    ? [router]
    : router.machine.routers.filter(({ config, leaving }) => config.group === group && !leaving);
}

function dueOf({ state, addresses, announcer }: Router): Ns {
  const own = nextDue(state);
  const due = addresses.owned.size === 0 ? own : Math.min(own, address.nextDue(addresses));
  return announcer === null ? due : Math.min(due, announcement.nextDue(announcer));
}

/** Until when the kernel answers for a router's addresses, on the clock of the world. */
function heldUntil({ machine, kernel, cutOff }: Router): Ns {
  if (machine.frozenAt !== null || cutOff) return -Infinity;
  let end = -Infinity;
  for (const until of kernel.values()) end = Math.max(end, until + machine.lag);
  return end;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
