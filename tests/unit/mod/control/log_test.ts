import { afterAll, afterEach, expect, spyOn, test } from "bun:test";
import { log, setUpLog } from "../../../../mod/control/log.ts";

const written = spyOn(process.stderr, "write").mockImplementation(() => true);
afterEach(() => written.mockClear());
afterAll(() => written.mockRestore());

const lines = () => written.mock.calls.map(([text]) => String(text));

test("what a record is about stands before its text, whatever its name is", async () => {
  await setUpLog({ level: "info", format: "text" });
  log("warning", ["transition", "constructor"], "backup → master", 0);
  log("info", [], "plain", 0);
  log("debug", ["vrrp"], "below the level", 0);
  expect(lines()).toEqual([
    "1970-01-01T00:00:00.000Z warning transition.constructor: backup → master\n",
    "1970-01-01T00:00:00.000Z info    plain\n",
  ]);
});

test("JSON lines", async () => {
  await setUpLog({ level: "debug", format: "json" });
  log("error", ["vrrp", "toString"], "lost", 0);
  expect(lines().map((line) => JSON.parse(line))).toEqual([
    { time: "1970-01-01T00:00:00.000Z", level: "error", category: "vrrp.toString", message: "lost" },
  ]);
});

test("a record is one line, and what it quotes does not drive a terminal", async () => {
  const said = "said: \u001b[31mred\nline";
  await setUpLog({ level: "info", format: "text" });
  log("info", ["probe", "p"], said, 0);
  await setUpLog({ level: "info", format: "json" });
  log("info", ["probe", "p"], said, 0);
  const [text, json] = lines();
  expect(text).toBe("1970-01-01T00:00:00.000Z info    probe.p: said:  [31mred line\n");
  expect(JSON.parse(json!)).toMatchObject({ message: said });
});
