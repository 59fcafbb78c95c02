import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "bun:test";
import type { TunnelConfig } from "../../../../../mod/tunnel/model.ts";
import { createUserDatapath, type UserDatapath } from "../../../../../mod/tunnel/user/datapath.ts";
import { holds } from "../../../../netns/lab/wait.ts";
import { stableMac } from "../../../../../mod/tunnel/user/device.ts";
import { settingsOf, type UserTunnelReport } from "../../../../../mod/tunnel/user/settings.ts";

/** An interface that is there, so that the datapath does not miss it. */
const NAME = "lo";
const UP = '{"type":"state","up":true,"reason":null,"mtu":1462}';
const DOWN = '{"type":"state","up":false,"reason":"Cannot send from 192.0.2.1: nothing has it","mtu":1462}';

const config: TunnelConfig = {
  ...{ name: NAME, type: "gretap", local: "192.0.2.1", remote: "192.0.2.2", ikey: 42, okey: 42 },
  ...{ ttl: 64, tos: 0, mtu: null, checksum: false, sequence: false, pmtudisc: true, dev: null },
  ...{ addresses: [], routes: [], keep: false, datapath: "user", keepalive: null },
};

let datapath: UserDatapath | null = null;

afterEach(async () => {
  await datapath?.remove(config);
  datapath = null;
});

/** A datapath whose processes are this script of sh. */
function scripted(script: string, reports: UserTunnelReport[] = []): UserDatapath {
  datapath = createUserDatapath({
    command: () => ({ path: "/bin/sh", argv: ["sh", "-c", script] }),
    onReport: (_, report) => reports.push(report),
  });
  return datapath;
}

describe("the user-space datapath", () => {
  test("starts a process once, hands it its settings, and ends it by its pipe", async () => {
    const reports: UserTunnelReport[] = [];
    const user = scripted(
      `read line; echo '${UP}'; echo "{\\"type\\":\\"failed\\",\\"reason\\":$line}"; cat; exit 0`,
      reports,
    );
    expect(await user.ensure(config)).toEqual({ did: "made" });
    const { pid } = user.status(NAME)!;
    expect(await user.ensure(config)).toEqual({ did: "nothing" });
    expect(user.status(NAME)).toMatchObject({ pid, up: true, reason: null, mtu: 1462, restarts: 0 });
    for (let round = 0; round < 100 && reports.length < 2; round++) await Bun.sleep(5);
    expect(reports[1]).toEqual({ type: "failed", reason: settingsOf(config) as unknown as string });
    await user.remove(config);
    expect(user.status(NAME)).toBeNull();
    expect(() => process.kill(pid, 0)).toThrow();
  });

  test("changed parameters make another process; what is none of its business does not", async () => {
    const user = scripted(`read line; echo '${UP}'; cat`);
    await user.ensure(config);
    const { pid } = user.status(NAME)!;
    expect(await user.ensure({ ...config, keep: true })).toEqual({ did: "nothing" });
    expect(await user.ensure({ ...config, ikey: 43, ttl: 9 })).toEqual({
      did: "corrected",
      was: ["ikey was 42", "ttl was 64"],
    });
    expect(user.status(NAME)!.pid).not.toBe(pid);
  });

  test("why its packets cannot leave is the error, and it goes on running", async () => {
    const user = scripted(`read line; echo '${DOWN}'; sleep 0.1; echo '${UP}'; cat`);
    await expect(user.ensure(config)).rejects.toThrow("Cannot send from 192.0.2.1: nothing has it");
    const { pid } = user.status(NAME)!;
    for (let round = 0; round < 200 && !user.status(NAME)!.up; round++) await Bun.sleep(5);
    expect(await user.ensure(config)).toEqual({ did: "nothing" });
    expect(user.status(NAME)!.pid).toBe(pid);
  });

  test("one that fails tells why; it is tried again at once, then later and later", async () => {
    const user = scripted(
      `read line; echo '{"type":"failed","reason":"Cannot create tunnel lo: no"}'; exit 1`,
    );
    await expect(user.ensure(config)).rejects.toThrow("Cannot create tunnel lo: no");
    await expect(user.ensure(config)).rejects.toThrow(/^Cannot create tunnel lo: no$/);
    await expect(user.ensure(config)).rejects.toThrow(/no \(the next try in 0\.[123] s at the earliest\)$/);
  });

  test("one that ends by itself is started again", async () => {
    const user = scripted(`read line; echo '${UP}'; cat`);
    await user.ensure(config);
    const { pid } = user.status(NAME)!;
    process.kill(pid, "SIGKILL");
    for (let round = 0; round < 200 && user.status(NAME) !== null; round++) await Bun.sleep(5);
    expect(await user.ensure(config)).toEqual({ did: "made" });
    expect(user.status(NAME)).toMatchObject({ up: true, restarts: 1 });
    expect(user.status(NAME)!.pid).not.toBe(pid);
  });

  test("one that hangs is ended, so that another one is started; one that speaks is not", async () => {
    const first = join(mkdtempSync(join(tmpdir(), "hang-")), "first");
    const speak = `while echo '{"type":"alive"}'; do sleep 0.05; done`;
    datapath = createUserDatapath({
      command: () => ({
        path: "/bin/sh",
        // The one that is started first says nothing more.
        argv: [
          "sh",
          "-c",
          `read line; echo '${UP}'; if mkdir ${first}; then exec sleep 60; fi; ${speak} & cat; kill $!`,
        ],
      }),
      hangMs: 500,
    });
    await datapath.ensure(config);
    const { pid } = datapath.status(NAME)!;
    const user = datapath;
    for (let round = 0; round < 400 && user.status(NAME) !== null; round++) await Bun.sleep(5);
    expect(user.status(NAME)).toBeNull();
    expect(() => process.kill(pid, 0)).toThrow();
    expect(await user.ensure(config)).toEqual({ did: "made" });
    await holds(() => user.status(NAME) !== null, { forMs: 800, what: "the second one to live" });
    expect(user.status(NAME)).toMatchObject({ up: true, restarts: 1 });
    rmSync(dirname(first), { recursive: true });
  });

  test("a program that cannot be started, or says nothing sensible, is told", async () => {
    datapath = createUserDatapath({ command: () => ({ path: "/nonexistent/program", argv: ["program"] }) });
    await expect(datapath.ensure(config)).rejects.toThrow(/no such file or directory/);
    const user = scripted("read line; echo garbage; exit 3");
    await expect(user.ensure(config)).rejects.toThrow("Its process ended with exit code 3");
  });
});

test("who asks by GRE keepalive answers as well, so the process does not", () => {
  const keepalive = { intervalMs: 1000, retries: 3, target: null, methods: ["gre"] as const };
  expect(settingsOf(config).answersKeepalives).toBe(true);
  expect(settingsOf({ ...config, keepalive }).answersKeepalives).toBe(false);
});

test("a tap's address is its own, stable and locally administered", () => {
  const mac = stableMac(config);
  expect([...stableMac({ ...config })]).toEqual([...mac]);
  expect(mac.length).toBe(6);
  expect(mac[0]).toBe(0x02);
  const others = [{ name: "x" }, { local: "192.0.2.2", remote: "192.0.2.1" }, { remote: "192.0.2.3" }];
  for (const other of others) expect([...stableMac({ ...config, ...other })]).not.toEqual([...mac]);
});
