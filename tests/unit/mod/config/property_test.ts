import { expect, test } from "bun:test";
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatProblem, loadConfig } from "../../../../mod/config/load.ts";
import { findApiSocket } from "../../../../mod/config/socket.ts";
import { noFiles } from "./marked.ts";

const DIRECTORY = join(import.meta.dir, "../../../../config");
const EXAMPLES = readdirSync(DIRECTORY).filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(join(DIRECTORY, name), "utf8"));

/** Pieces that hurt: YAML's own signs, JavaScript's own names, values of the wrong kind. */
const PIECES = [
  ..."\n\t :-[]{}&*!|>'\"%@`#,?~0",
  "\n  ",
  ": ",
  "- ",
  "<<: *track",
  "*track",
  "&track ",
  "constructor",
  "__proto__",
  "toString: ",
  "null",
  "[]",
  "{}",
  "-1",
  "999999999999999999999",
  "💥",
  "\u0000",
  "---\n",
  "...",
  "!!map ",
  "type: exec",
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 30 }),
  insert: fc.oneof(fc.constantFrom("", ...PIECES), fc.string({ maxLength: 5 })),
});

function mutated(text: string, edits: readonly { at: number; remove: number; insert: string }[]): string {
  for (const { at, remove, insert } of edits) {
    const start = Math.floor(at * text.length);
    text = text.slice(0, start) + insert + text.slice(start + remove);
  }
  return text;
}

/** Throws an Error unless every problem of a text is told well. Returns whether the text was refused. */
function judge(text: string): boolean {
  const result = loadConfig(text, "f", noFiles);
  const problems = result.ok ? result.warnings : result.problems;
  const complain = (what: string) => {
    throw new Error(`${what}\n${problems.map(formatProblem).join("\n")}\nin ${JSON.stringify(text)}`);
  };
  if (!result.ok && problems.length === 0) complain("refused without a reason");
  const lines = text.split("\n");
  for (const [i, { line, column }] of problems.entries()) {
    const length = lines[line - 1]?.length ?? -1;
    if (line < 1 || column < 1 || column > length + 1) complain("outside of the file");
    const before = problems[i - 1];
    if (before !== undefined && (before.line - line || before.column - column) > 0) complain("out of order");
    if (/undefined|\[object/.test(formatProblem(problems[i]!))) complain("no words for it");
  }
  return !result.ok;
}

test("whatever happens to a good file: an answer, inside the file, in order", () => {
  expect(EXAMPLES.length).toBeGreaterThan(4);
  let refused = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...EXAMPLES),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      (example, edits) => {
        const text = mutated(example, edits);
        if (judge(text)) refused++;
        expect(findApiSocket(text) ?? "/").toStartWith("/");
      },
    ),
    { numRuns: 1500 },
  );
  expect(refused).toBeGreaterThan(300);
}, 60_000);

test("any text at all gets an answer", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    judge(text);
  }));
}, 60_000);
