/**
 * The history in the operator's terms: where an instance is a router of each family, what both of them do is told once.
 *
 * @module
 */
import type { HistoryEvent, InstanceState } from "../bus/messages.ts";
import type { Family } from "../vrrp/config.ts";
import { inUnits, stateTogether, type UnitNames, unitNames } from "./unit.ts";
import { familyText } from "./words.ts";

/** What of a router's config matters here. */
export interface RouterName {
  readonly name: string;
  readonly unit: string;
  readonly family: Family;
}

/** What the engine adds to the name of a router that is no longer configured. */
const LEAVING = / \(leaving\)'*$/;

/** What both legs of an instance do, they do within this time. Milliseconds. */
const TOGETHER_MS = 1000;

/** Follows the routers' moves and says which of them are to be told, and how. */
export class UnitEvents {
  #names: UnitNames = new Map();
  /** By router; those that are no longer wanted included, as they have something to say when they leave. */
  readonly #routers = new Map<string, RouterName>();
  #units: ReadonlySet<string> = new Set();
  /** By instance its routers, where there are two. */
  #pairs: ReadonlyMap<string, readonly RouterName[]> = new Map();
  readonly #states = new Map<string, InstanceState>();
  /** What one leg has told just now: by what it was, who told it and when. */
  readonly #told = new Map<string, { readonly router: string; readonly atMs: number }>();

  /** Which routers there are from now on. */
  setRouters(routers: readonly RouterName[]): void {
    const pairs = new Map<string, RouterName[]>();
    for (const { name, unit, family } of routers) {
      const router = { name, unit, family };
      this.#routers.set(name, router);
      pairs.set(unit, [...pairs.get(unit) ?? [], router]);
    }
    this.#pairs = new Map([...pairs].filter(([, legs]) => legs.length > 1));
    this.#units = new Set(pairs.keys());
    this.#names = unitNames([...this.#routers.values()]);
    const wanted = new Set(routers.map(({ name }) => name));
    for (const name of this.#states.keys()) if (!wanted.has(name)) this.#states.delete(name);
  }

  /** The operator's names of routers. */
  get names(): UnitNames {
    return this.#names;
  }

  /** The event as it is to be told; null = it is told already, or will be when the other leg has followed. */
  take(event: HistoryEvent): HistoryEvent | null {
    const { subject, kind, detail } = event;
    const name = subject?.replace(LEAVING, "") ?? "";
    const router = this.#routers.get(name);
    if (router === undefined) return event;
    const said = this.#inUnits(event, router);
    if (name !== subject) return this.#farewell(said, router);
    const to = kind === "transition" ? detail?.["to"] : undefined;
    // Of all of them: an instance may get its second leg while the first one runs.
    if (to !== undefined) this.#states.set(name, to as InstanceState);
    const legs = this.#pairs.get(router.unit);
    if (legs === undefined) return said;
    return to === undefined ? this.#once(said, name) : this.#move(said, name, legs);
  }

  #inUnits(event: HistoryEvent, { name, unit }: RouterName): HistoryEvent {
    if (this.#names.size === 0) return event;
    const { kind, detail } = event;
    const subject = name === unit ? event.subject : unit;
    const given = detail?.["reason"];
    if (typeof given !== "string") return { ...event, subject, text: inUnits(event.text, this.#names, unit) };
    const reason = inUnits(given, this.#names, unit);
    const text = kind === "transition" ? `${detail!["from"]} → ${detail!["to"]}: ${reason}` : event.text;
    return { ...event, subject, text, detail: { ...detail, reason } };
  }

  /** Of an instance that goes, its first leg tells; of one that goes on without a leg it is said which one went. */
  #farewell(event: HistoryEvent, { name, unit, family }: RouterName): HistoryEvent | null {
    if (name === unit) return event;
    return this.#units.has(unit) ? { ...event, text: `${familyText(family)}: ${event.text}` } : null;
  }

  /** A move of one leg is the instance's when it changes what both are together. */
  #move(event: HistoryEvent, router: string, legs: readonly RouterName[]): HistoryEvent | null {
    const detail = event.detail as { readonly from: InstanceState; readonly to: InstanceState };
    // A leg that was never heard of has not moved yet.
    const others = legs.filter(({ name }) => name !== router)
      .map(({ name }) => this.#states.get(name) ?? detail.from);
    const from = stateTogether([...others, detail.from]);
    const to = stateTogether([...others, detail.to]);
    if (from === to) return null;
    return {
      ...event,
      text: `${from} → ${to}: ${event.detail!["reason"]}`,
      detail: { ...event.detail, from, to },
    };
  }

  /** What the other leg has just told is not told again. */
  #once(event: HistoryEvent, router: string): HistoryEvent | null {
    const { atMs, subject, kind, text } = event;
    for (const [key, told] of this.#told) if (atMs - told.atMs > TOGETHER_MS) this.#told.delete(key);
    const key = `${subject} ${kind} ${text}`;
    const told = this.#told.get(key);
    if (told !== undefined && told.router !== router) {
      this.#told.delete(key);
      return null;
    }
    this.#told.set(key, { router, atMs });
    return event;
  }
}
