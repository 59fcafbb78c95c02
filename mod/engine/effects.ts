/**
 * Performs what the steps of virtual routers want: on the wire, in the kernel, in the history and in the counters.
 *
 * @module
 */
import { realtimeMs } from "../../lib/libc/mod.ts";
import { formatAddress } from "../../lib/packet/mod.ts";
import type { DropReason } from "../bus/messages.ts";
import type { LinkTable } from "../link/model.ts";
import { linkNamed } from "../link/step.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { VrrpEffect } from "../vrrp/model.ts";
import type { AddressKeeper } from "./addresses.ts";
import type { Belongings } from "./belongings.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { DROP_TEXTS } from "./drops.ts";
import { type Instance, placementsOf } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import type { SignsOfLife } from "./signs.ts";
import type { VmacUsers } from "./vmac_users.ts";
import type { Voice } from "./voice.ts";

/** A drop of one kind is logged at most this often. */
const DROP_LOG_GAP = 60e9;
/** So many differences to peers' configurations are told at most: anybody can make up more. */
const MAX_MISMATCHES = 16;

/** What effects are performed with. */
export interface EffectsHost {
  readonly outbox: Outbox;
  readonly voice: Voice;
  readonly signs: SignsOfLife;
  readonly addresses: AddressKeeper;
  readonly belongings: Belongings;
  readonly vmacs: VmacUsers;
  readonly links: () => LinkTable;
  /** A member of a group wants to be master. */
  readonly askGroup: (instance: Instance, now: MonotonicNs) => void;
}

/** The doer of all virtual routers. */
export class Effects {
  readonly #host: EffectsHost;

  constructor(host: EffectsHost) {
    this.#host = host;
  }

  /** Performs one effect. `from` = the sender of the packet that led to it. */
  perform(instance: Instance, effect: VrrpEffect, now: MonotonicNs, from: Uint8Array | null): void {
    const { outbox, voice, belongings, vmacs } = this.#host;
    const { counters, config, name } = instance;
    switch (effect.type) {
      case "advertise":
        return voice.advertise(instance, effect.priority, effect.ahSequence ?? 0);
      case "own-addresses":
        voice.flush();
        return this.own(config, now);
      case "drop-addresses":
        voice.flush();
        voice.fallSilent(instance);
        belongings.drop(name, now);
        return vmacs.rest(config);
      case "remove-leftovers":
        return this.removeLeftovers([instance]);
      case "wants-master":
        return this.#host.askGroup(instance, now);
      case "announce":
        return voice.announce(instance, now);
      case "transition": {
        if (effect.from === "master") {
          this.#host.signs.note(instance, false);
          // A router that only keeps answering for a successor must not lead clients back to itself.
          voice.fallSilent(instance);
        }
        const { from: before, to, reason } = effect;
        instance.sinceMs = realtimeMs();
        instance.mismatches.clear();
        const detail = { from: before, to, reason, priority: instance.state.priority };
        return outbox.event({
          kind: "transition",
          subject: name,
          text: `${before} → ${to}: ${reason}`,
          detail,
        });
      }
      case "received":
        counters.received++;
        if (effect.priorityZero) counters.priorityZeroReceived++;
        return;
      case "dropped":
        counters.drop(effect.reason);
        return this.#logDrop(instance, effect.reason, now, from);
      case "mismatch":
        if (effect.kind === "addresses") counters.addressMismatch++;
        else counters.intervalMismatch++;
        if (instance.mismatches.has(effect.text) || instance.mismatches.size >= MAX_MISMATCHES) return;
        instance.mismatches.add(effect.text);
        return outbox.event({ kind: "mismatch", subject: name, text: effect.text });
      case "event": {
        const { kind, text, detail } = effect;
        return outbox.event({ kind, subject: name, text, ...(detail === undefined ? {} : { detail }) });
      }
    }
  }

  /** Gives a virtual router its addresses and all that goes with them. */
  own(config: VrrpConfig, now: MonotonicNs): void {
    this.#host.vmacs.wake(config);
    this.#host.belongings.own(config, this.#host.links(), now);
  }

  /** Removes what an earlier run left behind of the addresses of these instances. */
  removeLeftovers(instances: readonly Instance[]): void {
    const { outbox, addresses, belongings, vmacs } = this.#host;
    const links = this.#host.links();
    for (const { config, name, state } of instances) {
      // The owner's addresses are the machine's own, and those of a router that may resume are still in use.
      if (config.priority === 255 || state.resumeUntil !== null) continue;
      const removed = [
        ...belongings.removeLeftovers(config, links),
        ...addresses.removeLeftovers(
          placementsOf(config, links),
          linkNamed(links, config.interface)?.index ?? null,
          links,
        ),
      ];
      if (removed.length === 0) continue;
      const text = `removed ${removed.join(", ")}, left behind by an earlier run`;
      outbox.event({ kind: "repair", subject: name, text });
    }
    vmacs.restIdle(instances);
  }

  #logDrop(instance: Instance, reason: DropReason, now: MonotonicNs, from: Uint8Array | null): void {
    const last = instance.dropLogged.get(reason);
    if (last !== undefined && now - last < DROP_LOG_GAP) return;
    instance.dropLogged.set(reason, now);
    const sender = from === null ? "a packet" : `a packet from ${formatAddress(from)}`;
    this.#host.outbox.log("warning", ["vrrp", instance.name], `ignored ${sender}: ${DROP_TEXTS[reason]}`);
  }
}
