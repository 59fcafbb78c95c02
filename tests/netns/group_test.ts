/** A sync group of two instances on two links each: whatever moves one of them moves both. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Appliance,
  createLab,
  describeLab,
  holds,
  type Lab,
  type LabNode,
  nowMs,
  type State,
  VIP,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";

const WAN_VIP = "10.1.0.100";
const MEMBERS = ["web", "wan"] as const;

describeLab("a sync group on two links", [], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => {
    lab = createLab("group");
    const wan = lab.switch("wan");
    const node = (name: string, host: number) => {
      const made = lab.node(name, { addresses: [`10.0.0.${host}/24`] });
      made.plug({ device: "eth1", switch: wan, addresses: [`10.1.0.${host}/24`] });
      return made;
    };
    a = node("a", 1);
    b = node("b", 2);
    client = node("client", 9);
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  /** The file whose presence means trouble on a node. */
  const flag = (node: LabNode) => join(node.directory("flag"), "down");

  function yaml(node: LabNode, priority: number, advert_interval: string, track: unknown): string {
    const common = { advert_interval, track: [] };
    return yamlOf({
      probes: { flag: { type: "file", path: flag(node), expect: "absent", interval: "50ms" } },
      vrrp: {
        web: web(priority, common),
        wan: web(priority, { ...common, interface: "eth1", vrid: 52, addresses: [`${WAN_VIP}/24`] }),
      },
      groups: { site: { members: MEMBERS, track: [track] } },
    });
  }

  /** Two nodes, the first of which is master of both. */
  async function pair(
    interval: string,
    track: Readonly<Record<string, unknown>>,
  ): Promise<[Appliance, Appliance]> {
    rmSync(flag(a), { force: true });
    const daemons = await Promise.all([
      a.startAppliance(yaml(a, 150, interval, track)),
      b.startAppliance(yaml(b, 100, interval, track)),
    ]);
    await both(daemons[0], "master", 8000);
    await both(daemons[1], "backup", 1000);
    return daemons;
  }

  async function both(daemon: Appliance, state: State, timeoutMs: number): Promise<void> {
    for (const name of MEMBERS) await daemon.waitState(name, state, timeoutMs);
  }

  async function states(daemon: Appliance): Promise<State[]> {
    const { instances } = await daemon.status();
    return MEMBERS.map((name) => instances.find((instance) => instance.name === name)!.state);
  }

  const held = (node: LabNode) => [VIP, WAN_VIP].filter((vip) => node.has(vip));

  const WEIGHT = { probe: "flag", weight: -60 };
  const FATAL = { probe: "flag" };

  test("one link of the master fails: both move; it returns: both return", async () => {
    const [first, second] = await pair("100ms", WEIGHT);
    a.unplug("eth1");
    await both(first, "fault", 1000);
    await both(second, "master", 2000);
    expect(held(a)).toEqual([]);
    await waitFor(() => held(b).length === 2, { timeoutMs: 500, what: "both addresses on b" });
    expect((await first.instance("web")).reason).toContain("wan: interface eth1 has no carrier");
    expect((await first.instance("wan")).reason).toBe("interface eth1 has no carrier");

    a.replug("eth1");
    await both(first, "master", 3000);
    await both(second, "backup", 1000);
    await waitFor(() => held(a).length === 2, { timeoutMs: 500, what: "both addresses on a" });
    expect(held(b)).toEqual([]);
  }, 20_000);

  test("fault is left when every member is clean, and by all together", async () => {
    const [first, second] = await pair("100ms", WEIGHT);
    a.unplug("eth0");
    a.unplug("eth1");
    await both(second, "master", 2000);
    a.replug("eth1");
    await waitFor(async () => (await first.instance("wan")).reason.startsWith("group site: web:"), {
      timeoutMs: 1000,
      what: "only the other member's fault to be left",
    });
    await holds(async () => String(await states(first)) === "fault,fault", {
      forMs: 500,
      what: "both in fault",
    });
    expect(await states(second)).toEqual(["master", "master"]);
    a.replug("eth0");
    await both(first, "master", 3000);
    await both(second, "backup", 1000);
  }, 20_000);

  test("a probe of the group lowers all priorities: both move, and return", async () => {
    const [first, second] = await pair("1s", WEIGHT);
    writeFileSync(flag(a), "");
    const start = nowMs();
    await both(second, "master", 3000);
    await both(first, "backup", 500);
    // No Master_Down_Interval of 3.6 s passes.
    expect(nowMs() - start).toBeLessThan(1000);
    for (const name of MEMBERS) {
      expect((await first.instance(name)).priority).toEqual({
        base: 150,
        effective: 90,
        adjustments: [{ source: "probe:flag", weight: -60 }],
      });
    }
    rmSync(flag(a));
    await both(first, "master", 3000);
    await both(second, "backup", 500);
  }, 20_000);

  test("a fault of the group says goodbye for every member", async () => {
    const [first, second] = await pair("1s", FATAL);
    writeFileSync(flag(a), "");
    const start = nowMs();
    await both(first, "fault", 1000);
    await both(second, "master", 3000);
    // Skew_Time, not Master_Down_Interval.
    expect(nowMs() - start).toBeLessThan(1500);
    rmSync(flag(a));
    await both(first, "master", 3000);
  }, 20_000);

  test("release moves both without a gap, resume brings both back", async () => {
    const [first, second] = await pair("1s", WEIGHT);
    const pings = [VIP, WAN_VIP].map((vip) => client.ping(vip, 1));
    for (const ping of pings) await ping.answered();
    const move = async (from: Appliance, to: Appliance, name: string, verb: "release" | "resume") => {
      const start = nowMs();
      expect(first.command(verb, name).code).toBe(0);
      await both(to, "master", 3000);
      const node = from.node;
      await waitFor(() => held(node).length === 0, { timeoutMs: 3000, what: `${node.name} to let go` });
      for (const ping of pings) await ping.answered({ sinceMs: nowMs() });
      return pings.map((ping) => ping.longestGap(start).lengthMs);
    };
    const released = await move(first, second, "wan", "release");
    expect(await states(first)).toEqual(["fault", "fault"]);
    const resumed = await move(second, first, "web", "resume");
    console.log(
      `gaps of both addresses: release ${released.map((ms) => ms.toFixed(1))}, resume ${
        resumed.map((ms) => ms.toFixed(1))
      } ms`,
    );
    for (const ms of [...released, ...resumed]) expect(ms).toBeLessThan(50);
  }, 30_000);

  test("groups and instances that swap names are not taken for each other meanwhile", async () => {
    const config = (mine: number, theirs: number, swapped: boolean) => {
      const made = (priority: number, vrid: number, addresses: string[]) =>
        web(priority, { vrid, addresses });
      const names = ["one", "two", "x", "y"];
      const [one, two, x, y] = swapped ? ["two", "one", "y", "x"] : names;
      return yamlOf({
        vrrp: {
          // Of both families: each is a group of its own, by its name.
          [two!]: made(theirs, 62, ["10.0.0.62/24", "2001:db8::62/64"]),
          [one!]: made(mine, 61, ["10.0.0.61/24", "2001:db8::61/64"]),
          b1: made(theirs, 65, ["10.0.0.65/24"]),
          b2: made(theirs, 66, ["10.0.0.66/24"]),
          a1: made(mine, 63, ["10.0.0.63/24"]),
          a2: made(mine, 64, ["10.0.0.64/24"]),
        },
        groups: { [x!]: { members: ["a1", "a2"] }, [y!]: { members: ["b1", "b2"] } },
      });
    };
    const first = await a.startAppliance(config(150, 100, false));
    const second = await b.startAppliance(config(100, 150, false));
    const phases = async (of = first) => (await of.status()).instances.map(({ state }) => state).join();
    const expected = "backup,master,backup,backup,master,master";
    const roles = async () =>
      await phases() === expected && await phases(second) === "master,backup,master,master,backup,backup";
    await waitFor(roles, { timeoutMs: 5000, what: "the roles" });
    const moves = async () => (await first.status()).instances.map(({ transitions }) => transitions);
    const before = await moves();
    for (const swapped of [true, false]) {
      first.writeConfig(config(150, 100, swapped));
      expect(first.command("reload").code).toBe(0);
      expect([await phases(), await moves()]).toEqual([expected, before]);
    }
  }, 20_000);
});
