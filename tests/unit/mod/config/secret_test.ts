/** Where a mapping holds a secret, no problem quotes the file: a slip of the pen may put the secret anywhere in it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatProblem, loadConfig } from "../../../../mod/config/load.ts";
import { configSchema } from "../../../../mod/config/schema.ts";
import { keysAt, schemasAt, shownSteps } from "../../../../mod/config/schema/walk.ts";
import { noFiles, told } from "./marked.ts";

const SECRET = "s3cretK";

/** An instance with this as its `auth`. */
function withAuth(auth: string): string {
  return "vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    version: 2\n" +
    `    addresses: [10.0.0.1/24]\n    auth: ${auth}\n`;
}

function withHeaders(headers: string): string {
  return `probes:\n  p: { type: http, url: "http://a/", headers: ${headers} }\n${
    withAuth("{ type: pass, key: a }")
  }`;
}

function withApi(api: string): string {
  return `api: ${api}\n${withAuth("{ type: pass, key: a }")}`;
}

/** Everything that is said about a text, in every form. */
function said(text: string): string {
  const result = loadConfig(text, "a.yaml", noFiles);
  const problems = result.ok ? result.warnings : result.problems;
  return problems.map((problem) => `${formatProblem(problem)}\n${JSON.stringify(problem)}`).join("\n");
}

const VALUES = [
  ...["*S", "!S x", "|S", ">S", "&S", "%S", "@S", "`S", '"S\\q"', '"\\xS"', "S: x", "'S", '"S', "[S", "{S"],
  ...[
    "- S",
    "? S",
    "!<S",
    "!S!x",
    "!!S",
    "!!map S",
    "*S:",
    "&S &S x",
    "&S *S",
    "!S !S x",
    "[S]]",
    "S]",
    "-S",
  ],
  ...['"a" S', "'a'S", "[a] S", "{a: b} S", "| S", "|2S", "S #", "? S\n      : b", "\n%S", "\n%S x\n--- a"],
  ...[
    "\n      S: 1\n      S: 2",
    "\n      S",
    "\n   S",
    "\n\tS",
    "\n--- S",
    "S\n     S",
    "!S\n      - S",
    "<<: *S",
  ],
];

const MAPPINGS = [
  ...["{ type: pass, key: s3,S }", "{type: pass, key:S}", "{ type: pass, S }", "{type: S}", "{type:S}"],
  ...["{ type: pass, key: S", "{ type: pass, S, S }", "{ type: pass, [S]: a }", '{ type: pass, "S": [a] }'],
  ...["{ type: pass, key: {S: a} }", "{ type: pass, key: [S] }", "{ type: pass, key_file: S }", "S", "*S"],
  ...["{ <<: *S, type: pass }", "{ <<: S, type: pass }", "!S {type: pass, key: a}", "[S]", "{ S: { S: S } }"],
  ...["{ type: pass, ? S }", "{ type: pass, *S : x }", "{ type: pass, key: a S: b}", "{ type: pass key: S }"],
  ...["{type: pass, key: S]", "{ type: pass, key: a, S: ", "{ key: a, key: S }", "{ S: a, S: b }"],
];

describe("no problem quotes a secret", () => {
  test.each(VALUES)("key: %s", (value) => {
    const texts = said(withAuth(`\n      type: pass\n      key: ${value.replaceAll("S", SECRET)}`));
    expect(texts).not.toContain("s3");
  });

  test.each(MAPPINGS)("auth: %s", (mapping) => {
    const texts = said(withAuth(mapping.replaceAll("S", SECRET)));
    expect(texts).not.toBe("");
    expect(texts).not.toContain("s3");
  });

  test.each([
    "{ S }",
    '{ "a S": b }',
    "{ a: S, A: S }",
    "{ S: [a] }",
    "{ A: a,S }",
    '{ A: "S\\n" }',
    "{ S: S, S: S }",
  ])(
    "headers: %s",
    (headers) => {
      const texts = said(withHeaders(headers.replaceAll("S", SECRET)));
      expect(texts).not.toBe("");
      expect(texts).not.toContain("s3");
    },
  );

  test("as the value of any key of a mapping that holds secrets", () => {
    const places: readonly (readonly [path: string[], text: (mapping: string) => string])[] = [
      [["vrrp", "web", "auth"], withAuth],
      [["api"], withApi],
    ];
    for (const [path, text] of places) {
      const keys = keysAt(configSchema, path);
      expect(keys.length).toBeGreaterThan(0);
      for (const key of [...keys, "token", "zzz", SECRET]) {
        expect(said(text(`{ ${key}: ${SECRET} }`))).not.toContain("s3");
        expect(said(text(`{ ${key}: /${SECRET} }`))).not.toContain("s3");
        expect(said(text(`{ ${key}: [${SECRET}] }`))).not.toContain("s3");
        expect(said(text(`{ ${key}:${SECRET} }`))).not.toContain("s3");
      }
    }
  });

  test("whatever stands around it", () => {
    const piece = fc.constantFrom(
      ...[
        SECRET,
        SECRET,
        " ",
        ": ",
        ":",
        ",",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "*",
        "&",
        "!",
        "|",
        ">",
        "%",
        "@",
        "- ",
      ],
      ...[
        "? ",
        "\\",
        "#",
        "\n      ",
        "\n        ",
        "\t",
        "<<",
        "--",
        "key",
        "type",
        "pass",
        "~",
        "key_file: ",
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, flow) => {
        const value = pieces.join("");
        const text = flow ? `{ type: pass, key: ${value} }` : `\n      type: pass\n      key: ${value}`;
        expect(said(withAuth(text))).not.toContain("s3cret");
      }),
      { numRuns: 1000 },
    );
  });
});

test("a slip near a word of ours is named, and so is a value that is glued to its key", () => {
  const one = (marked: string) => {
    const { lines, at, marks } = told(marked);
    expect(at).toEqual([...marks]);
    return lines.join("\n");
  };
  expect(one(withAuth("{ type: pass, §kye: abc }"))).toContain("unknown key `kye` (did you mean `key`?)");
  expect(one(withAuth("{ type: pass, §auth_pass: abc }"))).toContain("did you mean `key`?");
  expect(one(withAuth("{ type: §pas, key: abc }"))).toContain("`type` is `pas` (did you mean `pass`?)");
  expect(one(withAuth("{ type: pass, §key:abc }"))).toContain(
    "unknown key `key:…` (write a blank after the colon)",
  );
  expect(one(withAuth("{ type: pass, key: a, §bc }"))).toContain(
    "unknown key (known here: type, key, key_file)",
  );
});

test("the steps of a path that may be shown", () => {
  expect(shownSteps(configSchema, ["vrrp", "web", "auth", "key"])).toBe(4);
  expect(shownSteps(configSchema, ["vrrp", "web", "auth", "abc"])).toBe(3);
  expect(shownSteps(configSchema, ["probes", "p", "headers", "X-Token"])).toBe(3);
  expect(shownSteps(configSchema, ["probes", "p", "abc"])).toBe(3);
  expect(schemasAt(configSchema, ["vrrp", "web", "track", 0, "probe"]).length).toBeGreaterThan(0);
  expect(schemasAt(configSchema, ["vrrp", "web", "track", "probe"])).toEqual([]);
});
