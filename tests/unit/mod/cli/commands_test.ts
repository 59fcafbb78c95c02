import { afterAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { speakingTo } from "../../../../mod/cli/doctor.ts";
import { file, newFolder, NO_ENTRIES, run } from "./harness.ts";

const folder = newFolder();

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the command line", () => {
  test("names the nearest command or flag and exits 2", async () => {
    expect(await run(["stats"])).toEqual({
      code: 2,
      out: "",
      err: "error: unknown command 'stats'\n(Did you mean status?)\n",
    });
    expect(await run(["events", "--folow"])).toEqual({
      code: 2,
      out: "",
      err: "error: unknown option '--folow'\n(Did you mean --follow?)\n",
    });
  });

  test("refuses missing, excess and unknown arguments with exit 2", async () => {
    for (
      const argv of [
        [],
        ["release"],
        ["reload", "now"],
        ["maintenance", "maybe"],
        ["maintenance"],
        ["check", "-c"],
        ["completion", "tcsh"],
        ["--wrong"],
      ]
    ) {
      const { code, out, err } = await run(argv);
      expect([argv, code, out]).toEqual([argv, 2, ""]);
      expect(err).not.toBe("");
    }
  });

  test("a command that nobody knows is an error, though help is asked for", async () => {
    const refused = { code: 2, out: "", err: "error: unknown command 'stats'\n(Did you mean status?)\n" };
    for (
      const argv of [
        ["stats", "--help"],
        ["stats", "-h"],
        ["--help", "stats"],
        ["help", "stats"],
        ["-c", "/x.yaml", "stats", "--help"],
      ]
    ) expect([argv, await run(argv)]).toEqual([argv, refused]);
    for (const argv of [["--help"], ["help"], ["help", "status"], ["status", "-h"], ["--version"]]) {
      expect([argv, (await run(argv)).code]).toEqual([argv, 0]);
    }
  });

  test("with --json a command line that nobody understands is told as JSON, too", async () => {
    for (const argv of [["stats", "--json"], ["events", "--folow", "--json"], ["release", "--json"]]) {
      const { code, out, err } = await run(argv);
      expect([argv, code]).toEqual([argv, 2]);
      expect(JSON.parse(out)).toEqual({ ok: false, error: err.slice(7).trimEnd().replaceAll("\n", " ") });
    }
    expect((await run(["release", "--", "--json"])).out).not.toContain("{");
  });

  test("--json may stand before the command, of those that have it", async () => {
    const before = await run(["--json", "version"]);
    expect(before).toEqual(await run(["version", "--json"]));
    for (const argv of [["--json", "completion", "bash"], ["completion", "bash", "--json"]]) {
      expect(await run(argv)).toEqual({
        code: 2,
        out: `{"ok":false,"error":"unknown option '--json'"}\n`,
        err: "error: unknown option '--json'\n",
      });
    }
  });

  test("every command has --help with -c, and hides what is not for people", async () => {
    const { code, out } = await run(["--help"]);
    expect(code).toBe(0);
    const names = [...out.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1]!);
    expect(names).toEqual([
      "run",
      "check",
      "status",
      "watch",
      "explain",
      "events",
      "release",
      "resume",
      "maintenance",
      "reload",
      "doctor",
      "lab",
      "schema",
      "completion",
      "version",
      "help",
    ]);
    for (const name of names.filter((name) => !["help", "completion", "lab"].includes(name))) {
      const help = await run([name, "--help"]);
      expect([name, help.code, help.err]).toEqual([name, 0, ""]);
      expect(help.out).toContain("-c, --config <FILE>");
    }
    for (const name of ["check", "status", "watch", "explain", "events", "release", "reload", "version"]) {
      expect((await run([name, "--help"])).out).toContain("--json");
    }
  });

  test("version names the program's version", async () => {
    expect((await run(["version"])).out).toMatch(/^appliance \d+\.\d+\.\d+ \(.*bun .*\)\n$/);
    expect((await run(["--version"])).out).toBe((await run(["version"])).out);
    expect(JSON.parse((await run(["version", "--json"])).out)).toMatchObject({ platform: "linux" });
  });

  test("schema prints the schema of the config", async () => {
    const { code, out } = await run(["schema"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ properties: { vrrp: {} } });
  });

  test("run and lab are given what was said, and their exit code comes back", async () => {
    const calls: unknown[] = [];
    const entries = {
      engine: () =>
        Promise.resolve({ launchEngine: (options: unknown) => (calls.push(options), Promise.resolve(7)) }),
      lab: () =>
        Promise.resolve({
          runLab: (options: unknown) => (calls.push(options), Promise.resolve(9)),
          runLabChild: (...args: unknown[]) => (calls.push(args), Promise.resolve(10)),
        }),
    };
    const codes = [];
    for (
      const argv of [
        ["run"],
        ["run", "-c", "/x.yaml"],
        ["-c", "/y.yaml", "run"],
        ["run", "--resume"],
        ["lab", "demo", "--json", "--gre"],
        ["lab", "up", "--keep"],
        ["lab-child", "client", "10.9.0.100", "5"],
      ]
    ) codes.push((await run(argv, entries)).code);
    expect(codes).toEqual([7, 7, 7, 7, 9, 9, 10]);
    expect(calls).toEqual([
      { config: "/etc/appliance/appliance.yaml", resume: false, argv: ["run"] },
      { config: "/x.yaml", resume: false, argv: ["run", "-c", "/x.yaml"] },
      { config: "/y.yaml", resume: false, argv: ["-c", "/y.yaml", "run"] },
      { config: "/etc/appliance/appliance.yaml", resume: true, argv: ["run", "--resume"] },
      { verb: "demo", json: true, gre: true, keep: false },
      { verb: "up", json: false, gre: false, keep: true },
      ["client", ["10.9.0.100", "5"]],
    ]);
  });

  test("an exception is one line, without a stack", async () => {
    expect(await run(["run"], { ...NO_ENTRIES, engine: () => Promise.reject(new Error("broken")) }))
      .toEqual({ code: 1, out: "", err: "broken\n" });
  });
});

describe("check", () => {
  test("tells what stands in the way of tunnels on this machine, at their place", async () => {
    const text =
      "tunnels:\n  gretap9: { type: gretap, local: 192.0.2.77, remote: 192.0.2.78, addresses: [10.1.1.2/30] }\n";
    const path = file(folder, "tunnel.yaml", text);
    const { code, out } = await run(["check", path]);
    expect(code).toBe(0);
    expect(out).toContain(
      `${path}:2:3: warning: on this machine, tunnel gretap9: its local address 192.0.2.77 is on no interface`,
    );
  });

  const GOOD = `node: edge-a
vrrp:
  web: { interface: lo, vrid: 51, priority: 150, addresses: [10.9.0.100/24] }
`;

  test("warns of an interface that this machine does not have, as a reload would refuse it", async () => {
    const path = file(folder, "absent.yaml", GOOD.replace("interface: lo", "interface: lo.9"));
    const { code, out } = await run(["check", path]);
    expect(code).toBe(0);
    expect(out).toStartWith(
      `${path}:3:21: warning: on this machine, interface lo.9 does not exist (`,
    );
  });

  test("says ok and what the config makes of the node", async () => {
    const path = file(folder, "good.yaml", GOOD);
    const { code, out } = await run(["check", "-c", path]);
    expect(code).toBe(0);
    expect(out).toStartWith(`${path}: ok\n`);
    expect(out).toContain("node edge-a: 1 instance, 0 probes, API on /run/appliance/api.sock");
    expect(out).toContain("instance web: lo, VRID 51, VRRPv3, priority 150, 10.9.0.100/24");
    expect((await run(["check", path])).out).toBe(out);
    expect(JSON.parse((await run(["check", "--json", path])).out)).toMatchObject({
      file: path,
      ok: true,
      problems: [],
    });
  });

  test("shows an instance with addresses of both families as one, and sync groups", async () => {
    const both = GOOD.replace("10.9.0.100/24", '10.9.0.100/24, "fd00:9::100/64"') +
      "  lan: { interface: eth1, vrid: 52, addresses: [10.8.0.100/24] }\n" +
      "groups: { site: { members: [web, lan] } }\n";
    const { code, out } = await run(["check", "-c", file(folder, "both.yaml", both)]);
    expect(code).toBe(0);
    expect(out).toContain("node edge-a: 2 instances, 0 probes");
    expect(out.match(/^ {2}(instance|group) .*$/gm)).toEqual([
      "  instance web: lo, VRID 51, VRRPv3, priority 150, 10.9.0.100/24, fd00:9::100/64",
      "  instance lan: eth1, VRID 52, VRRPv3, priority 100, 10.8.0.100/24",
      "  group site: web, lan",
    ]);
  });

  test("prints each problem on one line of standard output and exits 2", async () => {
    const path = file(
      folder,
      "bad.yaml",
      GOOD.replace("vrid: 51", "vird: 51").replace("priority: 150", "priority: 999"),
    );
    const { code, out, err } = await run(["check", "-c", path]);
    expect([code, err]).toEqual([2, ""]);
    const lines = out.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const line of lines) expect(line).toMatch(/^\/.*\/bad\.yaml:\d+:\d+: ./);
    expect(out).toContain("`vrid`");
    const json = await run(["check", "--json", "-c", path]);
    expect(json.code).toBe(2);
    const document = JSON.parse(json.out) as { ok: boolean; problems: { line: number }[] };
    expect(document).toMatchObject({ ok: false, error: `${path} cannot be run` });
    expect(document.problems.length).toBe(lines.length);
    expect(document.problems[0]!.line).toBe(3);
  });

  test("says that a file cannot be read", async () => {
    const path = join(folder, "missing.yaml");
    const outcome = { code: 2, out: "", err: `Cannot read ${path}: no such file or directory\n` };
    expect(await run(["check", "-c", path])).toEqual(outcome);
    expect(await run(["status", "-c", path])).toEqual(outcome);
    const json = await run(["check", "--json", path]);
    expect([json.code, json.err]).toEqual([2, outcome.err]);
    expect(JSON.parse(json.out)).toEqual({ ok: false, error: outcome.err.trimEnd() });
  });
});

describe("without a daemon", () => {
  test("every command that needs one says where it looked and exits 3", async () => {
    const path = file(folder, "nobody.yaml", `runtime_dir: ${folder}/nobody\n`);
    const message = `No daemon answers on ${folder}/nobody/api.sock (is "appliance run" running?)\n`;
    for (
      const argv of [
        ["status"],
        ["watch"],
        ["explain"],
        ["events"],
        ["events", "--follow"],
        ["reload"],
        ["release", "web"],
        ["resume", "web"],
        ["maintenance", "on"],
      ]
    ) {
      expect([argv, await run([...argv, "-c", path])]).toEqual([argv, { code: 3, out: "", err: message }]);
      const json = await run([...argv, "--json", "-c", path]);
      expect([argv, json.code, json.err]).toEqual([argv, 3, message]);
      expect(JSON.parse(json.out)).toEqual({ ok: false, error: message.trimEnd() });
    }
  });

  test("the socket can be named", async () => {
    expect((await run(["status", "--socket", "/no/such.sock"])).err)
      .toBe('No daemon answers on /no/such.sock (is "appliance run" running?)\n');
  });
});

describe("completion", () => {
  test("bash completes commands, options and choices", async () => {
    const { out } = await run(["completion", "bash"]);
    const path = file(folder, "completion.bash", out);
    const complete = (words: string) => {
      const script =
        `source ${path}; COMP_WORDS=(appliance ${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); ` +
        `_appliance; echo "\${COMPREPLY[*]}"`;
      return Bun.spawnSync(["bash", "-c", script]).stdout.toString().trim();
    };
    expect(complete("re")).toBe("release resume reload");
    expect(complete("maintenance o")).toBe("on off");
    expect(complete("events --fo")).toBe("--follow");
    expect(complete("c")).not.toContain("control");
    expect(complete(`check ${path.slice(0, -2)}`)).toBe(path);
    expect(complete(`check -c ${path.slice(0, -2)}`)).toBe(path);
    expect(complete("check --js")).toBe("--json");
    expect(complete(`status ${path.slice(0, -2)}`)).toBe("");
    expect(complete(`-c ${path.slice(0, -2)}`)).toBe(path);
    expect(complete(`-c ${path} re`)).toBe("release resume reload");
    expect(complete(`--config=${path} maintenance o`)).toBe("on off");
    expect(complete(`-c ${path} events --fo`)).toBe("--follow");
  });

  test.skipIf(Bun.which("zsh") === null)(
    "zsh, where it is installed, finds the command behind options",
    async () => {
      const { out } = await run(["completion", "zsh"]);
      const path = file(folder, "_appliance", out.replace(/^_appliance "\$@"$/m, ""));
      const complete = (words: string) => {
        const script = "_describe() { echo commands; }; _files() { echo files; }; " +
          `_arguments() { echo $words[1] $CURRENT; }; source ${path}; words=(appliance ${words}); CURRENT=$#words; ` +
          "_appliance";
        return Bun.spawnSync(["zsh", "-f", "-c", script]).stdout.toString().trim();
      };
      expect(complete("st")).toBe("commands");
      expect(complete("-c x")).toBe("files");
      expect(complete("-c x.yaml st")).toBe("commands");
      expect(complete("-c x.yaml lab d")).toBe("lab 2");
      expect(complete("events --fo")).toBe("events 2");
    },
  );

  test("zsh and fish know the same commands", async () => {
    for (const shell of ["zsh", "fish"]) {
      const { code, out } = await run(["completion", shell]);
      expect(code).toBe(0);
      for (const word of ["status", "maintenance", "follow", "on off"]) expect(out).toContain(word);
      expect(out).not.toContain("control");
      expect(out).toContain(shell === "zsh" ? "'1:file:_files'" : "'__fish_seen_subcommand_from check' -F\n");
    }
  });
});

test("what the doctor has one type speaks to the daemon that it examined", () => {
  const line = "appliance release web; appliance status   # of the appliance";
  const config = "/etc/appliance/appliance.yaml";
  expect(speakingTo({ config }, line)).toBe(line);
  expect(speakingTo({ config: "/a.yaml" }, line)).toBe(
    "appliance release -c /a.yaml web; appliance status -c /a.yaml   # of the appliance",
  );
  expect(speakingTo({ config: "/it's a.yaml" }, "appliance explain")).toBe(
    "appliance explain -c '/it'\\''s a.yaml'",
  );
  expect(speakingTo({ config, socket: "/x.sock" }, "appliance events")).toBe(
    "appliance events --socket /x.sock",
  );
  expect(speakingTo({ config: "/a.yaml" }, "appliance doctor -c FILE")).toBe("appliance doctor -c FILE");
});
