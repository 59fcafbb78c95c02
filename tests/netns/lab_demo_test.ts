/** The demos of the binary, as a user runs them: what they report, and that nothing is left behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appliancePath, createLab, describeLab, run, waitFor } from "./lab.ts";

const NETNS = "/run/netns";
const STATES = "/run/appliance-lab";
const LONG_MS = 90_000;

/** What `lab demo --json` prints, as far as it is looked at. */
interface Report {
  readonly ok: boolean;
  readonly failures: readonly string[];
  readonly duration_ms: number;
  readonly datapath: "kernel" | "user" | null;
  readonly requests: { readonly answered: number; readonly unanswered: number };
  readonly phases: readonly {
    readonly name: string;
    readonly outage_ms: number;
    readonly limit_ms: number | null;
    readonly served_before: string;
    readonly served_after: string;
  }[];
  readonly timeline: readonly { readonly kind: string; readonly who: string | null; readonly text: string }[];
}

let own: string;

function inode(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/** One run of the binary's `lab`, and everything that it makes. */
class LabRun {
  readonly directory: string;
  readonly child: ChildProcess;
  /** Of every network namespace that was seen. */
  readonly inodes = new Set<number>();
  stdout = "";
  stderr = "";
  code: number | null | undefined;

  constructor(...args: readonly string[]) {
    this.directory = mkdtempSync(join(own, "run-"));
    this.child = spawn(appliancePath(), ["lab", ...args], {
      env: { PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", TMPDIR: this.directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.stdout += text);
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.child.on("close", (code) => this.code = code);
  }

  get prefix(): string {
    return `applab-${this.child.pid}`;
  }

  /** Names of its network namespaces that exist. */
  namespaces(): string[] {
    return existsSync(NETNS) ? readdirSync(NETNS).filter((name) => name.startsWith(`${this.prefix}-`)) : [];
  }

  /** Processes that live in one of its namespaces. */
  processes(): number[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      const own = inode(`/proc/${pid}/ns/net`);
      return own !== null && this.inodes.has(own);
    });
  }

  async end(timeoutMs: number): Promise<number | null> {
    await waitFor(() => {
      for (const name of this.namespaces()) {
        const number = inode(join(NETNS, name));
        if (number !== null) this.inodes.add(number);
      }
      return this.code !== undefined;
    }, { timeoutMs, everyMs: 50, what: "the lab to end", explain: () => this.stdout + this.stderr });
    return this.code!;
  }

  expectNothingLeft(): void {
    // It was there, and has gone.
    expect(this.inodes.size).toBeGreaterThan(3);
    expect({
      namespaces: this.namespaces(),
      processes: this.processes(),
      files: readdirSync(this.directory),
      states: existsSync(STATES) ? readdirSync(STATES).filter((name) => name.includes(this.prefix)) : [],
    }).toEqual({ namespaces: [], processes: [], files: [], states: [] });
  }
}

async function demo(...args: readonly string[]): Promise<Report> {
  const run = new LabRun("demo", "--json", ...args);
  const code = await run.end(70_000);
  expect({ code, stderr: run.stderr }).toEqual({ code: 0, stderr: "" });
  run.expectNothingLeft();
  return JSON.parse(run.stdout) as Report;
}

/** What holds for each demo that went well. */
function expectGood(report: Report, first: string, second: string): void {
  expect(report.failures).toEqual([]);
  expect(report.ok).toBe(true);
  expect(report.requests.answered).toBeGreaterThan(300);
  let server = first;
  for (const { served_before, served_after, outage_ms, limit_ms } of report.phases) {
    expect(served_before).toBe(server);
    // Each act moves it to the other one.
    server = server === first ? second : first;
    expect(served_after).toBe(server);
    expect(outage_ms).toBeGreaterThan(0);
    expect(outage_ms).toBeLessThanOrEqual(limit_ms ?? 1000);
  }
  const transitions = report.timeline.filter(({ kind, text }) =>
    kind === "transition" && text.includes("→ master")
  );
  expect(transitions.length).toBeGreaterThanOrEqual(report.phases.length);
}

/** Labs that somebody left standing on this machine: `down` would take them away. */
function standing(): string[] {
  if (!existsSync(STATES)) return [];
  return readdirSync(STATES).filter((name) => name.endsWith(".json")).filter((name) => {
    try {
      return (JSON.parse(readFileSync(join(STATES, name), "utf8")) as { owner: unknown }).owner === null;
    } catch {
      return false;
    }
  });
}

const others = standing();
if (others.length > 0) console.warn(`skipping lab up and down: ${others.join(", ")} stands on this machine`);

describeLab("appliance lab", [], () => {
  beforeAll(() => {
    own = mkdtempSync(join(tmpdir(), "apltest-demo-"));
  }, 30_000);
  afterAll(() => rmSync(own, { recursive: true, force: true }));

  describe("demo", () => {
    test("of the pair", async () => {
      const report = await demo();
      expectGood(report, "edge-a", "edge-b");
      expect(report.datapath).toBeNull();
      expect(report.phases.map(({ name }) => name)).toEqual(
        ["web-killed", "web-started", "isolated", "healed", "stopped"],
      );
    }, LONG_MS);

    test("of the two sites, over a tunnel that the daemons made", async () => {
      const report = await demo("--gre");
      expectGood(report, "server-a", "server-b");
      expect(["kernel", "user"]).toContain(report.datapath!);
      expect(report.duration_ms).toBeLessThan(40_000);
      expect(report.phases.map(({ name }) => name)).toEqual(
        ["web-killed", "web-started", "stopped", "started", "isolated", "healed"],
      );
      // In good order nobody is left without an answer for longer than a moment.
      const stopped = report.phases.find(({ name }) => name === "stopped")!;
      expect(stopped.outage_ms).toBeLessThan(500);
      expect(
        report.timeline.filter(({ kind, text }) => kind === "tunnel" && text.endsWith(" answers")).length,
      )
        .toBeGreaterThanOrEqual(2);
    }, LONG_MS);
  });

  test("where ip is not installed, the hooks set the router's route by the binary itself", async () => {
    const lab = createLab("reroute");
    try {
      const router = lab.node("router", { addresses: ["10.9.1.1/24", "10.9.2.1/24"] });
      const route = () => router.exec(["ip", "route", "show", "10.9.0.100"]).stdout.trim();
      for (const gateway of ["10.9.1.10", "10.9.2.20", "10.9.2.20"]) {
        const words = ["lab-child", "reroute", router.namespace, "10.9.0.100", gateway];
        expect(run([appliancePath(), ...words])).toMatchObject({ code: 0, stderr: "" });
        expect(route()).toStartWith(`10.9.0.100 via ${gateway} dev eth0`);
      }
      const bad = run([appliancePath(), "lab-child", "reroute", router.namespace, "10.9.0.100", "10.9.3.1"]);
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain("10.9.0.100");
    } finally {
      await lab.close();
    }
  });

  test("a demo that is interrupted leaves nothing either", async () => {
    const run = new LabRun("demo", "--gre");
    const ended = run.end(30_000);
    await waitFor(() => run.stdout.includes("backup → master"), {
      timeoutMs: 20_000,
      what: "a master",
      explain: () => run.stdout + run.stderr,
    });
    run.child.kill("SIGINT");
    expect(await ended).toBe(130);
    run.expectNothingLeft();
  }, LONG_MS);

  test.skipIf(others.length > 0)("what is left standing is served, and taken away by `down`", async () => {
    const run = new LabRun("up", "--gre", "--json");
    expect(await run.end(30_000)).toBe(0);
    const { commands } = JSON.parse(run.stdout) as { commands: { text: string; command: string }[] };
    const type = async (text: string) => {
      const { command } = commands.find((one) => one.text === text)!;
      const shell = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
      let out = "";
      shell.stdout.setEncoding("utf8").on("data", (part: string) => out += part);
      return { code: await new Promise<number | null>((done) => shell.on("close", done)), out };
    };
    try {
      expect(run.processes().length).toBeGreaterThan(3);
      expect(await type("How server-a is")).toMatchObject({
        code: 0,
        out: expect.stringMatching(/gretap1 +gretap +up/),
      });
    } finally {
      expect((await type("Remove all")).code).toBe(0);
    }
    run.expectNothingLeft();
  }, LONG_MS);
});
