import { describe, expect, test } from "bun:test";
import { told, unmark } from "./marked.ts";
import { parseConfigDocument, toPlain } from "../../../../mod/config/document.ts";

const BASE = "vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24]\n";

test("the marks of the tests below count lines and columns from 1", () => {
  expect(unmark("§a: 1\n  b: §2")).toEqual({ text: "a: 1\n  b: 2", marks: ["1:1", "2:6"] });
});

const BROKEN: readonly (readonly [name: string, marked: string, texts: readonly string[]])[] = [
  ["an empty file", "§", ["the file is empty"]],
  ["only comments", "§# nothing\n", ["the file is empty"]],
  ["a list", "§- a\n", ["must be a mapping"]],
  ["a text", "§hello", ["must be a mapping"]],
  ["tabs", "vrrp:\n§\tweb: {}\n", ["Tabs are not allowed as indentation (indent with spaces)"]],
  ["a key twice", `${BASE}§vrrp: {}\n`, ["this key is written twice in one mapping (keep one of the two)"]],
  ["a key twice, deeper", `${BASE}    §vrid: 52\n`, ["this key is written twice"]],
  ["two documents", `${BASE}§---\nnode: b\n`, ["a second YAML document begins here"]],
  ["an open quote", `${BASE}    source: §'10.0.0.2\n    lease: 3s\n`, [
    "this quote is never closed (close it)",
  ]],
  ["an open list", `${BASE}    peers: [10.0.0.2\n    §lease: 3s\n`, [
    "a `[` above is not closed (write the missing `]`)",
  ]],
  ["a colon in a value", `node: §a: b\n${BASE}`, ["Nested mappings are not allowed", "in quotes"]],
  ["a missing colon", "vrrp:\n  web:\n    interface: eth0\n    §vrid 51\n    priority: 5\n", ["one line"]],
  ["an unknown anchor", `node: §*x\n${BASE}`, ["no value above is marked for this alias"]],
  ["a tag", `node: §!!int 3\n${BASE}`, ["this tag is not known (remove it)"]],
  ["a tag of one's own", `node: §!secret 3\n${BASE}`, ["this tag is not known"]],
  ["a word after a block's sign", `node: |§abc\n${BASE}`, ["this does not belong here"]],
  ["an escape that is none", `node: "a§\\q"\n${BASE}`, ["this escape sequence is not known"]],
  ["a wrong indent", `${BASE}  lan:\n    vrid: 5\n   §vrid: 6\n`, [
    "column (indent the keys of one mapping alike)",
  ]],
  ["a key that is a list", `§? [a]\n: 1\n${BASE}`, ["a key must be a plain word"]],
  ["a key that JavaScript knows", `§__proto__: {}\n${BASE}`, ["a key must be a plain word"]],
  ["bytes that are not UTF-8", `node: caf§\uFFFD\n${BASE}`, [
    "this is not UTF-8 text (save the file as UTF-8)",
  ]],
  ["UTF-16", "§\uFFFD\uFFFDv\0r\0r\0p\0:\0", ["this is not UTF-8 text"]],
  ["a zero byte", `${BASE}§\0`, ["this is not UTF-8 text"]],
  ["a merge of no mapping", `${BASE}    §<<: [1]\n`, ["`<<` takes a mapping"]],
];

describe("what is not YAML", () => {
  test.each(BROKEN)("%s", (_, marked, texts) => {
    const { lines, at, marks } = told(marked);
    expect(at).toEqual([...marks]);
    for (const text of texts) expect(lines.join("\n")).toContain(text);
  });

  test("other mistakes are told beside a broken structure, but not its echoes", () => {
    const { lines } = told(
      "log: { levl: info }\nvrrp:\n  web:\n    priority: 300\n    peers: [10.0.0.2\n    vrid: 5\n",
    );
    expect(lines.map((line) => line.replace(/ \(.*/, ""))).toEqual([
      "1:8: unknown key `levl`",
      "4:15: `priority` is 300, out of range",
      "6:5: not valid YAML: a `[` above is not closed",
    ]);
  });

  test("deep nesting and multiplied aliases are refused, not suffered", () => {
    for (const closed of ["", "]".repeat(20_000)]) {
      const { ok, lines } = told(`node: ${"[".repeat(20_000)}${closed}`);
      expect(ok).toBe(false);
      expect(lines.join()).toContain("nested too deeply");
      expect(lines.join()).not.toContain("stack");
    }
    const block = Array.from({ length: 6000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
    expect(told(block).lines.join()).toContain("nested too deeply");
    expect(told(`node: ${"[".repeat(500)}${"]".repeat(500)}`).lines.join()).toContain("nested too deeply");
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (let i = 1; i < 9; i++) text += `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]\n`;
    const started = performance.now();
    expect(told(text).lines.join()).toContain("more than a million values");
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("scalars stay text, aliases and merges are written out", () => {
  const { root, problems } = parseConfigDocument(
    'a: 051\nb: "1"\nc: 1.10\nd:\ne: &e { x: yes, y: 0x1 }\nf: { <<: *e, y: 2 }\ng: [~, null, "null"]\n',
  );
  expect(problems).toEqual([]);
  expect(toPlain(root!)).toEqual({
    a: "051",
    b: "1",
    c: "1.10",
    d: null,
    e: { x: "yes", y: "0x1" },
    f: { x: "yes", y: "2" },
    g: [null, null, "null"],
  });
});

test("a byte order mark takes no column", () => {
  expect(told(`\uFEFFnod: a\n${BASE}  lan: {}\n`).at[0]).toBe("1:1");
  expect(told(`\uFEFF${BASE}    vird: 51\n`).at).toEqual(["6:5"]);
});
