/** The program as a whole: how it starts, and how it ends when nobody reads. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { loadText } from "../../../../mod/config/loaded.ts";

const ROOT = resolve(import.meta.dir, "../../../..");
const MAIN = join(ROOT, "main.ts");

/** Files of ours and packages that a program has. */
interface Loaded {
  readonly files: ReadonlySet<string>;
  readonly packages: readonly string[];
}

/** Everything that static imports reach from a file, and whether any of it loads more later. */
function reachable(entry: string): Loaded & { readonly loadsLater: readonly string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const loadsLater: string[] = [];
  const pending = [join(ROOT, entry)];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    expect([file, existsSync(file)]).toEqual([file, true]);
    if (!file.endsWith(".ts")) continue;
    const scanned = new Bun.Transpiler({ loader: "ts" }).scanImports(readFileSync(file, "utf8"));
    for (const { kind, path } of scanned) {
      if (kind === "dynamic-import") loadsLater.push(path);
      if (kind !== "import-statement") continue;
      if (path.startsWith(".")) pending.push(resolve(dirname(file), path));
      else if (!/^(node|bun):/.test(path)) packages.add(path);
    }
  }
  return { files, packages: [...packages].toSorted(), loadsLater };
}

/** What a run of the program has loaded when it ends. */
function loadedBy(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Loaded {
  const folder = mkdtempSync(join(tmpdir(), `appliance-cli-${process.pid}-`));
  const list = join(folder, "loaded.json");
  const witness = join(folder, "witness.ts");
  writeFileSync(
    witness,
    `import { writeFileSync } from "node:fs";
     process.on("exit", () => writeFileSync(${
      JSON.stringify(list)
    }, JSON.stringify(Object.keys(require.cache))));`,
  );
  // Control is spoken to: nobody starts it by hand.
  const shell = ["sh", "-c", ': | "$0" "$@"'];
  Bun.spawnSync([...shell, process.execPath, "--preload", witness, MAIN, ...args], {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    timeout: 10_000,
  });
  const modules = JSON.parse(readFileSync(list, "utf8")) as string[];
  rmSync(folder, { recursive: true });
  const packages = modules.flatMap((path) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  const files = modules.filter((path) => path.startsWith(ROOT) && !path.includes("/node_modules/"));
  return { files: new Set(files), packages: [...new Set(packages)].toSorted() };
}

describe("nothing heavy is loaded before a command wants it", () => {
  const CLI = join(ROOT, "mod/cli/main.ts");

  test("before the command is known: nothing but the runtime", () => {
    const { files, packages } = reachable("main.ts");
    expect(packages).toEqual([]);
    expect([...files].filter((file) => file.startsWith(join(ROOT, "mod/")))).toEqual([]);
    expect(files.size).toBeGreaterThan(3);
  });

  test("the command line: its parser, and neither schemas nor YAML nor the API", () => {
    const { files, packages } = reachable("mod/cli/main.ts");
    expect(packages).toEqual(["commander"]);
    expect(files.size).toBeGreaterThan(15);
    for (const args of [["version"], ["status", "--socket", "/no/such.sock"], ["completion", "bash"]]) {
      const loaded = loadedBy(args);
      expect([args, loaded.packages]).toEqual([args, ["commander"]]);
      expect(loaded.files.has(CLI)).toBe(true);
    }
  });

  test("the engine's image: no package but that for addresses, and nothing later", () => {
    const { files, packages, loadsLater } = reachable("mod/engine/main.ts");
    expect(packages).toEqual(["ipaddr.js"]);
    expect(loadsLater).toEqual([]);
    expect(files.size).toBeGreaterThan(50);
    const loaded = loadedBy([], { APPLIANCE_ENGINE: "nonsense" });
    expect(loaded.packages).toEqual(["ipaddr.js"]);
    expect(loaded.files.has(join(ROOT, "mod/engine/engine.ts"))).toBe(true);
    expect(loaded.files.has(CLI)).toBe(false);
  });

  test("the control process: no schemas, no YAML, no command line", () => {
    const { packages } = loadedBy(["control", "--config", "x.yaml"]);
    expect(packages).toContain("hono");
    for (const heavy of ["zod", "yaml", "commander"]) expect(packages).not.toContain(heavy);
  });

  test("the witness sees what is loaded later, too", () => {
    const loaded = loadedBy(["schema"]);
    expect(loaded.packages).toContain("zod");
  });
});

test("a reader that has closed the pipe is no error", () => {
  const fifo = join(mkdtempSync(join(tmpdir(), `appliance-cli-${process.pid}-`)), "fifo");
  // Opened for both, then only the writing end is left.
  const script = `mkfifo "$2"; exec 3<>"$2" 4>"$2" 3<&-; "$0" "$1" schema >&4`;
  const { exitCode, stderr } = Bun.spawnSync(["bash", "-c", script, process.execPath, MAIN, fifo]);
  rmSync(dirname(fifo), { recursive: true });
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
});

test("what cannot be written is an error", () => {
  const script = `"$0" "$1" schema > /dev/full`;
  const { exitCode, stderr } = Bun.spawnSync(["bash", "-c", script, process.execPath, MAIN]);
  expect([exitCode, stderr.toString()]).toEqual([1, "Cannot write: no space left on device\n"]);
});

test("the exit code is the process's", () => {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, MAIN, "chek"]);
  expect(exitCode).toBe(2);
  expect(stderr.toString()).toBe("error: unknown command 'chek'\n(Did you mean check?)\n");
});

test("the words that the daemon starts its processes by are no commands", () => {
  for (const words of [["control"], ["control", "--config", "x.yaml"], ["tunnel", "gre1"], ["read-config"]]) {
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, ...words], {
      stdin: "ignore",
    });
    expect([exitCode, stdout.toString()]).toEqual([2, ""]);
    expect(stderr.toString()).toStartWith(`error: unknown command '${words[0]}'\n`);
  }
});

test("check reads standard input for -, and says what a directory is", () => {
  const check = (args: readonly string[]) => {
    const stdin = new TextEncoder().encode("nod: a\n");
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, "check", ...args], { stdin });
    return { exitCode, told: `${stdout}${stderr}` };
  };
  for (const args of [["-"], ["-c", "-"]]) {
    expect(check(args)).toEqual({
      exitCode: 2,
      told: "/dev/stdin:1:1: unknown key `nod` (did you mean `node`?)\n",
    });
  }
  expect(check(["/"])).toEqual({ exitCode: 2, told: "Cannot read /: it is a directory\n" });
});

test("what may block for ever is refused; a pipe by its descriptor is read", () => {
  const folder = mkdtempSync(join(tmpdir(), `appliance-cli-${process.pid}-`));
  const bash = (script: string) => {
    const words = ["bash", "-c", `cd "$2"; ${script}`, process.execPath, MAIN, folder];
    const { exitCode, stdout, stderr } = Bun.spawnSync(words, { stdin: "ignore", timeout: 10_000 });
    return { exitCode, told: `${stdout}${stderr}` };
  };
  try {
    expect(bash("mkfifo fifo; ln -s /dev/stdin link; echo 'nod: a' > file")).toMatchObject({ exitCode: 0 });
    expect(bash(`"$0" "$1" check fifo`)).toEqual({
      exitCode: 2,
      told: "Cannot read fifo: it is a named pipe, and no regular file\n",
    });
    expect(bash(`"$0" "$1" check /dev/zero`).told).toBe(
      "Cannot read /dev/zero: it is a device, and no regular file\n",
    );
    const SAYS = "unknown key `nod` (did you mean `node`?)\n";
    for (
      const script of [
        `cat file | "$0" "$1" check -`,
        `"$0" "$1" check - < file`,
        `"$0" "$1" check <(cat file)`,
        `cat file | "$0" "$1" check /proc/self/fd/0`,
        `cat file | "$0" "$1" check link`,
      ]
    ) {
      const { exitCode, told } = bash(script);
      expect([script, exitCode, told.slice(-SAYS.length)]).toEqual([script, 2, SAYS]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a config of any size is handed on whole, though its reader takes its time", async () => {
  const count = 1000;
  const instances = Array.from(
    { length: count },
    (_, index) =>
      `  v${index}: { interface: eth${index >> 7}, vrid: ${1 + index % 128}, addresses: [10.${index >> 7}.0.${
        1 + index % 128
      }/32] }\n`,
  );
  const child = Bun.spawn([process.execPath, MAIN, "read-config", "x.yaml"], {
    stdin: new TextEncoder().encode(`vrrp:\n${instances.join("")}`),
    stdout: "pipe",
  });
  await Bun.sleep(300);
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  expect((JSON.parse(text) as { config: { vrrp: unknown[] } }).config.vrrp).toHaveLength(count);
}, 20_000);

describe("what nobody expected is one line, and no stack", () => {
  /** What control does with what an engine tells that is not well. */
  const told = async (...lines: readonly string[]) => {
    const child = Bun.spawn([process.execPath, MAIN, "control", "--config", "x.yaml"], {
      stdio: ["pipe", "ignore", "pipe"],
      timeout: 10_000,
    });
    // Its input stays open: the end of it is the engine's end.
    child.stdin.write(lines.map((line) => `${line}\n`).join(""));
    child.stdin.flush();
    const stderr = await new Response(child.stderr).text();
    return { exitCode: await child.exited, stderr };
  };
  const config = (loaded: unknown) => JSON.stringify({ type: "config", loaded });
  const HELLO = JSON.stringify({ type: "hello", pid: process.pid, startedMs: 0, source: null });
  const daemon = (config: Record<string, unknown>) => ({
    ok: true,
    warnings: [],
    interfaces: [],
    config: {
      node: "a",
      runtimeDir: "/nonexistent",
      log: { level: "info", format: "text" },
      api: { socket: "/nonexistent/api.sock", listen: null, token: null },
      probes: [],
      tunnels: [],
      groups: [],
      ...config,
    },
  });

  test("a line that is no message ends control before it acts on half of the truth", async () => {
    const { exitCode, stderr } = await told("{nonsense");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^appliance: Cannot read what the engine told \(9 characters\), by a fault .*\n$/);
  });

  test("a report that cannot be taken in", async () => {
    const { exitCode, stderr } = await told(
      config(daemon({ vrrp: [] })),
      JSON.stringify({ type: "instance" }),
      HELLO,
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^\S+ error {3}control: Cannot take in what the engine told \(instance\), by a fault .*\n$/,
    );
  });

  test("a log that cannot be written ends nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), `appliance-cli-${process.pid}-`));
    const words = [
      "sh",
      "-c",
      '"$0" "$@" 2>/dev/full',
      process.execPath,
      MAIN,
      "control",
      "--config",
      "x.yaml",
    ];
    const child = Bun.spawn(words, { stdio: ["pipe", "pipe", "ignore"], timeout: 10_000 });
    const record = JSON.stringify({ type: "log", atMs: 0, level: "error", category: ["engine"], text: "x" });
    const stopping = JSON.stringify({ type: "stopping", handedOn: true });
    const text = `runtime_dir: ${folder}\nvrrp: {}\n`;
    child.stdin.write([config(loadText(text, "x.yaml")), HELLO, record, record, ""].join("\n"));
    child.stdin.flush();
    // Its first word to the engine comes after those records.
    await child.stdout.getReader().read();
    child.stdin.write(`${record}\n${stopping}\n`);
    child.stdin.end();
    // 1 = it has ended by itself.
    expect(await child.exited).toBe(0);
    rmSync(folder, { recursive: true });
  });

  test("an exception that nobody catches", async () => {
    const { exitCode, stderr } = await told(config(daemon({})), HELLO);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^\S+ error {3}control: Cannot go on, by a fault of this program: .*\n$/);
    expect((await told(config({ ok: true }), HELLO)).stderr).toMatch(
      /^appliance: Cannot go on, by a fault .*\n$/,
    );
  });
});
