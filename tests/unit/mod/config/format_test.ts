import { expect, test } from "bun:test";
import { formatProblem } from "../../../../mod/config/load.ts";
import { told } from "./marked.ts";

test("a problem is one line that a terminal shows as it is", () => {
  const names = 'probes:\n  §"a\\nb\\x9b\\u202e\\r\\t": { type: nginx }\n';
  const { lines, at, marks } = told(`§"\\e[31mfoo": 1\n${names}`);
  expect(at).toEqual([...marks]);
  expect(lines[0]).toContain("unknown key `\\e[31mfoo`");
  expect(lines[1]).toContain("`a\\nb\\u009B\\u202E\\r\\t` cannot be a name");
});

test("the name of the file and what is to be written are shown so, too", () => {
  expect(formatProblem({ file: "a\nb.yaml", line: 1, column: 2, what: "x", instead: "\u{e0001}" }))
    .toBe("a\\nb.yaml:1:2: x (\\U000E0001)");
});
