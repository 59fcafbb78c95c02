import { afterAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { findKernel, parseMemory } from "./host.ts";
import { waitFor } from "../netns/lab.ts";
import { runInKernel } from "./run.ts";

const BOOT_MS = 30_000;
const TREE = join(import.meta.dirname, "../..");
const inGuest = process.env.APPLIANCE_KERNEL_LAB === "guest";

/** A first run tells whether this machine can have the lab at all: only a boot can. */
const skipped = inGuest ? "this is the lab" : (await runInKernel(["true"], { modules: [] })).skipped;
if (skipped !== null) console.warn(`skipped: the kernel lab: ${skipped}`);
const testBoot = test.skipIf(skipped !== null);

/** Labs of this file work in a folder of their own, so that others on the machine do not disturb what is counted. */
const own = mkdtempSync(join(tmpdir(), "lab-test-"));
const tmpdirBefore = process.env.TMPDIR;
process.env.TMPDIR = own;
afterAll(() => {
  if (tmpdirBefore === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = tmpdirBefore;
  rmSync(own, { recursive: true });
});

/** Processes of this file's guests. */
function guestProcesses(): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`LAB_JOB=${own}`);
    } catch {
      return false;
    }
  });
}

testBoot("a command's exit code, output and arguments arrive as they are", async () => {
  const words = ["it's", "$HOME", "two words", "", "ü\n"];
  const pieces: string[] = [];
  const result = await runInKernel(
    [
      "bash",
      "-c",
      'printf "<%s>" "$@"; uname -r; pwd; echo "$APPLIANCE_NOTE" >&2; exit 42',
      "bash",
      ...words,
    ],
    {
      modules: [],
      cwd: join(TREE, "tests"),
      environment: { APPLIANCE_NOTE: "it's noted" },
      onOutput: (text) => pieces.push(text),
    },
  );
  const [, kernel, folder, note] = result.output.slice(result.output.indexOf("<ü")).split("\n");
  expect(result.exitCode).toBe(42);
  expect(result.output).toStartWith(words.map((word) => `<${word}>`).join(""));
  expect(kernel).not.toBe(`>${release()}`);
  expect([folder, note]).toEqual([join(TREE, "tests"), "it's noted"]);
  expect(pieces.join("")).toBe(result.output);
}, BOOT_MS);

testBoot("two labs at once know nothing of each other, and leave nothing on the host", async () => {
  const litter = [
    "/run/netns/lab-litter",
    join(TREE, "lab-litter"),
    "/tmp/lab-litter",
    "/etc/lab-litter",
  ];
  const script = `
    ip netns add lab-litter || exit 3
    for path in ${litter.slice(1).map((path) => `'${path}'`).join(" ")}; do
      [ -e "$path" ] && exit 4
      echo "$NAME" >"$path" || exit 5
    done
    touch /lab/ready; ip link add lab$NAME type dummy; ls /sys/class/net
    sleep 1; cat '${litter[1]}'`;
  const results = await Promise.all(
    ["one", "two"].map((NAME) => runInKernel(script, { environment: { NAME }, modules: ["dummy"] })),
  );
  for (const [index, name] of ["one", "two"].entries()) {
    const { exitCode, output } = results[index]!;
    expect({ exitCode, lines: output.trim().split("\n") }).toEqual({
      exitCode: 0,
      lines: [`lab${name}`, "lo", name],
    });
  }
  expect(litter.filter((path) => existsSync(path))).toEqual([]);
  expect(readdirSync(own)).toEqual([]);
}, BOOT_MS);

testBoot("a command that takes too long is stopped, with its processes; what it said is kept", async () => {
  const { exitCode, output } = await runInKernel("echo before; sleep 60", { timeoutMs: 5000, modules: [] });
  expect(exitCode).toBe(124);
  expect(output).toBe("before\nlab: stopped after 5 s\n");
  await waitFor(() => guestProcesses().length === 0, {
    timeoutMs: 2000,
    what: "the guest's processes to end",
  });
}, BOOT_MS);

testBoot("a runner that is interrupted takes its guest along", async () => {
  const runner = spawn(process.execPath, [join(import.meta.dirname, "run.ts"), "echo started; sleep 60"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  runner.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  const ended = new Promise((resolve) => runner.once("exit", resolve));
  await waitFor(() => output === "started\n", { timeoutMs: 15_000, what: "the guest to boot" });
  expect(guestProcesses().length).toBeGreaterThan(0);
  runner.kill("SIGINT");
  expect(await ended).toBe(130);
  await waitFor(() => guestProcesses().length === 0, {
    timeoutMs: 500,
    what: "the guest's processes to end",
  });
  expect(readdirSync(own)).toEqual([]);
}, BOOT_MS);

testBoot("a module that is not there, and a kernel that dies, are failures that say so", async () => {
  const [module, death] = await Promise.all([
    runInKernel(["true"], { modules: ["no_such_module"] }),
    runInKernel("echo c >/proc/sysrq-trigger; sleep 9", { modules: [] }),
  ]);
  expect(module.exitCode).toBe(125);
  expect(module.output).toContain("lab: cannot load module no_such_module: modprobe: FATAL");
  expect(death.exitCode).toBe(125);
  expect(death.output).toContain("lab: the kernel ended early");
  expect(death.output).toContain("Kernel panic - not syncing: sysrq triggered crash");
}, BOOT_MS);

test("parseMemory() reads sizes as the kernel does, and refuses others", () => {
  expect(["1G", "512M", "64k"].map(parseMemory)).toEqual([2 ** 30, 2 ** 29, 2 ** 16]);
  for (const text of ["", "1", "G", "1.5G", "0M", "1GB"]) expect(() => parseMemory(text)).toThrow(RangeError);
});

test("findKernel() says what is missing", () => {
  expect(findKernel(2 ** 60)).toMatchObject({ ok: false });
});
