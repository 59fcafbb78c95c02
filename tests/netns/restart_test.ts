/**
 * A master's daemon is restarted: the peer notices nothing, and the client next to nothing. The scenarios run at the same
 * time, each with machines of its own.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { watchWire } from "../bench/wire.ts";
import {
  type Appliance,
  appliancePath,
  childrenOf,
  createLab,
  describeLab,
  holds,
  isAlive,
  killAll,
  type Lab,
  type LabNode,
  longestDistance,
  nowMs,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";
import { lossesOf } from "./lab/lost.ts";

const VIP6 = "2001:db8::100";

/** Two routers, the first of which is to be master, and a client, in a switch of their own. */
class Pair {
  readonly a: LabNode;
  readonly b: LabNode;
  readonly client: LabNode;
  first!: Appliance;
  second!: Appliance;

  constructor(lab: Lab, readonly name: string) {
    const lan = lab.switch(`${name}-l`);
    const node = (side: string, last: number) =>
      lab.node(`${name}-${side}`, {
        switch: lan,
        addresses: [`10.0.0.${last}/24`, `2001:db8::${last}/64`],
      });
    [this.a, this.b, this.client] = [node("a", 1), node("b", 2), node("c", 9)];
  }

  get log(): string {
    return this.first.log + this.second.log;
  }

  /** Starts both, and waits until they have their roles. */
  async start(
    yaml: (priority: number) => string,
    flags: readonly string[] = [],
    binary: string = appliancePath(),
  ): Promise<void> {
    this.first = await this.a.startAppliance(yaml(150), { flags, binary });
    this.second = await this.b.startAppliance(yaml(100));
    await this.settled();
  }

  async settled(): Promise<void> {
    await waitFor(async () => {
      const [mine, theirs] = await Promise.all([this.first.status(), this.second.status()]);
      return mine.instances.length > 0 && theirs.instances.length > 0 &&
        mine.instances.every(({ state }) => state === "master") &&
        theirs.instances.every(({ state, master }) => state === "backup" && master !== null);
    }, { timeoutMs: 6000, what: `${this.name}: the roles`, everyMs: 50, explain: () => this.log });
  }

  /** How often each instance of the peer has changed its state. */
  async transitions(of: Appliance = this.second): Promise<number[]> {
    return (await of.status()).instances.map(({ transitions }) => transitions);
  }
}

/** Keys that a form of virtual routers adds. */
interface Form {
  readonly name: string;
  readonly intervalMs: number;
  readonly yaml: (priority: number) => string;
  /** Start a copy of the binary under another path. */
  readonly copied?: boolean;
}

const keyed = (keys: Readonly<Record<string, unknown>>) => (priority: number) => webYaml(priority, keys);
const V2 = { version: 2, advert_interval: "1s" };

const FORMS: readonly Form[] = [
  { name: "v3-100ms", intervalMs: 100, yaml: keyed({}) },
  { name: "v3-1s", intervalMs: 1000, yaml: keyed({ advert_interval: "1s" }) },
  { name: "v2", intervalMs: 1000, yaml: keyed(V2) },
  { name: "v2-ah", intervalMs: 1000, yaml: keyed({ ...V2, auth: { type: "ah", key: "s3cret" } }) },
  {
    name: "families",
    intervalMs: 100,
    yaml: keyed({ addresses: [`${VIP}/24`, "fe80::100/64", `${VIP6}/64`] }),
  },
  {
    name: "group",
    intervalMs: 100,
    yaml: (priority) => {
      const lan = web(priority, { vrid: 52, addresses: ["10.0.0.200/24"] });
      return yamlOf({ vrrp: { web: web(priority), lan }, groups: { both: { members: ["web", "lan"] } } });
    },
  },
  { name: "copied", intervalMs: 100, yaml: keyed({}), copied: true },
];

/** What a restart cost. */
interface Outcome {
  readonly lost: number;
  readonly gapMs: number;
  readonly advertGapMs: number;
}

async function resume(lab: Lab, form: Form): Promise<Outcome> {
  const pair = new Pair(lab, form.name);
  await pair.start(form.yaml);
  const before = await pair.transitions();
  const capture = await pair.client.capture("eth0", "ip proto 112 or ip proto 51 or ip6 proto 112");
  const wire = await watchWire(pair.client);
  const pings = [pair.client.ping(VIP, 2), ...(form.name === "families" ? [pair.client.ping(VIP6, 2)] : [])];
  for (const ping of pings) await ping.answered();

  const old = pair.first;
  const binary = join(old.directory, "appliance-2");
  if (form.copied) copyFileSync(appliancePath(), binary);
  const fromMs = nowMs();
  pair.first = await pair.a.startAppliance(form.yaml(150), {
    flags: ["--resume"],
    ...(form.copied ? { binary } : {}),
  });
  expect(await old.process.ended).toMatchObject({ code: 0, signal: null });
  await pair.settled();
  // Longer than the peer's patience: what it has missed it would have noticed by now.
  await holds(async () => (await pair.transitions()).join() === before.join(), {
    forMs: 3 * form.intervalMs + 700,
    what: `${form.name}: the peer stays backup`,
    everyMs: 100,
  });
  const toMs = nowMs();
  const { instances } = await pair.first.status();
  for (const { state, reason, transitions } of instances) {
    expect([state, transitions]).toEqual(["master", 1]);
    expect(reason).toContain("resumed");
  }
  for (const { adverts } of (await pair.second.status()).instances) {
    expect(Object.values(adverts.dropped).reduce((sum, count) => sum + count, 0)).toBe(0);
  }
  // By the client's own clock, which a busy machine holds up.
  if (pings.length > 1) expect(pings[1]!.longestGap(fromMs, toMs).lengthMs).toBeLessThan(500);
  const losses = lossesOf(await wire.stop(), VIP)(fromMs, toMs);
  const adverts = capture.adverts();
  const speakers = [...new Set(adverts.map(({ from }) => from))].filter((from) => !from.startsWith("fe80:"));
  expect(speakers).toEqual(["10.0.0.1"]);
  expect(adverts.some(({ priority }) => priority === 0)).toBe(false);
  const spoken = adverts.filter(({ vrid, from }) => vrid === 51 && from === "10.0.0.1");
  return { ...losses, advertGapMs: longestDistance(spoken) };
}

/** Slow enough for a busy machine to start the daemon anew within three of them. */
const UNHURRIED = { advert_interval: "1s" };

describeLab("a master's daemon is restarted", ["tcpdump"], () => {
  let lab: Lab;
  const outcomes = new Map<string, Promise<unknown>>();
  const begin = <T>(name: string, run: () => Promise<T>) => {
    const outcome = run();
    outcome.catch(() => {});
    outcomes.set(name, outcome);
  };

  beforeAll(() => {
    lab = createLab("restart");
    for (const form of FORMS) begin(form.name, () => resume(lab, form));
  }, 20_000);
  afterAll(() => lab.close(), 30_000);

  for (const form of FORMS) {
    test(`run --resume, ${form.name}: the peer stays backup, nothing is lost`, async () => {
      const { lost, gapMs, advertGapMs } = (await outcomes.get(form.name)) as Outcome;
      console.log(
        `run --resume, ${form.name}: lost ${lost} of one each 2 ms, longest gap ${gapMs.toFixed(1)} ms; ` +
          `longest distance of adverts ${advertGapMs.toFixed(0)} ms`,
      );
      expect(gapMs).toBeLessThan(100);
      expect(advertGapMs).toBeLessThan(form.intervalMs * 3);
    }, 30_000);
  }

  for (const whole of [false, true]) {
    const what = whole ? "both processes" : "the engine alone";
    test.concurrent(`kill -9 of ${what}, and a new run in time: goes on as master`, async () => {
      const pair = new Pair(lab, whole ? "both" : "engine");
      await pair.start(keyed(UNHURRIED));
      const before = await pair.transitions();
      const wire = await watchWire(pair.client);
      await pair.client.ping(VIP, 2).answered();
      const fromMs = nowMs();
      if (whole) await pair.first.killHard();
      else killAll([pair.first.enginePid]);
      pair.first = await pair.a.startAppliance(webYaml(150, UNHURRIED));
      await pair.settled();
      expect((await pair.first.instance("web")).reason).toContain("resumed");
      await holds(async () => (await pair.transitions()).join() === before.join(), {
        forMs: 4000,
        what: "the peer stays backup",
        everyMs: 100,
      });
      const { lost, gapMs } = lossesOf(await wire.stop(), VIP)(fromMs, nowMs());
      console.log(
        `kill -9 of ${what}, started again: lost ${lost} of one each 2 ms, longest gap ${
          gapMs.toFixed(1)
        } ms`,
      );
      expect(gapMs).toBeLessThan(100);
      expect(await pair.first.stop()).toMatchObject({ code: 0 });
    }, 20_000);
  }

  for (const flags of [[], ["--resume"]]) {
    test.concurrent(
      `started too late (run ${flags.join()}): begins as backup, and disturbs nobody`,
      async () => {
        const pair = new Pair(lab, flags.length === 0 ? "late" : "late-resume");
        await pair.start((priority) => webYaml(priority, { preempt: false }));
        await pair.first.killHard();
        await pair.second.waitState("web", "master", 1500);
        const before = await pair.transitions();
        const wire = await pair.client.capture("eth0", "ip proto 112");
        pair.first = await pair.a.startAppliance(webYaml(150, { preempt: false }), { flags });
        await pair.first.waitState("web", "backup", 500);
        await waitFor(() => !pair.a.has(VIP), { timeoutMs: 500, what: "what was left behind to go" });
        await holds(async () => (await pair.first.instance("web")).state === "backup", {
          forMs: 700,
          what: "backup",
        });
        expect(wire.adverts("10.0.0.1")).toEqual([]);
        expect(await pair.transitions()).toEqual(before);
      },
      20_000,
    );
  }

  test.concurrent(
    "started too late with a longer interval: what counts is the one that the peers went by",
    async () => {
      const pair = new Pair(lab, "slower");
      await pair.start(keyed({ preempt: false }));
      await pair.first.killHard();
      await pair.second.waitState("web", "master", 1500);
      const wire = await pair.client.capture("eth0", "ip proto 112");
      pair.first = await pair.a.startAppliance(webYaml(150, { preempt: false, advert_interval: "5s" }));
      await pair.first.waitState("web", "backup", 1000);
      expect(wire.adverts("10.0.0.1")).toEqual([]);
      expect((await pair.second.instance("web")).state).toBe("master");
    },
    20_000,
  );

  test.concurrent("run --supervise starts a killed engine in time, and ends with it on SIGTERM", async () => {
    const pair = new Pair(lab, "supervise");
    await pair.start(keyed(UNHURRIED), ["--supervise"]);
    const before = await pair.transitions();
    const wire = await watchWire(pair.client);
    await pair.client.ping(VIP, 2).answered();
    const fromMs = nowMs();
    for (let round = 0; round < 2; round++) {
      const [engine] = childrenOf(pair.first.process.pid).filter(isAlive);
      killAll([engine!]);
      await waitFor(async () => (await pair.first.status()).engine?.pid !== engine, {
        timeoutMs: 2000,
        what: "a new engine",
      });
      await pair.settled();
      const instance = await pair.first.instance("web");
      expect(instance.reason).toContain("resumed");
    }
    await holds(async () => (await pair.transitions()).join() === before.join(), {
      forMs: 4000,
      what: "the peer stays backup",
      everyMs: 100,
    });
    const { lost, gapMs } = lossesOf(await wire.stop(), VIP)(fromMs, nowMs());
    console.log(
      `run --supervise, the engine is killed twice: lost ${lost} of one each 2 ms, longest gap ${
        gapMs.toFixed(1)
      } ms`,
    );
    expect(gapMs).toBeLessThan(100);
    const engines = childrenOf(pair.first.process.pid);
    expect(await pair.first.stop()).toMatchObject({ code: 0 });
    expect(engines.some(isAlive)).toBe(false);
    expect(pair.a.has(VIP)).toBe(false);
    await pair.second.waitState("web", "master", 1000);
  }, 30_000);

  test.concurrent("run --supervise starts the file that lies at its path: USR2 is an upgrade", async () => {
    const pair = new Pair(lab, "upgrade");
    // Started by a link, which an upgrade may move as well as replace the file.
    const [file, moved, link] = ["appliance-1", "appliance-2", "appliance"].map((name) =>
      join(lab.directory, `upgrade-${name}`)
    ) as [string, string, string];
    const install = (path: string) => {
      copyFileSync(appliancePath(), `${path}.new`);
      // Another file, and one that differs.
      appendFileSync(`${path}.new`, "x");
      renameSync(`${path}.new`, path);
    };
    install(file);
    symlinkSync(file, link);
    await pair.start(keyed(UNHURRIED), ["--supervise"], link);
    const before = await pair.transitions();
    const supervisor = pair.first.process.pid;
    const engineNow = () => childrenOf(supervisor).find(isAlive) ?? 0;
    const image = (pid: number) => readlinkSync(`/proc/${pid}/exe`);
    const controlOf = (engine: number) => childrenOf(engine).find(isAlive) ?? 0;
    /** Engine and control. What lists children may leave one out while others end. */
    const familyNow = () =>
      waitFor(() => {
        const family: [number, number] = [engineNow(), controlOf(engineNow())];
        return family.includes(0) ? null : family;
      }, { timeoutMs: 1000, what: "engine and control" });
    const controlChanged = (old: number) =>
      waitFor(async () => {
        const now = controlOf(engineNow());
        return now !== 0 && now !== old && (await pair.first.instance("web")).state === "master";
      }, { timeoutMs: 3000, what: "a new control", explain: () => pair.log });
    const anew = async (what: string, act: (engine: number) => void, expected: string) => {
      const old = engineNow();
      act(old);
      await waitFor(
        async () => (await pair.first.status()).engine?.pid === engineNow() && engineNow() !== old,
        {
          timeoutMs: 3000,
          what: `a new engine after ${what}`,
          explain: () => pair.log,
        },
      );
      await pair.settled();
      expect((await pair.first.instance("web")).reason).toContain("resumed");
      expect(pair.first.process.end).toBe(null);
      // Control and engine are of one version.
      expect((await familyNow()).map(image)).toEqual([expected, expected]);
    };

    await anew("USR2 to the engine", (engine) => killAll([engine], "SIGUSR2"), file);
    await anew("USR2 to the supervisor", () => killAll([supervisor], "SIGUSR2"), file);

    install(file);
    // The version that runs speaks with itself, until it is asked to end.
    const [, control] = await familyNow();
    killAll([control]);
    await controlChanged(control);
    expect((await familyNow()).map(image)).toEqual([`${file} (deleted)`, `${file} (deleted)`]);
    expect(pair.first.command("reload").code).toBe(0);
    await anew("USR2 to the supervisor, the file replaced", () => killAll([supervisor], "SIGUSR2"), file);
    install(file);
    await anew("kill -9 of the engine, the file replaced", (pid) => killAll([pid]), file);
    install(moved);
    rmSync(link);
    symlinkSync(moved, link);
    await anew("USR2 to the engine, the link moved", (pid) => killAll([pid], "SIGUSR2"), moved);

    // What could not take its place changes nothing.
    renameSync(moved, `${moved}.good`);
    writeFileSync(moved, "no program", { mode: 0o755 });
    const refusals = () => pair.first.process.stderr.split("not handing on").length - 1;
    const refused = async (what: string) => {
      const before = refusals();
      killAll([supervisor], "SIGUSR2");
      await waitFor(() => refusals() > before, { timeoutMs: 3000, what, explain: () => pair.log });
    };
    await refused("a broken program to be refused");
    await anew("kill -9 of the engine, the file broken", (pid) => killAll([pid]), `${file} (deleted)`);
    const [kept] = await familyNow();
    renameSync(`${moved}.good`, moved);
    const config = readFileSync(pair.first.configPath, "utf8");
    writeFileSync(pair.first.configPath, `${config}nonsense: 1\n`);
    await refused("a bad config to be refused");
    writeFileSync(pair.first.configPath, config);
    expect(engineNow()).toBe(kept);

    rmSync(link);
    rmSync(moved);
    await anew(
      "USR2 to the supervisor, the file gone",
      () => killAll([supervisor], "SIGUSR2"),
      `${file} (deleted)`,
    );
    const [, orphan] = await familyNow();
    killAll([orphan]);
    await controlChanged(orphan);
    expect(pair.first.command("reload").code).toBe(0);

    await holds(async () => (await pair.transitions()).join() === before.join(), {
      forMs: 4000,
      what: "the peer stays backup",
      everyMs: 100,
    });
    expect(await pair.first.stop()).toMatchObject({ code: 0 });
    expect(pair.a.has(VIP)).toBe(false);
  }, 60_000);

  test.concurrent(
    "run --resume takes the place of a supervised daemon, and its supervisor ends",
    async () => {
      const pair = new Pair(lab, "replace");
      await pair.start(keyed(UNHURRIED), ["--supervise"]);
      const before = await pair.transitions();
      const old = pair.first;
      pair.first = await pair.a.startAppliance(webYaml(150, UNHURRIED), {
        flags: ["--resume", "--supervise"],
      });
      expect(await old.process.ended).toMatchObject({ code: 0, signal: null });
      await pair.settled();
      expect((await pair.first.instance("web")).reason).toContain("resumed");
      expect(await pair.transitions()).toEqual(before);
      expect(await pair.first.stop()).toMatchObject({ code: 0 });
    },
    30_000,
  );

  test.concurrent("run --resume ends a daemon whose engine hangs, and takes its place", async () => {
    const pair = new Pair(lab, "hung");
    await pair.start(keyed({ preempt: false }));
    const old = pair.first;
    const pids = old.pids;
    killAll([old.enginePid], "SIGSTOP");
    await pair.second.waitState("web", "master", 1500);
    pair.first = await pair.a.startAppliance(webYaml(150, { preempt: false }), { flags: ["--resume"] });
    await pair.first.waitState("web", "backup", 1000);
    expect(await old.process.ended).toMatchObject({ signal: "SIGKILL" });
    await waitFor(() => !pids.some(isAlive), {
      timeoutMs: 3000,
      what: "both processes of the one before to be gone",
    });
    await holds(async () => (await pair.first.instance("web")).state === "backup" && !pair.a.has(VIP), {
      forMs: 500,
      what: "the new one stays backup",
    });
    expect((await pair.second.instance("web")).state).toBe("master");
  }, 20_000);

  test.concurrent("a backup and a released master are resumed as what they are", async () => {
    const pair = new Pair(lab, "others");
    await pair.start(keyed({}));
    const before = await pair.transitions(pair.first);
    pair.second = await pair.b.startAppliance(webYaml(100), { flags: ["--resume"] });
    await pair.settled();
    expect(await pair.transitions(pair.first)).toEqual(before);

    expect(pair.first.command("release", "web").code).toBe(0);
    await pair.second.waitState("web", "master", 1000);
    pair.first = await pair.a.startAppliance(webYaml(150), { flags: ["--resume"] });
    await pair.first.waitState("web", "fault", 1000);
    await holds(async () => (await pair.first.instance("web")).state === "fault", {
      forMs: 700,
      what: "what the operator holds back stays back",
    });
    expect((await pair.second.instance("web")).state).toBe("master");
    expect(pair.first.command("resume", "web").code).toBe(0);
    await pair.settled();
  }, 20_000);

  test.concurrent("a second run, and a resume with a bad file, leave the running daemon alone", async () => {
    const pair = new Pair(lab, "refused");
    await pair.start(keyed({}));
    const wire = await pair.client.capture("eth0", "ip proto 112");
    const before = await pair.first.instance("web");
    const start = async (yaml: string, flags: readonly string[]) => {
      const another = await pair.a.startAppliance(yaml, { ready: false, flags });
      return { ...await another.process.ended, text: another.process.stderr };
    };
    const twice = await start(webYaml(150), []);
    expect(twice.code).toBe(1);
    expect(twice.text).toContain("another process answers there");
    const bad = await start(webYaml(150).replace("vrid", "vird"), ["--resume"]);
    expect(bad.code).toBe(2);
    pair.first.writeConfig(webYaml(150));
    const after = await pair.first.instance("web");
    expect([after.state, after.since, after.transitions]).toEqual([
      "master",
      before.since,
      before.transitions,
    ]);
    expect(wire.adverts("10.0.0.2")).toEqual([]);
    expect(longestDistance(wire.adverts("10.0.0.1"))).toBeLessThan(200);
    expect(pair.a.has(VIP)).toBe(true);
  }, 20_000);
});
