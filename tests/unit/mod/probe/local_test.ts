import { afterAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { startTrouble } from "../../../../mod/probe/checks/exec.ts";
import { createCheck } from "../../../../mod/probe/checks/mod.ts";
import type { ExecProbe, ProcessMatch } from "../../../../mod/probe/model.ts";
import { common, errorOf, listen, lives, runOnce, temporaryFolder, until } from "./helpers.ts";

const CHECKS = join(import.meta.dir, "../../../../mod/probe/checks/mod.ts");
const folder = temporaryFolder();
const at = (name: string) => join(folder.path, name);
afterAll(() => folder.remove());

test("tcp: connects, is refused, names that do not exist", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  const port = await listen(server);
  const tcp = (host: string, to: number) =>
    ({ ...common, timeoutMs: 3000, type: "tcp", host, port: to }) as const;
  expect((await runOnce(tcp("127.0.0.1", port))).ok).toBeTrue();
  expect((await runOnce(tcp("localhost", port))).ok).toBeTrue();
  server.close();
  expect(await errorOf(tcp("127.0.0.1", 1))).toBe("connection refused by 127.0.0.1:1");
  expect(await errorOf(tcp("::1", 1))).toBe("connection refused by [::1]:1");
  expect(await errorOf(tcp("nobody.invalid", 1))).toStartWith("cannot resolve nobody.invalid: ");
});

const hasNamespaces = spawnSync("unshare", ["-rn", "true"]).status === 0;

test.skipIf(!hasNamespaces)("tcp: no way to an address is not a refusal by it", () => {
  // The runtime says the same of both. In a network of its own there is no route.
  const code = `
    const { createCheck } = await import(${JSON.stringify(CHECKS)});
    const probe = ${JSON.stringify({ ...common, type: "tcp", host: "192.0.2.1", port: 80 })};
    console.log((await createCheck(probe, () => {}).run(new AbortController().signal)).error);`;
  const { stdout, stderr } = spawnSync("unshare", ["-rn", process.execPath, "-e", code], {
    encoding: "utf8",
  });
  expect([stdout.trim(), stderr]).toEqual(["network of 192.0.2.1:80 is unreachable", ""]);
});

describe("file", () => {
  const file = (path: string, expect: "present" | "absent" | "integer") =>
    ({ ...common, type: "file", path, expect }) as const;

  test("present and absent", async () => {
    writeFileSync(at("there"), "");
    expect((await runOnce(file(at("there"), "present"))).ok).toBeTrue();
    expect((await runOnce(file(at("none"), "absent"))).ok).toBeTrue();
    expect(await errorOf(file(at("none"), "present"))).toBe(`file ${at("none")} does not exist`);
    expect(await errorOf(file(at("there"), "absent"))).toBe(`file ${at("there")} is present`);
  });

  test("integer", async () => {
    writeFileSync(at("number"), " -12\n");
    expect(await runOnce(file(at("number"), "integer"))).toMatchObject({ ok: true, value: -12 });
    writeFileSync(at("number"), "12 apples");
    expect(await errorOf(file(at("number"), "integer")))
      .toBe(`file ${at("number")} holds "12 apples" (expected an integer)`);
    expect(await errorOf(file(at("there"), "integer"))).toBe(
      `file ${at("there")} is empty (expected an integer)`,
    );
    expect(await errorOf(file(at("none"), "integer"))).toBe(`file ${at("none")} does not exist`);
    expect(spawnSync("mkfifo", [at("pipe")]).status).toBe(0);
    expect(await errorOf(file(at("pipe"), "integer"))).toEndWith("is empty (expected an integer)");
  });
});

describe("process", () => {
  const by = (match: ProcessMatch) => ({ ...common, type: "process", process: match }) as const;

  test("by pid file, by command line, and its end is heard at once", async () => {
    const seconds = `${30 + Math.random()}`;
    const child = spawn("sleep", [seconds], { stdio: "ignore" });
    writeFileSync(at("pid"), `${child.pid}\n`);
    expect((await runOnce(by({ by: "cmdline", source: `^sleep ${seconds}$` }))).ok).toBeTrue();
    let heardMs = 0;
    const check = createCheck(by({ by: "pid_file", path: at("pid") }), () => heardMs = performance.now());
    const { signal } = new AbortController();
    expect((await check.run(signal)).ok).toBeTrue();
    const killedMs = performance.now();
    child.kill("SIGKILL");
    await until("the end is heard", () => heardMs > 0);
    expect(heardMs - killedMs).toBeLessThan(50);
    expect(await check.run(signal))
      .toMatchObject({ ok: false, error: `process ${child.pid} (pid file ${at("pid")}) is gone` });
    check.close?.();
    expect(await errorOf(by({ by: "cmdline", source: `^sleep ${seconds}$` })))
      .toBe(`no process with a command line that matches /^sleep ${seconds}$/ is running`);
  });

  test("by name, also one longer than the kernel keeps", async () => {
    const name = `probe-test-${process.pid}-long-name`;
    spawnSync("cp", ["/bin/sleep", at(name)]);
    const child = spawn(at(name), ["30"], { stdio: "ignore" });
    expect((await runOnce(by({ by: "name", name }))).ok).toBeTrue();
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    expect(await errorOf(by({ by: "name", name }))).toBe(`no process named ${name} is running`);
  });

  test("by name, also a script with one longer than the kernel keeps", async () => {
    for (const shebang of ["#!/bin/sh", "#!/bin/sh -e"]) {
      const name = `probe-test-${process.pid}-long-script${shebang.length}.sh`;
      writeFileSync(at(name), `${shebang}\nread line\n`, { mode: 0o755 });
      const child = spawn(at(name), [], { stdio: ["pipe", "ignore", "ignore"] });
      await until("it runs", () => readFileSync(`/proc/${child.pid}/comm`, "utf8").startsWith("probe-test-"));
      expect((await runOnce(by({ by: "name", name }))).ok).toBeTrue();
      expect(await errorOf(by({ by: "name", name: `${name}x` }))).toEndWith("is running");
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      expect(await errorOf(by({ by: "name", name }))).toBe(`no process named ${name} is running`);
    }
  });

  test.if(process.getuid?.() === 0)("by name, only in our own network namespace", async () => {
    const name = `pn${process.pid}`;
    spawnSync("cp", ["/bin/sleep", at(name)]);
    const child = spawn("unshare", ["-n", at(name), "30"], { stdio: "ignore" });
    const comm = () => readFileSync(`/proc/${child.pid}/comm`, "utf8").trim();
    await until("it runs", () => comm() === name);
    expect(await errorOf(by({ by: "name", name })))
      .toBe(`no process named ${name} is running (1 in other network namespaces)`);
    writeFileSync(at("elsewhere"), `${child.pid}`);
    expect((await runOnce(by({ by: "pid_file", path: at("elsewhere") }))).ok).toBeTrue();
    child.kill("SIGKILL");
  });

  test("a zombie is dead", async () => {
    const parent = spawn("sh", ["-c", `sleep 0 & echo $! > ${at("zombie")}; exec sleep 30`], {
      stdio: "ignore",
    });
    const pid = () => existsSync(at("zombie")) ? Number(readFileSync(at("zombie"), "utf8")) : 0;
    const zombie = () => pid() > 0 && /\) Z /.test(readFileSync(`/proc/${pid()}/stat`, "utf8"));
    await until("the child is a zombie", zombie);
    expect(await errorOf(by({ by: "pid_file", path: at("zombie") })))
      .toBe(`process ${pid()} (pid file ${at("zombie")}) is gone`);
    parent.kill("SIGKILL");
  });

  test("pid files that are missing or hold none", async () => {
    expect(await errorOf(by({ by: "pid_file", path: at("none") })))
      .toBe(`no process: pid file ${at("none")} does not exist`);
    expect(await errorOf(by({ by: "pid_file", path: at("there") })))
      .toBe(`pid file ${at("there")} does not hold a process id`);
  });
});

describe("exec", () => {
  const exec = (script: string, more: Partial<ExecProbe> = {}): ExecProbe => {
    const command = ["/bin/sh", "-c", script] as const;
    return { ...common, timeoutMs: 2000, type: "exec", command, user: null, group: null, ...more };
  };

  test("exit code, last line of the output, signals, programs that are none", async () => {
    expect((await runOnce(exec("echo fine"))).ok).toBeTrue();
    expect(await errorOf(exec("exit 4"))).toBe("sh ended with exit code 4");
    expect(await errorOf(exec("echo one; echo two >&2; echo; exit 3"))).toBe(
      "sh ended with exit code 3: two",
    );
    expect(await errorOf(exec("kill -9 $$"))).toBe("sh was ended by SIGKILL");
    const long = await errorOf(exec("head -c 100000 /dev/zero | tr '\\0' x; exit 1"));
    expect(long.length).toBeLessThan(300);
    expect(await errorOf(exec("", { command: ["/no/such"] }))).toBe(
      "cannot run /no/such: no such file or directory",
    );
    expect(await errorOf(exec("", { command: ["/etc/passwd"] }))).toBe(
      "cannot run /etc/passwd: permission denied",
    );
  });

  test.if(process.getuid?.() === 0)("runs as a user", async () => {
    expect(await errorOf(exec("id -un; exit 1", { user: "nobody" }))).toBe(
      "sh ended with exit code 1: nobody",
    );
    expect(await errorOf(exec("id -g; exit 1", { user: "nobody", group: "0" })))
      .toBe("sh ended with exit code 1: 0");
    expect(await errorOf(exec("", { user: "no-such" }))).toBe("cannot run /bin/sh: no such user: no-such");
  });

  test("who is not root is told so where it should be somebody else", () => {
    const denied = { code: "EPERM" };
    expect(startTrouble("/bin/true", "nobody", denied)).toBe(
      "cannot run /bin/true as nobody: the daemon is not root (run it as root, or remove `user`)",
    );
    expect(startTrouble("/bin/true", null, denied)).toBe("cannot run /bin/true: operation not permitted");
  });

  test("what is given time to end at the time-out is killed when the probe ends", async () => {
    const pids = at("pids-closed");
    const script = `trap '' TERM; sleep 60 & echo $! >> ${pids}; echo $$ >> ${pids}; wait; wait`;
    const check = createCheck(exec(script, { timeoutMs: 200 }), () => {});
    await check.run(new AbortController().signal);
    const all = readFileSync(pids, "utf8").trim().split("\n").map(Number);
    expect(all.map(lives)).toEqual([true, true]);
    check.close!();
    // Much less than the 2 s that it would have had.
    await until("all have ended", () => !all.some(lives), 500);
  });

  const groups = [
    ["obeys", "", ""],
    ["ignores SIGTERM", "trap '' TERM;", ""],
    ["ignores SIGTERM but for its leader", "", "trap '' TERM;"],
  ] as const;
  for (const [title, trap, childTrap] of groups) {
    test(`at the time-out nobody is left of a group that ${title}`, async () => {
      const pids = at(`pids-${trap.length}-${childTrap.length}`);
      const script =
        `${trap} (${childTrap} sleep 60 & echo $! >> ${pids}; wait) & echo $! >> ${pids}; echo $$ >> ${pids}; wait`;
      const config = exec(script, { timeoutMs: 200 });
      const check = createCheck(config, () => {});
      const result = await check.run(new AbortController().signal);
      expect(result).toMatchObject({ ok: false, error: "timed out after 200ms: sh has not ended" });
      expect(result.latencyMs).toBeLessThan(400);
      const all = readFileSync(pids, "utf8").trim().split("\n").map(Number);
      expect(all).toHaveLength(3);
      await until("all have ended", () => !all.some(lives) && check.busy!() === false, 4000);
    });
  }
});
