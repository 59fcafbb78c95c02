import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import type { AddressEffect, AddressState, Placement } from "../../../../mod/address/model.ts";
import {
  drop,
  lost,
  nextDue,
  NO_ADDRESSES,
  own,
  placementKey,
  present,
  rename,
  timer,
} from "../../../../mod/address/step.ts";

const S = 1e9;
const NOW = 50 * S;

function placement(text: string, part: Partial<Placement> = {}): Placement {
  return {
    ifindex: 2,
    interface: "eth0",
    address: parseAddress(text)!,
    text,
    prefix: 24,
    label: null,
    scope: 0,
    broadcast: null,
    leaseNs: 3 * S,
    ...part,
  };
}

const A = placement("10.9.0.1");
const B = placement("10.9.0.2");
const KEY_A = placementKey(2, "10.9.0.1", 24);

/** `put 10.9.0.1`, `remove …`, `repaired …` */
function told(effects: readonly AddressEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === "repaired"
      ? [`repaired ${effect.placement.text}${effect.fight ? " in a fight" : ""}`]
      : effect.placements.map(({ text }) => `${effect.type} ${text}`)
  );
}

describe("own", () => {
  test("puts what is wanted, leaves what is there, removes what is not wanted any more", () => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    expect(told(first.effects)).toEqual(["put 10.9.0.1"]);
    const same = own(first.state, "web", [A], NOW + S);
    expect(same.effects).toEqual([]);
    const more = own(same.state, "web", [B], NOW + S);
    expect(told(more.effects)).toEqual(["remove 10.9.0.1", "put 10.9.0.2"]);
    expect(told(drop(more.state, "web").effects)).toEqual(["remove 10.9.0.2"]);
  });

  test("does not touch what others own", () => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const second = own(first.state, "lan", [B], NOW);
    expect(told(second.effects)).toEqual(["put 10.9.0.2"]);
    expect(told(drop(second.state, "web").effects)).toEqual(["remove 10.9.0.1"]);
  });

  test("an IPv6 address is one whatever its prefix, as the kernel has it: another prefix takes its place", () => {
    const [wide, narrow] = [64, 128].map((prefix) => placement("2001:db8::1", { prefix }));
    const first = own(NO_ADDRESSES, "web", [narrow!], NOW);
    const second = own(first.state, "lan", [wide!], NOW);
    expect(second.effects).toEqual([
      { type: "remove", placements: [narrow!] },
      { type: "put", placements: [wide!] },
    ]);
    expect(drop(second.state, "web").effects).toEqual([]);
    const gone = placementKey(2, "2001:db8::1", 128);
    expect(nextDue(lost(second.state, gone, NOW))).toBe(NOW);
  });

  test("an address that moves to another instance stays in the kernel all the time", () => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const taken = own(first.state, "lan", [A], NOW);
    expect(taken.effects).toEqual([]);
    expect(drop(taken.state, "web").effects).toEqual([]);
    expect(told(drop(taken.state, "lan").effects)).toEqual(["remove 10.9.0.1"]);
  });

  test.each<[string, Partial<Placement>]>([
    ["label", { label: "eth0:1" }],
    ["scope", { scope: 253 }],
    ["broadcast", { broadcast: parseAddress("10.9.0.255")! }],
  ])("another %s means anew: it cannot be changed in place", (_name, part) => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const changed = own(first.state, "web", [{ ...A, ...part }], NOW);
    expect(changed.effects.map(({ type }) => type)).toEqual(["remove", "put"]);
  });

  test.each([[9 * S], [null]])("another lease (%p) is given in place", (leaseNs) => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const changed = own(first.state, "web", [{ ...A, leaseNs }], NOW);
    expect(told(changed.effects)).toEqual(["put 10.9.0.1"]);
    expect(nextDue(changed.state)).toBe(leaseNs === null ? Infinity : NOW + 3 * S);
  });

  test("a lease for a permanent IPv6 address means anew: the kernel would let the subnet's route expire", () => {
    const permanent = placement("2001:db8::1", { prefix: 64, leaseNs: null });
    const first = own(NO_ADDRESSES, "web", [permanent], NOW);
    const leased = own(first.state, "web", [{ ...permanent, leaseNs: 3 * S }], NOW);
    expect(told(leased.effects)).toEqual(["remove 2001:db8::1", "put 2001:db8::1"]);
    const again = own(leased.state, "web", [permanent], NOW);
    expect(told(again.effects)).toEqual(["put 2001:db8::1"]);
  });

  test("the same address on another interface is another one", () => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const moved = own(first.state, "web", [placement("10.9.0.1", { ifindex: 3 })], NOW);
    expect(moved.effects.map(({ type }) => type)).toEqual(["remove", "put"]);
  });
});

describe("leases", () => {
  test("are renewed after a third of their life, near ones together", () => {
    const first = own(NO_ADDRESSES, "web", [A], NOW);
    const both = own(first.state, "lan", [B], NOW + 0.1 * S);
    expect(nextDue(both.state)).toBe(NOW + S);
    expect(timer(both.state, NOW + 0.5 * S).effects).toEqual([]);
    const renewed = timer(both.state, NOW + S);
    expect(told(renewed.effects)).toEqual(["put 10.9.0.1", "put 10.9.0.2"]);
    expect(nextDue(renewed.state)).toBe(NOW + 2 * S);
  });

  test("are none for permanent addresses", () => {
    const { state } = own(NO_ADDRESSES, "web", [{ ...A, leaseNs: null }], NOW);
    expect(nextDue(state)).toBe(Infinity);
    expect(timer(state, NOW + 1000 * S)).toEqual({ state, effects: [] });
  });
});

describe("an address that someone else removed", () => {
  test("is put back at once, and that is told", () => {
    const { state } = own(NO_ADDRESSES, "web", [A, B], NOW);
    const gone = lost(state, KEY_A, NOW + 0.2 * S);
    expect(nextDue(gone)).toBe(NOW + 0.2 * S);
    const back = timer(gone, NOW + 0.2 * S);
    expect(told(back.effects)).toEqual(["put 10.9.0.1", "repaired 10.9.0.1"]);
    expect(nextDue(back.state)).toBe(NOW + S);
  });

  test("is left alone when it came back by itself", () => {
    const { state } = own(NO_ADDRESSES, "web", [A], NOW);
    const back = present(lost(state, KEY_A, NOW), KEY_A);
    expect(timer(back, NOW).effects).toEqual([]);
  });

  test("is none of ours", () => {
    expect(lost(NO_ADDRESSES, KEY_A, NOW)).toBe(NO_ADDRESSES);
    expect(present(NO_ADDRESSES, KEY_A)).toBe(NO_ADDRESSES);
  });

  test("is not fought over without pauses, which a renewal does not cut short", () => {
    let { state } = own(NO_ADDRESSES, "web", [A], NOW);
    let now = NOW;
    const repairs: number[] = [];
    let fights = 0;
    while (now < NOW + 20 * S) {
      state = lost(state, KEY_A, now);
      now = Math.max(now, nextDue(state));
      const { state: next, effects } = timer(state, now);
      state = next;
      if (effects.some((effect) => effect.type === "put")) repairs.push(now);
      if (effects.some((effect) => effect.type === "repaired" && effect.fight)) fights++;
      now += 1000;
    }
    expect(repairs.length).toBeGreaterThan(20);
    expect(repairs.length).toBeLessThan(60);
    expect(fights).toBeGreaterThan(10);
    const inLastSecond = repairs.filter((at) => at > now - S).length;
    expect(inLastSecond).toBeLessThanOrEqual(11);
  });

  test("waits out the pause of a fight even if its lease is shorter", () => {
    let { state } = own(NO_ADDRESSES, "web", [{ ...A, leaseNs: 1.5 * S }, B], NOW);
    for (let count = 0; count < 10; count++) state = timer(lost(state, KEY_A, NOW), NOW).state;
    state = lost(state, KEY_A, NOW);
    // The other's lease is renewed meanwhile.
    expect(nextDue(state)).toBe(NOW + S);
    expect(told(timer(state, NOW + 0.9 * S).effects)).toEqual(["put 10.9.0.2"]);
    const alone = drop(own(state, "lan", [B], NOW).state, "lan").state;
    expect(nextDue(alone)).toBe(NOW + S);
    expect(timer(alone, NOW + 0.9 * S).effects).toEqual([]);
    expect(told(timer(alone, NOW + S).effects)).toEqual(["put 10.9.0.1", "repaired 10.9.0.1 in a fight"]);
  });

  test("is forgotten when its instance drops it", () => {
    const { state } = own(NO_ADDRESSES, "web", [A], NOW);
    const dropped = drop(lost(state, KEY_A, NOW), "web");
    expect(nextDue(dropped.state)).toBe(Infinity);
    expect(dropped.state.owned.size).toBe(0);
  });
});

test("rename keeps everything but the owner's name", () => {
  const { state } = own(NO_ADDRESSES, "web", [A], NOW);
  const renamed = rename(state, "web", "shop");
  expect(drop(renamed, "web").effects).toEqual([]);
  expect(told(drop(renamed, "shop").effects)).toEqual(["remove 10.9.0.1"]);
});

/** A kernel that obeys effects and lets leases run out. */
class Kernel {
  readonly until = new Map<string, number>();

  obey(effects: readonly AddressEffect[], now: number): void {
    for (const effect of effects) {
      if (effect.type === "repaired") continue;
      for (const { ifindex, text, prefix, leaseNs } of effect.placements) {
        const key = placementKey(ifindex, text, prefix);
        if (effect.type === "remove") this.until.delete(key);
        else this.until.set(key, now + (leaseNs ?? Infinity));
      }
    }
  }

  has(key: string, now: number): boolean {
    return (this.until.get(key) ?? 0) > now;
  }
}

const placements = fc.uniqueArray(
  fc.record({
    text: fc.constantFrom("10.9.0.1", "10.9.0.2", "10.9.0.3", "fd00::1"),
    part: fc.record({
      ifindex: fc.constantFrom(2, 3),
      leaseNs: fc.constantFrom(3 * S, 3 * S, 10 * S, null),
      label: fc.constantFrom(null, null, "eth0:1"),
    }),
  }).map(({ text, part }) => placement(text, part)),
  { selector: ({ ifindex, text }) => `${ifindex} ${text}` },
);
const instance = fc.constantFrom("web", "lan");
const actions = fc.oneof(
  fc.record({ do: fc.constant("own" as const), instance, placements }),
  fc.record({ do: fc.constant("drop" as const), instance }),
  fc.record({ do: fc.constant("lose" as const), index: fc.nat(9) }),
  fc.record({ do: fc.constant("wait" as const), ns: fc.integer({ min: 0, max: 8 * S }) }),
);

test("what is owned is in the kernel before its lease ends, and nothing else is", () => {
  fc.assert(
    fc.property(fc.array(actions, { maxLength: 30 }), (sequence) => {
      const kernel = new Kernel();
      let state: AddressState = NO_ADDRESSES;
      let now = NOW;
      const apply = (result: { state: AddressState; effects: readonly AddressEffect[] }) => {
        state = result.state;
        kernel.obey(result.effects, now);
      };
      const check = () => {
        for (const [key, { repairDue }] of state.owned) {
          if (repairDue === Infinity) expect(kernel.has(key, now)).toBe(true);
        }
        for (const key of kernel.until.keys()) expect(state.owned.has(key)).toBe(true);
      };
      for (const action of sequence) {
        if (action.do === "own") {
          apply(own(state, action.instance, action.placements, now));
          for (const { ifindex, text, prefix } of action.placements) {
            expect(state.owned.get(placementKey(ifindex, text, prefix))?.instance).toBe(action.instance);
          }
        } else if (action.do === "drop") {
          apply(drop(state, action.instance));
          for (const entry of state.owned.values()) expect(entry.instance).not.toBe(action.instance);
        } else if (action.do === "lose") {
          const key = [...kernel.until.keys()][action.index];
          if (key === undefined) continue;
          kernel.until.delete(key);
          state = lost(state, key, now);
        } else {
          const end = now + action.ns;
          while (nextDue(state) <= end) {
            now = Math.max(now, nextDue(state));
            check();
            apply(timer(state, now));
            expect(nextDue(state)).toBeGreaterThan(now);
            check();
          }
          now = end;
        }
        check();
      }
      apply(drop(state, "web"));
      apply(drop(state, "lan"));
      expect(kernel.until.size).toBe(0);
      expect(state.owned.size).toBe(0);
    }),
    { numRuns: 1000 },
  );
});
