import { describe, expect, test } from "bun:test";
import { daemonArguments, parseBlock } from "../../../../mod/cli/client.ts";
import { coloured, plain } from "../../../../mod/cli/output.ts";
import { statusScreen } from "../../../../mod/cli/screen.ts";
import { table } from "../../../../mod/cli/table.ts";
import { viewStatus } from "../../../../mod/status/view.ts";
import { filledStore, instance, probe } from "../status/fixture.ts";

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

describe("a narrow screen", () => {
  const long = "connection refused by 10.1.1.3 because nobody listens on port 8080 there";
  const store = filledStore();
  store.setSources({ probes: () => [probe({ error: long })] });
  const status = viewStatus(store.snapshot());
  const lines = (columns: number) => statusScreen(status, { colours: false, columns }).split("\n");

  test("has reasons below, and addresses too where it must", () => {
    expect(lines(80)).toContain("  eth0: no advertisement heard for 3.61 s");
    expect(lines(80)[2]).toBe("INSTANCE  STATE   SINCE      PRIORITY     MASTER           ADDRESSES");
    expect(lines(60)).toContain("  10.9.0.100/24 on eth0: no advertisement heard for 3.61 s");
    expect(lines(60)[2]).toBe("INSTANCE  STATE   SINCE      PRIORITY     MASTER");
  });

  test("loses no word of what is wrong, and no line is too long", () => {
    for (const columns of [60, 80]) {
      const text = lines(columns).map((line) => line.trim()).join(" ");
      expect(text.split(long)).toHaveLength(3);
      expect(Math.max(...lines(columns).map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  });

  test("is as it always was where there is room", () => {
    expect(lines(200)).toEqual(statusScreen(status, STYLE).split("\n"));
  });
});

test("a terminal that is too short shows what is wrong first", () => {
  const status = viewStatus(filledStore().snapshot());
  const whole = statusScreen(status, STYLE);
  const rows = whole.split("\n").length;
  expect(statusScreen(status, STYLE, "", rows)).toBe(whole);
  const [head, troubles, cures, table] = statusScreen(status, STYLE, "", rows - 1).split("\n\n");
  expect([head, table]).toEqual(whole.split("\n\n").slice(0, 2));
  expect([troubles, cures]).toEqual(whole.trimEnd().split("\n\n").slice(-2));
});

describe("a screen says what to type", () => {
  const last = (overrides: Parameters<typeof instance>[0], options?: string) => {
    const store = filledStore();
    store.apply({ type: "instance", instance: instance(overrides) });
    return statusScreen(viewStatus(store.snapshot()), STYLE, options).trimEnd().split("\n\n").at(-1)!.split(
      "\n",
    );
  };

  test("where something is wrong", () => {
    expect(last({})).toEqual(["do  appliance explain  # why, in sentences"]);
    expect(last({}, " -c a.yaml")).toEqual(["do  appliance explain -c a.yaml  # why, in sentences"]);
  });

  test("where an operator holds an instance back", () => {
    expect(last({ state: "fault", released: true })).toEqual([
      "do  appliance resume web  # take part again",
      "    appliance explain     # why, in sentences",
    ]);
  });

  test("where there are two masters", () => {
    expect(last({ state: "master", splitBrainWith: "10.1.1.3" })).toEqual([
      "do  appliance explain  # why, in sentences",
      "    appliance doctor   # why the routers do not hear each other",
    ]);
  });

  test("and nothing where all is well", () => {
    const store = filledStore();
    store.setSources({ probes: () => [] });
    expect(statusScreen(viewStatus(store.snapshot()), STYLE)).not.toContain("do  ");
  });
});

test("what a command takes to reach the same daemon can be copied into a shell", () => {
  expect(daemonArguments({ config: "/etc/appliance/appliance.yaml" })).toBe("");
  expect(daemonArguments({ config: "it's.yaml", socket: "/run/a.sock" })).toBe(
    ` -c 'it'\\''s.yaml' --socket /run/a.sock`,
  );
});

test("parseBlock() reads one server-sent event", () => {
  expect(parseBlock('data: {"a":1}\nid: 7')).toEqual({ id: "7", data: '{"a":1}' });
  expect(parseBlock("data: a\ndata: b")).toEqual({ id: null, data: "a\nb" });
  expect(parseBlock(": still here")).toBeNull();
  expect(parseBlock("retry: 1000")).toBeNull();
});
