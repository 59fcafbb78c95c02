import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isFalling, look, type WatchedLink } from "../../../../mod/link/debounce.ts";

const MS = 1e6;
const DOWN = "interface eth1 has no carrier";
const SLOW = { downMs: 100, upMs: 2000 };

/** A link looked at again and again: `[when in ms, what is seen]`. */
function watched(delays: typeof SLOW, ...sights: readonly (readonly [number, string | null, boolean?])[]) {
  let link: WatchedLink | null = null;
  for (const [at, fault, exists = true] of sights) {
    link = look(link, { name: "eth1", fault, exists }, delays, at * MS);
  }
  return link!;
}

describe("look()", () => {
  test.each([[null], [DOWN]])("what is seen first counts at once: %p", (fault) => {
    expect(watched(SLOW, [0, fault])).toEqual({ fault, seen: fault, due: Infinity });
  });

  test("down counts when it has lasted, and not a moment before", () => {
    const falling = watched(SLOW, [0, null], [10, DOWN], [109, DOWN]);
    expect(falling).toEqual({ fault: null, seen: DOWN, due: 110 * MS });
    expect(isFalling(falling)).toBe(true);
    const fallen = watched(SLOW, [0, null], [10, DOWN], [110, DOWN]);
    expect(fallen).toEqual({ fault: DOWN, seen: DOWN, due: Infinity });
    expect(isFalling(fallen)).toBe(false);
  });

  test("up counts when it has lasted, with a word on what is waited for", () => {
    const rising = watched(SLOW, [0, DOWN], [10, null], [2009, null]);
    expect(rising).toEqual({
      fault: "interface eth1 has been back for less than 2 s",
      seen: null,
      due: 2010 * MS,
    });
    expect(isFalling(rising)).toBe(false);
    expect(watched(SLOW, [0, DOWN], [10, null], [2010, null]).fault).toBeNull();
  });

  test("a link that flaps begins anew each time", () => {
    expect(watched(SLOW, [0, null], [10, DOWN], [50, null], [60, DOWN], [120, DOWN])).toMatchObject({
      fault: null,
      due: 160 * MS,
    });
    expect(watched(SLOW, [0, DOWN], [10, null], [50, DOWN], [60, null], [2020, null]).due).toBe(2060 * MS);
  });

  test("another fault is told at once", () => {
    const why = "interface eth1 is down";
    expect(watched(SLOW, [0, DOWN], [10, why])).toEqual({ fault: why, seen: why, due: Infinity });
    expect(watched(SLOW, [0, null], [10, DOWN], [20, why])).toEqual({
      fault: null,
      seen: why,
      due: 110 * MS,
    });
  });

  test("an interface that is deleted is gone at once", () => {
    const why = "interface eth1 does not exist";
    expect(watched(SLOW, [0, null], [10, why, false])).toEqual({ fault: why, seen: why, due: Infinity });
    expect(watched(SLOW, [0, null], [10, DOWN], [20, why, false]).fault).toBe(why);
  });

  test("without delays everything counts at once", () => {
    const none = { downMs: 0, upMs: 0 };
    expect(watched(none, [0, null], [10, DOWN]).fault).toBe(DOWN);
    expect(watched(none, [0, DOWN], [10, null]).fault).toBeNull();
  });
});

/** What counts, worked out from the whole history: the last state that lasted for as long as it had to. */
function expected(sights: readonly (readonly [number, boolean])[], { downMs, upMs }: typeof SLOW): boolean {
  let counted = sights[0]![1];
  let since = sights[0]![0];
  sights.forEach(([at, up], index) => {
    if (index > 0 && up !== sights[index - 1]![1]) since = at;
    if (up !== counted && at - since >= (up ? upMs : downMs)) counted = up;
  });
  return counted;
}

test("what counts is the last state that has lasted, however often one looks", () => {
  const sight = fc.tuple(fc.integer({ min: 0, max: 500 }), fc.boolean());
  const delays = fc.record({
    downMs: fc.integer({ min: 0, max: 400 }),
    upMs: fc.integer({ min: 0, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(sight, { minLength: 1, maxLength: 30 }), delays, (steps, some) => {
      let at = 0;
      const sights = steps.map(([wait, up]) => [at += wait, up] as const);
      const link = watched(some, ...sights.map(([when, up]) => [when, up ? null : DOWN] as const));
      expect(link.fault === null).toBe(expected(sights, some));
      // Where what is seen does not count yet, someone is told when it will.
      const pending = (link.fault === null) !== (link.seen === null);
      expect(link.due !== Infinity).toBe(pending);
      if (pending) expect(link.due).toBeGreaterThan(at * MS);
    }),
    { numRuns: 500 },
  );
});
