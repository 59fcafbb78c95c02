/** The API by curl, over the unix socket and over TCP, and the commands that read it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Appliance,
  appliancePath,
  createLab,
  describeLab,
  killAll,
  type Lab,
  type LabNode,
  nowMs,
  run,
  type StatusDocument,
  VIP,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";

describeLab("the API", ["curl"], () => {
  let lab: Lab;
  let a: LabNode;
  let router: Appliance;
  let flag: string;

  const yaml = () =>
    yamlOf({
      api: { listen: "127.0.0.1:8405" },
      probes: { flag: { type: "file", path: flag, expect: "absent", interval: "50ms" } },
      vrrp: { web: web(150, { track: [{ probe: "flag", weight: -50 }] }) },
    });

  beforeAll(async () => {
    lab = createLab("api");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    flag = join(lab.directory, "flag");
    router = await a.startAppliance(yaml());
    await router.waitState("web", "master", 3000);
  }, 10_000);
  afterAll(() => lab.close(), 30_000);

  const overSocket = (path: string, ...more: readonly string[]) =>
    run([
      "curl",
      "-sS",
      "--max-time",
      "3",
      "--unix-socket",
      router.socketPath,
      ...more,
      `http://localhost${path}`,
    ]);
  const overTcp = (path: string, ...more: readonly string[]) =>
    a.exec(["curl", "-sS", "--max-time", "3", ...more, `http://127.0.0.1:8405${path}`]);

  test("/status is the document of the contract, the same over both", () => {
    const document = JSON.parse(overSocket("/status").stdout) as StatusDocument;
    expect(Object.keys(document)).toEqual(
      expect.arrayContaining([
        "node",
        "version",
        "healthy",
        "uptime_s",
        "instances",
        "probes",
        "tunnels",
        "services",
        "balance",
      ]),
    );
    expect(document).toMatchObject({ node: "a", healthy: true, tunnels: [], services: [], balance: [] });
    expect(document.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(document.uptime_s).toBeGreaterThan(0);
    const [instance] = document.instances;
    expect(instance).toMatchObject({
      name: "web",
      state: "master",
      vrid: 51,
      version: 3,
      family: "ipv4",
      interface: "eth0",
      priority: { base: 150, effective: 150, adjustments: [] },
      master: { address: "10.0.0.1", priority: 150 },
      addresses: [`${VIP}/24`],
    });
    expect(instance!.reason).toMatch(/no advertisement heard for/);
    expect(new Date(instance!.since).toISOString()).toBe(instance!.since);
    expect(Math.abs(Date.now() - Date.parse(instance!.since))).toBeLessThan(30_000);
    expect(Object.keys(instance!.adverts.dropped)).toEqual(
      expect.arrayContaining(["checksum", "ttl", "auth", "interval"]),
    );
    expect(document.probes[0]).toMatchObject({ name: "flag", type: "file", state: "up", error: null });
    expect(typeof document.probes[0]!.latency_ms).toBe("number");

    const again = JSON.parse(overTcp("/status").stdout) as StatusDocument;
    expect(again.instances[0]).toMatchObject({ name: "web", state: "master", since: instance!.since });
    const byCommand = router.statusByCommand();
    expect(byCommand.instances[0]).toMatchObject({ name: "web", state: "master", since: instance!.since });
    expect(overSocket("/status", "-o", "/dev/null", "-w", "%{content_type}").stdout).toMatch(
      /^application\/json/,
    );
  });

  test("/healthz, /metrics, /openapi.json and what is not there", () => {
    const code = ["-o", "/dev/null", "-w", "%{http_code}"];
    expect(overSocket("/healthz", ...code).stdout).toBe("200");
    expect(overSocket("/nothing", ...code).stdout).toBe("404");
    expect(overTcp("/healthz", ...code).stdout).toBe("200");
    // HAProxy's check: HTTP/1.0 without a Host header.
    for (const over of [overSocket, overTcp]) {
      expect(over("/healthz", "--http1.0", "-H", "Host:", ...code).stdout).toBe("200");
    }

    const metrics = overSocket("/metrics", "-D", "-").stdout;
    expect(metrics).toMatch(/^content-type: text\/plain; version=0\.0\.4/im);
    expect(metrics).toMatch(/^# TYPE appliance_\w+ (gauge|counter)$/m);
    expect(metrics).toMatch(/^appliance_\w*state\w*\{[^}]*instance="web"[^}]*\} [01-9]/m);
    const samples = metrics.split("\r\n\r\n")[1]!.split("\n").filter((line) =>
      line !== "" && !line.startsWith("#")
    );
    for (const sample of samples) {
      expect(sample).toMatch(/^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? (NaN|[+-]?Inf|[-+.e0-9]+)( \d+)?$/);
    }

    const openapi = JSON.parse(overSocket("/openapi.json").stdout) as {
      openapi: string;
      paths: Record<string, unknown>;
    };
    expect(openapi.openapi).toMatch(/^3\./);
    for (const path of ["/status", "/healthz", "/metrics", "/events"]) {
      const described = Object.keys(openapi.paths);
      expect(described).toContain(path);
    }
  });

  test("/events streams what happens as it happens", async () => {
    const lines: string[] = [];
    const stream = lab.keep(
      a.spawn(
        ["curl", "-sSN", "--max-time", "20", "http://127.0.0.1:8405/events"],
        (line) => lines.push(line),
      ),
    );
    await waitFor(() => a.exec(["ss", "-Htn", "state", "established", "dport = :8405"]).stdout !== "", {
      timeoutMs: 2000,
      what: "curl to be connected",
    });
    writeFileSync(flag, "");
    const data = (text: RegExp) => lines.filter((line) => line.startsWith("data:") && text.test(line));
    await waitFor(() => data(/"priority"/).some((line) => /150.*100/.test(line)), {
      timeoutMs: 2000,
      what: "a priority event",
      explain: () => lines.join("\n"),
    });
    for (const line of data(/./)) {
      expect(JSON.parse(line.slice(5))).toMatchObject({ kind: expect.any(String) });
    }
    expect(data(/"probe"/).length).toBeGreaterThan(0);
    stream.kill("SIGKILL");
    run(["rm", flag]);
    await waitFor(async () => (await router.instance("web")).priority.effective === 150, {
      timeoutMs: 2000,
      what: "the old priority",
    });
  }, 10_000);

  test("TCP without a token only reads; the socket is for its group alone", () => {
    const code = ["-o", "/dev/null", "-w", "%{http_code}", "-X", "POST"];
    for (const path of ["/reload", "/instances/web/release", "/maintenance", "/status"]) {
      expect(Number(overTcp(path, ...code).stdout)).toBeGreaterThanOrEqual(400);
    }
    expect(statSync(router.socketPath).mode & 0o777).toBe(0o660);
  });

  test("commands: exit codes, text for people, JSON for programs", () => {
    expect(router.command("status").code).toBe(0);
    expect(router.command("status").stdout).toContain("web");
    expect(router.command("explain").stdout).toContain("web");
    expect(router.command("explain", "web").code).toBe(0);
    expect(JSON.parse(router.command("explain", "--json").stdout)).toBeTruthy();
    expect(router.events().some(({ kind }) => kind === "transition")).toBe(true);
    expect(router.command("check").code).toBe(0);
    const nobody = join(lab.directory, "nobody.yaml");
    writeFileSync(nobody, `runtime_dir: ${lab.directory}/nowhere\nvrrp: {}\n`);
    for (const command of ["status", "explain", "events", "reload"]) {
      const { code, stderr } = run([appliancePath(), command, "-c", nobody]);
      expect([command, code]).toEqual([command, 3]);
      expect(stderr).not.toBe("");
    }
    const version = run([appliancePath(), "version"]);
    expect(version).toMatchObject({ code: 0 });
    expect(version.stdout).toContain(router.statusByCommand().version);
    const unknown = run([appliancePath(), "statsu"]);
    expect(unknown.code).not.toBe(0);
    expect(unknown.stderr).toContain("status");
  }, 10_000);

  test("readers are served again while control is replaced, and nothing is forgotten", async () => {
    const before = await router.instance("web");
    const failures: string[] = [];
    const killedMs = nowMs();
    killAll([router.controlPid!]);
    let back: StatusDocument | null = null;
    while (back === null && nowMs() - killedMs < 3000) {
      const answer = overSocket("/status");
      if (answer.code === 0) back = JSON.parse(answer.stdout) as StatusDocument;
      else failures.push(answer.stderr);
    }
    expect(nowMs() - killedMs).toBeLessThan(2000);
    // Whoever answers knows the instances: an empty document would be a lie.
    expect(back!.instances[0]).toMatchObject({ name: "web", state: "master", since: before.since });
    for (const failure of failures) expect(failure).toMatch(/[Cc]ouldn't connect|refused|Empty reply|reset/);
    expect(back!.instances[0]!.transitions).toBe(before.transitions);
    await waitFor(async () => (await router.status()).probes[0]?.state === "up", {
      timeoutMs: 2000,
      what: "the probe to run again",
    });
    expect(overTcp("/healthz", "-o", "/dev/null", "-w", "%{http_code}").stdout).toBe("200");
  }, 10_000);

  test("a reload that moves or removes the TCP listener has done so when it answers", () => {
    const token = join(lab.directory, "token");
    writeFileSync(token, "s3cret\n");
    const listening = (listen: string) =>
      yaml().replace('"listen":"127.0.0.1:8405"', `${listen}"token_file":"${token}"`);
    const code = ["-o", "/dev/null", "-w", "%{http_code}"];
    const health = (port: number) =>
      a.exec(["curl", "-s", "--max-time", "3", ...code, `http://127.0.0.1:${port}/healthz`]).stdout;
    for (const port of [8407, 8405, 8407, 8405]) {
      router.writeConfig(listening(`"listen":"127.0.0.1:${port}",`));
      expect(router.command("reload")).toMatchObject({ code: 0 });
      expect([health(port), health(port === 8405 ? 8407 : 8405)]).toEqual(["200", "000"]);
    }
    // The answer goes by the listener that it closes.
    router.writeConfig(listening(""));
    const answer = overTcp("/reload", "-X", "POST", "-H", "Authorization: Bearer s3cret");
    expect(JSON.parse(answer.stdout)).toMatchObject({ ok: true });
    expect(health(8405)).toBe("000");
    router.writeConfig(yaml());
    expect(router.command("reload")).toMatchObject({ code: 0 });
    expect(health(8405)).toBe("200");
  }, 15_000);

  test(
    "a reload finds the daemon also where the file has moved its socket, and tells nobody else to reload",
    () => {
      const moved = join(lab.directory, "elsewhere", "api.sock");
      router.writeConfig(yaml().replace("api: {", `api: {"socket":"${moved}",`));
      expect(router.command("status").code).toBe(3);
      expect(router.command("reload")).toMatchObject({ code: 0 });
      expect(router.command("status").code).toBe(0);
      expect(existsSync(moved)).toBe(true);
      router.writeConfig(yaml());
      // Another file is another daemon's, though it may look alike.
      const copy = join(lab.directory, "copy.yaml");
      writeFileSync(
        copy,
        readFileSync(router.configPath, "utf8").replace("api: {", `api: {"socket":"${moved}2",`),
      );
      expect(run([appliancePath(), "reload", "-c", copy]).code).toBe(3);
      // Whoever may not look is told what to type.
      chmodSync(lab.directory, 0o755);
      chmodSync(router.configPath, 0o644);
      const argv = [appliancePath(), "reload", "-c", router.configPath];
      const { code, stderr } = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...argv]);
      expect([code, stderr]).toEqual([
        3,
        expect.stringContaining(`(kill -HUP ${router.enginePid} reloads it)`),
      ]);
      expect(router.command("reload")).toMatchObject({ code: 0 });
      expect(router.command("status").code).toBe(0);
    },
    15_000,
  );

  test(
    "a reload by signal to where nobody can listen says so in log and history, and changes nothing",
    async () => {
      router.writeConfig(yaml().replace("127.0.0.1:8405", "192.0.2.1:8405"));
      killAll([router.enginePid], "SIGHUP");
      const told = "Cannot listen on 192.0.2.1:8405";
      await waitFor(
        () => router.events().some(({ kind, text }) => kind === "reload" && text.includes(told)),
        {
          timeoutMs: 3000,
          what: "the refusal in the history",
          explain: () => router.log,
        },
      );
      await waitFor(() => router.log.includes(told), { timeoutMs: 1000, what: "the refusal in the log" });
      expect(overTcp("/healthz", "-o", "/dev/null", "-w", "%{http_code}").stdout).toBe("200");
    },
    10_000,
  );

  test("SIGUSR1, which keepalived dumps its state at, ends neither process", async () => {
    const control = router.controlPid!;
    killAll([router.enginePid, control], "SIGUSR1");
    await waitFor(() => router.log.includes("SIGUSR1 does nothing here"), {
      timeoutMs: 2000,
      what: "the answer in the log",
      explain: () => router.log,
    });
    expect([(await router.status()).engine?.pid, router.controlPid]).toEqual([router.enginePid, control]);
  });
});
