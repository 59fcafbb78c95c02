import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exposition, type Histogram, type Metric } from "../../../../mod/status/exposition.ts";
import { type Family, parseExposition } from "./exposition_reader.ts";

function gauge(...samples: readonly (readonly [Record<string, string>, number])[]): Metric {
  return { type: "gauge", name: "g", help: "A gauge", samples };
}

function histogram(more: Partial<Histogram> = {}, name = "h"): Metric {
  const whole = { bounds: [0.001, 0.5, 2], counts: [1, 1, 4], count: 5, sum: 12.25, ...more };
  return { type: "histogram", name, help: "A histogram", histogram: whole };
}

describe("exposition()", () => {
  test("writes each metric with its HELP and TYPE", () => {
    expect(exposition([
      { type: "counter", name: "c_total", help: "A counter", samples: [[{}, 3]] },
      gauge([{ a: "x", b: "y" }, -1.5], [{ a: "z", b: "" }, 0]),
    ])).toBe(`\
# HELP c_total A counter
# TYPE c_total counter
c_total 3
# HELP g A gauge
# TYPE g gauge
g{a="x",b="y"} -1.5
g{a="z",b=""} 0
`);
  });

  test("writes a histogram with cumulative buckets, the infinite one, the sum and the count", () => {
    expect(exposition([histogram()])).toBe(`\
# HELP h A histogram
# TYPE h histogram
h_bucket{le="0.001"} 1
h_bucket{le="0.5"} 1
h_bucket{le="2"} 4
h_bucket{le="+Inf"} 5
h_sum 12.25
h_count 5
`);
    expect(exposition([histogram({ bounds: [], counts: [], count: 0, sum: 0 })])).toEndWith(
      'h_bucket{le="+Inf"} 0\nh_sum 0\nh_count 0\n',
    );
  });

  test("escapes help and labels, each as its place demands", () => {
    const help = 'a "quoted" \\ backslash\nand a line';
    const label = 'a "quoted" \\ backslash\nand a line, {x="y"} é 漢 😀';
    const text = exposition([{ type: "gauge", name: "g", help, samples: [[{ a: label }, 1]] }]);
    expect(text).toBe(`\
# HELP g a "quoted" \\\\ backslash\\nand a line
# TYPE g gauge
g{a="a \\"quoted\\" \\\\ backslash\\nand a line, {x=\\"y\\"} é 漢 😀"} 1
`);
    expect(parseExposition(text)[0]).toMatchObject({ help, samples: [{ labels: { a: label }, value: 1 }] });
  });

  test("writes what is no ordinary number", () => {
    const values = [NaN, Infinity, -Infinity, -0, 1e21, 5e-7, Number.MAX_SAFE_INTEGER];
    const text = exposition([gauge(...values.map((value, i) => [{ i: String(i) }, value] as const))]);
    expect(text.match(/(?<=\} ).*/g)).toEqual([
      "NaN",
      "+Inf",
      "-Inf",
      "0",
      "1e+21",
      "5e-7",
      "9007199254740991",
    ]);
  });

  test("leaves out what has no sample, and writes nothing for nothing", () => {
    expect(exposition([gauge()])).toBe("");
    expect(exposition([])).toBe("");
  });

  test.each<[what: string, metrics: readonly Metric[], why: string]>([
    [
      "the same labels twice",
      [gauge([{ a: "1" }, 1], [{ a: "1" }, 2])],
      "Cannot give g two values for the same labels",
    ],
    [
      "the same labels in another order",
      [gauge([{ a: "1", b: "2" }, 1], [{ b: "2", a: "1" }, 2])],
      "Cannot give g two values for the same labels",
    ],
    ["the same name twice", [gauge([{}, 1]), gauge([{ a: "1" }, 1])], "Cannot name two metrics g"],
    [
      "a name that a histogram has taken",
      [histogram(), { ...gauge([{}, 1]), name: "h_sum" }],
      "Cannot name two metrics h_sum",
    ],
    ["an odd name", [{ ...gauge([{}, 1]), name: "a-b" }], 'Cannot name a metric "a-b"'],
    ["a name with a line feed", [{ ...gauge([{}, 1]), name: "a\n" }], 'Cannot name a metric "a\\n"'],
    ["an odd label", [gauge([{ "1a": "x" }, 1])], 'Cannot name a label "1a"'],
    ["a label that is kept for others", [gauge([{ __name__: "x" }, 1])], 'Cannot name a label "__name__"'],
    ["too few counts", [histogram({ counts: [1] })], "Cannot write h: 1 counts for 3 bounds"],
    [
      "counts that are not cumulative",
      [histogram({ counts: [3, 1, 4] })],
      "Cannot write h: its counts 3, 1, 4, 5 are not cumulative",
    ],
    [
      "a total below its parts",
      [histogram({ count: 3 })],
      "Cannot write h: its counts 1, 1, 4, 3 are not cumulative",
    ],
    [
      "a count that is no number",
      [histogram({ count: NaN })],
      "Cannot write h: its counts 1, 1, 4, NaN are not cumulative",
    ],
    [
      "bounds that do not ascend",
      [histogram({ bounds: [1, 1, 2] })],
      "Cannot write h: its bounds 1, 1, 2 do not ascend",
    ],
    [
      "an infinite bound, which is there by itself",
      [histogram({ bounds: [1, 2, Infinity] })],
      "Cannot write h: its bounds 1, 2, Infinity do not ascend",
    ],
  ])("refuses %s", (_, metrics, why) => {
    expect(() => exposition(metrics)).toThrow(new RangeError(why));
  });

  test("is read back as it was meant, whatever the labels and values are", () => {
    const word = fc.string({ unit: "binary", maxLength: 12 }).map((text) =>
      text.replace(/[\ud800-\udfff]/g, "?")
    );
    const labels = fc.dictionary(fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,5}$/), word, { maxKeys: 3 });
    const sample = fc.tuple(labels, fc.double());
    const key = ([entry]: readonly [Record<string, string>, number]) =>
      JSON.stringify(Object.entries(entry).sort());
    const samples = fc.uniqueArray(sample, { selector: key, minLength: 1, maxLength: 5 });
    fc.assert(fc.property(word, samples, (help, samples) => {
      const [family] = parseExposition(exposition([{ type: "gauge", name: "g", help, samples }]));
      const expected: Family = {
        name: "g",
        type: "gauge",
        help,
        samples: samples.map(([labels, value]) => ({ name: "g", labels: { ...labels }, value: value + 0 })),
      };
      expect(family).toEqual(expected);
    }));
  });
});

test("the reader of these tests takes nothing but the format", () => {
  const head = "# HELP g x\n# TYPE g gauge\n";
  for (
    const bad of [
      `${head}g 1`,
      `${head}g  1\n`,
      `${head}g x\n`,
      `${head}g{a=1} 1\n`,
      `${head}g{a="\\x"} 1\n`,
      `${head}g{a="1",a="2"} 1\n`,
      `${head}g 1\ng 2\n`,
      `${head}other 1\n`,
      `g 1\n`,
      `# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`,
      `# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    ]
  ) expect(() => parseExposition(bad)).toThrow();
  expect(parseExposition(`${head}g 1\n`)).toHaveLength(1);
});
