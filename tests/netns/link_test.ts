/** What happens around the router: links and addresses come and go, and other people delete things. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  appliancePath,
  describeLab,
  isAlive,
  killAll,
  type Lab,
  type LabNode,
  must,
  nowMs,
  pairLab,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

describeLab("links and addresses", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => void ({ lab, a, b, client } = pairLab("link")), 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  const BREAKS: readonly [
    what: string,
    reason: RegExp,
    breakIt: (node: LabNode) => void,
    mend: (node: LabNode) => void,
  ][] = [
    [
      "set down",
      /eth0.*down/,
      (node) => node.ip("link set eth0 down"),
      (node) => node.ip("link set eth0 up"),
    ],
    ["unplugged", /eth0.*(carrier|down|running)/, (node) => node.unplug(), (node) => node.replug()],
    [
      "deleted",
      /eth0.*(does not exist|no such|gone|deleted|not there)/,
      (node) => node.removeDevice(),
      (node) => node.recreateDevice(),
    ],
    [
      "without its address",
      /eth0.*address/,
      (node) => node.ip("addr flush dev eth0"),
      (node) => node.ip("addr add 10.0.0.1/24 dev eth0"),
    ],
  ];

  test(
    "the interface is away and back with the same index before it is noticed: its peer is heard",
    async () => {
      const elsewhere = lab.addNamespace("elsewhere");
      const [first] = await Promise.all([a.startAppliance(webYaml(100)), b.startAppliance(webYaml(150))]);
      const before = await first.waitState("web", "backup", 3000);
      await waitFor(async () => (await first.instance("web")).master?.address === "10.0.0.2", {
        timeoutMs: 2000,
        what: "the peer to be master",
      });
      const index = () => a.exec(["cat", "/sys/class/net/eth0/ifindex"]).stdout;
      const indexBefore = index();
      killAll([first.enginePid], "SIGSTOP");
      a.ip(`link set eth0 netns ${elsewhere}`);
      must(["ip", "-n", elsewhere, "link", "set", "eth0", "netns", a.namespace]);
      a.ip("link set eth0 up", "addr add 10.0.0.1/24 dev eth0");
      killAll([first.enginePid], "SIGCONT");
      expect(index()).toBe(indexBefore);
      const { received } = before.adverts;
      await waitFor(async () => (await first.instance("web")).adverts.received > received + 20, {
        timeoutMs: 5000,
        what: "advertisements of the peer",
      });
      expect((await first.instance("web")).state).toBe("backup");
      expect(a.has(VIP)).toBe(false);
    },
    15_000,
  );

  for (const [what, reason, breakIt, mend] of BREAKS) {
    test(`the interface is ${what}: fault, the peer serves, and back without a restart`, async () => {
      const [first, second] = await Promise.all([
        a.startAppliance(webYaml(150)),
        b.startAppliance(webYaml(100)),
      ]);
      await first.waitState("web", "master", 3000);
      await second.waitState("web", "backup", 3000);
      const ping = client.ping(VIP, 5);
      await ping.answered();

      breakIt(a);
      const fault = await first.waitState("web", "fault", 1000);
      expect(fault.reason).toMatch(reason);
      expect((await first.status()).healthy).toBe(false);
      expect(first.command("status").code).toBe(1);
      await second.waitState("web", "master", 1500);
      await ping.answered({ sinceMs: nowMs() });
      expect(a.has(VIP)).toBe(false);

      mend(a);
      await first.waitState("web", "master", 2000);
      await second.waitState("web", "backup", 1000);
      expect(a.has(VIP)).toBe(true);
      expect(b.has(VIP)).toBe(false);
      expect((await first.status()).healthy).toBe(true);
      await ping.answered({ sinceMs: nowMs() });
      expect(first.process.end).toBeNull();
    }, 15_000);
  }

  test(
    "an interface that only carries a virtual address goes down: the instance goes on, and is not well",
    async () => {
      a.ip("link add svc0 type veth peer name svc1", "link set svc0 up", "link set svc1 up");
      const address = { address: "10.9.0.100/24", dev: "svc0" };
      const more = { static: { addresses: ["10.9.1.1/24 dev svc0"] } };
      const first = await a.startAppliance(webYaml(150, { addresses: [address] }, more));
      await first.waitState("web", "master", 3000);
      const well = (healthy: boolean) => async () => (await first.status()).healthy === healthy;
      await waitFor(well(true), { timeoutMs: 1000, what: "all to be well" });
      a.ip("link set svc0 down");
      await waitFor(well(false), { timeoutMs: 1000, what: "the trouble to be told" });
      const { problems, instances } = await first.status();
      expect(problems).toEqual(["instance web: interface svc0, which carries 10.9.0.100/24, is down"]);
      expect(instances[0]!.state).toBe("master");
      a.ip("link set svc0 up");
      await waitFor(well(true), { timeoutMs: 1000, what: "all to be well again" });
      const told = () =>
        first.events().filter(({ text }) => /which carr|that carry/.test(text))
          .map(({ kind, subject }) => `${kind} ${subject}`);
      expect(told()).toEqual(["error web", "repair web"]);

      // What was told of an instance goes with it to another name.
      a.ip("link set svc0 down");
      await waitFor(well(false), { timeoutMs: 1000, what: "the trouble to be told again" });
      first.writeConfig(yamlOf({ vrrp: { shop: web(150, { addresses: [address] }) }, ...more }));
      expect(first.command("reload").code).toBe(0);
      a.ip("link set svc0 up");
      await waitFor(well(true), { timeoutMs: 1000, what: "all to be well under another name" });
      expect(told().slice(2)).toEqual(["error web", "repair shop"]);

      // An interface that is gone is not usable again.
      a.ip("link set svc0 down");
      await waitFor(well(false), { timeoutMs: 1000, what: "the trouble to be told once more" });
      a.ip("link del svc0");
      await first.waitState("shop", "fault", 1000);
      expect(told().slice(4)).toEqual(["error shop"]);
      expect(first.events().filter(({ text }) => text.includes("put back"))).toEqual([]);
      const make = () =>
        a.ip("link add svc0 type veth peer name svc1", "link set svc1 up", "link set svc0 up");
      make();
      await waitFor(() => told().at(-1) === "repair shop", {
        timeoutMs: 2000,
        everyMs: 100,
        what: "all to be well in the end",
        explain: () => first.log,
      });
      // Nor does a master wait once it is there again, whatever of its end was seen first.
      for (let again = 0; again < 5; again++) {
        await first.waitState("shop", "master", 2000);
        a.ip("link del svc0");
        await first.waitState("shop", "fault", 1000);
        make();
      }
      await first.waitState("shop", "master", 2000);
      // Nor is one usable again that a reload left, as soon as something happens to another.
      a.ip("link add svc2 type veth peer name svc3", "link set svc3 up", "link set svc2 up");
      a.ip("link set svc0 down");
      await waitFor(() => told().at(-1) === "error shop", { timeoutMs: 1000, what: "the last trouble" });
      const elsewhere = { ...address, dev: "svc2" };
      first.writeConfig(yamlOf({ vrrp: { shop: web(150, { addresses: [elsewhere] }) } }));
      expect(first.command("reload").code).toBe(0);
      a.ip("link set svc2 mtu 1400");
      a.ip("link set svc2 down");
      await waitFor(() => first.log.includes("svc2, which carries"), { timeoutMs: 1000, what: "svc2's end" });
      expect(told().slice(-2)).toEqual(["error shop", "error shop"]);
      a.ip("link del svc2");
      a.ip("link del svc0");
    },
    10_000,
  );

  test("an interface that is not there at the start is waited for", async () => {
    a.removeDevice();
    const first = await a.startAppliance(webYaml(150));
    const fault = await first.waitState("web", "fault", 1000);
    expect(fault.reason).toContain("eth0");
    a.recreateDevice();
    await first.waitState("web", "master", 2000);
    expect(a.has(VIP)).toBe(true);
  }, 10_000);

  test("a tracked interface without weight means fault, with weight lowers the priority", async () => {
    const other = lab.switch("other");
    if (!a.ports.has("eth1")) a.plug({ device: "eth1", switch: other, addresses: ["10.1.0.1/24"] });
    const first = await a.startAppliance(webYaml(150, { track: [{ interface: "eth1", weight: -60 }] }));
    await first.waitState("web", "master", 2000);
    a.unplug("eth1");
    await waitFor(async () => (await first.instance("web")).priority.effective === 90, {
      timeoutMs: 1000,
      what: "the lower priority",
    });
    expect((await first.instance("web")).priority.adjustments).toEqual([{
      source: "interface:eth1",
      weight: -60,
    }]);
    first.writeConfig(webYaml(150, { track: [{ interface: "eth1" }] }));
    expect(first.command("reload").code).toBe(0);
    const fault = await first.waitState("web", "fault", 1000);
    expect(fault.reason).toContain("eth1");
    a.replug("eth1");
    await first.waitState("web", "master", 2000);
  }, 10_000);

  test("a virtual address that someone deletes is put back, told and counted", async () => {
    const first = await a.startAppliance(webYaml(150));
    const before = await first.waitState("web", "master", 2000);
    const ping = client.ping(VIP, 2);
    await ping.answered();
    const deletedMs = nowMs();
    for (let round = 0; round < 3; round++) {
      a.ip(`addr del ${VIP}/24 dev eth0`);
      await waitFor(() => a.has(VIP), { timeoutMs: 500, what: "the address to be back", everyMs: 1 });
    }
    await ping.answered({ sinceMs: nowMs() });
    const gap = ping.longestGap(deletedMs).lengthMs;
    console.log(`a virtual address deleted by hand: ${gap.toFixed(1)} ms without an answer`);
    expect(gap).toBeLessThan(100);
    const after = await first.instance("web");
    expect(after).toMatchObject({ state: "master", transitions: before.transitions });
    const repairs = await waitFor(() => {
      const found = first.events().filter(({ kind, subject }) => kind === "repair" && subject === "web");
      return found.length >= 3 ? found : null;
    }, { timeoutMs: 1500, what: "three repair events" });
    expect(repairs[0]!.text).toContain(VIP);
    // Counters come once a second.
    await waitFor(
      async () =>
        /^appliance_\w*repair\w*\{[^}]*web[^}]*\} 3$/m.test(await (await first.get("/metrics")).text()),
      { timeoutMs: 2500, what: "the count of repairs", everyMs: 100 },
    );
  }, 10_000);

  test("leftovers of a crashed run are removed at the start", async () => {
    const first = await a.startAppliance(webYaml(150, { lease: "off" }));
    await first.waitState("web", "master", 2000);
    await first.killHard();
    const second = await b.startAppliance(webYaml(100, { preempt: false }));
    await second.waitState("web", "master", 2000);
    // Permanent addresses of a killed daemon stay, so now both have it.
    expect(a.has(VIP)).toBe(true);
    const again = await a.startAppliance(webYaml(150, { lease: "off", preempt: false }));
    await again.waitState("web", "backup", 2000);
    await waitFor(() => !a.has(VIP), { timeoutMs: 1000, what: "the leftover to be removed" });
    expect(b.has(VIP)).toBe(true);
  }, 10_000);

  test("the interface gets another MAC address: neighbours are told", async () => {
    const router = await a.startAppliance(webYaml(150, { announce: { repeat: 2, delay: "0s" } }));
    const { transitions } = await router.waitState("web", "master", 3000);
    const ping = client.ping(VIP, 5);
    await ping.answered();
    const mac = "02:00:00:00:0a:0a";
    a.ip(`link set eth0 address ${mac}`);
    await waitFor(() => client.neighbour(VIP) === mac, { timeoutMs: 1000, what: "the client to know it" });
    await ping.answered({ sinceMs: nowMs(), timeoutMs: 1000 });
    expect((await router.instance("web")).transitions).toBe(transitions);
  }, 10_000);

  test("the machine's only address is never taken for a leftover", async () => {
    const router = await a.startAppliance(webYaml(254, { addresses: ["10.0.0.1/24"] }));
    const { reason } = await router.waitState("web", "fault", 2000);
    expect(reason).toBe(
      "interface eth0 has no IPv4 address but 10.0.0.1, which is virtual (priority 255 is for the router that owns it; " +
        "else give the interface one of its own)",
    );
    expect(a.has("10.0.0.1")).toBe(true);
    // Nor by control, when the engine is gone.
    killAll([router.enginePid]);
    await waitFor(() => router.log.includes("the engine has died"), {
      timeoutMs: 2000,
      what: "control to notice",
    });
    await waitFor(() => router.controlPid === null || !isAlive(router.controlPid), {
      timeoutMs: 3000,
      what: "control's end",
    });
    expect(a.has("10.0.0.1")).toBe(true);
  }, 10_000);

  test("an address that hangs on a virtual one, the first of its subnet, outlives it", async () => {
    a.ip("addr add 10.0.1.1/24 dev eth0");
    const router = await a.startAppliance(webYaml(150, { addresses: ["10.0.2.99/24", "10.0.2.100/24"] }));
    await router.waitState("web", "master", 2000);
    a.ip("addr add 10.0.2.1/24 dev eth0");
    // Another virtual one goes with the first for a moment, and by nobody else's doing.
    router.writeConfig(webYaml(150, { addresses: ["10.0.2.100/24"] }));
    expect(router.command("reload").code).toBe(0);
    expect(["10.0.2.99", "10.0.2.100", "10.0.2.1"].map((address) => a.has(address))).toEqual([
      false,
      true,
      true,
    ]);
    expect(router.events().filter(({ kind }) => kind === "repair")).toEqual([]);
    expect((await router.stop()).code).toBe(0);
    expect([a.has("10.0.2.100"), a.has("10.0.2.1")]).toEqual([false, true]);

    // Unless it is a virtual one itself that was given up just before the first.
    const both = await a.startAppliance(yamlOf({
      vrrp: {
        later: web(10, { lease: "off", vrid: 52, addresses: ["10.0.3.100/24"] }),
        web: web(250, { lease: "off", addresses: ["10.0.3.99/24"] }),
        last: web(10, { lease: "off", vrid: 53, addresses: ["10.0.3.101/24"] }),
      },
    }));
    await both.waitState("later", "master", 2000);
    await both.waitState("last", "master", 2000);
    expect((await both.stop()).code).toBe(0);
    expect(a.addresses("eth0").filter((address) => address.startsWith("10.0.3."))).toEqual([]);

    // So does one beside an address of the machine that somebody calls virtual.
    a.ip("addr add 10.0.1.2/24 dev eth0");
    const mistaken = await a.startAppliance(webYaml(150, { addresses: ["10.0.1.1/24"] }));
    await mistaken.waitState("web", "master", 2000);
    expect(a.has("10.0.1.2")).toBe(true);
  }, 10_000);

  test("a master whose adverts cannot leave is not well, and says why", async () => {
    const addresses = Array.from({ length: 20 }, (_, index) => `10.0.0.${100 + index}/24`);
    const router = await a.startAppliance(webYaml(150, { addresses }));
    await router.waitState("web", "master", 3000);
    expect((await router.status()).healthy).toBe(true);
    const why =
      "instance web cannot send advertisements on eth0: message too long (20 addresses do not fit its MTU)";
    a.ip("link set eth0 mtu 68");
    await waitFor(async () => (await router.status()).problems.includes(why), {
      timeoutMs: 1500,
      what: "the problem",
      explain: () => router.log,
    });
    expect(router.command("explain").stdout).toContain("no other router hears it");
    expect(a.exec([appliancePath(), "check", router.configPath]).stdout).toContain(
      "on this machine, an advertisement with 20 addresses has 108 bytes, but eth0 takes 68",
    );
    a.ip("link set eth0 mtu 1500");
    await waitFor(async () => (await router.status()).healthy, { timeoutMs: 1500, what: "its end" });
  }, 10_000);
});
