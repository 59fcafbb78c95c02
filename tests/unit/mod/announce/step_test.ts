import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Announcer, Target } from "../../../../mod/announce/model.ts";
import { announce, nextDue, timer } from "../../../../mod/announce/step.ts";
import type { AnnounceConfig } from "../../../../mod/vrrp/config.ts";

const MS = 1e6;
const NOW = 7e9;

function config(part: Partial<AnnounceConfig> = {}): AnnounceConfig {
  return { repeat: 2, delayMs: 0, refreshMs: 0, refreshRepeat: 1, intervalMs: 0, ...part };
}

function targets(count: number): Target[] {
  return Array.from(
    { length: count },
    (_, index) => ({ ifindex: 2, address: Uint8Array.of(10, 9, 0, index) }),
  );
}

interface Sent {
  readonly atMs: number;
  readonly last: number;
}

/** Serves every deadline up to `endMs` after the beginning. */
function run(begin: Announcer, endMs: number): Sent[] {
  let state = begin;
  const sent: Sent[] = [];
  for (let due = nextDue(state); due <= NOW + endMs * MS; due = nextDue(state)) {
    const result = timer(state, due);
    state = result.state;
    for (const { address } of result.send) sent.push({ atMs: (due - NOW) / MS, last: address.at(-1)! });
    // The next round of a burst is due at once; nothing else is.
    expect(nextDue(state)).toBeGreaterThan(result.send.length > 0 ? due - 1 : due);
  }
  return sent;
}

describe("without pacing", () => {
  test("a burst leaves at once, each address before any a second time", () => {
    const sent = run(announce(config(), targets(3), NOW), 60_000);
    expect(sent.map(({ last }) => last)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(sent.every(({ atMs }) => atMs === 0)).toBe(true);
  });

  test("between its rounds others may speak", () => {
    const first = timer(announce(config(), targets(3), NOW), NOW);
    expect(first.send.map(({ address }) => address.at(-1))).toEqual([0, 1, 2]);
    expect(nextDue(first.state)).toBe(NOW);
    const second = timer(first.state, NOW);
    expect(second.send.map(({ address }) => address.at(-1))).toEqual([0, 1, 2]);
    expect(nextDue(second.state)).toBe(Infinity);
  });

  test("a second burst follows once", () => {
    const sent = run(announce(config({ delayMs: 5000 }), targets(1), NOW), 60_000);
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 0, 5000, 5000]);
  });

  test("refreshes follow for ever, with their own repeat", () => {
    const sent = run(announce(config({ refreshMs: 1000, refreshRepeat: 3 }), targets(1), NOW), 2500);
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 0, 1000, 1000, 1000, 2000, 2000, 2000]);
  });
});

describe("with pacing", () => {
  test("packets keep their distance", () => {
    const sent = run(announce(config({ intervalMs: 10 }), targets(2), NOW), 1000);
    expect(sent).toEqual([
      { atMs: 0, last: 0 },
      { atMs: 10, last: 1 },
      { atMs: 20, last: 0 },
      { atMs: 30, last: 1 },
    ]);
  });

  test("a second burst lengthens one that still runs, so that its last addresses do not wait twice", () => {
    const sent = run(announce(config({ intervalMs: 10, delayMs: 25, repeat: 1 }), targets(5), NOW), 1000);
    expect(sent.map(({ last }) => last)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect(sent.at(-1)!.atMs).toBe(90);
  });

  test("a refresh is left out while a burst runs", () => {
    const sent = run(announce(config({ intervalMs: 10, refreshMs: 15, repeat: 1 }), targets(4), NOW), 44);
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 10, 20, 30]);
  });
});

test("what a virtual MAC address bears is told once more when the master before us has let go", () => {
  const virtual = targets(2).map((target) => ({ ...target, virtual: true }));
  const sent = run(announce(config({ delayMs: 5000 }), virtual, NOW), 60_000);
  expect(sent.map(({ atMs }) => atMs)).toEqual([0, 0, 0, 0, 30, 30, 5000, 5000, 5000, 5000]);
  expect(sent.slice(4, 6).map(({ last }) => last)).toEqual([0, 1]);
  const paced = run(announce(config({ intervalMs: 20 }), virtual, NOW), 1000);
  expect(paced.map(({ atMs }) => atMs)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(nextDue(announce(config({ repeat: 0 }), virtual, NOW))).toBe(Infinity);
});

test("nothing to announce wants nothing but the refresh's clock", () => {
  expect(nextDue(announce(config(), [], NOW))).toBe(Infinity);
  expect(run(announce(config({ delayMs: 5, refreshMs: 1000 }), [], NOW), 5000)).toEqual([]);
  expect(nextDue(announce(config({ repeat: 0 }), targets(2), NOW))).toBe(Infinity);
});

test("served late, it sends what is due and does not stall", () => {
  const begun = announce(config({ intervalMs: 10, delayMs: 100 }), targets(2), NOW);
  const late = timer(begun, NOW + 5000 * MS);
  expect(late.send.length).toBe(1);
  expect(nextDue(late.state)).toBe(NOW + 5010 * MS);
});

test("counts, order and pace hold for every configuration", () => {
  const configs = fc.record({
    repeat: fc.integer({ min: 0, max: 5 }),
    delayMs: fc.constantFrom(0, 1, 20, 500),
    refreshMs: fc.constantFrom(0, 0, 30, 1000),
    refreshRepeat: fc.integer({ min: 0, max: 3 }),
    intervalMs: fc.constantFrom(0, 1, 7, 100),
  });
  fc.assert(fc.property(configs, fc.integer({ min: 0, max: 6 }), (chosen, count) => {
    const sent = run(announce(chosen, targets(count), NOW), 3000);
    if (chosen.refreshMs === 0 && chosen.intervalMs <= 7) {
      expect(sent.length).toBe(count * chosen.repeat * (chosen.delayMs > 0 ? 2 : 1));
    }
    sent.forEach(({ atMs, last }, index) => {
      expect(last).toBe(index % count);
      if (index === 0 || chosen.intervalMs === 0) return;
      expect(atMs - sent[index - 1]!.atMs).toBeGreaterThanOrEqual(chosen.intervalMs - 1e-6);
    });
  }));
});
