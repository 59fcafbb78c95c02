/** What instances track beyond probes: each other, default routes, and links whose changes have to last. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Appliance,
  createLab,
  describeLab,
  holds,
  type InstanceStatus,
  type Lab,
  type LabNode,
  nowMs,
  pause,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

describeLab("what instances track", [], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;

  beforeAll(() => {
    lab = createLab("track");
    const wan = lab.switch("wan");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24"] });
    a.plug({ device: "eth1", switch: wan, addresses: ["10.1.0.1/24", "2001:db8:1::1/64"] });
  }, 30_000);
  afterEach(async () => {
    await lab.reset();
    for (const family of ["-4", "-6"]) a.exec(["ip", family, "route", "flush", "default"]);
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  /** Waits until an instance has this effective priority, and returns it. */
  function priority(daemon: Appliance, effective: number, timeoutMs = 1000): Promise<InstanceStatus> {
    return waitFor(async () => {
      const instance = await daemon.instance("web");
      return instance.priority.effective === effective ? instance : null;
    }, { timeoutMs, what: `priority ${effective}`, explain: () => daemon.log });
  }

  const ROUTE = { track: [{ route: "default", weight: -50 }] };

  test("a default route that goes lowers the priority, and a new one raises it", async () => {
    a.ip("route add default via 10.1.0.9");
    const daemon = await a.startAppliance(webYaml(150, ROUTE));
    await daemon.waitState("web", "master", 3000);
    expect((await daemon.instance("web")).priority).toEqual({ base: 150, effective: 150, adjustments: [] });
    a.ip("route del default");
    expect((await priority(daemon, 100)).priority.adjustments).toEqual([
      { source: "route:default", weight: -50 },
    ]);
    // What is no way out counts as none: of another table, to nowhere, to a part.
    a.ip(
      "route add default via 10.1.0.9 table 100",
      "route add unreachable default",
      "route add 0.0.0.0/1 via 10.1.0.9",
    );
    await holds(async () => (await daemon.instance("web")).priority.effective === 100, {
      forMs: 300,
      what: "no route to count",
    });
    a.ip("route add default via 10.1.0.9 metric 50");
    await priority(daemon, 150);
    a.ip("route add default via 10.1.0.8 metric 60", "route del default via 10.1.0.9 metric 50");
    await holds(async () => (await daemon.instance("web")).priority.effective === 150, {
      forMs: 300,
      what: "the other route to count",
    });
    a.ip("route del default via 10.1.0.8 metric 60", "route del unreachable default", "route del 0.0.0.0/1");
    a.ip("route flush table 100");
    await priority(daemon, 100);
    // Priority and weights change in one go: what never was wanted is neither told nor sent.
    const told = () => daemon.events().filter(({ kind }) => kind === "priority").length;
    const before = told();
    daemon.writeConfig(webYaml(100));
    expect(daemon.command("reload").code).toBe(0);
    daemon.writeConfig(webYaml(180, { track: [{ route: "default", weight: -80 }] }));
    expect(daemon.command("reload").code).toBe(0);
    expect((await daemon.instance("web")).priority).toMatchObject({ base: 180, effective: 100 });
    expect(told()).toBe(before);
  }, 15_000);

  test("a default route that vanishes with its interface, silently", async () => {
    const daemon = await a.startAppliance(webYaml(150, ROUTE));
    await daemon.waitState("web", "master", 3000);
    await priority(daemon, 100);
    for (let i = 0; i < 10; i++) {
      a.ip("route add default via 10.1.0.9");
      await priority(daemon, 150);
      // Down takes it away; so does the last address.
      a.ip(i % 2 === 0 ? "link set eth1 down" : "addr del 10.1.0.1/24 dev eth1");
      await priority(daemon, 100);
      a.restore();
    }
  }, 20_000);

  test("an IPv6 default route, without weight: none means FAULT", async () => {
    const daemon = await a.startAppliance(webYaml(150, { track: [{ route: "default", family: "ipv6" }] }));
    const { reason } = await daemon.waitState("web", "fault", 2000);
    expect(reason).toBe("route:default:ipv6: there is no default route");
    const v6 = (...words: string[]) => a.exec(["ip", "-6", "route", ...words]);
    expect(v6("add", "default", "via", "2001:db8:1::9").code).toBe(0);
    await daemon.waitState("web", "master", 2000);
    expect(v6("add", "default", "via", "2001:db8:1::8", "metric", "2000").code).toBe(0);
    expect(v6("del", "default", "via", "2001:db8:1::9").code).toBe(0);
    await holds(async () => (await daemon.instance("web")).state === "master", {
      forMs: 300,
      what: "the other route to count",
    });
    a.ip("link set eth1 down");
    await daemon.waitState("web", "fault", 1000);
    expect(a.has(VIP)).toBe(false);
  }, 15_000);

  test(
    "a probe that was removed while it was down, and is well when it is added again, ends no mastership",
    async () => {
      const path = join(lab.directory, "down");
      const watched = yamlOf({
        probes: { down: { type: "file", path, expect: "absent", interval: "100ms" } },
        vrrp: { web: web(150, { track: [{ probe: "down" }] }) },
      });
      const daemon = await a.startAppliance(watched);
      await daemon.waitState("web", "master", 3000);
      writeFileSync(path, "");
      await daemon.waitState("web", "fault", 2000);
      daemon.writeConfig(webYaml(150));
      expect(daemon.command("reload").code).toBe(0);
      const { transitions } = await daemon.waitState("web", "master", 2000);
      rmSync(path);
      daemon.writeConfig(watched);
      expect(daemon.command("reload").code).toBe(0);
      await waitFor(async () => (await daemon.status()).probes[0]?.state === "up", {
        timeoutMs: 2000,
        what: "the probe's first result",
      });
      expect(await daemon.instance("web")).toMatchObject({ state: "master", transitions });
    },
    15_000,
  );

  test("another instance in fault, or not master", async () => {
    const lan = { ...web(100), interface: "eth1", vrid: 52, addresses: ["10.1.0.100/24"] };
    const follower = (state: string, weight: object) => ({ track: [{ instance: "lan", state, ...weight }] });
    const yaml = yamlOf({
      vrrp: {
        web: web(150, follower("up", {})),
        third: { ...web(150, follower("master", { weight: -40 })), vrid: 53, addresses: ["10.0.0.103/24"] },
        lan,
      },
    });
    const daemon = await a.startAppliance(yaml);
    // All begin together, and nobody waits for long for another's first state.
    await Promise.all(["web", "third", "lan"].map((name) => daemon.waitState(name, "master", 2000)));
    expect((await daemon.instance("third")).priority.effective).toBe(150);
    a.unplug("eth1");
    await daemon.waitState("lan", "fault", 1000);
    expect((await daemon.waitState("web", "fault", 500)).reason).toBe(
      "instance:lan: in fault (interface eth1 has no carrier)",
    );
    expect((await daemon.instance("third")).priority.adjustments).toEqual([
      { source: "instance:lan", weight: -40 },
    ]);
    a.replug("eth1");
    // Backup is enough for one, and not for the other.
    await daemon.waitState("web", "backup", 1000);
    await daemon.waitState("lan", "master", 1000);
    await waitFor(async () => (await daemon.instance("third")).priority.effective === 150, {
      timeoutMs: 500,
      what: "the weight to be taken back",
    });
    await daemon.waitState("web", "master", 1000);
    expect(daemon.command("release", "lan").code).toBe(0);
    await daemon.waitState("web", "fault", 1000);
    expect(daemon.command("resume", "lan").code).toBe(0);
    await daemon.waitState("web", "master", 2000);
  }, 20_000);

  /** Pulls the cable for some time. */
  async function flap(ms: number): Promise<void> {
    a.unplug();
    await pause(ms);
    a.replug();
  }

  test("a link that comes back soon is not counted as down, neither as master nor as backup", async () => {
    const keys = { debounce: { down: "1s" }, advert_interval: "1s" };
    const daemon = await a.startAppliance(webYaml(150, keys));
    await daemon.waitState("web", "master", 6000);
    const { transitions } = await daemon.instance("web");
    for (let i = 0; i < 3; i++) {
      await flap(200);
      await pause(200);
    }
    expect(await daemon.instance("web")).toMatchObject({ state: "master", transitions });

    const start = nowMs();
    a.unplug();
    await daemon.waitState("web", "fault", 3000);
    const took = nowMs() - start;
    console.log(`down for 1 s counts after ${took.toFixed(0)} ms`);
    expect(took).toBeGreaterThan(990);
    expect(took).toBeLessThan(1300);
    a.replug();
    await daemon.waitState("web", "master", 6000);
  }, 30_000);

  test("a backup whose link is down does not take over while that does not count", async () => {
    const keys = { debounce: { down: "2s" } };
    const [first, second] = await Promise.all([
      b.startAppliance(webYaml(150)),
      a.startAppliance(webYaml(100, keys)),
    ]);
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 1000);
    a.unplug();
    // Master_Down_Interval is 0.36 s.
    await holds(async () => (await second.instance("web")).state === "backup", {
      forMs: 1200,
      what: "the backup to stay one",
    });
    a.replug();
    await holds(async () => (await second.instance("web")).state === "backup", {
      forMs: 600,
      what: "the backup to stay one",
    });
    expect((await first.instance("web")).transitions).toBe(2);
  }, 15_000);

  test("a link that is back counts when it has lasted, tracked or own", async () => {
    const links = { eth1: { debounce: { up: "800ms" } } };
    const daemon = await a.startAppliance(
      webYaml(150, { track: [{ interface: "eth1", weight: -50 }] }, { links }),
    );
    await daemon.waitState("web", "master", 3000);
    a.unplug("eth1");
    await priority(daemon, 100);
    const start = nowMs();
    a.replug("eth1");
    await priority(daemon, 150, 3000);
    const took = nowMs() - start;
    console.log(`up for 0.8 s counts after ${took.toFixed(0)} ms`);
    expect(took).toBeGreaterThan(790);
    expect(took).toBeLessThan(1300);
  }, 15_000);
});
