/** Processes as /proc shows them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { livesIn, readPidFile, startTime } from "../../../../mod/lab/process.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lab-process-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a process has one start time while it lives, and none afterwards", async () => {
  const child = spawn("/bin/sleep", ["60"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const start = startTime(child.pid!);
  expect(start).toMatch(/^\d+$/);
  expect(startTime(child.pid!)).toBe(start);
  expect(Number(start)).toBeGreaterThanOrEqual(Number(startTime(process.pid)));
  child.kill("SIGKILL");
  await ended;
  expect(startTime(child.pid!)).toBeNull();
});

test("no process is in a namespace that does not exist", () => {
  expect(livesIn([`none-${process.pid}`])(process.pid)).toBe(false);
});

test.each([["123\n", 123], ["  77 ", 77], ["", null], ["0", null], ["-5", null], ["12 34", null], [
  "x",
  null,
]])(
  "a pid file that holds %j",
  (text, pid) => {
    const path = join(directory, "pid");
    writeFileSync(path, text);
    expect(readPidFile(path)).toBe(pid);
  },
);

test("a pid file that is not there", () => {
  expect(readPidFile(join(directory, "none"))).toBeNull();
});
