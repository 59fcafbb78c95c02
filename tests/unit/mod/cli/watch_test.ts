import { expect, test } from "bun:test";
import { asFrame } from "../../../../mod/cli/watch.ts";

const HOME = "\x1b[H";
const REST = "\x1b[K\n";
const END = "\x1b[J";

test("a frame that fits is drawn whole", () => {
  const whole = `${HOME}a${REST}b${REST}${END}`;
  expect(asFrame("a\nb\n", 3)).toBe(whole);
  expect(asFrame("a\nb\n", null)).toBe(whole);
});

test("one that is longer than the terminal keeps its beginning, and does not scroll", () => {
  const cut = asFrame("a\nb\nc\nd\ne\n", 3);
  expect(cut).toBe(`${HOME}a${REST}b${REST}… and 3 more: appliance status${END}`);
});
