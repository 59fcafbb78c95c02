import { expect, test } from "bun:test";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import type { Placement } from "../../../../mod/address/model.ts";
import {
  drop,
  forget,
  nextDue,
  NO_ADDRESSES,
  own,
  placementKey,
  postponed,
  timer,
} from "../../../../mod/address/step.ts";

const S = 1e9;
const NOW = 50 * S;

function placement(text: string, leaseNs: number | null = null): Placement {
  const address = parseAddress(text)!;
  const where = { ifindex: 2, interface: "eth0", label: null, scope: 0, broadcast: null };
  return { ...where, address, text, prefix: 24, leaseNs };
}

const A = placement("10.9.0.1");
const B = placement("10.9.0.2");
const KEY_A = placementKey(2, "10.9.0.1", 24);

test("one that the kernel refused is put again after five seconds, leased or not", () => {
  for (const leased of [A, placement("10.9.0.1", 60 * S)]) {
    const { state } = own(NO_ADDRESSES, "web", [leased], NOW);
    const refused = postponed(state, KEY_A, NOW);
    expect(nextDue(refused)).toBe(NOW + 5 * S);
    expect(timer(refused, NOW + 5 * S).effects).toEqual([{ type: "put", placements: [leased] }]);
  }
  expect(postponed(NO_ADDRESSES, KEY_A, NOW)).toBe(NO_ADDRESSES);
});

test("the last one put is the first one removed", () => {
  const { state } = own(NO_ADDRESSES, "web", [A, B], NOW);
  expect(drop(state, "web").effects).toEqual([{ type: "remove", placements: [B, A] }]);
});

test("what is forgotten is left alone", () => {
  const { state } = own(NO_ADDRESSES, "web", [A, B], NOW);
  expect(forget(state, "lan").owned.size).toBe(2);
  expect(drop(forget(state, "web"), "web").effects).toEqual([]);
});
