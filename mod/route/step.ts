/**
 * Decides which routes and rules the kernel should hold: owned, put back, removed.
 *
 * @module
 */
import type { Entry, Item, MonotonicNs, Outcome, RouteEffect, RouteState, RouteStep } from "./model.ts";
import type { Surroundings } from "./model.ts";
import { sourceOf } from "./plan.ts";

/** An item that is taken away more often than this within {@link FIGHT_WINDOW} is fought over. */
const FIGHT_COUNT = 10;
const FIGHT_WINDOW = 10e9;
/** How long to wait before putting back an item that is fought over. */
const FIGHT_PAUSE = 1e9;
/** Until one that the kernel refused is tried again, unless something happens before. */
const RETRY = 5e9;

export const NO_ROUTES: RouteState = { owned: new Map() };

function same(a: Item, b: Item): boolean {
  if (a.text !== b.text || a.kind !== b.kind) return false;
  return a.kind === "rule" || b.kind === "rule" || String(a.ifindexes) === String(b.ifindexes);
}

/**
 * Makes an instance own exactly these items. Those that are there already are not touched, be they its own or another
 * instance's, from which an item may move to this one.
 */
export function own(state: RouteState, instance: string, items: readonly Item[]): RouteStep {
  const wanted = new Map(items.map((item) => [item.key, item]));
  const owned = new Map(state.owned);
  const remove: Item[] = [];
  const put: Item[] = [];
  for (const [key, entry] of state.owned) {
    if (entry.instance !== instance || wanted.has(key)) continue;
    remove.push(entry.item);
    owned.delete(key);
  }
  for (const [key, item] of wanted) {
    const before = owned.get(key);
    if (before !== undefined && same(before.item, item)) {
      if (before.instance !== instance) owned.set(key, { ...before, instance });
      continue;
    }
    if (before !== undefined) remove.push(before.item);
    put.push(item);
    // Behind what is there already, so that the last one put is the first one removed.
    owned.delete(key);
    owned.set(key, {
      instance,
      item,
      placed: false,
      stale: false,
      repairs: [],
      putDue: Infinity,
      error: null,
    });
  }
  if (remove.length === 0 && put.length === 0) return { state: { owned }, effects: [] };
  return { state: { owned }, effects: [{ type: "change", remove, put }] };
}

/** Gives up all that an instance owns. */
export function drop(state: RouteState, instance: string): RouteStep {
  return own(state, instance, []);
}

/** Forgets what an instance owns and leaves it in the kernel. */
export function forget(state: RouteState, instance: string): RouteState {
  return { owned: new Map([...state.owned].filter(([, entry]) => entry.instance !== instance)) };
}

/** The instance `from` is called `to` from now on. */
export function rename(state: RouteState, from: string, to: string): RouteState {
  const owned = new Map(state.owned);
  for (const [key, entry] of owned) if (entry.instance === from) owned.set(key, { ...entry, instance: to });
  return { owned };
}

/** Takes in what happened: what is or may be gone is to be put back, at once unless it is fought over. */
export function observe(state: RouteState, seen: Surroundings, now: MonotonicNs): RouteState {
  const { gone, come, replaced, touched, lostSources, hopeful, lost } = seen;
  const changed = new Map<string, Entry>();
  const entryOf = (key: string) => changed.get(key) ?? state.owned.get(key);
  const miss = (key: string, stale = false) => {
    const entry = entryOf(key);
    // One that waits for its turn in a fight goes on waiting.
    if (entry === undefined || (entry.putDue > now && entry.putDue !== Infinity && entry.error === null)) {
      return;
    }
    const fought = recent(entry, now).length >= FIGHT_COUNT;
    changed.set(key, { ...entry, stale: entry.stale || stale, putDue: fought ? now + FIGHT_PAUSE : now });
  };
  for (const key of gone) miss(key);
  for (const key of come) {
    const entry = entryOf(key);
    if (entry === undefined || entry.error !== null || entry.stale) continue;
    if (entry.placed && entry.putDue === Infinity) continue;
    changed.set(key, { ...entry, placed: true, putDue: Infinity });
  }
  for (const key of replaced) miss(key);
  if (lost || hopeful || touched.size > 0 || lostSources.size > 0) {
    for (const [key, { item, error }] of state.owned) {
      const source = sourceOf(item);
      const loses = source !== null && lostSources.has(source);
      // An IPv6 route stays and only forgets the source that it prefers.
      if (loses) miss(key, item.spec.family === "ipv6");
      else if (lost || (hopeful && error !== null) || vanishes(item, touched)) miss(key);
    }
  }
  return changed.size === 0 ? state : { owned: new Map([...state.owned, ...changed]) };
}

/** Whether an item may be gone, without a word from the kernel, after a change of these interfaces. */
function vanishes(item: Item, touched: ReadonlySet<number>): boolean {
  if (item.kind === "rule" || item.spec.family === "ipv6" || touched.size === 0) return false;
  const { type = "unicast" } = item.spec;
  if (type !== "unicast") return false;
  return item.ifindexes.length === 0 || item.ifindexes.some((index) => touched.has(index));
}

function recent(entry: Entry, now: MonotonicNs): readonly MonotonicNs[] {
  return entry.repairs.filter((at) => now - at < FIGHT_WINDOW);
}

/** When the next {@link timer} is wanted. */
export function nextDue(state: RouteState): MonotonicNs {
  let due = Infinity;
  for (const { putDue } of state.owned.values()) if (putDue < due) due = putDue;
  return due;
}

/** Puts what is due. */
export function timer(state: RouteState, now: MonotonicNs): RouteStep {
  const owned = new Map(state.owned);
  const remove: Item[] = [];
  const put: Item[] = [];
  for (const [key, entry] of state.owned) {
    if (now < entry.putDue) continue;
    if (entry.stale) remove.push(entry.item);
    put.push(entry.item);
    owned.set(key, { ...entry, stale: false, putDue: Infinity });
  }
  if (put.length === 0) return { state, effects: [] };
  return { state: { owned }, effects: [{ type: "change", remove, put }] };
}

/** Takes in what became of items that were put. One that the kernel refuses is tried again later. */
export function settle(
  state: RouteState,
  outcomes: readonly { readonly item: Item; readonly outcome: Outcome }[],
  now: MonotonicNs,
): RouteStep {
  const owned = new Map(state.owned);
  const effects: RouteEffect[] = [];
  for (const { item, outcome } of outcomes) {
    const entry = owned.get(item.key);
    if (entry === undefined || entry.item !== item) continue;
    const { instance } = entry;
    if (outcome.type === "refused") {
      const { error } = outcome;
      owned.set(item.key, { ...entry, error, putDue: now + RETRY });
      if (entry.error !== error) effects.push({ type: "refused", instance, item, error });
      continue;
    }
    const repaired = outcome.type === "added" && entry.placed && entry.error === null;
    const repairs = repaired ? [...recent(entry, now), now] : entry.repairs;
    owned.set(item.key, { ...entry, placed: true, error: null, repairs, putDue: Infinity });
    if (entry.error !== null) effects.push({ type: "settled", instance, item });
    else if (repaired) {
      effects.push({ type: "repaired", instance, item, fight: repairs.length >= FIGHT_COUNT });
    }
  }
  return { state: { owned }, effects };
}

/** Why the kernel does not take what an instance should have, in words. */
export function errorsOf(state: RouteState, instance: string): string[] {
  return [...state.owned.values()].flatMap((entry) =>
    entry.instance === instance && entry.error !== null ? [entry.error] : []
  );
}
