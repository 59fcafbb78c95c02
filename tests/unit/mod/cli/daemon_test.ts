/** Commands against a status API on a real socket. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Listener, serveUnix } from "../../../../lib/runtime/mod.ts";
import { createApp } from "../../../../mod/status/app.ts";
import { nearest } from "../../../../mod/config/names.ts";
import type { Actions } from "../../../../mod/status/model.ts";
import { main } from "../../../../mod/cli/main.ts";
import {
  BUILD,
  filledStore,
  instance,
  ipv6Leg,
  noDrops,
  NOW,
  PAIR,
  probe,
  router,
  wanted,
} from "../status/fixture.ts";
import { file, memory, newFolder, NO_ENTRIES, run } from "./harness.ts";

const folder = newFolder();
const socket = join(folder, "api.sock");
const config = file(folder, "daemon.yaml", `runtime_dir: ${folder}\n`);
const store = filledStore();
store.add({ atMs: NOW, kind: "transition", subject: "web", text: "init → backup: started" });
store.add({ atMs: NOW + 1, kind: "error", subject: null, text: "odd \x1b[2J text\nin two lines" });

const actions: Actions = {
  reload: () =>
    Promise.resolve({
      ok: false,
      text: "x.yaml was refused",
      problems: ["x.yaml:1:2: bad", "x.yaml:3:4: worse"],
    }),
  release: (name) => Promise.resolve({ ok: true, text: `${name} is released` }),
  resume: () => Promise.resolve({ ok: false, text: "it was not released" }),
};

function serve(): Promise<Listener> {
  return serveUnix(createApp({ store, actions, access: { type: "full" }, build: BUILD, nearest }).fetch, {
    path: socket,
  });
}

const listener = await serve();

afterAll(async () => {
  await listener.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (...argv: string[]) => run([...argv, "-c", config]);

describe("status", () => {
  test("is one aligned screen, and exits 1 when something is down", async () => {
    const { code, out } = await ask("status");
    expect(code).toBe(1);
    expect(out).toBe(`\
edge-a  NOT HEALTHY  up 10 min  appliance 9.9.9

INSTANCE  STATE   SINCE      PRIORITY     MASTER           ADDRESSES      INTERFACE  REASON
web       backup  3 min ago  90 (of 150)  10.1.1.3 (100)   10.9.0.100/24  eth0       started
lan       master  3 min ago  100          10.1.2.2 (self)  10.9.0.100/24  eth0       no advertisement heard for 3.61 s

PROBE  TYPE   STATE  LATENCY  SINCE     ERROR
nginx  nginx  down   0.8 ms   12 s ago  connection refused

! probe nginx is down: connection refused
! instance web ignored 2 (ttl) packets
! the control process was started anew 1 time

do  appliance explain -c ${config}  # why, in sentences
`);
  });

  test("exits 0 when all is well, 1 for a fault and for a probe that nobody tracks", async () => {
    store.setSources({ probes: () => [probe({ state: "up", error: null })] });
    expect((await ask("status")).code).toBe(0);
    store.apply({
      type: "instance",
      instance: instance({ state: "fault", faults: ["interface eth0 is down"] }),
    });
    expect((await ask("status")).code).toBe(1);
    store.apply({ type: "instance", instance: instance() });
    store.setSources({ probes: () => [probe({ state: "up", error: null }), probe({ name: "lone" })] });
    const status = await ask("status", "--json");
    expect([status.code, JSON.parse(status.out).healthy]).toEqual([1, true]);
    store.setSources({ probes: () => [probe()] });
  });
});

describe("an instance with addresses of both families, in a sync group", () => {
  const path = join(folder, "pair.sock");
  const pair = filledStore();
  pair.setWanted(wanted([...PAIR, router("lan")], [{ name: "site", members: ["web", "lan"] }]));
  pair.setSources({ probes: () => [] });
  const own = (leg: Parameters<typeof instance>[0]) => {
    pair.apply({ type: "instance", instance: instance(leg) });
    pair.apply({ type: "instance", instance: ipv6Leg(leg) });
  };
  const asked: string[] = [];
  let server: Listener;
  beforeAll(async () => {
    const release = (name: string) => {
      asked.push(name);
      return Promise.resolve({ ok: true, text: "web is fault, web:ipv6 is fault, lan is fault" });
    };
    const app = createApp({
      store: pair,
      actions: { release },
      access: { type: "full" },
      build: BUILD,
      nearest,
    });
    server = await serveUnix(app.fetch, { path });
  });
  afterAll(() => server.stop());

  test("is one line of the screen, and the group is another", async () => {
    own({ priority: { base: 150, effective: 150, adjustments: [] } });
    pair.apply({ type: "counters", counters: { web: { dropped: noDrops() } } });
    const { code, out } = await run(["status", "--socket", path]);
    expect(out).toBe(`\
edge-a  healthy  up 10 min  appliance 9.9.9

INSTANCE  STATE   SINCE      PRIORITY  MASTER           ADDRESSES                        INTERFACE  REASON
web       backup  3 min ago  150       10.1.1.3 (100)   10.9.0.100/24, 2001:db8::100/64  eth0       started
lan       master  3 min ago  100       10.1.2.2 (self)  10.9.0.100/24                    eth0       no advertisement heard for 3.61 s

GROUP  STATE   SINCE      MEMBERS
site   backup  3 min ago  web, lan

! the control process was started anew 1 time
`);
    expect(code).toBe(0);
  });

  test("released: exit 1, said once", async () => {
    own({
      state: "fault",
      released: true,
      reason: "released by the operator",
      faults: ["released by the operator"],
    });
    const { code, out } = await run(["status", "--socket", path]);
    expect(code).toBe(1);
    expect(out.match(/^!.*released.*$/gm)).toEqual(["! instance web is in fault: released by the operator"]);
    const explained = await run(["explain", "--socket", path]);
    expect(explained.out).toMatch(
      /^web is in fault .*\n(.*\n)*\nlan is .*\n(.*\n)*\nThe sync group site is in fault /,
    );
    expect(explained.out).not.toContain("web:ipv6");
  });

  test("is released by the operator's name and no other", async () => {
    expect(await run(["release", "web", "--socket", path]))
      .toEqual({ code: 0, out: "web is fault, lan is fault\n", err: "" });
    expect(await run(["release", "web:ipv6", "--socket", path])).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no instance web:ipv6"),
    });
    expect(asked).toEqual(["web"]);
  });
});

test("explain prints sentences, and names the nearest instance", async () => {
  const all = await ask("explain");
  expect(all.code).toBe(0);
  expect(all.out).toMatch(/^web is backup .*\n {2}Its priority is 90.*\n(.*\n)*\nlan is master /);
  expect((await ask("explain", "lan")).out).toStartWith("lan is master on eth0");
  expect(JSON.parse((await ask("explain", "lan", "--json")).out).instances).toHaveLength(1);
  expect(await ask("explain", "lna")).toEqual({
    code: 1,
    out: "",
    err: "There is no instance lna (did you mean lan?)\n",
  });
});

describe("events", () => {
  test("prints the history, without what would drive the terminal", async () => {
    const { code, out } = await ask("events");
    expect(code).toBe(0);
    expect(out).toBe(
      "2026-11-20T03:05:00.000Z  transition       web: init → backup: started\n" +
        "2026-11-20T03:05:00.001Z  error            odd  [2J text in two lines\n",
    );
    expect(JSON.parse((await ask("events", "--json", "--since", "1")).out)).toMatchObject([{ id: 2 }]);
    const wrong = "error: option '--since <TIME>' argument 'noon' is invalid. " +
      "Write the number of an event or a time like 2026-11-20T03:00:00Z.\n";
    expect(await ask("events", "--since", "noon")).toEqual({ code: 2, out: "", err: wrong });
    expect(await ask("events", "--follow", "--since", "noon")).toMatchObject({ code: 2, err: wrong });
  });

  test("--follow goes on until its reader leaves, and over a restart of the daemon", async () => {
    const out = memory((text) => text.includes('"three"'));
    const err = memory();
    const following = main(["events", "-f", "--json", "--socket", `${socket}2`], NO_ENTRIES, { out, err });
    expect(await following).toBe(3);

    const path = join(folder, "follow.sock");
    const open = () =>
      serveUnix(createApp({ store, actions, access: { type: "full" }, build: BUILD, nearest }).fetch, {
        path,
      });
    let server = await open();
    const until = async (pattern: string) => {
      const end = Date.now() + 5_000;
      while (!out.text().includes(pattern) && Date.now() < end) await Bun.sleep(2);
      expect(out.text()).toContain(pattern);
    };
    const add = (text: string) => store.add({ atMs: NOW, kind: "repair", subject: "web", text });
    const running = main(["events", "-f", "--json", "--socket", path], NO_ENTRIES, { out, err });
    await until("init → backup");
    add("one");
    await until('"one"');
    await server.stop();
    add("two");
    server = await open();
    await until('"two"');
    add("three");
    expect(await running).toBe(0);
    await server.stop();
    const texts = out.text().trimEnd().split("\n").map((line) => JSON.parse(line).text);
    expect(texts.slice(-3)).toEqual(["one", "two", "three"]);
    expect(err.text()).toContain("No daemon answers");
  });
});

test("watch draws again at each event", async () => {
  const out = memory((text) => text.split("appliance 9.9.9").length > 2);
  const watching = main(["watch", "-c", config], NO_ENTRIES, { out, err: memory() });
  const end = Date.now() + 5_000;
  while (!out.closed && Date.now() < end) {
    store.add({ atMs: NOW, kind: "repair", subject: "web", text: "x" });
    await Bun.sleep(5);
  }
  expect(await watching).toBe(0);
});

test("actions tell what became of them", async () => {
  expect(await ask("release", "web")).toEqual({ code: 0, out: "web is released\n", err: "" });
  expect(await ask("resume", "web")).toEqual({ code: 1, out: "", err: "it was not released\n" });
  expect(await ask("reload")).toEqual({
    code: 2,
    out: "",
    err: "x.yaml was refused\nx.yaml:1:2: bad\nx.yaml:3:4: worse\n",
  });
  expect(await ask("release", "wbe")).toEqual({
    code: 1,
    out: "",
    err: "There is no instance wbe (did you mean web?)\n",
  });
  expect(await ask("maintenance", "on")).toEqual({
    code: 1,
    out: "",
    err: "This daemon cannot do maintenance\n",
  });
  expect(JSON.parse((await ask("release", "web", "--json")).out)).toEqual({
    ok: true,
    text: "web is released",
  });
});

test("with --json what is refused is JSON, too, and text on standard error as ever", async () => {
  for (
    const [argv, document] of [
      [["resume", "web"], { ok: false, text: "it was not released", error: "it was not released" }],
      [["reload"], {
        ok: false,
        text: "x.yaml was refused",
        problems: ["x.yaml:1:2: bad", "x.yaml:3:4: worse"],
        error: "x.yaml was refused",
      }],
      [["release", "wbe"], { ok: false, error: "There is no instance wbe (did you mean web?)" }],
      [["explain", "wbe"], { ok: false, error: "There is no instance wbe (did you mean web?)" }],
    ] as const
  ) {
    const plain = await ask(...argv);
    const json = await ask(...argv, "--json");
    expect([argv, json.code, json.err]).toEqual([argv, plain.code, plain.err]);
    expect(JSON.parse(json.out)).toEqual(document);
  }
});

test("a file that is not the daemon's own commands nothing", async () => {
  const own = file(folder, "own.yaml", `runtime_dir: ${folder}\n`);
  store.setConfig({ ok: true, problems: [], file: own });
  expect((await run(["release", "web", "-c", own])).code).toBe(0);
  for (const verb of [["release", "web"], ["reload"], ["maintenance", "on"]]) {
    expect(await ask(...verb)).toEqual({
      code: 2,
      out: "",
      err: `The daemon on ${socket} runs ${own}, not ${config} (give -c ${own})\n`,
    });
  }
  // Whoever names the socket means the daemon behind it.
  expect((await run(["release", "web", "-c", config, "--socket", socket])).code).toBe(0);
  // What only reads may be asked with any file that leads here.
  expect((await ask("explain")).code).toBe(0);
  store.setConfig({ ok: true, problems: [], file: config });
});

describe("a file that is too broken to tell where the daemon is", () => {
  test.each(["", "garbage\n", "vrrp: [\n", `runtim_dir: ${folder}\n`])(
    "%p: leads to nobody else's",
    async (text) => {
      const broken = file(folder, "broken.yaml", text);
      for (const verb of [["reload"], ["status"], ["release", "web"]]) {
        const { code, out, err } = await run([...verb, "-c", broken]);
        expect({ code, out }).toEqual({ code: 2, out: "" });
        expect(err).toStartWith(`${broken}:1:`);
        expect(err).toContain("does not tell where the daemon is");
        const json = JSON.parse((await run([...verb, "--json", "-c", broken])).out);
        expect(json).toMatchObject({ ok: false, error: err.trimEnd().split("\n").at(-1) });
        expect(json.problems.join("\n")).toBe(err.trimEnd().split("\n").slice(0, -1).join("\n"));
      }
    },
  );
});

test("reload of a bad file without a daemon tells what is wrong with the file", async () => {
  const away = file(folder, "away.yaml", `runtime_dir: ${folder}/away\nvird: 1\n`);
  const { code, err } = await run(["reload", "-c", away]);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(`${away}:2:1: unknown key`) });
  const good = file(folder, "good.yaml", `runtime_dir: ${folder}/away\n`);
  expect((await run(["reload", "-c", good])).code).toBe(3);
});

test("something else behind the socket is not taken for the daemon", async () => {
  const path = join(folder, "other.sock");
  const other = await serveUnix(() => new Response("<html>"), { path });
  expect(await run(["status", "--socket", path])).toEqual({
    code: 3,
    out: "",
    err: `What answers on ${path} is not this program's daemon\n`,
  });
  await other.stop();
});
