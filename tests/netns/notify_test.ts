/** Notify commands over a daemon's life: a reload, a control process that dies, the end; and what runs at the end. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Appliance,
  createLab,
  describeLab,
  isAlive,
  killAll,
  type Lab,
  type LabNode,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";

describeLab("notify commands", [], () => {
  let lab: Lab;
  let a: LabNode;
  let told: string;
  let hook: string;

  beforeAll(() => {
    lab = createLab("notify");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    told = join(lab.directory, "told");
    hook = join(lab.directory, "hook.sh");
    writeFileSync(hook, `#!/bin/sh\necho "$*" >> ${told}\n`, { mode: 0o755 });
  }, 10_000);
  afterEach(async () => {
    await lab.reset();
    rmSync(told, { force: true });
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  const lines = () => existsSync(told) ? readFileSync(told, "utf8").trimEnd().split("\n") : [];
  const hooks = (name: string) => ({
    fault: [[hook, `${name}-fault`]],
    backup: [[hook, `${name}-backup`]],
    stop: [[hook, `${name}-stop`]],
    any: [[hook]],
  });
  const until = (line: string, router: Appliance) =>
    waitFor(() => lines().includes(line), {
      timeoutMs: 3000,
      what: line,
      explain: () => lines().join("\n") + router.log,
    });

  test("a reload that replaces an instance runs the commands of both", async () => {
    const yaml = (name: string, vrid: number) =>
      yamlOf({
        vrrp: {
          [name]: web(150, { vrid, notify: hooks(name) }),
          [`${name}-b`]: web(150, { vrid: vrid + 1, addresses: ["10.0.0.200/24"] }),
        },
        groups: { [`${name}s`]: { members: [name, `${name}-b`], notify: hooks(`${name}s`) } },
      });
    const router = await a.startAppliance(yaml("web", 51));
    await until("INSTANCE web MASTER 150", router);
    await until("GROUP webs MASTER 0", router);
    const before = lines().length;
    router.writeConfig(yaml("web9", 59));
    expect(router.command("reload").code).toBe(0);
    await until("INSTANCE web9 MASTER 150", router);
    await until("GROUP web9s MASTER 0", router);
    await until("GROUP webs FAULT 0", router);
    const news = lines().slice(before);
    const of = (pattern: RegExp) => news.filter((line) => pattern.test(line));
    expect(of(/web\b/)).toEqual(["web-fault", "INSTANCE web FAULT 150"]);
    expect(of(/web9\b/)).toEqual(["web9-backup", "INSTANCE web9 BACKUP 150", "INSTANCE web9 MASTER 150"]);
    expect(of(/webs\b/)).toEqual(["webs-fault", "GROUP webs FAULT 0"]);
    expect(of(/web9s\b/)).toEqual(["web9s-backup", "GROUP web9s BACKUP 0", "GROUP web9s MASTER 0"]);
  }, 10_000);

  test(
    "a control process that is started anew runs nothing again; the end tells the effective priority",
    async () => {
      const down = join(lab.directory, "down");
      const router = await a.startAppliance(yamlOf({
        probes: { flag: { type: "file", path: down, expect: "absent", interval: "50ms" } },
        vrrp: { web: web(150, { track: [{ probe: "flag", weight: -20 }], notify: hooks("web") }) },
      }));
      await until("INSTANCE web MASTER 150", router);
      const before = lines();
      const killed = router.controlPid!;
      killAll([killed]);
      await waitFor(() => router.controlPid !== null && router.controlPid !== killed, {
        timeoutMs: 2000,
        what: "a new control",
      });
      // It is all there again, so it has heard the history.
      await router.waitState("web", "master", 2000);
      writeFileSync(down, "");
      await waitFor(async () => (await router.instance("web")).priority.effective === 130, {
        timeoutMs: 3000,
        what: "the priority to fall",
      });
      expect(await router.stop()).toMatchObject({ code: 0 });
      expect(lines()).toEqual([...before, "web-stop", "INSTANCE web STOP 130"]);
      expect(router.log.match(/backup → master/g)).toHaveLength(1);
    },
    15_000,
  );

  test("a command that fails is an event, without its arguments", async () => {
    const bad = join(lab.directory, "bad.sh");
    const gone = join(lab.directory, "gone.sh");
    writeFileSync(bad, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
    const router = await a.startAppliance(yamlOf({
      vrrp: {
        web: web(150, { notify: { master: [[bad, "secret"]] } }),
        lan: web(150, { vrid: 52, addresses: ["10.0.0.200/24"] }),
      },
      groups: { both: { members: ["web", "lan"], notify: { master: [[gone, "secret"]] } } },
    }));
    const expected = [
      ["both", `${gone} on MASTER: no such file or directory`],
      ["web", `${bad} on MASTER: exit code 3`],
    ];
    const errors = () =>
      router.events().filter(({ kind }) => kind === "error").map(({ subject, text }) => [subject, text])
        .sort();
    await waitFor(() => errors().length === expected.length, {
      timeoutMs: 5000,
      what: "both events",
      explain: () => router.log,
    });
    expect(errors()).toEqual(expected);
    for (const [subject, text] of expected) {
      const line = new RegExp(`warning notify\\.[A-Z]+ ${subject}: ${text}`);
      await waitFor(() => line.test(router.log), { timeoutMs: 1000, what: text!, explain: () => router.log });
    }
    // Told before it had to be run.
    expect(router.log).toContain(`cannot be run: this machine has no ${gone}`);
    expect(router.log).not.toContain("secret");
  }, 10_000);

  test(
    "at the end nothing goes on: neither a command that hangs nor a probe's that was asked to end",
    async () => {
      const pids = join(lab.directory, "pids");
      const stubborn = (name: string) => {
        const path = join(lab.directory, name);
        writeFileSync(path, `#!/bin/sh\ntrap '' TERM\nsleep 60 &\necho $! $$ >> ${pids}\nwait; wait\n`, {
          mode: 0o755,
        });
        return path;
      };
      const probe = stubborn("probe.sh");
      const slow = stubborn("slow.sh");
      const router = await a.startAppliance(yamlOf({
        probes: { slow: { type: "exec", command: [probe], timeout: "300ms", interval: "1s" } },
        vrrp: { web: web(150, { notify: { master: [[slow, "secret"]], stop: [[hook, "secret"]] } }) },
      }));
      await waitFor(async () => (await router.status()).probes[0]?.state === "down", {
        timeoutMs: 3000,
        what: "the probe's time to be over",
        explain: () => router.log,
      });
      const all = () => readFileSync(pids, "utf8").trim().split(/\s+/).map(Number);
      await waitFor(() => all().length === 4, { timeoutMs: 3000, what: "both to run" });
      expect(all().filter(isAlive)).toHaveLength(4);
      expect(await router.stop()).toMatchObject({ code: 0 });
      await waitFor(() => !all().some(isAlive), { timeoutMs: 100, what: "all to be gone" });
      expect(router.log).toContain(`${slow} on MASTER: killed, as the daemon ends`);
      expect(router.log).toContain(`never run, as the daemon ends: ${hook} on STOP`);
      expect(router.log).not.toContain("secret");
    },
    10_000,
  );
});
