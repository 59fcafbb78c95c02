/**
 * The virtual routers of this node: each event goes to an instance's pure step, and what the step wants is performed.
 *
 * @module
 */
import { monotonicNs, realtimeMs } from "../../lib/libc/mod.ts";
import type { RouteEvent } from "../../lib/netlink/mod.ts";
import type { Placement } from "../address/model.ts";
import type { LinkTable } from "../link/model.ts";
import { readLinks } from "../link/shell.ts";
import { applyRouteEvents } from "../link/step.ts";
import type { StaticConfig } from "../route/config.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { VrrpEvent } from "../vrrp/model.ts";
import type { LastSigns } from "../vrrp/phase.ts";
import { nextDue, step } from "../vrrp/step.ts";
import { intervalNs, NS_PER_MS, skewTime } from "../vrrp/timers.ts";
import { instanceReport } from "../vrrp/view.ts";
import { AddressKeeper } from "./addresses.ts";
import { Belongings } from "./belongings.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Effects } from "./effects.ts";
import { Groups } from "./groups.ts";
import { changedCounters, companionsOf, Instance, visiblyDiffers } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import { SignsOfLife } from "./signs.ts";
import { SocketSet, type SocketWatcher } from "./sockets.ts";
import { Surroundings } from "./surroundings.ts";
import { Timer } from "./timer.ts";
import { VmacUsers } from "./vmac_users.ts";
import { Voice } from "./voice.ts";

/** An advertisement may leave so much of its interval early, with those of other instances. */
const ADVERT_SLACK = 1 / 1000;
/** How long a planned step down keeps answering for the addresses beyond Skew_Time. */
const HANDOVER_MARGIN = 1e9;
/** Until interfaces that could not be read are read again. */
const RELIST_PAUSE = 100e6;

/** What the routers need of the loop around them. */
export interface RouterHost {
  readonly outbox: Outbox;
  readonly sockets: SocketWatcher;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** Something is to be read when this descriptor is readable. */
  readonly watch: (fd: number, read: () => void) => void;
  /** An instance that was leaving is gone. */
  readonly left: () => void;
}

/** All virtual routers of this node. */
export class VirtualRouters {
  readonly #host: RouterHost;
  readonly #outbox: Outbox;
  readonly #addresses: AddressKeeper;
  readonly #belongings: Belongings;
  readonly #sockets: SocketSet;
  readonly #voice: Voice;
  readonly #signs: SignsOfLife;
  readonly #groups: Groups;
  readonly #relistTimer = new Timer((now) => this.observeLinks([], true, now));
  readonly #failures: { readonly instance: string; readonly error: string }[] = [];
  #links: LinkTable;
  #instances: readonly Instance[] = [];
  /** Those that others see otherwise than they were told. */
  readonly #toTell = new Set<Instance>();

  readonly vmacs: VmacUsers;
  readonly surroundings: Surroundings;
  readonly effects: Effects;

  constructor(host: RouterHost) {
    this.#host = host;
    this.#outbox = host.outbox;
    this.#addresses = new AddressKeeper({
      refused: (instance, placement, error) => this.#refused(instance, placement, error),
      settled: (instance, placement) => this.#belongings.addressSettled(instance, placement),
      repaired: (instance, placement, fight) => this.#repaired(instance, placement, fight),
      stuck: (error) => this.#outbox.log("error", ["address"], error),
      links: () => this.#links,
      schedule: host.schedule,
    });
    this.#belongings = new Belongings({
      addresses: this.#addresses,
      outbox: host.outbox,
      schedule: host.schedule,
      watch: host.watch,
      changed: (instance) => this.#instanceNamed(instance, (found) => void this.#toTell.add(found)),
      repaired: (instance) => this.#instanceNamed(instance, ({ counters }) => counters.repaired++),
    });
    this.#signs = new SignsOfLife(host.outbox);
    this.#voice = new Voice({
      outbox: host.outbox,
      signs: this.#signs,
      schedule: host.schedule,
      links: () => this.#links,
      changed: (instance) => void this.#toTell.add(instance),
      vmacIndex: (name) => this.vmacs.indexOf(name),
    });
    this.#sockets = new SocketSet({
      watcher: host.sockets,
      heard: (instance, packet) =>
        this.dispatch(instance, { type: "packet", packet }, monotonicNs(), packet.source),
      failed: (error) => this.#outbox.log("warning", ["engine"], error),
    });
    this.vmacs = new VmacUsers({
      netlink: this.#addresses.netlink,
      outbox: host.outbox,
      schedule: host.schedule,
      instances: () => this.#instances,
      links: () => this.#links,
      changed: (links) => this.#links = links,
      retried: (now) => this.surroundings.review(now),
      renewed: (instance, now) => {
        this.effects.own(instance.config, now);
        if (instance.state.phase === "master") this.#voice.announce(instance, now);
      },
    });
    this.surroundings = new Surroundings({
      outbox: host.outbox,
      schedule: host.schedule,
      watch: host.watch,
      instances: () => this.#instances,
      links: () => this.#links,
      vmacError: (name) => this.vmacs.errorOf(name),
      allow: (instance, conditions, now) => this.dispatch(instance, { type: "conditions", conditions }, now),
    });
    this.#groups = new Groups({
      instances: () => this.#instances,
      dispatch: (instance, event, now) => this.dispatch(instance, event, now),
      review: (now) => this.surroundings.review(now),
    });
    this.effects = new Effects({
      outbox: host.outbox,
      voice: this.#voice,
      signs: this.#signs,
      addresses: this.#addresses,
      belongings: this.#belongings,
      vmacs: this.vmacs,
      links: () => this.#links,
      askGroup: (instance, now) => this.#groups.ask(instance, now),
    });
    this.#links = readLinks(this.#addresses.netlink);
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Packets that belong to no instance, by reason. */
  get strays(): SocketSet["strays"] {
    return this.#sockets.strays;
  }

  /** The instances that the operator means by a name, with all that move together with them. */
  named(name: string): readonly Instance[] {
    const meant = this.#instances.filter(({ config, leaving }) => config.unit === name && !leaving);
    return [...new Set(meant.flatMap((instance) => companionsOf(instance, this.#instances)))];
  }

  // --- What happens -------------------------------------------------------------------------------------------------

  /** Lets the advertisements of routers that are due together leave together; or sends what waits, and lets none wait. */
  gatherAdverts(on: boolean): void {
    this.#voice.gather(on);
  }

  /** Takes in changes of interfaces and addresses; `lost` = some were missed, so all is read anew. */
  observeLinks(events: readonly RouteEvent[], lost: boolean, now: MonotonicNs): void {
    const before = this.#links;
    const anew = lost ? this.#readLinks(now) : null;
    this.#links = anew ?? applyRouteEvents(before, events);
    // With an interface its memberships ended. Of what was missed nobody knows.
    const gone = new Set(events.flatMap((event) => event.type === "link-gone" ? [event.link.index] : []));
    if (anew !== null || gone.size > 0) this.#sockets.forget((index) => anew !== null || gone.has(index));
    if (this.#links !== before) this.vmacs.sync(now);
    this.#addresses.observe(events, now);
    if (anew !== null) this.#addresses.recount(anew, now);
    this.#belongings.observeLinks(events, lost, this.#links !== before, this.#links, now);
    const rerouted = this.surroundings.observeLinks(events, lost, now);
    if (this.#links === before && !rerouted) return;
    if (this.#links !== before) {
      this.#voice.observeLinks(before, this.#instances, now);
      this.syncSockets();
    }
    this.surroundings.review(now);
  }

  /** All interfaces anew; null when they keep changing while they are read: then it is tried again soon. */
  #readLinks(now: MonotonicNs): LinkTable | null {
    try {
      return readLinks(this.#addresses.netlink);
    } catch (error) {
      this.#outbox.log("warning", ["engine"], (error as Error).message);
      this.#host.schedule(this.#relistTimer, now + RELIST_PAUSE);
      return null;
    }
  }

  /** Lets an instance decide, and performs what it decided. `from` = the sender of the packet. */
  dispatch(instance: Instance, event: VrrpEvent, now: MonotonicNs, from: Uint8Array | null = null): void {
    const before = instance.state;
    const { state, effects } = step(before, event, now);
    instance.state = state;
    for (const effect of effects) {
      // What could not be put in place is not announced.
      if (effect.type === "announce" && this.#failures.some(({ instance: name }) => name === instance.name)) {
        continue;
      }
      this.effects.perform(instance, effect, now, from);
    }
    // Effects may have led to further steps of the same instance: what counts is where it stands now.
    const after = instance.state;
    if (visiblyDiffers(before, after)) this.#toTell.add(instance);
    instance.timer.slack = after.phase === "master" ? after.interval * ADVERT_SLACK : 0;
    this.#host.schedule(instance.timer, nextDue(after));
    this.#groups.follow(instance, before, now);
    if (after.phase !== before.phase || after.reason !== before.reason) {
      this.surroundings.observeInstance(instance, now);
    }
    if (instance.leaving && after.lingerUntil === null) this.#bury(instance);
    // A failure to perform comes back as an event, once all effects are through.
    for (let failure = this.#failures.shift(); failure !== undefined; failure = this.#failures.shift()) {
      const failed = this.#instances.find(({ name }) => name === failure.instance);
      if (failed !== undefined) this.dispatch(failed, { type: "own-failed", error: failure.error }, now);
    }
  }

  // --- What is wanted -----------------------------------------------------------------------------------------------

  /**
   * Adds a virtual router; it takes part after {@link Surroundings.review}. `last` = what is known of it as the master
   * that it was under an engine before this one.
   */
  start(config: VrrpConfig, now: MonotonicNs, last: LastSigns | null): Instance {
    const instance = new Instance(
      config,
      now,
      realtimeMs(),
      (entry, at) => this.dispatch(entry, { type: "timer" }, at),
      (entry, at) => this.#voice.continueAnnouncing(entry, at),
      last,
    );
    this.#instances = [...this.#instances, instance];
    this.#toTell.add(instance);
    this.surroundings.forgetFollowed();
    return instance;
  }

  /** Calls a running virtual router otherwise; all that is its own stays so. */
  rename(instance: Instance, name: string): void {
    const taken = this.#instances.some((other) => other !== instance && other.name === name);
    if (taken) return this.rename(instance, `${name}'`);
    this.#addresses.rename(instance.name, name);
    this.#belongings.rename(instance.name, name);
    instance.state = { ...instance.state, config: { ...instance.config, name } };
    // Of one that is called so nobody has been told what it has counted.
    instance.counters.retell();
  }

  /** Gives a running virtual router another config of the same identity. */
  reconfigure(instance: Instance, config: VrrpConfig, now: MonotonicNs): void {
    if (instance.name !== config.name) this.rename(instance, config.name);
    instance.mismatches.clear();
    this.surroundings.forgetFollowed();
    this.dispatch(instance, this.surroundings.reconfigured(instance, config, now), now);
    this.#toTell.add(instance);
  }

  /** Steps down without a gap: the addresses stay until the successor is heard, for a bounded time. */
  release(instance: Instance, reason: string, now: MonotonicNs, limit: number = Infinity): void {
    const { config } = instance;
    const slowest = skewTime(config.version, 1, intervalNs(config.intervalCs));
    const lingerNs = Math.min(slowest + HANDOVER_MARGIN, limit);
    this.dispatch(instance, { type: "release", reason, lingerNs }, now);
  }

  /** As {@link release}, and for good: the instance is gone once its addresses are. */
  leave(instance: Instance, reason: string, now: MonotonicNs, limit: number = Infinity): void {
    instance.leaving = true;
    this.#belongings.leave(instance.name);
    this.release(instance, reason, now, limit);
  }

  /** Takes every address away at once and forgets all instances. */
  abandonAll(): void {
    const now = monotonicNs();
    for (const { name } of this.#instances) this.#belongings.drop(name, now);
    this.#instances = [];
    this.#belongings.abandon(now);
    this.vmacs.removeAll();
  }

  /** Lets these addresses move between instances during a change: see {@link AddressKeeper.move}. */
  moveAddresses(addresses: ReadonlySet<string>, act: () => void): void {
    this.#addresses.move(addresses, act);
  }

  /** Puts what is to be there whoever is master, and gets ready for what goes with the addresses of these instances. */
  equip(wanted: StaticConfig, instances: readonly VrrpConfig[], now: MonotonicNs): void {
    this.#belongings.setStatic(wanted, this.#links, now);
    for (const config of instances) this.#belongings.prepare(config, this.#links);
    this.#belongings.watchCarriers(instances, this.#links);
  }

  /** Drops what is for the addresses of instances that accept nothing, those that are about to leave included. */
  guard(): void {
    this.#belongings.guard(this.#instances.map(({ config }) => config));
  }

  /** Leaves signs of life for the routers that are there now; `same` = they are the same as before. */
  keepHeartbeat(runtimeDir: string, same: boolean): void {
    this.#signs.begin(runtimeDir, this.#instances, same);
  }

  /** Opens and closes sockets as interfaces and instances come and go. */
  syncSockets(): void {
    this.#voice.forgetLinks();
    this.#sockets.sync(this.#instances, this.#links);
  }

  /** Tells control of the instances that changed. */
  tell(): void {
    const bootMs = this.#toTell.size === 0 ? 0 : realtimeMs() - monotonicNs() / NS_PER_MS;
    for (const { state, sinceMs, sendError, leaving } of this.#toTell) {
      if (leaving) continue;
      const carried = this.#belongings.carried(state.config);
      const instance = instanceReport(state, sinceMs, bootMs, carried, sendError);
      this.#outbox.send({ type: "instance", instance });
    }
    // Who reads that it is master finds the advertisement that said so counted.
    if (this.#toTell.size > 0) this.tellCounters(this.#toTell);
    this.#toTell.clear();
    this.#belongings.tell();
  }

  /** Tells control what of the counters changed since they were told last. */
  tellCounters(of: Iterable<Instance> = this.#instances): void {
    const counters = changedCounters(of);
    if (counters !== null) this.#outbox.send({ type: "counters", counters });
  }

  /** Makes the next {@link tell} say everything, for a control process that knows nothing. */
  retell(): void {
    for (const instance of this.#instances) {
      this.#toTell.add(instance);
      instance.counters.retell();
    }
    this.#belongings.retell();
  }

  close(): void {
    this.#sockets.closeAll();
    this.#voice.close();
    this.#belongings.close();
    this.surroundings.close();
    this.#addresses.close();
  }

  #instanceNamed(name: string, act: (instance: Instance) => void): void {
    const found = this.#instances.find((other) => other.name === name);
    if (found !== undefined) act(found);
  }

  /** Without its virtual addresses nobody is master; the rest is not worth a fail-over. */
  #refused(name: string, placement: Placement, error: string): void {
    const instance = this.#instances.find((other) => other.name === name);
    const virtual =
      instance?.config.addresses.some(({ address, dev }) =>
        address === placement.text && (dev ?? instance.config.interface) === placement.interface
      ) ?? false;
    if (virtual) this.#failures.push({ instance: name, error });
    else this.#belongings.addressRefused(name, placement, error);
  }

  #repaired(name: string, { text: address, prefix, interface: device }: Placement, fight: boolean): void {
    const instance = this.#instances.find((other) => other.name === name);
    if (instance !== undefined) {
      instance.counters.repaired++;
      // Neighbours may have learnt another place for it meanwhile.
      if (instance.state.phase === "master") this.#voice.announce(instance, monotonicNs());
    }
    const text = `${address}/${prefix} was removed from ${device} by someone else and put back` +
      (fight ? "; another program keeps removing it" : "");
    const subject = instance === undefined ? null : name;
    this.#outbox.event({ kind: "repair", subject, text, detail: { address, interface: device } });
  }

  /** Removes an instance for good. */
  #bury(instance: Instance): void {
    this.#belongings.drop(instance.name, monotonicNs());
    this.#host.schedule(instance.timer, Infinity);
    this.#host.schedule(instance.announceTimer, Infinity);
    this.#instances = this.#instances.filter((other) => other !== instance);
    if (!instance.config.accept) this.guard();
    this.syncSockets();
    if (instance.config.vmac !== null) this.vmacs.syncSoon();
    this.#host.left();
  }
}
