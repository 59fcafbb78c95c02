import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RouteConfig } from "../../../../mod/route/config.ts";
import type { Item, Outcome, RouteEffect, RouteState, Surroundings } from "../../../../mod/route/model.ts";
import { planItems } from "../../../../mod/route/plan.ts";
import {
  drop,
  errorsOf,
  forget,
  nextDue,
  NO_ROUTES,
  observe,
  own,
  rename,
  settle,
  timer,
} from "../../../../mod/route/step.ts";

const S = 1e9;
const NOW = 50 * S;
const INDEXES: Readonly<Record<string, number>> = { eth0: 2, eth1: 3 };
const BASE: RouteConfig = {
  family: "ipv4",
  to: null,
  type: "unicast",
  via: null,
  dev: "eth1",
  metric: null,
  table: 254,
  source: null,
  scope: null,
  onlink: false,
  mtu: null,
  nexthops: [],
};

function route(part: Partial<RouteConfig>): Item {
  return planItems([{ ...BASE, ...part }], [], (name) => INDEXES[name] ?? null).items[0]!;
}

const A = route({ to: "10.5.0.0/16" });
const A_OTHERWISE = route({ to: "10.5.0.0/16", via: "10.9.0.1" });
const B = route({ to: "10.6.0.0/16", dev: "eth0" });
const FROM_VIP = route({ to: "10.7.0.0/16", dev: "eth0", source: "10.0.0.100" });
const SIX = route({ family: "ipv6", to: "2001:db8::/32", source: "2001:db8::5" });
const HOLE = route({ to: "10.8.0.0/16", type: "blackhole", dev: null });
const SOMEWHERE = route({ to: "10.9.0.0/16", dev: null, via: "10.1.0.9" });

/** `put 10.5.0.0/16 dev eth1`, `remove …`, `repaired web …`, `refused web … (why)`, `settled web …` */
function told(effects: readonly RouteEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === "change") {
      return [
        ...effect.remove.map(({ text }) => `remove ${text}`),
        ...effect.put.map(({ text }) => `put ${text}`),
      ];
    }
    const rest = effect.type === "refused"
      ? ` (${effect.error})`
      : effect.type === "repaired" && effect.fight
      ? " in a fight"
      : "";
    return [`${effect.type} ${effect.instance} ${effect.item.text}${rest}`];
  });
}

const ADDED: Outcome = { type: "added" };
const NOTHING: Surroundings = {
  gone: [],
  come: [],
  replaced: [],
  touched: new Set(),
  lostSources: new Set(),
  hopeful: false,
  lost: false,
};

/** Owned by `web` and in the kernel. */
function placed(...items: readonly Item[]): RouteState {
  const { state } = own(NO_ROUTES, "web", items);
  return settle(state, items.map((item) => ({ item, outcome: ADDED })), NOW).state;
}

/** What happened, and what the timer then does. */
function after(state: RouteState, seen: Partial<Surroundings>, now = NOW) {
  const observed = observe(state, { ...NOTHING, ...seen }, now);
  const due = nextDue(observed);
  const step = timer(observed, now);
  return { state: step.state, due, told: told(step.effects) };
}

describe("own", () => {
  test("puts what is wanted, leaves what is there, removes what is not wanted any more", () => {
    const first = own(NO_ROUTES, "web", [A, B]);
    expect(told(first.effects)).toEqual([`put ${A.text}`, `put ${B.text}`]);
    expect(own(first.state, "web", [A, B]).effects).toEqual([]);
    const less = own(first.state, "web", [B]);
    expect(told(less.effects)).toEqual([`remove ${A.text}`]);
    expect(told(drop(less.state, "web").effects)).toEqual([`remove ${B.text}`]);
    expect(drop(less.state, "lan").effects).toEqual([]);
  });

  test("exchanges one that leads elsewhere now", () => {
    const changed = own(placed(A), "web", [A_OTHERWISE]);
    expect(told(changed.effects)).toEqual([`remove ${A.text}`, `put ${A_OTHERWISE.text}`]);
    // The interface of the same name has another number now.
    const anew = planItems([{ ...BASE, to: "10.5.0.0/16" }], [], () => 9).items;
    expect(told(own(placed(A), "web", anew).effects)).toEqual([`remove ${A.text}`, `put ${A.text}`]);
  });

  test("one moves from one instance to another untouched", () => {
    const moved = own(placed(A), "lan", [A]);
    expect(moved.effects).toEqual([]);
    expect(drop(moved.state, "web").effects).toEqual([]);
    expect(told(drop(moved.state, "lan").effects)).toEqual([`remove ${A.text}`]);
  });

  test("a new name, and forgetting", () => {
    const renamed = rename(placed(A), "web", "shop");
    expect(drop(renamed, "web").effects).toEqual([]);
    expect(told(drop(renamed, "shop").effects)).toEqual([`remove ${A.text}`]);
    expect(forget(renamed, "shop").owned.size).toBe(0);
    expect(forget(renamed, "web").owned.size).toBe(1);
  });
});

describe("what may be gone is put back", () => {
  test("one that is told to be gone, at once; what is not ours is nobody's business", () => {
    const { told: effects, due } = after(placed(A, B), { gone: [A.key, "route of others"] });
    expect(due).toBe(NOW);
    expect(effects).toEqual([`put ${A.text}`]);
  });

  test("gone and come again: nothing to do", () => {
    expect(after(placed(A), { gone: [A.key], come: [A.key] })).toMatchObject({ told: [], due: Infinity });
  });

  test("one that another program replaced", () => {
    expect(after(placed(A), { replaced: [A.key] }).told).toEqual([`put ${A.text}`]);
  });

  test("IPv4 routes over an interface that changed, and those of which it is not known", () => {
    const all = placed(A, B, SIX, HOLE, SOMEWHERE);
    expect(after(all, { touched: new Set([3]) }).told).toEqual([`put ${A.text}`, `put ${SOMEWHERE.text}`]);
    expect(after(all, { touched: new Set([2]) }).told).toEqual([`put ${B.text}`, `put ${SOMEWHERE.text}`]);
    expect(after(all, {}).told).toEqual([]);
  });

  test("those that prefer an address that is gone; an IPv6 one stays without it and is made anew", () => {
    const all = placed(A, FROM_VIP, SIX);
    expect(after(all, { lostSources: new Set(["10.0.0.100"]) }).told).toEqual([`put ${FROM_VIP.text}`]);
    const six = after(all, { lostSources: new Set(["2001:db8::5"]) });
    expect(six.told).toEqual([`remove ${SIX.text}`, `put ${SIX.text}`]);
    expect(timer(six.state, NOW + 10 * S).effects).toEqual([]);
  });

  test("everything when events were lost", () => {
    expect(after(placed(A, SIX, HOLE), { lost: true }).told).toHaveLength(3);
  });

  test("it counts as repaired when it was gone indeed, not when it was there", () => {
    const { state } = after(placed(A, B), { touched: new Set([2, 3]) });
    const step = settle(
      state,
      [{ item: A, outcome: ADDED }, { item: B, outcome: { type: "existing" } }],
      NOW,
    );
    expect(told(step.effects)).toEqual([`repaired web ${A.text}`]);
    expect(nextDue(step.state)).toBe(Infinity);
  });

  test("the first time it is put is no repair", () => {
    const { state } = own(NO_ROUTES, "web", [A]);
    expect(settle(state, [{ item: A, outcome: ADDED }], NOW).effects).toEqual([]);
  });

  test("one that is fought over waits a second between two attempts, whatever else happens", () => {
    let state = placed(A);
    let now = NOW;
    for (let round = 0; round < 10; round++, now += 1e6) {
      state = after(state, { gone: [A.key] }, now).state;
      const step = settle(state, [{ item: A, outcome: ADDED }], now);
      expect(told(step.effects)).toEqual([`repaired web ${A.text}${round === 9 ? " in a fight" : ""}`]);
      state = step.state;
    }
    const waiting = after(state, { gone: [A.key] }, now);
    expect(waiting.due).toBe(now + S);
    expect(waiting.told).toEqual([]);
    const still = observe(waiting.state, { ...NOTHING, gone: [A.key], touched: new Set([3]) }, now + 1e6);
    expect(nextDue(still)).toBe(now + S);
    expect(told(timer(still, now + S).effects)).toEqual([`put ${A.text}`]);
    // Long after, it is peace again.
    expect(after(placed(A), { gone: [A.key] }, now + 60 * S).due).toBe(now + 60 * S);
  });
});

describe("what the kernel refuses", () => {
  const refused = (error: string): Outcome => ({ type: "refused", error });
  const begin = own(NO_ROUTES, "web", [A, B]).state;

  test("is told once, shown, and tried again after five seconds", () => {
    const first = settle(begin, [{ item: A, outcome: refused("no") }, { item: B, outcome: ADDED }], NOW);
    expect(told(first.effects)).toEqual([`refused web ${A.text} (no)`]);
    expect(errorsOf(first.state, "web")).toEqual(["no"]);
    expect(errorsOf(first.state, "lan")).toEqual([]);
    expect(nextDue(first.state)).toBe(NOW + 5 * S);
    const again = timer(first.state, NOW + 5 * S);
    expect(told(again.effects)).toEqual([`put ${A.text}`]);
    const second = settle(again.state, [{ item: A, outcome: refused("no") }], NOW + 5 * S);
    expect(second.effects).toEqual([]);
    const other = settle(second.state, [{ item: A, outcome: refused("never") }], NOW + 10 * S);
    expect(told(other.effects)).toEqual([`refused web ${A.text} (never)`]);
    const done = settle(other.state, [{ item: A, outcome: ADDED }], NOW + 15 * S);
    expect(told(done.effects)).toEqual([`settled web ${A.text}`]);
    expect(errorsOf(done.state, "web")).toEqual([]);
    expect(nextDue(done.state)).toBe(Infinity);
  });

  test("is tried at once when surroundings change", () => {
    const { state } = settle(begin, [{ item: A, outcome: refused("no") }, { item: B, outcome: ADDED }], NOW);
    expect(after(state, { hopeful: true }, NOW + S).told).toEqual([`put ${A.text}`]);
    expect(after(state, {}, NOW + S).told).toEqual([]);
  });

  test("what became of one that is not ours any more is ignored", () => {
    const { state } = drop(begin, "web");
    expect(settle(state, [{ item: A, outcome: refused("no") }], NOW)).toEqual({ state, effects: [] });
    const exchanged = own(begin, "web", [A_OTHERWISE]).state;
    expect(settle(exchanged, [{ item: A, outcome: refused("no") }], NOW).effects).toEqual([]);
  });
});

/** A kernel that does what it is told, and from which others take things away. */
class Kernel {
  readonly has = new Set<string>();

  perform(effects: readonly RouteEffect[]): { item: Item; outcome: Outcome }[] {
    return effects.flatMap((effect) => {
      if (effect.type !== "change") return [];
      for (const { key } of effect.remove) this.has.delete(key);
      return effect.put.map((item) => {
        const outcome: Outcome = this.has.has(item.key) ? { type: "existing" } : ADDED;
        this.has.add(item.key);
        return { item, outcome };
      });
    });
  }
}

test("whatever happens, what is owned is in the kernel in the end, and nothing else", () => {
  const items = [A, B, FROM_VIP, SIX, HOLE, SOMEWHERE];
  const action = fc.oneof(
    fc.record({ type: fc.constant("own"), who: fc.constantFrom("web", "lan"), mask: fc.nat(63) }),
    fc.record({ type: fc.constant("lose"), who: fc.constant(""), mask: fc.nat(63) }),
    fc.record({ type: fc.constant("wait"), who: fc.constant(""), mask: fc.nat(3) }),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
    const kernel = new Kernel();
    let state = NO_ROUTES;
    let now = NOW;
    const run = (step: { state: RouteState; effects: readonly RouteEffect[] }) => {
      state = settle(step.state, kernel.perform(step.effects), now).state;
    };
    for (const { type, who, mask } of actions) {
      const chosen = items.filter((_, index) => mask & (1 << index));
      if (type === "own") run(own(state, who, chosen));
      else if (type === "lose") {
        const gone = chosen.map(({ key }) => key).filter((key) => kernel.has.delete(key));
        state = observe(state, { ...NOTHING, gone }, now);
      } else {
        now += mask * S;
        run(timer(state, now));
      }
    }
    now += 2 * S;
    run(timer(state, now));
    expect([...kernel.has].sort()).toEqual([...state.owned.keys()].sort());
    expect(nextDue(state)).toBe(Infinity);
  }));
});
