/**
 * Applying a wanted state: the difference to what runs, and nothing else.
 *
 * @module
 */
import { equalValues } from "../../lib/compare/mod.ts";
import { parseAddress, zonedAddress } from "../../lib/packet/mod.ts";
import type { EngineWanted } from "../bus/messages.ts";
import { resumeTogether } from "../group/step.ts";
import { readHeartbeat } from "../heartbeat/shell.ts";
import { identity, type VrrpConfig } from "../vrrp/config.ts";
import { type LastSigns, resumeBounds } from "../vrrp/phase.ts";
import type { MonotonicNs } from "./deadlines.ts";
import type { HeldBack } from "./held.ts";
import type { Instance } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import type { VirtualRouters } from "./routers.ts";

/** By identity what an engine before this one left of the routers that it was master of. */
export function signsBefore(runtimeDir: string, now: MonotonicNs): ReadonlyMap<string, LastSigns> {
  const signs = readHeartbeat(runtimeDir)?.signs ?? [];
  // What is to come has not been written by an engine.
  const masters = signs.filter(({ master, spokeAt }) => master && spokeAt <= now);
  return new Map(masters.map((sign) => [sign.identity, sign]));
}

/** Of the signs that were left those of the routers that may resume, each with its bounds. */
function resumableOf(
  configs: ReadonlyMap<string, VrrpConfig>,
  before: ReadonlyMap<string, LastSigns>,
): ReadonlyMap<string, LastSigns> {
  const keys = [...configs.keys()];
  const bounds = resumeTogether([...configs].map(([key, config]) => {
    const last = before.get(key);
    return {
      group: config.group,
      bounds: last === undefined ? null : resumeBounds(config, last.spokeAt, last.silenceNs),
    };
  }));
  const resumable = new Map<string, LastSigns>();
  for (const [index, own] of bounds.entries()) {
    if (own !== null) resumable.set(keys[index]!, { ...before.get(keys[index]!)!, bounds: own });
  }
  return resumable;
}

/**
 * Removes, starts and changes virtual routers until they are the wanted ones; those that are equal are not touched.
 *
 * @param before What an engine before this one left, for its routers to be resumed.
 */
export function configureRouters(
  routers: VirtualRouters,
  heldBack: HeldBack,
  wanted: EngineWanted,
  outbox: Outbox,
  before: ReadonlyMap<string, LastSigns>,
  now: MonotonicNs,
): void {
  // Those of routers that are about to leave are kept for a while.
  const configs = [...wanted.instances, ...routers.instances.map(({ config }) => config)];
  routers.surroundings.setVirtualAddresses(virtualOf(configs));
  routers.vmacs.prepare(wanted.instances, now);
  routers.moveAddresses(
    addressesOf(wanted.instances),
    () => applyDifference(routers, heldBack, wanted, outbox, before, now),
  );
}

/** Each as {@link zonedAddress} tells it. */
function virtualOf(configs: readonly VrrpConfig[]): ReadonlySet<string> {
  return new Set(
    configs.flatMap(({ interface: base, addresses, extra }) =>
      [...addresses, ...extra].map(({ address, dev }) => zonedAddress(parseAddress(address)!, dev ?? base))
    ),
  );
}

function addressesOf(configs: readonly VrrpConfig[]): ReadonlySet<string> {
  return new Set(
    configs.flatMap(({ addresses, extra }) => [...addresses, ...extra].map(({ address }) => address)),
  );
}

function applyDifference(
  routers: VirtualRouters,
  heldBack: HeldBack,
  wanted: EngineWanted,
  outbox: Outbox,
  before: ReadonlyMap<string, LastSigns>,
  now: MonotonicNs,
): void {
  const byIdentity = new Map(wanted.instances.map((config) => [identity(config), config]));
  const held = wanted.held ?? heldBack.leftBy(byIdentity);
  const running = new Map<string, Instance>();
  for (const instance of routers.instances) {
    if (!instance.leaving) running.set(identity(instance.config), instance);
  }
  // First what goes: its addresses may belong to another instance from now on.
  for (const [key, instance] of running) {
    const config = byIdentity.get(key);
    // So may that of its group: who leaves it has nothing to do with those who are about to have it.
    const { group } = instance.config;
    if (group !== null && config !== undefined && config.group !== group) {
      instance.regroup(`${group} (before)`);
    }
    if (config?.name === instance.name) continue;
    outbox.send({ type: "instance-gone", name: instance.name });
    // Its name may be another's from now on: nothing of it may be taken for that one's.
    routers.rename(instance, `${instance.name} (${config === undefined ? "leaving" : `now ${config.name}`})`);
    if (config === undefined) routers.leave(instance, "no longer configured", now);
  }
  routers.equip(wanted.static, wanted.instances, now);
  const resumable = resumableOf(byIdentity, before);
  const started: Instance[] = [];
  for (const [key, config] of byIdentity) {
    const instance = running.get(key);
    if (instance === undefined) started.push(routers.start(config, now, resumable.get(key) ?? null));
    else if (!equalValues(instance.config, config)) routers.reconfigure(instance, config, now);
  }
  // Before anything can make them take part.
  heldBack.keep(held, started, now);
  routers.keepHeartbeat(wanted.runtimeDir, started.length === 0 && running.size === byIdentity.size);
  routers.guard();
  routers.vmacs.sync(now);
  routers.effects.removeLeftovers(started);
  routers.syncSockets();
  routers.surroundings.review(now);
}
