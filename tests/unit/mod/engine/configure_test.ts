/** What an engine takes for the signs of life of the one before it. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signsBefore } from "../../../../mod/engine/configure.ts";
import { HeartbeatWriter } from "../../../../mod/heartbeat/shell.ts";

const dir = mkdtempSync(join(tmpdir(), "signs-test-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("those of masters that have spoken: not of backups, and not of times to come", () => {
  const now = 5e9;
  const sign = { master: true, ahSequence: 0, silenceNs: 3e9 };
  new HeartbeatWriter(dir, [
    { ...sign, identity: "eth0 ipv4 1 v3", spokeAt: now - 1e9 },
    { ...sign, identity: "eth0 ipv4 2 v3", spokeAt: now },
    { ...sign, identity: "eth0 ipv4 3 v3", spokeAt: now - 1e9, master: false },
    { ...sign, identity: "eth0 ipv4 4 v3", spokeAt: now + 1 },
    { ...sign, identity: "eth0 ipv4 5 v3", spokeAt: Infinity },
    { ...sign, identity: "eth0 ipv4 6 v3", spokeAt: NaN },
  ]);
  expect([...signsBefore(dir, now).keys()]).toEqual(["eth0 ipv4 1 v3", "eth0 ipv4 2 v3"]);
});
