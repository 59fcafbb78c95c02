/**
 * A second, strict reader of Prometheus' text format: it throws at whatever the format's description does not have.
 *
 * @module
 */
import { expect } from "bun:test";

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

const ESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", "\\n": "\n", '\\"': '"' };

function unescape(text: string, allowed: RegExp): string {
  return text.replace(/\\.?/gs, (escape) => {
    if (!allowed.test(escape)) throw new Error(`bad escape ${escape}`);
    return ESCAPES[escape]!;
  });
}

function numberOf(text: string): number {
  if (text === "NaN") return NaN;
  const infinite = /^([+-])Inf$/.exec(text);
  if (infinite !== null) return infinite[1] === "+" ? Infinity : -Infinity;
  if (!/^-?\d+(\.\d+)?(e[+-]\d+|e\d+)?$/.test(text)) throw new Error(`bad value ${text}`);
  return Number(text);
}

function sampleOf(line: string): Family["samples"][number] {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"]|"(?:[^"\\\n]|\\.)*")*)\})? (\S+)$/u.exec(line);
  if (match === null) throw new Error(`bad sample ${line}`);
  const [, name, inner, value] = match;
  const labels: Record<string, string> = {};
  let rest = inner ?? "";
  while (rest !== "") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(,(?=.)|$)/su.exec(rest);
    if (label === null) throw new Error(`bad labels ${rest}`);
    if (Object.hasOwn(labels, label[1]!)) throw new Error(`label ${label[1]} is there twice`);
    labels[label[1]!] = unescape(label[2]!, /^\\[\\n"]$/);
    rest = rest.slice(label[0].length);
  }
  return { name: name!, labels, value: numberOf(value!) };
}

/** All metrics of a text. Throws Error at the first thing that is wrong. */
export function parseExposition(text: string): Family[] {
  if (text === "") return [];
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families: Family[] = [];
  const lines = text.slice(0, -1).split("\n");
  for (let at = 0; at < lines.length;) {
    const help = /^# HELP (\S+) (.*)$/su.exec(lines[at]!);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[at + 1] ?? "");
    if (help === null || type === null || help[1] !== type[1]) throw new Error(`no head: ${lines[at]}`);
    at += 2;
    const samples = [];
    while (at < lines.length && !lines[at]!.startsWith("#")) samples.push(sampleOf(lines[at++]!));
    const family = {
      name: help[1]!,
      type: type[2]!,
      help: unescape(help[2]!, /^\\[\\n]$/),
      samples,
    };
    judge(family);
    if (families.some(({ name }) => name === family.name)) throw new Error(`${family.name} is there twice`);
    families.push(family);
  }
  return families;
}

function judge({ name, type, samples }: Family): void {
  const keys = samples.map((sample) => JSON.stringify([sample.name, Object.entries(sample.labels).sort()]));
  expect(new Set(keys).size).toBe(keys.length);
  if (type !== "histogram") {
    for (const sample of samples) expect(sample.name).toBe(name);
    return;
  }
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  expect(samples.map((sample) => sample.name).filter((each) => each !== `${name}_bucket`))
    .toEqual([`${name}_sum`, `${name}_count`]);
  const bounds = buckets.map(({ labels }) => numberOf(labels["le"]!));
  expect(bounds).toEqual(bounds.toSorted((a, b) => a - b));
  expect(bounds.at(-1)).toBe(Infinity);
  const values = buckets.map(({ value }) => value);
  expect(values).toEqual(values.toSorted((a, b) => a - b));
  expect(values.at(-1)).toBe(samples.at(-1)!.value);
}
