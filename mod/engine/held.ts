/**
 * What an operator holds back: single instances, or the whole node in maintenance. It lasts until he says otherwise.
 *
 * @module
 */
import type { Held } from "../bus/messages.ts";
import { identity, type VrrpConfig } from "../vrrp/config.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { companionsOf, type Instance } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import type { VirtualRouters } from "./routers.ts";

/** Why an instance stands back, in words. */
const RELEASED = "released by the operator";
const IN_MAINTENANCE = "in maintenance";

/** What became of what an operator asked for. */
export interface Answer {
  readonly ok: boolean;
  readonly text: string;
}

export class HeldBack {
  readonly #routers: VirtualRouters;
  readonly #outbox: Outbox;
  #maintenance = false;
  /** Whether control has still to be told. */
  #dirty = true;

  constructor(routers: VirtualRouters, outbox: Outbox) {
    this.#routers = routers;
    this.#outbox = outbox;
  }

  /** What is held back now. */
  get held(): Held {
    const released = this.#present().filter(({ state }) => state.released !== null);
    const units = new Set(released.map(({ config }) => config.unit));
    return { maintenance: this.#maintenance, released: this.#maintenance ? [] : [...units] };
  }

  /** What is held back by routers of which these identities are not: those go on, by whatever name. */
  leftBy(identities: ReadonlyMap<string, VrrpConfig>): Held {
    const going = this.#present().filter(({ config }) => identities.has(identity(config)));
    const units = new Set(going.map(({ config }) => config.unit));
    const { maintenance, released } = this.held;
    return { maintenance, released: released.filter((unit) => !units.has(unit)) };
  }

  /** Lets an instance stand back, with all that move together with it. */
  release(name: string, now: MonotonicNs): Answer {
    this.#dirty = true;
    const instances = this.#routers.named(name);
    // In maintenance it stands back already.
    for (const instance of this.#maintenance ? [] : instances) this.#routers.release(instance, RELEASED, now);
    return answerOf(name, instances);
  }

  /** Lets an instance take part again, with all that move together with it. */
  resume(name: string, now: MonotonicNs): Answer {
    this.#dirty = true;
    const instances = this.#routers.named(name);
    if (this.#maintenance && instances.length > 0) {
      return { ok: false, text: `the node is in maintenance: \`appliance maintenance off\` resumes ${name}` };
    }
    for (const instance of instances) this.#routers.dispatch(instance, { type: "resume" }, now);
    return answerOf(name, instances);
  }

  /** Makes the whole node stand back, with all instances that it will get, or lets all take part again. */
  setMaintenance(on: boolean, now: MonotonicNs): Answer {
    this.#dirty = true;
    this.#maintenance = on;
    for (const instance of this.#present()) {
      if (on) this.#routers.release(instance, IN_MAINTENANCE, now);
      else this.#routers.dispatch(instance, { type: "resume" }, now);
    }
    return { ok: true, text: `maintenance is ${on ? "on" : "off"}` };
  }

  /**
   * Holds back what was held back before a change of the config, and what belongs to it: instances that are new in
   * maintenance, or in a group that is released.
   *
   * @param before By name what is to go on by its name alone, for those of the instances that were `started` now: one that
   * ran before under another name is not the one that was meant.
   */
  keep(before: Held, started: readonly Instance[], now: MonotonicNs): void {
    this.#dirty = true;
    if (before.maintenance) this.#maintenance = true;
    const heirs = new Set(started.filter(({ config }) => before.released.includes(config.unit)));
    for (const instance of this.#present()) {
      if (instance.state.released !== null) continue;
      const held = companionsOf(instance, this.#routers.instances).some((companion) =>
        companion.state.released !== null || heirs.has(companion)
      );
      if (this.#maintenance) this.#routers.release(instance, IN_MAINTENANCE, now);
      else if (held) this.#routers.release(instance, RELEASED, now);
    }
  }

  /** Tells control what is held back, where that may have changed. */
  tell(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#outbox.send({ type: "held", held: this.held });
  }

  /** Makes the next {@link tell} say it, for a control process that knows nothing. */
  retell(): void {
    this.#dirty = true;
  }

  #present(): readonly Instance[] {
    return this.#routers.instances.filter(({ leaving }) => !leaving);
  }
}

function answerOf(name: string, instances: readonly Instance[]): Answer {
  if (instances.length === 0) return { ok: false, text: `there is no instance ${name}` };
  const texts = instances.map(({ config, state }) =>
    `${config.unit} is ${state.released === null ? state.phase : "released"}`
  );
  return { ok: true, text: [...new Set(texts)].join(", ") };
}
