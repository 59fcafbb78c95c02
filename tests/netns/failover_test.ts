/** Two routers of ours and a client: who serves, who takes over, when, and what is told about it. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  createLab,
  describeLab,
  holds,
  type Lab,
  type LabNode,
  longestDistance,
  nowMs,
  pairLab,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

describeLab("fail-over between two of ours", ["tcpdump", "nginx"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => void ({ lab, a, b, client } = pairLab("failover")), 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  test(
    "nginx is killed on the master: the peer serves, and nginx's return gives the address back",
    async () => {
      const nginx = { a: await a.startNginx(), b: await b.startNginx() };
      const yaml = (node: "a" | "b", priority: number) => {
        const probe = {
          type: "nginx",
          url: "http://127.0.0.1/",
          process: { pid_file: nginx[node].pidFile },
          interval: "200ms",
          timeout: "500ms",
          rise: 2,
          fall: 2,
        };
        return webYaml(priority, { track: [{ probe: "nginx", weight: -60 }] }, { probes: { nginx: probe } });
      };
      const [first, second] = await Promise.all([
        a.startAppliance(yaml("a", 150)),
        b.startAppliance(yaml("b", 120)),
      ]);
      await first.waitState("web", "master", 3000);
      await second.waitState("web", "backup", 3000);
      const http = client.http(`http://${VIP}/`, 20);
      await http.answered({ who: "a" });
      expect(client.neighbour(VIP)).toBe(a.mac());
      const arp = await client.capture("eth0", "arp");

      const killedMs = nowMs();
      await nginx.a.killHard();
      const took = await second.waitState("web", "master", 3000);
      expect(took.reason).not.toBe("");
      await http.answered({ who: "b", sinceMs: killedMs });
      const outage = http.longestGap(killedMs);
      console.log(
        `nginx killed, probes of 200 ms, adverts of 100 ms: ${
          outage.lengthMs.toFixed(0)
        } ms without an answer`,
      );
      expect(outage.lengthMs).toBeLessThan(1000);
      expect(client.neighbour(VIP)).toBe(b.mac());
      const gratuitous = arp.packets("arp").filter(({ text }) =>
        text.includes(`${b.mac()} > ff:ff:ff:ff:ff:ff`) && text.includes(VIP)
      );
      expect(gratuitous.length).toBeGreaterThan(0);

      const document = first.statusByCommand();
      const [instance] = document.instances;
      expect(instance).toMatchObject({ name: "web", state: "backup", vrid: 51, version: 3, family: "ipv4" });
      expect(instance!.priority).toEqual({
        base: 150,
        effective: 90,
        adjustments: [{ source: "probe:nginx", weight: -60 }],
      });
      expect(instance!.master).toEqual({ address: "10.0.0.2", priority: 120 });
      expect(instance!.reason).toContain("10.0.0.2");
      expect(document.probes).toHaveLength(1);
      expect(document.probes[0]).toMatchObject({ name: "nginx", type: "nginx", state: "down" });
      expect(document.probes[0]!.error).toBeTruthy();
      expect(document.healthy).toBe(false);
      expect(first.command("status").code).toBe(1);
      expect(a.has(VIP)).toBe(false);

      const returnedMs = nowMs();
      await nginx.a.restart();
      const back = await first.waitState("web", "master", 3000);
      expect(back.priority).toEqual({ base: 150, effective: 150, adjustments: [] });
      await second.waitState("web", "backup", 1000);
      await http.answered({ who: "a", sinceMs: returnedMs });
      expect(http.longestGap(returnedMs).lengthMs).toBeLessThan(300);
      expect(first.command("status").code).toBe(0);
      expect(b.has(VIP)).toBe(false);
    },
    20_000,
  );

  test("SIGTERM: priority 0 on the wire, the address gone, exit 0 within a second", async () => {
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150)),
      b.startAppliance(webYaml(100)),
    ]);
    const master = await first.waitState("web", "master", 3000);
    // Told along with the state, not a second later.
    expect(master.adverts.sent).toBeGreaterThan(0);
    const ping = client.ping(VIP, 5);
    await ping.answered();
    const wire = await client.capture("eth0", "ip proto 112");
    const stoppedMs = nowMs();
    const end = await first.stop();
    expect(end).toMatchObject({ code: 0, signal: null });
    expect(end.tookMs).toBeLessThan(1200);
    expect(a.has(VIP)).toBe(false);
    const took = await second.waitState("web", "master", 1000);
    expect(took.reason).toContain("10.0.0.1");
    await ping.answered({ sinceMs: nowMs() });
    const gap = ping.longestGap(stoppedMs).lengthMs;
    console.log(`SIGTERM of the master, adverts of 100 ms: ${gap.toFixed(0)} ms without an answer`);
    expect(gap).toBeLessThan(300);
    await waitFor(() => wire.adverts("10.0.0.1").at(-1)?.priority === 0, {
      timeoutMs: 1000,
      what: "the last advert to have priority 0",
    });

    const again = await a.startAppliance(webYaml(150));
    await again.waitState("web", "master", 2000);
    await second.waitState("web", "backup", 1000);
  }, 15_000);

  test("preempt: false leaves a lower master alone", async () => {
    const second = await b.startAppliance(webYaml(100));
    await second.waitState("web", "master", 3000);
    const first = await a.startAppliance(webYaml(150, { preempt: false }));
    await waitFor(async () => (await first.instance("web")).master, {
      timeoutMs: 2000,
      what: "a to hear the master",
    });
    expect((await first.instance("web")).master).toEqual({ address: "10.0.0.2", priority: 100 });
    await holds(async () => (await first.instance("web")).state === "backup", {
      forMs: 1000,
      what: "a stays backup",
    });
    expect((await second.instance("web")).state).toBe("master");
    await second.stop();
    await first.waitState("web", "master", 1500);
  }, 15_000);

  test("a preempt delay is kept to, and no more", async () => {
    const second = await b.startAppliance(webYaml(100));
    await second.waitState("web", "master", 3000);
    const startedMs = nowMs();
    const first = await a.startAppliance(webYaml(150, { preempt: "1s" }));
    await first.waitState("web", "master", 4000);
    const waitedMs = nowMs() - startedMs;
    expect(waitedMs).toBeGreaterThan(1000);
    expect(waitedMs).toBeLessThan(2000);
    await second.waitState("web", "backup", 1000);
  }, 15_000);

  test("takeover_delay is added to the master-down interval", async () => {
    const first = await a.startAppliance(webYaml(150));
    const second = await b.startAppliance(webYaml(100, { takeover_delay: "700ms" }));
    await first.waitState("web", "master", 3000);
    const wire = await client.capture("eth0", "ip proto 112");
    await waitFor(() => wire.adverts("10.0.0.1").length > 1, { timeoutMs: 2000, what: "adverts" });
    await first.killHard();
    await second.waitState("web", "master", 3000);
    const lastMs = wire.adverts("10.0.0.1").at(-1)!.atMs;
    const takenMs = wire.adverts("10.0.0.2")[0]!.atMs;
    // 3 × 100 ms, the skew of priority 100, and the delay.
    expect(takenMs - lastMs).toBeGreaterThan(300 + 60 + 700 - 5);
    expect(takenMs - lastMs).toBeLessThan(300 + 61 + 700 + 50);
  }, 15_000);

  test("the owner of the addresses is master at once, and again when it returns", async () => {
    const second = await b.startAppliance(webYaml(100));
    await second.waitState("web", "master", 3000);
    const wire = await client.capture("eth0", "ip proto 112");
    const owner = await a.startAppliance(webYaml(255));
    const master = await owner.waitState("web", "master", 500);
    expect(master.priority.effective).toBe(255);
    await second.waitState("web", "backup", 500);
    expect(wire.adverts("10.0.0.1")[0]?.priority).toBe(255);
    await owner.killHard();
    const returnMs = nowMs();
    await second.waitState("web", "master", 1500);
    const again = await a.startAppliance(webYaml(255));
    await again.waitState("web", "master", 500);
    await second.waitState("web", "backup", 500);
    expect(nowMs() - returnMs).toBeLessThan(3000);
  }, 15_000);

  test("an owner whose own address is the virtual one has it back from whoever took it over", async () => {
    const keys = { addresses: ["10.0.0.1/24"] };
    const second = await b.startAppliance(webYaml(100, keys));
    let owner = await a.startAppliance(webYaml(255, keys));
    for (const end of ["stop", "killHard"] as const) {
      await owner.waitState("web", "master", 500);
      await second.waitState("web", "backup", 1000);
      await owner[end]();
      await second.waitState("web", "master", 1500);
      await waitFor(() => b.has("10.0.0.1"), { timeoutMs: 500, what: "the address at the backup" });
      expect(a.has("10.0.0.1")).toBe(true);
      // From now on it speaks from an address that the other one has, too.
      owner = await a.startAppliance(webYaml(255, keys));
      await second.waitState("web", "backup", 1500);
      await waitFor(() => !b.has("10.0.0.1"), { timeoutMs: 500, what: "the backup to let go" });
    }
    const { adverts } = await owner.waitState("web", "master", 500);
    expect(Object.values(adverts.dropped).every((count) => count === 0)).toBe(true);
  }, 15_000);
});

describeLab("reload", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;
  let client: LabNode;

  beforeAll(() => {
    lab = createLab("reload");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    client = lab.node("client", { addresses: ["10.0.0.9/24"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  const lan = (priority: number, addresses: readonly string[]) => web(priority, { vrid: 52, addresses });
  const two = (priority = 120, addresses: readonly string[] = ["10.0.0.200/24"]) =>
    yamlOf({ vrrp: { web: web(150), lan: lan(priority, addresses) } });

  test("applies the difference and touches nothing else", async () => {
    const router = await a.startAppliance(two());
    const before = await router.waitState("web", "master", 3000);
    await router.waitState("lan", "master", 3000);
    const wire = await client.capture("eth0", "ip proto 112");
    await waitFor(() => wire.adverts().length > 2, { timeoutMs: 2000, what: "adverts" });

    router.writeConfig(two(130, ["10.0.0.200/24", "10.0.0.201/24"]));
    expect(router.command("reload")).toMatchObject({ code: 0 });
    const changed = await waitFor(async () => {
      const instance = await router.instance("lan");
      return instance.priority.base === 130 && instance.addresses.length === 2 ? instance : null;
    }, { timeoutMs: 1000, what: "the new config" });
    expect(changed.state).toBe("master");
    expect(changed.transitions).toBe(2);
    await waitFor(() => a.has("10.0.0.201"), { timeoutMs: 500, what: "the new address" });
    expect(a.has("10.0.0.200")).toBe(true);
    const untouched = await router.instance("web");
    expect(untouched).toMatchObject({
      state: "master",
      transitions: before.transitions,
      since: before.since,
    });
    expect(untouched.adverts.sent).toBeGreaterThanOrEqual(before.adverts.sent);

    // The whole instance goes, by SIGHUP.
    router.writeConfig(yamlOf({ vrrp: { web: web(150) } }));
    router.process.kill("SIGHUP");
    await waitFor(async () => (await router.status()).instances.length === 1, {
      timeoutMs: 1500,
      what: "lan to go",
    });
    // A planned step down may go on answering until a successor is heard, for one skew time and a second at most.
    await waitFor(() => !a.has("10.0.0.200") && !a.has("10.0.0.201"), {
      timeoutMs: 1500,
      what: "lan's addresses to go",
    });
    await waitFor(() => wire.adverts().filter(({ vrid }) => vrid === 52).at(-1)?.priority === 0, {
      timeoutMs: 1000,
      what: "lan's goodbye",
    });
    const kept = wire.adverts().filter(({ vrid }) => vrid === 51);
    expect(longestDistance(kept)).toBeLessThan(150);
    expect((await router.instance("web")).transitions).toBe(before.transitions);
  }, 15_000);

  test("an address that moves between instances, to and fro, never leaves the kernel", async () => {
    const moved = "10.0.0.150/24";
    const owned = (first: readonly string[], second: readonly string[]) =>
      yamlOf({
        vrrp: {
          web: web(150, { addresses: ["10.0.0.100/24", ...first] }),
          lan: lan(150, ["10.0.0.200/24", ...second]),
        },
      });
    const router = await a.startAppliance(owned([moved], []));
    await router.waitState("web", "master", 3000);
    await router.waitState("lan", "master", 3000);
    await waitFor(() => a.has("10.0.0.150"), { timeoutMs: 500, what: "the address" });
    const deleted: string[] = [];
    const monitor = a.spawn(
      ["ip", "-o", "monitor", "address"],
      (line) => void (line.startsWith("Deleted") && deleted.push(line)),
    );
    for (const [name, first, second] of [["lan", [], [moved]], ["web", [moved], []]] as const) {
      router.writeConfig(owned(first, second));
      expect(router.command("reload")).toMatchObject({ code: 0 });
      await waitFor(async () => (await router.instance(name)).addresses.includes(moved), {
        timeoutMs: 1000,
        what: `${name} to have it`,
      });
      expect(a.has("10.0.0.150")).toBe(true);
    }
    router.writeConfig(owned([], []));
    expect(router.command("reload")).toMatchObject({ code: 0 });
    await waitFor(() => !a.has("10.0.0.150"), { timeoutMs: 1000, what: "its removal" });
    // Once this is told, all before it was told.
    a.ip("addr add 10.0.0.77/24 dev eth0", "addr del 10.0.0.77/24 dev eth0");
    await waitFor(() => deleted.some((line) => line.includes("10.0.0.77")), {
      timeoutMs: 1000,
      what: "the monitor",
    });
    expect(deleted.filter((line) => line.includes("10.0.0.150")).length).toBe(1);
    monitor.kill("SIGKILL");
  }, 15_000);

  test("names may change hands: whoever has another's name keeps its own addresses", async () => {
    const named = (first: string, second: string, vrid: number) =>
      yamlOf({
        vrrp: {
          [first]: web(150, { vrid, addresses: ["10.0.0.100/24"] }),
          [second]: web(150, { vrid: 60, addresses: ["10.0.0.200/24"] }),
        },
      });
    const router = await a.startAppliance(named("web", "lan", 51));
    await router.waitState("web", "master", 3000);
    const before = await router.waitState("lan", "master", 3000);
    // The two swap names, which touches neither.
    router.writeConfig(named("lan", "web", 51));
    expect(router.command("reload")).toMatchObject({ code: 0 });
    const swapped = await router.waitState("web", "master", 1000);
    expect(swapped).toMatchObject({ vrid: 60, transitions: before.transitions });
    expect([a.has("10.0.0.100"), a.has("10.0.0.200")]).toEqual([true, true]);
    // Another VRID under the same name is another virtual router, which has the address when the old one has gone.
    router.writeConfig(named("lan", "web", 70));
    expect(router.command("reload")).toMatchObject({ code: 0 });
    await waitFor(async () => (await router.instance("lan")).vrid === 70, {
      timeoutMs: 1000,
      what: "the new router",
    });
    await router.waitState("lan", "master", 3000);
    await waitFor(async () => (await router.instance("lan")).transitions >= 2, {
      timeoutMs: 1000,
      what: "mastership",
    });
    const until = performance.now() + 2500;
    await waitFor(() => {
      if (!a.has("10.0.0.100")) throw new Error("the old router's end took the new one's address along");
      return performance.now() > until;
    }, { timeoutMs: 5000, what: "the old router's hand-over to be over" });
  }, 15_000);

  test(
    "a mistake in the file, or an interface that is not there: exit 2, told why, nothing changes",
    async () => {
      const good = two();
      const router = await a.startAppliance(good);
      await router.waitState("web", "master", 3000);
      await router.waitState("lan", "master", 3000);
      const wire = await client.capture("eth0", "ip proto 112");
      await waitFor(() => wire.adverts().length > 2, { timeoutMs: 2000, what: "adverts" });
      const unchanging = async () =>
        (await router.status()).instances.map(({ name, state, since, transitions, priority, addresses }) => {
          return { name, state, since, transitions, priority, addresses };
        });
      const before = await unchanging();
      const addresses = a.addresses();

      router.writeConfig(good.replace('"vrid":51', '"vird":51'));
      const typo = router.command("reload");
      expect(typo.code).toBe(2);
      expect(typo.stderr + typo.stdout).toMatch(/appliance\.yaml:1:\d+: .*vird.*vrid/);

      router.writeConfig("vrrp: [\n");
      expect(router.command("reload").code).toBe(2);

      router.writeConfig(
        yamlOf({ vrrp: { web: web(150, { interface: "eth9" }), lan: lan(99, ["10.0.0.222/24"]) } }),
      );
      const absent = router.command("reload");
      expect(absent.code).toBe(2);
      expect(absent.stderr + absent.stdout).toContain("eth9");

      const logged = router.log.length;
      router.process.kill("SIGHUP");
      await waitFor(() => router.log.slice(logged).includes("eth9"), {
        timeoutMs: 1500,
        what: "a log of the refusal",
      });

      const enough = wire.adverts().length + 6;
      await waitFor(() => wire.adverts().length > enough, { timeoutMs: 2000, what: "more adverts" });
      expect(await unchanging()).toEqual(before);
      expect(a.addresses()).toEqual(addresses);
      for (const vrid of [51, 52]) {
        const adverts = wire.adverts().filter((advert) => advert.vrid === vrid);
        expect(longestDistance(adverts)).toBeLessThan(150);
        expect(adverts.some(({ priority }) => priority === 0)).toBe(false);
      }

      router.writeConfig(good);
      expect(router.command("reload").code).toBe(0);
      expect(await unchanging()).toEqual(before);
    },
    15_000,
  );
});
