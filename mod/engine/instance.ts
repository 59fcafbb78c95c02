/**
 * One virtual router in the engine: its pure state and what performing its effects needs.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../../lib/packet/mod.ts";
import type { DropReason, InstanceCounters } from "../bus/messages.ts";
import type { Placement } from "../address/model.ts";
import type { Announcer, Target } from "../announce/model.ts";
import type { Member } from "../group/model.ts";
import type { LinkTable } from "../link/model.ts";
import { linkNamed } from "../link/step.ts";
import { type AdvertTemplate, advertTemplate, type VrrpSockets } from "../vrrp/shell.ts";
import type { VipConfig, VrrpConfig } from "../vrrp/config.ts";
import type { Conditions, MonotonicNs, VrrpState } from "../vrrp/model.ts";
import { type LastSigns, sequenceFloor } from "../vrrp/phase.ts";
import { initialState, resumedState } from "../vrrp/step.ts";
import { Counters } from "./counters.ts";
import { Timer } from "./timer.ts";

const NS_PER_MS = 1e6;

export class Instance {
  state: VrrpState;
  /** When the present phase began, in milliseconds since 1970. */
  sinceMs: number;
  readonly counters = new Counters();
  readonly timer: Timer;
  readonly announceTimer: Timer;
  /** What its own surroundings allow, its group aside. */
  own: Conditions;
  announcer: Announcer | null = null;
  sockets: VrrpSockets | null = null;
  /** Why the sockets could not be opened. */
  socketError: string | null = null;
  /** Why its last advertisement could not be sent, in words; null = it was, or there was none. */
  sendError: string | null = null;
  /** Where its signs of life are noted; null = nowhere yet. */
  slot: number | null = null;
  /** No longer configured; kept until its addresses are handed over. */
  leaving = false;
  /** When a drop of each kind was last logged. */
  readonly dropLogged = new Map<DropReason, MonotonicNs>();
  /** Differences to the peer's configuration that were told already. */
  readonly mismatches = new Set<string>();
  #template: AdvertTemplate | null = null;
  /** Index of the interface that the template sends by. */
  #templateIndex = 0;

  constructor(
    config: VrrpConfig,
    now: MonotonicNs,
    nowMs: number,
    onTimer: TimerHandler,
    onAnnounce: TimerHandler,
    last: LastSigns | null,
  ) {
    const ahFloor = sequenceFloor(nowMs);
    this.state = last === null
      ? initialState(config, now, ahFloor)
      : resumedState(config, now, last, ahFloor);
    this.own = this.state.conditions;
    this.sinceMs = nowMs;
    this.timer = new Timer((at) => onTimer(this, at), true);
    this.announceTimer = new Timer((at) => onAnnounce(this, at));
  }

  get name(): string {
    return this.state.config.name;
  }

  get config(): VrrpConfig {
    return this.state.config;
  }

  /** Is in another group from now on, without a step. */
  regroup(group: string): void {
    this.state = { ...this.state, config: { ...this.config, group } };
  }

  /** The advertisement's unchanging parts, made anew when the config, the source or the interface changed. */
  template(source: Uint8Array, ifindex: number, frames: boolean): AdvertTemplate {
    const known = this.#template;
    if (known?.config === this.config && known.source === source && this.#templateIndex === ifindex) {
      return known;
    }
    this.#templateIndex = ifindex;
    return this.#template = advertTemplate(this.config, source, ifindex, frames);
  }

  /** Forgets what was made for an interface that is no more. */
  forgetTemplate(): void {
    this.#template = null;
  }
}

/** By name, the counters of these instances that changed since they were told last; null when none did. */
export function changedCounters(
  instances: Iterable<Instance>,
): Record<string, Partial<InstanceCounters>> | null {
  let changed: Record<string, Partial<InstanceCounters>> | null = null;
  for (const { name, counters, leaving } of instances) {
    const changes = leaving ? null : counters.changes();
    if (changes !== null) (changed ??= {})[name] = changes;
  }
  return changed;
}

/** What its group needs to know of an instance. */
export function memberOf({ name, state, own }: Instance): Member {
  const { phase, ready, blocked } = state;
  return {
    name,
    phase,
    ready,
    faults: blocked === null ? own.faults : [...own.faults, blocked.error],
    waiting: own.waiting,
    settled: own.settled,
  };
}

/** The members of an instance's group, itself included; an instance without a group is alone. */
export function companionsOf(instance: Instance, instances: readonly Instance[]): readonly Instance[] {
  const { group } = instance.config;
  return group === null
    ? [instance]
    : instances.filter((other) => other.config.group === group && !other.leaving);
}

/** Whether an instance has its addresses now: as master, or until its successor is heard. */
export function holdsAddresses({ state }: Instance): boolean {
  return state.phase === "master" || state.lingerUntil !== null;
}

export type TimerHandler = (instance: Instance, now: MonotonicNs) => void;

/**
 * Where the addresses of an instance belong now. An owner's addresses that are on the interface already are the
 * machine's own and stay out of it.
 */
export function placementsOf(config: VrrpConfig, links: LinkTable): Placement[] {
  const { addresses, extra, leaseMs, priority } = config;
  const leaseNs = leaseMs === null ? null : leaseMs * NS_PER_MS;
  const placements = placementsOfVips([...addresses, ...extra], config.interface, leaseNs, links);
  return priority === 255
    ? placements.filter(({ ifindex, text }) => !holds(links, ifindex, text))
    : placements;
}

/** Where addresses belong now; those whose interface is not there are left out. `base` = where they are by default. */
export function placementsOfVips(
  vips: readonly VipConfig[],
  base: string,
  leaseNs: number | null,
  links: LinkTable,
): Placement[] {
  const placements: Placement[] = [];
  for (const vip of vips) {
    const name = vip.dev ?? base;
    const link = linkNamed(links, name);
    if (link === null) continue;
    placements.push({
      ifindex: link.index,
      interface: name,
      address: parseAddress(vip.address)!,
      text: vip.address,
      prefix: vip.prefix,
      label: vip.label,
      scope: vip.scope ?? 0,
      broadcast: vip.broadcast === null ? null : parseAddress(vip.broadcast),
      leaseNs,
    });
  }
  return placements;
}

function holds(links: LinkTable, ifindex: number, text: string): boolean {
  const list = links.addresses.get(ifindex) ?? [];
  return list.some(({ local, validS }) => validS === null && formatAddress(local) === text);
}

/**
 * Which of an owner's virtual addresses its interface has itself, in words: with a virtual MAC address on another one
 * both would answer for it. Null = none.
 */
export function ownedByBase(
  { vmac, priority, addresses, interface: name }: VrrpConfig,
  links: LinkTable,
): string | null {
  const base = linkNamed(links, name);
  if (vmac === null || priority !== 255 || base === null) return null;
  const held = addresses.find(({ address }) => holds(links, base.index, address));
  return held === undefined
    ? null
    : `${name} has ${held.address} itself: with vmac it belongs on ${vmac.name} alone (remove it from ${name})`;
}

/** What an instance announces, and where. */
export function targetsOf(config: VrrpConfig, links: LinkTable): Target[] {
  const targets: Target[] = [];
  for (const vip of [...config.addresses, ...config.extra]) {
    const link = linkNamed(links, vip.dev ?? config.interface);
    if (link === null) continue;
    const virtual = vip.dev !== null && vip.dev === config.vmac?.name;
    targets.push({ ifindex: link.index, address: parseAddress(vip.address)!, virtual });
  }
  return targets;
}

/** Whether a change of state is one that others may see. */
export function visiblyDiffers(a: VrrpState, b: VrrpState): boolean {
  return a.phase !== b.phase || a.reason !== b.reason || a.priority !== b.priority || a.config !== b.config ||
    a.conditions !== b.conditions || a.released !== b.released || a.blocked !== b.blocked ||
    a.interval !== b.interval || a.ready !== b.ready || a.preemptAt !== b.preemptAt ||
    a.transitions !== b.transitions ||
    a.master?.text !== b.master?.text || a.master?.priority !== b.master?.priority ||
    (a.conflict?.reported ?? false) !== (b.conflict?.reported ?? false);
}
