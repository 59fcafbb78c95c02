/**
 * One virtual router in the hands of a test.
 *
 * @module
 */
import { parseAddress, VRRP_AUTH, VRRP_IPV4_GROUP, type VrrpAdvert } from "../../../../lib/packet/mod.ts";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import type {
  Conditions,
  ReceivedPacket,
  VrrpEffect,
  VrrpEvent,
  VrrpState,
} from "../../../../mod/vrrp/model.ts";
import { initialState, nextDue, step } from "../../../../mod/vrrp/step.ts";
import { config } from "../../../router_config.ts";

export { config, vip } from "../../../router_config.ts";

export const MS = 1e6;
export const S = 1e9;
/** Where the tests' clocks begin. */
export const START = 100 * S;

export const SELF = "10.1.1.2";
export const LOWER = "10.1.1.1";
export const HIGHER = "10.1.1.3";

/** All is well. */
export function conditions(part: Partial<Conditions> = {}): Conditions {
  return {
    source: parseAddress(SELF)!,
    faults: [],
    waiting: [],
    adjustments: [],
    settled: true,
    deaf: false,
    ...part,
  };
}

/** An advertisement of the same virtual router. */
export function packet(
  of: VrrpConfig,
  from: string,
  advert: Partial<VrrpAdvert> = {},
  header: Partial<ReceivedPacket> = {},
): ReceivedPacket {
  return {
    source: parseAddress(from)!,
    destination: VRRP_IPV4_GROUP,
    ttl: 255,
    decode: {
      ok: true,
      checksumForm: "rfc",
      advert: {
        version: of.version,
        vrid: of.vrid,
        priority: 100,
        addresses: of.addresses.map(({ address }) => parseAddress(address)!),
        intervalCs: of.intervalCs,
        authType: VRRP_AUTH.none,
        ...advert,
      },
    },
    ...header,
  };
}

export class Rig {
  state: VrrpState;
  /** Of the last event. */
  effects: readonly VrrpEffect[] = [];
  now = START;

  constructor(part: Partial<VrrpConfig> = {}) {
    this.state = initialState(config(part), this.now);
  }

  /** A router that has just begun to listen. */
  static backup(part: Partial<VrrpConfig> = {}): Rig {
    const rig = new Rig(part);
    rig.event({ type: "conditions", conditions: conditions() });
    return rig;
  }

  /** A router that has just become master, having heard nobody. */
  static master(part: Partial<VrrpConfig> = {}): Rig {
    const rig = Rig.backup(part);
    while (rig.state.phase !== "master") rig.timer();
    return rig;
  }

  event(event: VrrpEvent): readonly VrrpEffect[] {
    const result = step(this.state, event, this.now);
    this.state = result.state;
    this.effects = result.effects;
    return this.effects;
  }

  wait(ns: number): this {
    this.now += ns;
    return this;
  }

  /** Goes to the next deadline and serves it. */
  timer(): readonly VrrpEffect[] {
    this.now = this.due;
    return this.event({ type: "timer" });
  }

  hear(
    from: string,
    advert: Partial<VrrpAdvert> = {},
    header: Partial<ReceivedPacket> = {},
  ): readonly VrrpEffect[] {
    return this.event({ type: "packet", packet: packet(this.state.config, from, advert, header) });
  }

  look(part: Partial<Conditions> = {}): readonly VrrpEffect[] {
    return this.event({ type: "conditions", conditions: conditions(part) });
  }

  configure(part: Partial<VrrpConfig>): readonly VrrpEffect[] {
    return this.event({ type: "configure", config: { ...this.state.config, ...part } });
  }

  get due(): number {
    return nextDue(this.state);
  }

  /** From now to the own deadline, in milliseconds. */
  get dueMs(): number {
    return (this.state.due - this.now) / MS;
  }

  /** Effects of the last event by type, with what matters of them. */
  get told(): string[] {
    return this.effects.map((effect) => {
      switch (effect.type) {
        case "advertise":
          return `advertise ${effect.priority}`;
        case "transition":
          return `${effect.from}>${effect.to}`;
        case "dropped":
          return `dropped ${effect.reason}`;
        case "event":
          return effect.kind;
        case "mismatch":
          return `mismatch ${effect.kind}`;
        default:
          return effect.type;
      }
    });
  }
}
