/**
 * What goes with virtual addresses, and what is there whoever is master: addresses that are not advertised, routes and
 * rules, and the filter for addresses that accept nothing. Nothing of it decides who is master: what the kernel refuses
 * is told, shown and tried again.
 *
 * @module
 */
import type { RouteEvent } from "../../lib/netlink/mod.ts";
import type { Placement } from "../address/model.ts";
import { keyOf } from "../address/step.ts";
import type { Carried } from "../bus/messages.ts";
import type { LinkTable } from "../link/model.ts";
import { type CarrierFault, carrierFaults, linkNamed } from "../link/step.ts";
import { NO_STATIC, type StaticConfig } from "../route/config.ts";
import type { Item } from "../route/model.ts";
import { type Plan, planItems, routeText, ruleText } from "../route/plan.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { AddressKeeper } from "./addresses.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { AddressGuard } from "./guard.ts";
import { placementsOf, placementsOfVips } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import { RouteKeeper } from "./routes.ts";
import type { Timer } from "./timer.ts";

/** Owner of what is there whoever is master; no instance can be called so. */
export const STATIC = "(static)";

/** What the belongings need of the routers around them. */
export interface BelongingsHost {
  readonly addresses: AddressKeeper;
  readonly outbox: Outbox;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly watch: (fd: number, read: () => void) => void;
  /** What is shown of this instance's belongings changed. */
  readonly changed: (instance: string) => void;
  /** Something of this instance's was put back. */
  readonly repaired: (instance: string) => void;
}

interface Planned {
  /** The interfaces' numbers that the plan was made with. */
  readonly indexes: LinkTable["indexByName"];
  readonly plan: Plan;
}

type Carriers = readonly CarrierFault[];

type Wants = Pick<VrrpConfig, "routes" | "rules">;

export class Belongings {
  readonly #host: BelongingsHost;
  readonly #routes: RouteKeeper;
  readonly #guard: AddressGuard;
  #static: StaticConfig = NO_STATIC;
  #staticTold = true;
  readonly #plans = new WeakMap<Wants, Planned>();
  /** By owner: what cannot be put because its interface is not there. */
  readonly #absent = new Map<string, readonly string[]>();
  /** Instances with addresses on other interfaces than their own; those interfaces are looked at. */
  #carried: readonly VrrpConfig[] = [];
  /** By owner: interfaces that carry its addresses and that nobody is reached by. */
  #dark: ReadonlyMap<string, Carriers> = new Map();
  /** By owner the interfaces of which an event told. */
  readonly #darkTold = new Map<string, Set<string>>();
  /** By owner and address: what the kernel refused. */
  readonly #refused = new Map<string, Map<string, string>>();
  /** Owners that have their belongings in the kernel, with their config. */
  readonly #held = new Map<string, VrrpConfig>();

  constructor(host: BelongingsHost) {
    this.#host = host;
    this.#guard = new AddressGuard({
      schedule: host.schedule,
      failed: (owner, problem) => this.#trouble(owner, problem),
      holds: (owner) => this.#event(owner, "repair", "accept: false holds now"),
      forgotten: (owner) => this.#changed(owner),
    });
    this.#routes = new RouteKeeper(host.addresses.netlink, {
      schedule: host.schedule,
      watch: host.watch,
      stuck: (error) => host.outbox.log("error", ["route"], error),
      refused: (owner, _, error) => this.#trouble(owner, error),
      settled: (owner, item) => this.#event(owner, "repair", `${describe(item)} is in place now`),
      repaired: (owner, item, fight) => {
        host.repaired(owner);
        const rest = fight ? "; another program keeps removing it" : "";
        this.#event(owner, "repair", `${describe(item)} was gone and put back${rest}`);
      },
    });
  }

  // --- Of instances -------------------------------------------------------------------------------------------------

  /** Gets ready for what an instance will own as master. */
  prepare(config: VrrpConfig, links: LinkTable): void {
    this.#routes.prepare(this.#plan(config, links).items);
  }

  /** Says of which instances the interfaces are to be looked at that carry their addresses. */
  watchCarriers(configs: readonly VrrpConfig[], links: LinkTable): void {
    this.#carried = configs.filter(({ addresses, extra }) =>
      [...addresses, ...extra].some(({ dev }) => dev !== null)
    );
    // An interface may be about to come up, as at boot: that it is not yet is shown, and no event.
    this.#lookAtCarriers(links, () => {});
  }

  #lookAtCarriers(links: LinkTable, tell: (name: string, was: Carriers, is: Carriers) => void): void {
    const before = this.#dark;
    this.#dark = new Map(
      this.#carried.flatMap((config) => {
        const faults = carrierFaults(config, links);
        return faults.length === 0 ? [] : [[config.name, faults] as const];
      }),
    );
    for (const { name } of this.#carried) {
      const [was, is] = [before.get(name) ?? [], this.#dark.get(name) ?? []];
      if (textsOf(was).join() === textsOf(is).join()) continue;
      tell(name, was, is);
      this.#changed(name);
    }
  }

  #tellOfCarriers(name: string, was: Carriers, is: Carriers): void {
    for (const { dev, text } of is) {
      if (was.some((one) => one.dev === dev)) continue;
      this.#darkTold.set(name, (this.#darkTold.get(name) ?? new Set()).add(dev));
      this.#trouble(name, text);
    }
  }

  /** Tells of carriers that an event told of when they are usable again: one that is gone is not, and may come again. */
  #tellUsableCarriers(links: LinkTable): void {
    for (const [name, told] of [...this.#darkTold]) {
      const config = this.#carried.find((one) => one.name === name);
      const devs = [...config?.addresses ?? [], ...config?.extra ?? []].flatMap(({ dev }) => dev ?? []);
      // A reload may have taken its addresses elsewhere.
      const carries = devs.some((dev) => told.has(dev));
      if (carries && (this.#dark.has(name) || devs.some((dev) => linkNamed(links, dev) === null))) continue;
      this.#darkTold.delete(name);
      if (carries) this.#event(name, "repair", "the interfaces that carry its addresses are usable again");
    }
  }

  /** Gives an instance its addresses and all that goes with them. */
  own(config: VrrpConfig, links: LinkTable, now: MonotonicNs): void {
    const { name } = config;
    this.#held.set(name, config);
    this.#ownAddresses(name, placementsOf(config, links), links, now);
    if (config.routes.length + config.rules.length + config.extra.length === 0 && !this.#absent.has(name)) {
      return this.#routes.own(name, [], now);
    }
    const { items, absent } = this.#plan(config, links);
    const missing = absentDevices(config.extra, config.interface, links);
    this.#setAbsent(name, [...missing, ...absent]);
    this.#routes.own(name, items, now);
  }

  #ownAddresses(owner: string, placements: readonly Placement[], links: LinkTable, now: MonotonicNs): void {
    this.#host.addresses.own(owner, placements, links, now);
    // That one was refused which is not wanted any more, or wanted elsewhere, is no problem any more.
    const refused = this.#refused.get(owner);
    if (refused === undefined) return;
    const wanted = new Set(placements.map(keyOf));
    for (const key of [...refused.keys()]) {
      if (!wanted.has(key) && refused.delete(key)) this.#changed(owner);
    }
  }

  /** Nothing of this owner's is put anew from now on: it is about to leave, and what it has may be another's already. */
  leave(name: string): void {
    this.#held.delete(name);
    this.#darkTold.delete(name);
  }

  /** Takes all that away, in the other order. */
  drop(name: string, now: MonotonicNs): void {
    this.#held.delete(name);
    this.#absent.delete(name);
    if (this.#refused.delete(name)) this.#host.changed(name);
    this.#routes.drop(name, now);
    this.#host.addresses.drop(name);
  }

  rename(from: string, to: string): void {
    this.#routes.rename(from, to);
    const held = this.#held.get(from);
    // Under the old name in there its belongings would be put anew for another one.
    if (this.#held.delete(from)) this.#held.set(to, { ...held!, name: to });
    this.#guard.rename(from, to);
    for (const map of [this.#absent, this.#refused, this.#darkTold] as Map<string, unknown>[]) {
      if (!map.has(from)) continue;
      map.set(to, map.get(from));
      map.delete(from);
    }
  }

  /** Removes what an earlier run left behind of the routes and rules of an instance; returns what was removed. */
  removeLeftovers(config: VrrpConfig, links: LinkTable): string[] {
    const { items } = this.#plan(config, links);
    return items.length === 0 ? [] : this.#routes.removeLeftovers(items);
  }

  /** What is shown of an instance's belongings. */
  carried({ name, extra, routes, rules }: VrrpConfig): Carried {
    return {
      addresses: extra.map(({ address, prefix }) => `${address}/${prefix}`),
      routes: routes.map(routeText),
      rules: rules.map(ruleText),
      problems: this.#problems(name),
    };
  }

  // --- Of nobody ----------------------------------------------------------------------------------------------------

  /** Says what is to be there whoever is master. */
  setStatic(wanted: StaticConfig, links: LinkTable, now: MonotonicNs): void {
    if (JSON.stringify(wanted) === JSON.stringify(this.#static)) return;
    this.#static = wanted;
    this.#staticTold = false;
    this.#ownStatic(links, now);
  }

  #ownStatic(links: LinkTable, now: MonotonicNs): void {
    const { addresses } = this.#static;
    const { items, absent } = this.#plan(this.#static, links);
    this.#setAbsent(STATIC, [...absentDevices(addresses, "", links), ...absent]);
    this.#ownAddresses(STATIC, placementsOfVips(addresses, "", null, links), links, now);
    this.#routes.prepare(items);
    this.#routes.own(STATIC, items, now);
  }

  /** Drops what is for the addresses of these instances, as far as they do not accept it. */
  guard(configs: readonly VrrpConfig[]): void {
    this.#guard.guard(configs);
  }

  /** Tells control of what is always there, where that changed. */
  tell(): void {
    if (this.#staticTold) return;
    this.#staticTold = true;
    const { addresses, routes, rules } = this.#static;
    const carried: Carried = {
      addresses: addresses.map(({ address, prefix, dev }) => `${address}/${prefix} dev ${dev}`),
      routes: routes.map(routeText),
      rules: rules.map(ruleText),
      problems: this.#problems(STATIC),
    };
    this.#host.outbox.send({ type: "static", carried });
  }

  retell(): void {
    this.#staticTold = this.#static === NO_STATIC;
  }

  // --- What happens -------------------------------------------------------------------------------------------------

  /** Takes in what happened to interfaces and addresses; `changed` = it made a difference. */
  observeLinks(
    events: readonly RouteEvent[],
    lost: boolean,
    changed: boolean,
    links: LinkTable,
    now: MonotonicNs,
  ): void {
    this.#routes.observeLinks(events, lost, changed, now);
    if (!lost && !events.some(({ type }) => type === "link-new" || type === "link-gone")) return;
    this.#lookAtCarriers(links, (name, was, is) => this.#tellOfCarriers(name, was, is));
    this.#tellUsableCarriers(links);
    // An interface that came may be the one that something waits for, one that was made anew has another number.
    if (this.#static !== NO_STATIC) this.#ownStatic(links, now);
    for (const config of this.#held.values()) {
      if (config.extra.length + config.routes.length > 0) this.own(config, links, now);
    }
  }

  /** The kernel refused an address that no mastership hangs on. */
  addressRefused(owner: string, placement: Placement, error: string): void {
    let refused = this.#refused.get(owner);
    if (refused === undefined) this.#refused.set(owner, refused = new Map());
    const key = keyOf(placement);
    if (refused.get(key) === error) return;
    refused.set(key, error);
    this.#trouble(owner, error);
  }

  /** The kernel took an address that it had refused before. */
  addressSettled(owner: string, placement: Placement): void {
    if (this.#refused.get(owner)?.delete(keyOf(placement)) !== true) return;
    const { text, prefix, interface: device } = placement;
    this.#event(owner, "repair", `${text}/${prefix} is on ${device} now`);
  }

  /** Ends everything: what is always there goes too, unless it is to be kept. */
  abandon(now: MonotonicNs): void {
    if (this.#static.keep) {
      this.#routes.forget(STATIC);
      this.#host.addresses.forget(STATIC);
    } else this.drop(STATIC, now);
    this.#static = NO_STATIC;
    this.#guard.close();
  }

  close(): void {
    this.#routes.close();
    this.#guard.close();
  }

  #plan(wants: Wants, links: LinkTable): Plan {
    const known = this.#plans.get(wants);
    if (known?.indexes === links.indexByName) return known.plan;
    const plan = planItems(wants.routes, wants.rules, (name) => linkNamed(links, name)?.index ?? null);
    this.#plans.set(wants, { indexes: links.indexByName, plan });
    return plan;
  }

  #setAbsent(owner: string, texts: readonly string[]): void {
    const before = this.#absent.get(owner) ?? [];
    if (texts.length === 0) this.#absent.delete(owner);
    else this.#absent.set(owner, texts);
    if (String(before) !== String(texts)) this.#changed(owner);
    for (const text of texts) if (!before.includes(text)) this.#trouble(owner, text);
  }

  #problems(owner: string): string[] {
    const unguarded = this.#guard.problemOf(owner);
    return [
      ...(unguarded === null ? [] : [unguarded]),
      ...textsOf(this.#dark.get(owner) ?? []),
      ...this.#absent.get(owner) ?? [],
      ...this.#refused.get(owner)?.values() ?? [],
      ...this.#routes.errorsOf(owner),
    ];
  }

  #changed(owner: string): void {
    if (owner === STATIC) this.#staticTold = false;
    else this.#host.changed(owner);
  }

  #trouble(owner: string, text: string): void {
    this.#event(owner, "error", text);
  }

  #event(owner: string, kind: "error" | "repair", text: string): void {
    const subject = owner === STATIC ? null : owner;
    this.#host.outbox.event({ kind, subject, text: owner === STATIC ? `static: ${text}` : text });
    this.#changed(owner);
  }
}

function textsOf(faults: Carriers): string[] {
  return faults.map(({ text }) => text);
}

function describe({ kind, text }: Item): string {
  return kind === "route" ? `route ${text}` : `rule ${text}`;
}

/** Addresses whose interface is not there, in words. */
function absentDevices(
  vips: VrrpConfig["extra"],
  base: string,
  links: LinkTable,
): string[] {
  return vips.filter(({ dev }) => linkNamed(links, dev ?? base) === null).map(({ address, prefix, dev }) =>
    `Cannot add ${address}/${prefix}: interface ${dev ?? base} does not exist`
  );
}
