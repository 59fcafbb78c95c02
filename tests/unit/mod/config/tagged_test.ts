/** A mapping that is told apart by its `type`: a slip in that word hides none of its other mistakes. */
import { describe, expect, test } from "bun:test";
import { told } from "./marked.ts";

const WEB =
  "vrrp:\n  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24], track: [{ probe: p, weight: 1 }] }\n";

const ROWS: readonly (readonly [name: string, probe: string, texts: readonly string[]])[] = [
  [
    "a type that is near one is judged as that one",
    "{ type: §htpp, §intervall: 5, rise: §0, url: 'http://a/' }",
    [
      "`type` is `htpp` (did you mean `http`?)",
      "unknown key `intervall` (did you mean `interval`?)",
      "`rise` is 0, out of range (write a number from 1 to 1000)",
    ],
  ],
  ["so is its own key", "{ type: §htpp, url: §foo }", ["did you mean `http`?", "which is not a URL"]],
  [
    "a misspelt `type` is an unknown key, and is not missing on top",
    "{ §tpye: tcp, address: 'a:1', interval: §5 }",
    [
      "unknown key `tpye` (did you mean `type`?)",
      "`interval` is `5`, a number without a unit",
    ],
  ],
  ["a misspelt `type` of a misspelt type", "{ §tpye: §tcpp, address: §a }", [
    "unknown key `tpye`",
    "(did you mean `tcp`?)",
    "which is not an address and a port",
  ]],
  [
    "a type far from all is judged by what all have",
    "{ type: §postgres, dsn: x, §intervall: 5, rise: §0, url: 5 }",
    [
      "`type` is `postgres` (write one of nginx, ",
      "unknown key `intervall`",
      "`rise` is 0",
    ],
  ],
  ["a type of a later version is, too", "{ type: §ping, host: a, rise: §0 }", [
    "`type` is `ping`, which is not supported by this version",
    "`rise` is 0",
  ]],
  ["no value", "{ §type: , rise: §0 }", ["`type` has no value (write one of nginx, ", "`rise` is 0"]],
  ["a list", "{ type: §[http], rise: §0 }", ["`type` must be a single value", "`rise` is 0"]],
  ["an alias of nothing", "{ type: §*x, rise: §0 }", ["no value above is marked", "`rise` is 0"]],
  ["a value that is glued to it", "{ §type:http, rise: §0 }", [
    "unknown key `type:…` (write a blank",
    "`rise` is 0",
  ]],
];

describe("probes", () => {
  test.each(ROWS)("%s", (_, probe, texts) => {
    const { ok, lines, at, marks } = told(`probes:\n  p: ${probe}\n${WEB}`);
    expect({ ok, at }).toEqual({ ok: false, at: [...marks] });
    for (const [i, text] of texts.entries()) expect(lines[i]).toContain(text);
  });

  test("without a type", () => {
    const { at, marks, lines } = told(`probes:\n  §p: { rise: §0, §fal: 1, dsn: x }\n${WEB}`);
    expect(at).toEqual([...marks]);
    expect(lines[0]).toContain("`type` is missing (write one of nginx, ");
    expect(lines[2]).toContain("did you mean `fall`?");
  });

  test("what a guessed type needs is missing as well", () => {
    const { at, marks, lines } = told(`probes:\n  §p: { type: §htpp }\n${WEB}`);
    expect(at).toEqual([...marks]);
    expect(lines[0]).toContain("`p` has no `url`");
  });
});

test("tunnels and authentication tell all mistakes beside a wrong type as well", () => {
  const { at, marks } = told(
    "tunnels:\n  gt0: { §tpye: gre, local: 10.0.0.1, remote: 10.0.0.2, ttl: §0 }\n" +
      "  gt1: { type: §gree, local: 10.0.0.1, remote: 10.0.0.3, §kep: true }\n" +
      "vrrp:\n  web: { interface: eth0, vrid: 51, version: 2, addresses: [10.0.0.1/24], " +
      "auth: { §tpye: pass, §key_fil: /a } }\n",
  );
  expect(at).toEqual([...marks]);
});
