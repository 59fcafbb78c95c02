import { describe, expect, test } from "bun:test";
import { parseBlock } from "../../../../mod/cli/client.ts";
import { coloured, plain } from "../../../../mod/cli/output.ts";
import { statusScreen } from "../../../../mod/cli/screen.ts";
import { table } from "../../../../mod/cli/table.ts";
import { viewStatus } from "../../../../mod/status/view.ts";
import { filledStore } from "../status/fixture.ts";

const STYLE = { colours: false, columns: null };

describe("table()", () => {
  test("aligns columns and leaves out those that are empty", () => {
    expect(table(["A", "B", "LONG"], [["x", "", "1"], ["yyy", "", "2"]], STYLE)).toEqual([
      "A    LONG",
      "x    1",
      "yyy  2",
    ]);
  });

  test("cuts lines to the terminal, colours not counted", () => {
    const rows = [["abcdef", { text: "ghijkl", colour: "red" }]] as const;
    for (const colours of [false, true]) {
      for (let columns = 1; columns < 20; columns++) {
        for (const line of table(["A", "B"], rows, { colours, columns })) {
          // deno-lint-ignore no-control-regex
          expect(line.replace(/\x1b\[\d+m/g, "").length).toBeLessThanOrEqual(columns);
        }
      }
    }
    expect(table(["A", "B"], rows, { colours: false, columns: 11 })[1]).toBe("abcdef  gh…");
  });

  test("keeps control characters off the terminal", () => {
    expect(table(["A"], [["\x1b]0;x\x07\n\x9b2J"]], STYLE)[1]).toBe(" ]0;x 2J");
    expect(plain("a\r\n\tb")).toBe("a b");
  });
});

test("colours are used only when they are wanted", () => {
  expect(coloured("x", "red", true)).toBe("\x1b[31mx\x1b[0m");
  expect(coloured("x", "red", false)).toBe("x");
  const status = viewStatus(filledStore().snapshot());
  expect(statusScreen(status, STYLE)).not.toContain("\x1b");
  expect(statusScreen(status, { colours: true, columns: 80 })).toContain("\x1b[31mdown ");
});

test("a narrow screen shows reasons below, and no line is too long", () => {
  const status = viewStatus(filledStore().snapshot());
  const narrow = statusScreen(status, { colours: false, columns: 70 }).split("\n");
  expect(narrow).toContain("  no advertisement heard for 3.61 s");
  expect(Math.max(...narrow.map((line) => line.length))).toBe(70);
  expect(statusScreen(status, { colours: false, columns: 200 })).toBe(statusScreen(status, STYLE));
});

test("parseBlock() reads one server-sent event", () => {
  expect(parseBlock('data: {"a":1}\nid: 7')).toEqual({ id: "7", data: '{"a":1}' });
  expect(parseBlock("data: a\ndata: b")).toEqual({ id: null, data: "a\nb" });
  expect(parseBlock(": still here")).toBeNull();
  expect(parseBlock("retry: 1000")).toBeNull();
});
