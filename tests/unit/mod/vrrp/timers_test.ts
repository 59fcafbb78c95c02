import { describe, expect, test } from "bun:test";
import { fastSkewTime, intervalNs, masterDownInterval, skewTime } from "../../../../mod/vrrp/timers.ts";
import { config, MS, S } from "./rig.ts";

describe("skewTime", () => {
  test.each([[255, 1], [254, 2], [100, 156], [1, 255]])("priority %i waits %i/256", (priority, parts) => {
    expect(skewTime(3, priority, 100 * MS)).toBe((parts * 100 * MS) / 256);
    // Version 2 counts parts of a second, however long the interval is.
    expect(skewTime(2, priority, 5 * S)).toBe((parts * S) / 256);
  });
});

test("intervals are in centiseconds", () => {
  expect(intervalNs(1)).toBe(10 * MS);
  expect(intervalNs(4095)).toBe(40.95 * S);
});

test("masterDownInterval is three intervals, or as configured, and the skew", () => {
  expect(masterDownInterval(config({ version: 2 }), 100, S)).toBe(3 * S + (156 * S) / 256);
  expect(masterDownInterval(config({ version: 3 }), 100, 10 * MS)).toBe(30 * MS + (156 * 10 * MS) / 256);
  expect(masterDownInterval(config({ downAdverts: 2 }), 255, S)).toBe(2 * S + S / 256);
});

test("fastSkewTime is ordered by priority and never over 100 ms", () => {
  expect(fastSkewTime(1, 40 * S)).toBeLessThanOrEqual(100 * MS);
  expect(fastSkewTime(200, S)).toBeLessThan(fastSkewTime(199, S));
  expect(fastSkewTime(1, 10 * MS)).toBeLessThan(10 * MS);
});
