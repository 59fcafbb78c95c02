/**
 * What their surroundings allow the virtual routers: interfaces and addresses, what control watches, default routes, and
 * each other.
 *
 * @module
 */
import type { RouteEvent } from "../../lib/netlink/mod.ts";
import { zonedAddress } from "../../lib/packet/mod.ts";
import { sharedConditions } from "../group/step.ts";
import type { LinkTable } from "../link/model.ts";
import { trackedInstance, trackedUnits, trackSource } from "../track/step.ts";
import type { TrackConfig, VrrpConfig } from "../vrrp/config.ts";
import type { Conditions, VrrpEvent } from "../vrrp/model.ts";
import { conditionsOf, sameConditions, type Tracked } from "./conditions.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { DefaultRoutes } from "./default_routes.ts";
import { companionsOf, type Instance, memberOf, ownedByBase } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import { Timer } from "./timer.ts";
import { TrackedValues } from "./tracked.ts";
import { WatchedLinks } from "./watched_links.ts";

/** What the surroundings need of the routers in them, and tell them. */
export interface SurroundingsHost {
  readonly outbox: Outbox;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly watch: (fd: number, read: () => void) => void;
  readonly instances: () => readonly Instance[];
  readonly links: () => LinkTable;
  /** Why the macvlan with this name is not there, in words; null when it is, or when its base is not. */
  readonly vmacError: (name: string) => string | null;
  /** An instance is allowed something else than before. */
  readonly allow: (instance: Instance, conditions: Conditions, now: MonotonicNs) => void;
}

/** Everything around the virtual routers that decides what they may be. */
export class Surroundings {
  readonly #host: SurroundingsHost;
  readonly #tracked = new TrackedValues();
  readonly #graceTimer = new Timer((now) => this.#graceOver(now));
  readonly #watchedLinks: WatchedLinks;
  readonly #defaultRoutes: DefaultRoutes;
  #virtualAddresses: ReadonlySet<string> = new Set();
  /** Names of the instances that others track; null = to be found anew. */
  #followed: ReadonlySet<string> | null = null;

  constructor(host: SurroundingsHost) {
    this.#host = host;
    const { schedule, watch, outbox } = host;
    const changed = (now: MonotonicNs) => this.review(now);
    const failed = (error: string) => outbox.log("error", ["track"], error);
    this.#watchedLinks = new WatchedLinks({ schedule, changed });
    this.#defaultRoutes = new DefaultRoutes({ schedule, watch, changed, failed });
  }

  /** Says which addresses are virtual, and so no source of advertisements; each as `zonedAddress` tells it. */
  setVirtualAddresses(addresses: ReadonlySet<string>): void {
    this.#virtualAddresses = addresses;
  }

  /**
   * The event by which an instance gets another config: with the weights that apply under it, as far as they are known.
   * All else is looked at when every instance has its new config: see {@link review}.
   */
  reconfigured(instance: Instance, config: VrrpConfig, now: MonotonicNs): VrrpEvent {
    const { conditions } = instance.state;
    const { adjustments, settled } = this.#lookAround(config, now);
    return {
      type: "configure",
      config,
      conditions: { ...conditions, adjustments, settled: conditions.settled && settled },
    };
  }

  /** Instances came or have other configs: who tracks whom is to be found anew. */
  forgetFollowed(): void {
    this.#followed = null;
  }

  // --- What happens -------------------------------------------------------------------------------------------------

  /** Takes in what happened to interfaces and addresses; returns whether default routes came or went with them. */
  observeLinks(events: readonly RouteEvent[], lost: boolean, now: MonotonicNs): boolean {
    return this.#defaultRoutes.observeLinks(events, lost, now);
  }

  /** Takes in the state of something that control watches. */
  observeTracked(source: string, tracked: Tracked, now: MonotonicNs): void {
    this.#tracked.tell(source, tracked);
    this.review(now);
  }

  /** Lets those that track an instance see what became of it. */
  observeInstance({ config }: Instance, now: MonotonicNs): void {
    this.#followed ??= trackedUnits(this.#host.instances().map((instance) => instance.config));
    if (this.#followed.has(config.unit)) this.review(now);
  }

  /** Control is gone: what it said is forgotten after a while, unless another one says it again. */
  doubtTracked(now: MonotonicNs): void {
    this.#tracked.doubt(now);
    this.#host.schedule(this.#graceTimer, this.#tracked.nextDue());
  }

  #graceOver(now: MonotonicNs): void {
    const old = new Set(this.#tracked.forgetOld(now));
    this.#host.schedule(this.#graceTimer, this.#tracked.nextDue());
    if (old.size === 0) return;
    this.review(now);
    const mattered = this.#host.instances().some(({ config }) =>
      config.track.some((track) => old.has(trackSource(track)))
    );
    if (!mattered) return;
    const text = "probe results are too old: treated as unknown";
    this.#host.outbox.event({ kind: "control", subject: null, text });
  }

  // --- What it means ------------------------------------------------------------------------------------------------

  /** Tells each instance what its surroundings allow now, where that changed. */
  review(now: MonotonicNs): void {
    const present = this.#host.instances().filter(({ leaving }) => !leaving);
    for (const instance of present) instance.own = this.#ownConditions(instance, now);
    this.#watchedLinks.settle();
    for (const instance of present) {
      const conditions = this.#sharedConditions(instance);
      if (sameConditions(conditions, instance.state.conditions)) continue;
      this.#host.allow(instance, conditions, now);
    }
  }

  close(): void {
    this.#defaultRoutes.close();
  }

  #ownConditions(instance: Instance, now: MonotonicNs): Conditions {
    const { config, socketError } = instance;
    const links = this.#host.links();
    const known = this.#lookAround(config, now);
    const vmacError = config.vmac === null ? null : this.#host.vmacError(config.vmac.name);
    const errors = [socketError, vmacError, ownedByBase(config, links)].filter((error) => error !== null);
    return errors.length === 0 ? known : { ...known, faults: [...known.faults, ...errors] };
  }

  #lookAround(config: VrrpConfig, now: MonotonicNs): Conditions {
    const links = this.#host.links();
    return conditionsOf(config, {
      links,
      link: (name) => this.#watchedLinks.look(name, config.debounce[name], links, now),
      tracked: (track) => this.#lookAt(track),
      isVirtual: this.#isVirtual,
    });
  }

  /** What is known of something that an instance tracks and that is no interface. */
  #lookAt(track: TrackConfig): Tracked {
    switch (track.kind) {
      case "instance": {
        const routers = this.#host.instances().filter(({ config, leaving }) =>
          config.unit === track.name && !leaving
        );
        return trackedInstance(routers.map(({ state }) => state), track.state);
      }
      case "route":
        return this.#defaultRoutes.tracked(track.family);
      case "probe":
      case "interface":
      case "tunnel":
        return this.#tracked.get(trackSource(track));
    }
  }

  /** What its surroundings and the other members of its group allow an instance. */
  #sharedConditions(instance: Instance): Conditions {
    const { own, config, name } = instance;
    if (config.group === null) return own;
    const members = companionsOf(instance, this.#host.instances());
    return sharedConditions(own, config.group, members.map(memberOf), name);
  }

  readonly #isVirtual = (bytes: Uint8Array, name: string): boolean =>
    this.#virtualAddresses.has(zonedAddress(bytes, name));
}
