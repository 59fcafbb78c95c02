/**
 * What the engine would find around a simulated router.
 *
 * @module
 */
import type { Placement } from "../../mod/address/model.ts";
import type { Target } from "../../mod/announce/model.ts";
import type { Member } from "../../mod/group/model.ts";
import { trackEffect, trackSource } from "../../mod/track/step.ts";
import type { VrrpConfig } from "../../mod/vrrp/config.ts";
import type { Conditions } from "../../mod/vrrp/model.ts";
import { addressOf } from "./addresses.ts";
import type { Router } from "./parts.ts";

const IFINDEX = 2;

/** What its own surroundings allow a router. */
export function conditionsOf({ machine, config, source, fault, cutOff }: Router): Conditions {
  const faults: string[] = [];
  const waiting: string[] = [];
  const adjustments: { source: string; weight: number }[] = [];
  let settled = true;
  if (cutOff) faults.push(`interface ${config.interface} is down`);
  if (fault !== null) faults.push(fault);
  for (const track of config.priority === 255 ? [] : config.track) {
    const name = trackSource(track);
    const effect = trackEffect(track, machine.tracked.get(name) ?? "unknown");
    if (effect.type === "fault") faults.push(name);
    else if (effect.type === "weight") adjustments.push({ source: name, weight: effect.weight });
    else if (effect.type !== "nothing") settled = false;
    if (effect.type === "waiting") waiting.push(name);
  }
  return { source, faults, waiting, adjustments, settled, deaf: false };
}

/** What its group needs to know of a router. */
export function memberOf({ config: { name }, state: { phase, ready, blocked }, own }: Router): Member {
  const faults = blocked === null ? own.faults : [...own.faults, blocked.error];
  return { name, phase, ready, faults, waiting: own.waiting, settled: own.settled };
}

interface Places {
  readonly placements: readonly Placement[];
  readonly targets: readonly Target[];
}

const places = new WeakMap<VrrpConfig, Places>();

function placesOf(config: VrrpConfig): Places {
  let known = places.get(config);
  if (known !== undefined) return known;
  const placements = config.addresses.map((vip) => ({
    ifindex: IFINDEX,
    interface: config.interface,
    address: addressOf(vip.address),
    text: vip.address,
    prefix: vip.prefix,
    label: null,
    scope: 0,
    broadcast: null,
    leaseNs: config.leaseMs === null ? null : config.leaseMs * 1e6,
  }));
  known = { placements, targets: placements.map(({ ifindex, address }) => ({ ifindex, address })) };
  places.set(config, known);
  return known;
}

/** Where a router's addresses belong. */
export function placementsOf(config: VrrpConfig): readonly Placement[] {
  return placesOf(config).placements;
}

/** What a router announces. */
export function targetsOf(config: VrrpConfig): readonly Target[] {
  return placesOf(config).targets;
}
