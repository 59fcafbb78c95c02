import { afterAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { NginxProbe, ProbeConfig, ProbeReport } from "../../../../mod/probe/model.ts";
import { createProbeRunner } from "../../../../mod/probe/shell.ts";
import { common, errorOf, listen, lives, request, runOnce, temporaryFolder, until } from "./helpers.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const file = (name: string, path: string): ProbeConfig => ({
  ...common,
  name,
  type: "file",
  path,
  expect: "present",
});

describe("runner", () => {
  test("an interval of 50 ms keeps its period", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).resume());
    const port = await listen(server);
    const starts: number[] = [];
    const configs: ProbeConfig[] = [{ ...common, type: "tcp", host: "127.0.0.1", port }];
    const runner = createProbeRunner(configs, (report) => {
      starts.push(performance.now() - report.state.latencyMs!);
    });
    await until("41 runs", () => starts.length >= 41, 4000);
    runner.stop();
    server.close();
    expect((starts[40]! - starts[0]!) / 40).toBeWithin(49.5, 50.5);
  });

  test("a reload keeps, restarts, adds and removes", async () => {
    const reports: ProbeReport[] = [];
    const runner = createProbeRunner(
      [file("a", "/etc/passwd"), file("b", "/etc/passwd"), file("c", "/")],
      (report) => {
        reports.push(report);
      },
    );
    const runs = () => Object.fromEntries(runner.snapshot().map(({ name, state }) => [name, state.runs]));
    await until("3 runs each", () => Object.values(runs()).every((count) => count >= 3));
    const since = runner.snapshot()[0]!.state.sinceMs;
    const before = runs();
    runner.update([file("d", "/"), file("a", "/etc/passwd"), file("b", "/no/such")]);
    expect(runner.snapshot().map(({ name, state }) => [name, state.status]))
      .toEqual([["d", "unknown"], ["a", "up"], ["b", "up"]]);
    expect(runs()["a"]).toBe(before["a"]!);
    reports.length = 0;
    await until(
      "b is down and d is up",
      () => runner.snapshot()[2]!.state.status === "down" && runs()["d"]! > 0,
    );
    expect(reports.find(({ name }) => name === "b")).toMatchObject({ from: "up", changed: true });
    expect(runner.snapshot()[1]!.state.sinceMs).toBe(since);
    expect(reports.some(({ name }) => name === "c")).toBeFalse();
    runner.stop();
    expect(runner.snapshot()).toEqual([]);
  });

  test("a run that is busy when the next is due is left alone, and stop ends it", async () => {
    const pidFile = join(folder.path, "pids");
    const command = ["/bin/sh", "-c", `echo $$ >> ${pidFile}; exec sleep 60`] as const;
    const config: ProbeConfig = {
      ...common,
      timeoutMs: 60_000,
      type: "exec",
      command,
      user: null,
      group: null,
    };
    let reports = 0;
    const start = performance.now();
    const runner = createProbeRunner([config], () => reports++);
    await until("six slots have passed", () => performance.now() - start > 320);
    const pids = readFileSync(pidFile, "utf8").trim().split("\n").map(Number);
    expect(pids).toHaveLength(1);
    runner.stop();
    await until("the command is gone", () => !lives(pids[0]!));
    expect(reports).toBe(0);
  });
});

/** An nginx of our own in the foreground, with the pids of its workers: what a test ends is what it started. */
async function startNginx(name: string, program = "nginx") {
  const home = join(folder.path, name);
  mkdirSync(join(home, "logs"), { recursive: true });
  const reserve = createServer();
  const port = await listen(reserve);
  await new Promise((resolve) => reserve.close(resolve));
  const pidFile = join(home, "nginx.pid");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) =>
    `${kind}_temp_path ${home}/${kind};`
  );
  const http = `access_log off; ${
    temporary.join(" ")
  } server { listen 127.0.0.1:${port}; location / { return 200 ok; } }`;
  const text =
    `daemon off; pid ${pidFile}; error_log ${home}/e.log; worker_processes 1; events {} http { ${http} }\n`;
  writeFileSync(join(home, "nginx.conf"), text);
  const master: ChildProcess = spawn(program, ["-p", home, "-c", join(home, "nginx.conf")], {
    stdio: "ignore",
  });
  const children = () => readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "utf8").trim();
  await until("nginx has a worker", () => children() !== "");
  return { master, port, pidFile, workers: children().split(" ").map(Number) };
}

const hasNginx = Bun.which("nginx") !== null;

test.if(hasNginx)("nginx: a killed master is noticed at once although its workers answer on", async () => {
  const { master, port, pidFile, workers } = await startNginx("killed");
  const config: NginxProbe = {
    ...common,
    intervalMs: 200,
    fall: 2,
    type: "nginx",
    process: { by: "pid_file", path: pidFile },
    request: request(`http://127.0.0.1:${port}/`, { body: { kind: "text", text: "ok" } }),
  };
  const failures: { readonly atMs: number; readonly report: ProbeReport }[] = [];
  const runner = createProbeRunner([config], (report) => {
    if (report.state.error !== null && killedMs > 0) {
      failures.push({ atMs: performance.now() - killedMs, report });
    }
  });
  let killedMs = 0;
  try {
    await until("nginx is up", () => runner.snapshot()[0]!.state.status === "up");
    killedMs = performance.now();
    master.kill("SIGKILL");
    await until("two failures", () => failures.length >= 2);
    expect(failures[0]!.atMs).toBeLessThan(50);
    expect(failures[0]!.report.state.error).toBe(
      `nginx master process ${master.pid} (pid file ${pidFile}) is gone`,
    );
    expect(failures[0]!.report.state.status).toBe("up");
    expect(failures[1]!.report.state.status).toBe("down");
    expect(failures[1]!.atMs - failures[0]!.atMs).toBeWithin(150, 300);
    expect(workers.some(lives)).toBeTrue();
  } finally {
    runner.stop();
    master.kill("SIGKILL");
    for (const pid of workers) if (lives(pid)) process.kill(pid, "SIGKILL");
  }
});

test.if(hasNginx)("nginx: by name, its workers do not pass for a master", async () => {
  const name = `ngx${process.pid}`;
  copyFileSync(Bun.which("nginx")!, join(folder.path, name));
  const { master, port, workers } = await startNginx("named", join(folder.path, name));
  const match = { by: "name", name } as const;
  const config: NginxProbe = {
    ...common,
    type: "nginx",
    process: match,
    request: request(`http://127.0.0.1:${port}/`),
  };
  try {
    expect((await runOnce(config)).ok).toBeTrue();
    const ended = new Promise((resolve) => master.on("exit", resolve));
    master.kill("SIGKILL");
    await ended;
    expect(workers.some(lives)).toBeTrue();
    expect(await errorOf(config)).toBe(`no nginx master process named ${name} is running`);
  } finally {
    master.kill("SIGKILL");
    for (const pid of workers) if (lives(pid)) process.kill(pid, "SIGKILL");
  }
});
