/** Killed and hung processes of ours: what goes on, what comes back, what lets go. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  describeLab,
  isAlive,
  killAll,
  type Lab,
  type LabNode,
  longestDistance,
  nowMs,
  pairLab,
  pause,
  VIP,
  waitFor,
  webYaml,
} from "./lab.ts";

describeLab("crashes", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => void ({ lab, a, b, client } = pairLab("crash")), 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  test("control is killed: no advert is missed, and it is back within two seconds", async () => {
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150)),
      b.startAppliance(webYaml(100)),
    ]);
    const before = await first.waitState("web", "master", 3000);
    const peer = await second.waitState("web", "backup", 3000);
    const wire = await client.capture("eth0", "ip proto 112");
    await waitFor(() => wire.adverts().length > 2, { timeoutMs: 2000, what: "adverts" });
    const killed = first.controlPid!;
    // What operators look for.
    for (const pid of [first.enginePid, killed]) {
      expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("appliance\n");
    }
    const killedMs = nowMs();
    killAll([killed]);
    await waitFor(() => first.controlPid !== null && first.controlPid !== killed, {
      timeoutMs: 2000,
      what: "a new control",
    });
    const after = await first.waitState("web", "master", 2000);
    const backMs = nowMs() - killedMs;
    console.log(`control killed: the API is back after ${backMs.toFixed(0)} ms`);
    expect(backMs).toBeLessThan(2000);
    expect(after).toMatchObject({ since: before.since, transitions: before.transitions });
    const enough = wire.adverts().length + 5;
    await waitFor(() => wire.adverts().length > enough, { timeoutMs: 2000, what: "more adverts" });
    const gap = longestDistance(wire.adverts("10.0.0.1"));
    console.log(`control killed: largest distance of adverts of 100 ms: ${gap.toFixed(1)} ms`);
    expect(gap).toBeLessThan(200);
    expect(wire.adverts("10.0.0.2")).toHaveLength(0);
    expect((await second.instance("web")).transitions).toBe(peer.transitions);
    // The new one does all that the old one did.
    first.writeConfig(webYaml(160));
    expect(first.command("reload").code).toBe(0);
    await waitFor(async () => (await first.instance("web")).priority.base === 160, {
      timeoutMs: 1000,
      what: "a reload",
    });
    expect(await first.stop()).toMatchObject({ code: 0 });
  }, 15_000);

  test("a reload by signal while control is away is done when it is back", async () => {
    const first = await a.startAppliance(webYaml(150));
    await first.waitState("web", "master", 3000);
    const killed = first.controlPid!;
    first.writeConfig(webYaml(160));
    killAll([killed]);
    // Its pipe may still be open then: what is said into it is lost.
    await waitFor(() => !isAlive(killed), { timeoutMs: 1000, what: "control's end" });
    first.process.kill("SIGHUP");
    await waitFor(async () => (await first.instance("web")).priority.base === 160, {
      timeoutMs: 3000,
      what: "the reload",
    });
    expect(await first.stop()).toMatchObject({ code: 0 });
  }, 10_000);

  test(
    "the engine is killed and its signs of life are gone: control removes the address all the same",
    async () => {
      const first = await a.startAppliance(webYaml(150, { lease: "off" }));
      await first.waitState("web", "master", 3000);
      rmSync(join(first.runtimeDir, "heartbeat"));
      killAll([first.enginePid]);
      await waitFor(() => !a.has(VIP), { timeoutMs: 1000, what: "the address to be gone" });
    },
    10_000,
  );

  test("the engine is killed while control speaks to it: the log stays a log", async () => {
    const first = await a.startAppliance(
      webYaml(150, { advert_interval: "2s", lease: "off" }, { log: { format: "json" } }),
    );
    await first.waitState("web", "master", 9000);
    killAll([first.enginePid]);
    // It waits for a successor for 3.6 s, and meanwhile says once that it is alive.
    await waitFor(() => first.log.includes("removed 10.0.0.100/24"), {
      timeoutMs: 6000,
      what: "control's end",
    });
    for (const line of first.log.trim().split("\n").slice(1)) expect(() => JSON.parse(line)).not.toThrow();
  }, 20_000);

  test("the engine hangs and is killed with words unread: control cleans up all the same", async () => {
    const first = await a.startAppliance(webYaml(150, { lease: "off" }));
    await first.waitState("web", "master", 3000);
    killAll([first.enginePid], "SIGSTOP");
    // Control says now and then that it is alive, whatever the engine does: more than once within that.
    await pause(6500);
    killAll([first.enginePid]);
    await waitFor(() => !a.has(VIP), { timeoutMs: 2000, what: "the address to be gone" });
    await waitFor(() => first.log.includes(`removed ${VIP}/24`), {
      timeoutMs: 1000,
      what: "the log to tell",
    });
    expect(first.log).not.toContain("ECONNRESET");
  }, 20_000);

  test("control hangs: it is ended and another takes its place", async () => {
    const first = await a.startAppliance(webYaml(150));
    await first.waitState("web", "master", 3000);
    const hung = first.controlPid!;
    killAll([hung], "SIGSTOP");
    await waitFor(() => first.controlPid !== null && first.controlPid !== hung, {
      timeoutMs: 20_000,
      what: "a new control",
    });
    await first.waitState("web", "master", 2000);
    expect(first.log).toContain("the control process hangs");
    expect(await first.stop()).toMatchObject({ code: 0 });
  }, 30_000);

  test("a request to stop while it is being started ends it in order, control too", async () => {
    const first = await a.startAppliance(webYaml(150), { ready: false });
    const control = await waitFor(() => first.controlPid, {
      timeoutMs: 2000,
      what: "control",
      everyMs: 1,
    });
    expect(await first.stop()).toMatchObject({ code: 0, signal: null });
    await waitFor(() => !isAlive(control), { timeoutMs: 1000, what: "control to be gone" });
  }, 10_000);

  test("a reload that a stop overtakes begins nothing anew", async () => {
    const first = await a.startAppliance(webYaml(150, { advert_interval: "10ms" }));
    await first.waitState("web", "master", 3000);
    const wire = await client.capture("eth0", "ip proto 112");
    await waitFor(() => wire.adverts().length > 2, { timeoutMs: 2000, what: "adverts" });
    killAll([first.enginePid], "SIGHUP");
    expect(await first.stop()).toMatchObject({ code: 0 });
    const priorities = wire.adverts().map(({ priority }) => priority);
    expect(priorities.slice(priorities.indexOf(0))).toEqual([0]);
  }, 10_000);

  test(
    "kill -9 of both processes: the address is gone within the lease and a second, and the peer serves",
    async () => {
      const [first, second] = await Promise.all([
        a.startAppliance(webYaml(150)),
        b.startAppliance(webYaml(100)),
      ]);
      await first.waitState("web", "master", 3000);
      const ping = client.ping(VIP, 5);
      await ping.answered();
      const killedMs = nowMs();
      await first.killHard();
      await second.waitState("web", "master", 1000);
      await waitFor(() => client.neighbour(VIP) === b.mac(), {
        timeoutMs: 500,
        what: "the client to know the peer",
      });
      await waitFor(() => !a.has(VIP), { timeoutMs: 4500, what: "the address to be gone", everyMs: 20 });
      const goneMs = nowMs() - killedMs;
      console.log(`kill -9 of both: the address (lease 3 s) is gone after ${goneMs.toFixed(0)} ms`);
      expect(goneMs).toBeLessThan(4000);
      await ping.answered({ sinceMs: nowMs() });
      expect(client.neighbour(VIP)).toBe(b.mac());
    },
    15_000,
  );

  test("kill -9 of the engine alone: control lets go of the address and ends", async () => {
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150)),
      b.startAppliance(webYaml(100)),
    ]);
    await first.waitState("web", "master", 3000);
    const control = first.controlPid!;
    killAll([first.enginePid]);
    await waitFor(() => !isAlive(control), { timeoutMs: 2000, what: "control to end" });
    await waitFor(() => !a.has(VIP), { timeoutMs: 500, what: "the address to be gone" });
    await second.waitState("web", "master", 1000);
  }, 10_000);

  test(
    "both are hung: the address is gone within the lease and a second; awake, they do not disturb",
    async () => {
      const [first, second] = await Promise.all([
        a.startAppliance(webYaml(150, { lease: "1s" })),
        b.startAppliance(webYaml(100, { lease: "1s" })),
      ]);
      await first.waitState("web", "master", 3000);
      await second.waitState("web", "backup", 3000);
      const ping = client.ping(VIP, 5);
      await ping.answered();
      const wire = await client.capture("eth0", "ip proto 112");
      const stoppedMs = nowMs();
      const pids = first.pids;
      killAll(pids, "SIGSTOP");
      await second.waitState("web", "master", 1000);
      await waitFor(() => !a.has(VIP), { timeoutMs: 2500, what: "the address to be gone", everyMs: 20 });
      const goneMs = nowMs() - stoppedMs;
      console.log(`SIGSTOP of both: the address (lease 1 s) is gone after ${goneMs.toFixed(0)} ms`);
      expect(goneMs).toBeLessThan(2000);
      await ping.answered({ sinceMs: nowMs() });
      expect(client.neighbour(VIP)).toBe(b.mac());

      const awakeMs = nowMs();
      killAll(pids, "SIGCONT");
      // It has the higher priority: it hears the peer first and then preempts it, as it should.
      await waitFor(async () => a.has(VIP) && (await first.instance("web")).state === "master", {
        timeoutMs: 2000,
        what: "a to preempt",
      });
      await second.waitState("web", "backup", 500);
      await ping.answered({ sinceMs: nowMs() });
      const since = wire.adverts().filter(({ atMs, priority }) => atMs > awakeMs && priority > 0);
      const firstOfA = since.find(({ from }) => from === "10.0.0.1")!.atMs;
      const lastOfB = since.findLast(({ from }) => from === "10.0.0.2")?.atMs ?? firstOfA;
      console.log(`SIGCONT: two masters for ${Math.max(0, lastOfB - firstOfA).toFixed(1)} ms`);
      expect(lastOfB - firstOfA).toBeLessThan(150);
      const gap = ping.longestGap(awakeMs).lengthMs;
      expect(gap).toBeLessThan(300);
      const history = first.events().filter(({ kind }) => kind === "transition").map(({ text }) => text);
      expect(history.join("\n")).toMatch(/held up/);
    },
    15_000,
  );
});
