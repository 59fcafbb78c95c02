import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NotifyPlan } from "../../../../mod/notify/model.ts";
import { Notifier } from "../../../../mod/notify/shell.ts";
import { notifyCommands, notifyState } from "../../../../mod/notify/step.ts";

const dir = mkdtempSync(join(tmpdir(), "appliance-notify-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const plan: NotifyPlan = {
  master: [["/up", "now"]],
  backup: [],
  fault: [],
  stop: [],
  any: [["/any", "x"]],
};

/** Whether a process is there and not a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/^\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*(?=\) )/s, ""));
  } catch {
    return false;
  }
}

describe("notifyCommands()", () => {
  test("runs the specific command as written, then the generic one with keepalived's arguments", () => {
    const subject = { kind: "INSTANCE", name: "web", priority: 150 } as const;
    expect(notifyCommands(plan, subject, "master")).toEqual([
      ["/up", "now"],
      ["/any", "x", "INSTANCE", "web", "MASTER", "150"],
    ]);
  });

  test("names groups as such", () => {
    expect(notifyCommands(plan, { kind: "GROUP", name: "site", priority: 0 }, "fault")).toEqual([
      ["/any", "x", "GROUP", "site", "FAULT", "0"],
    ]);
  });

  test("INIT is no news", () => expect(notifyState("init")).toBeNull());
});

describe("Notifier", () => {
  test("runs the commands of one instance in order, a slow one first", async () => {
    const failures: string[] = [];
    const notifier = new Notifier((instance, text) => failures.push(`${instance} ${text}`));
    const file = join(dir, "order");
    notifier.notify("web", "master", [["/bin/sh", "-c", `sleep 0.2; echo first >>${file}`]]);
    notifier.notify("web", "master", [["/bin/sh", "-c", `echo second >>${file}`]]);
    await notifier.settle(5000);
    expect(readFileSync(file, "utf8")).toBe("first\nsecond\n");
    expect(failures).toEqual([]);
  });

  test("does not let one instance wait for another", async () => {
    const notifier = new Notifier(() => {});
    const file = join(dir, "apart");
    notifier.notify("slow", "master", [["/bin/sh", "-c", `sleep 0.5; echo slow >>${file}`]]);
    notifier.notify("quick", "master", [["/bin/sh", "-c", `echo quick >>${file}`]]);
    await notifier.settle(5000);
    expect(readFileSync(file, "utf8")).toBe("quick\nslow\n");
  });

  test("tells what failed and goes on", async () => {
    const failures: string[] = [];
    const notifier = new Notifier((instance, text) => failures.push(`${instance}: ${text}`));
    notifier.notify("web", "master", [["/nowhere/script"], ["/bin/sh", "-c", "exit 3"]]);
    await notifier.settle(5000);
    // Arguments may hold a secret.
    expect(failures).toEqual([
      "web: /nowhere/script on MASTER: no such file or directory",
      "web: /bin/sh on MASTER: exit code 3",
    ]);
  });

  test("settle() does not wait for ever, leaves nothing running, and tells what was not run", async () => {
    const failures: string[] = [];
    const notifier = new Notifier((instance, text) => failures.push(`${instance}: ${text}`));
    const file = join(dir, "pids");
    notifier.notify("web", "master", [["/bin/sh", "-c", `sleep 30 & echo $! >${file}; wait`], [
      "/bin/sh",
      "-c",
      `echo no >>${file}`,
    ]]);
    const started = performance.now();
    notifier.notify("web", "stop", [["/stop.sh", "secret"]]);
    while (!existsSync(file) || readFileSync(file, "utf8") === "") await Bun.sleep(5);
    await notifier.settle(50);
    expect(failures).toEqual([
      "web: /bin/sh on MASTER: killed, as the daemon ends",
      "web: never run, as the daemon ends: /bin/sh on MASTER, /stop.sh on STOP",
    ]);
    expect(performance.now() - started).toBeLessThan(5000);
    const sleeper = Number(readFileSync(file, "utf8"));
    while (isRunning(sleeper) && performance.now() - started < 5000) await Bun.sleep(5);
    expect(isRunning(sleeper)).toBe(false);
    expect(readFileSync(file, "utf8")).not.toContain("no");
  });
});
