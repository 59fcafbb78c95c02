/**
 * Decides which virtual addresses the kernel should hold: owned, leased, renewed, put back, removed.
 *
 * @module
 */
import type { AddressEffect, AddressState, AddressStep, MonotonicNs, Owned, Placement } from "./model.ts";

/** An address that is taken away more often than this within {@link FIGHT_WINDOW} is fought over. */
const FIGHT_COUNT = 10;
const FIGHT_WINDOW = 10e9;
/** How long to wait before putting back an address that is fought over. */
const FIGHT_PAUSE = 1e9;
/** Until an address that the kernel refused is tried again. */
const RETRY = 5e9;
/** A lease is renewed this many times within its life, so that two renewals may fail. */
const RENEWALS = 3;

export const NO_ADDRESSES: AddressState = { owned: new Map() };

/** Identifies an address on an interface: of IPv6 the kernel takes each once there, whatever its prefix. */
export function placementKey(ifindex: number, text: string, prefix: number): string {
  return text.includes(":") ? `${ifindex} ${text}` : `${ifindex} ${text}/${prefix}`;
}

/** As {@link placementKey}, of a placement. */
export function keyOf(placement: Placement): string {
  return placementKey(placement.ifindex, placement.text, placement.prefix);
}

function renewal(placement: Placement, now: MonotonicNs): MonotonicNs {
  return placement.leaseNs === null ? Infinity : now + placement.leaseNs / RENEWALS;
}

/** Whether the kernel can turn one into another in place: all but the lifetime is fixed once it is there. */
export function sameInKernel(from: Placement, to: Placement): boolean {
  // With a permanent IPv6 address that gets a lifetime the kernel lets the route to the whole subnet expire.
  const expiring = from.address.length === 16 && from.leaseNs === null && to.leaseNs !== null;
  return !expiring && from.prefix === to.prefix && from.label === to.label && from.scope === to.scope &&
    String(from.broadcast) === String(to.broadcast);
}

/**
 * Makes an instance own exactly these placements. Those that are there already are not touched, be they its own or
 * another instance's, from which an address may move to this one.
 */
export function own(
  state: AddressState,
  instance: string,
  placements: readonly Placement[],
  now: MonotonicNs,
): AddressStep {
  const owned = new Map(state.owned);
  const wanted = new Map(placements.map((placement) => [keyOf(placement), placement]));
  const put: Placement[] = [];
  const remove: Placement[] = [];
  for (const [key, entry] of state.owned) {
    if (entry.instance !== instance || wanted.has(key)) continue;
    remove.push(entry.placement);
    owned.delete(key);
  }
  for (const [key, placement] of wanted) {
    const before = owned.get(key);
    if (before !== undefined && sameInKernel(before.placement, placement)) {
      if (before.placement.leaseNs === placement.leaseNs) {
        if (before.instance !== instance) owned.set(key, { ...before, instance });
        continue;
      }
    } else if (before !== undefined) remove.push(before.placement);
    put.push(placement);
    owned.set(key, {
      instance,
      placement,
      renewDue: renewal(placement, now),
      repairs: [],
      repairDue: Infinity,
    });
  }
  const effects: AddressEffect[] = [];
  // The last first: with the first address of a subnet the kernel may take the others away.
  if (remove.length > 0) effects.push({ type: "remove", placements: remove.reverse() });
  if (put.length > 0) effects.push({ type: "put", placements: put });
  return { state: { owned }, effects };
}

/** Gives up all that an instance owns. */
export function drop(state: AddressState, instance: string): AddressStep {
  return own(state, instance, [], 0);
}

/** Forgets what an instance owns and leaves it in the kernel. */
export function forget(state: AddressState, instance: string): AddressState {
  return { owned: new Map([...state.owned].filter(([, entry]) => entry.instance !== instance)) };
}

/** The kernel refused an address: it is tried again later. */
export function postponed(state: AddressState, key: string, now: MonotonicNs): AddressState {
  const entry = state.owned.get(key);
  if (entry === undefined) return state;
  return { owned: new Map(state.owned).set(key, { ...entry, renewDue: now + RETRY, repairDue: Infinity }) };
}

/** The instance `from` is called `to` from now on. */
export function rename(state: AddressState, from: string, to: string): AddressState {
  const owned = new Map(state.owned);
  for (const [key, entry] of owned) if (entry.instance === from) owned.set(key, { ...entry, instance: to });
  return { owned };
}

/** The kernel no longer has an address. If it is ours it is to be put back, at once unless it is fought over. */
export function lost(state: AddressState, key: string, now: MonotonicNs): AddressState {
  const entry = state.owned.get(key);
  if (entry === undefined || entry.repairDue !== Infinity) return state;
  const repairs = [...entry.repairs.filter((at) => now - at < FIGHT_WINDOW), now];
  const repairDue = repairs.length > FIGHT_COUNT ? now + FIGHT_PAUSE : now;
  return { owned: new Map(state.owned).set(key, { ...entry, repairs, repairDue }) };
}

/** The kernel has an address (again): nothing is to be put back. */
export function present(state: AddressState, key: string): AddressState {
  const entry = state.owned.get(key);
  if (entry === undefined || entry.repairDue === Infinity) return state;
  return { owned: new Map(state.owned).set(key, { ...entry, repairDue: Infinity }) };
}

/** An address that is to be put back has its lease renewed by that: to renew it before would not be to pause. */
function dueOf(entry: Owned): MonotonicNs {
  return entry.repairDue === Infinity ? entry.renewDue : entry.repairDue;
}

/** When the next `timer` is wanted. */
export function nextDue(state: AddressState): MonotonicNs {
  let due = Infinity;
  for (const entry of state.owned.values()) due = Math.min(due, dueOf(entry));
  return due;
}

/** Renews leases and puts back what was taken away. Renewals that are nearly due go along in the same batch. */
export function timer(state: AddressState, now: MonotonicNs): AddressStep {
  const owned = new Map<string, Owned>();
  const put: Placement[] = [];
  const repaired: AddressEffect[] = [];
  for (const [key, entry] of state.owned) {
    const { placement } = entry;
    const repair = now >= entry.repairDue;
    const early = placement.leaseNs === null ? 0 : placement.leaseNs / RENEWALS / 4;
    const pausing = entry.repairDue !== Infinity && !repair;
    if (pausing || (!repair && now < entry.renewDue - early)) {
      owned.set(key, entry);
      continue;
    }
    put.push(placement);
    owned.set(key, { ...entry, renewDue: renewal(placement, now), repairDue: Infinity });
    if (repair) {
      const fight = entry.repairs.length > FIGHT_COUNT;
      repaired.push({ type: "repaired", instance: entry.instance, placement, fight });
    }
  }
  if (put.length === 0) return { state, effects: [] };
  return { state: { owned }, effects: [{ type: "put", placements: put }, ...repaired] };
}
