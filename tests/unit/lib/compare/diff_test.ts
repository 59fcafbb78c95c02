import { expect, test } from "bun:test";
import { diffByName, equalValues } from "../../../../lib/compare/mod.ts";
import type { ProbeConfig } from "../../../../mod/probe/model.ts";
import { tunnel } from "../../mod/tunnel/helpers.ts";

test("values are equal by what they hold", () => {
  expect(equalValues({ a: [1, { b: null }], c: "x" }, { c: "x", a: [1, { b: null }] })).toBe(true);
  for (
    const other of [
      { a: [1] },
      { a: [1, 2, 3] },
      { a: [2, 1] },
      { a: { 0: 1, 1: 2 } },
      { b: [1, 2] },
      {},
      null,
      "a",
    ]
  ) {
    expect(equalValues({ a: [1, 2] }, other)).toBe(false);
    expect(equalValues(other, { a: [1, 2] })).toBe(false);
  }
});

test("a reload compares probes by value", () => {
  const tcp = (name: string, port: number): ProbeConfig => {
    return {
      name,
      type: "tcp",
      intervalMs: 50,
      timeoutMs: 50,
      rise: 1,
      fall: 1,
      jitterMs: 0,
      host: "h",
      port,
    };
  };
  const diff = diffByName([tcp("a", 1), tcp("b", 1), tcp("c", 1)], [tcp("a", 1), tcp("b", 2), tcp("d", 1)]);
  expect(diff).toEqual({ added: [tcp("d", 1)], changed: [tcp("b", 2)], removed: ["c"] });
});

test("tunnels of two configs: added, changed, removed", () => {
  const other = tunnel({ name: "gre1", type: "gre" });
  const diff = diffByName([tunnel(), other], [
    tunnel({ ttl: 9 }),
    tunnel({ name: "new" }),
    tunnel({ name: "x" }),
  ]);
  expect(diff.changed.map(({ ttl }) => ttl)).toEqual([9]);
  expect(diff.added.map(({ name }) => name)).toEqual(["new", "x"]);
  expect(diff.removed).toEqual(["gre1"]);
  expect(diffByName([tunnel()], [tunnel()])).toEqual({ added: [], changed: [], removed: [] });
});
