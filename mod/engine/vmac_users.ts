/**
 * Who uses which virtual MAC address: a macvlan is there while some virtual router wants it, and awake while one of them
 * has its addresses.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import type { NetlinkConnection } from "../../lib/netlink/mod.ts";
import type { LinkTable } from "../link/model.ts";
import { vmacOf } from "../vmac/step.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { holdsAddresses, type Instance } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import { Timer } from "./timer.ts";
import { VmacKeeper } from "./vmacs.ts";

/** What the users of virtual MAC addresses need of the routers around them, and tell them. */
export interface VmacUsersHost {
  readonly netlink: NetlinkConnection;
  readonly outbox: Outbox;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly instances: () => readonly Instance[];
  readonly links: () => LinkTable;
  /** Macvlans were made or removed: these are the interfaces now. */
  readonly changed: (links: LinkTable) => void;
  /** What could not be made before was tried again. */
  readonly retried: (now: MonotonicNs) => void;
  /** The macvlan of this instance, which has its addresses, is there anew or up again: they have to be put on it. */
  readonly renewed: (instance: Instance, now: MonotonicNs) => void;
}

/** The virtual MAC addresses of this node's virtual routers. */
export class VmacUsers {
  readonly #host: VmacUsersHost;
  readonly #keeper: VmacKeeper;
  readonly #timer = new Timer((now) => this.sync(now));
  /** Configs that instances are about to get. */
  #coming: readonly VrrpConfig[] = [];
  /** Macvlans that were put back, by name, and what is told of it. */
  readonly #mended = new Map<string, string>();

  constructor(host: VmacUsersHost) {
    this.#host = host;
    this.#keeper = new VmacKeeper({
      netlink: host.netlink,
      schedule: host.schedule,
      retry: (now) => {
        this.sync(now);
        host.retried(now);
      },
      repaired: (name, text) => this.#mended.set(name, text),
      stuck: (error) => host.outbox.log("error", ["vmac"], error),
    });
  }

  /** Makes the interfaces that these configs want; {@link sync} removes what nobody wants when they are in force. */
  prepare(configs: readonly VrrpConfig[], now: MonotonicNs): void {
    this.#coming = configs;
    this.sync(now);
    this.#coming = [];
  }

  /** Makes, repairs and removes the interfaces of virtual MAC addresses. */
  sync(now: MonotonicNs): void {
    const instances = this.#host.instances();
    const configs = [...instances.map(({ config }) => config), ...this.#coming];
    const wanted = configs.map(vmacOf).filter((vmac) => vmac !== null);
    this.#host.changed(this.#keeper.sync(wanted, this.#host.links(), now));
    for (const instance of this.#mended.size === 0 ? [] : instances) {
      const text = this.#mended.get(instance.config.vmac?.name ?? "");
      if (text === undefined) continue;
      instance.counters.repaired++;
      this.#host.outbox.event({ kind: "repair", subject: instance.name, text });
      if (holdsAddresses(instance) && !instance.leaving) this.#host.renewed(instance, now);
    }
    this.#mended.clear();
    this.restIdle(instances);
  }

  /** As {@link sync}, with all other changes of this wake-up: the kernel takes its time. */
  syncSoon(): void {
    this.#host.schedule(this.#timer, monotonicNs());
  }

  /** Lets the virtual MAC address of a router that gets its addresses accept packets. */
  wake(config: VrrpConfig): void {
    const vmac = vmacOf(config);
    if (vmac !== null) this.#keeper.wake(vmac);
  }

  /** Silences the virtual MAC address of a router that is not master, unless another with the same one is. */
  rest(config: VrrpConfig): void {
    if (config.vmac === null || !this.#keeper.isAwake(config.vmac.name)) return;
    const vmac = vmacOf(config)!;
    const inUse = this.#host.instances().some((other) =>
      other.config.vmac?.name === vmac.name && holdsAddresses(other)
    );
    if (!inUse) this.#keeper.rest(vmac);
  }

  /** As {@link rest}, for all but those that may go on as the master that they were. */
  restIdle(instances: readonly Instance[]): void {
    for (const { config, state } of instances) if (state.resumeUntil === null) this.rest(config);
  }

  /** Why a macvlan is not there, in words; null when it is, or when its base is not. */
  errorOf(name: string): string | null {
    return this.#keeper.errorOf(name);
  }

  /** Index of a macvlan; null while it is not there. */
  indexOf(name: string): number | null {
    return this.#keeper.indexOf(name);
  }

  /** Removes all macvlans. */
  removeAll(): void {
    this.#keeper.removeAll(this.#host.links());
  }
}
