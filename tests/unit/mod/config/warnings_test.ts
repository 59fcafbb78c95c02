import { describe, expect, test } from "bun:test";
import { diskJudge, type ProgramJudge } from "../../../../mod/config/files.ts";
import { told } from "./marked.ts";

function web(more: string, head = ""): string {
  return `${head}vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24]\n${more}`;
}

describe("what is doubtful is told, and the config is good all the same", () => {
  test.each([
    [
      "a long password",
      web("    version: 2\n    auth: { type: pass, key: §123456789 }\n"),
      "warning: `key` is longer than 8 bytes; as in keepalived, only the first 8 are used",
    ],
    ["an unused probe", web("", "probes:\n  §p: { type: nginx }\n"), "`p` is tracked by no instance"],
    [
      "an owner that does not preempt",
      web("    priority: 255\n    §preempt: false\n"),
      "no effect on the owner",
    ],
    [
      "an owner that waits before it preempts",
      web("    priority: 255\n    §preempt: 5s\n"),
      "no effect on the owner",
    ],
    ["an owner that waits", web("    priority: 255\n    §takeover_delay: 5s\n"), "no effect on the owner"],
    [
      "an owner with weights",
      web("    priority: 255\n    track: [{ interface: eth1, weight: §5 }]\n"),
      "no effect on the owner",
    ],
    ["the own interface tracked", web("    track: [{ interface: §eth0 }]\n"), "which is watched anyway"],
    ["a lease without slack", web("    lease: §1s\n"), "which leaves no time for a late renewal"],
    [
      "a lease that outlives its node",
      web("    lease: §60s\n"),
      "a hung one would hold the addresses beside them",
    ],
    [
      "a checksum form in version 2",
      web("    version: 2\n    §checksum: pseudo\n"),
      "has no effect in version 2",
    ],
    [
      "TLS settings without TLS",
      web(
        "    track: [{ probe: p }]\n",
        "probes: { p: { type: http, url: 'http://a/', §insecure: true } }\n",
      ),
      "the URL is not https",
    ],
    ["a token without TCP", web("", "api: { §token_file: t }\n"), "has no effect without `listen`"],
    [
      "a member of a group with a weight of its own",
      "vrrp:\n" +
      "  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24], track: [{ interface: eth7, §weight: 5 }] }\n" +
      "  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }\n" +
      "groups: { site: { members: [web, lan] } }\n",
      "moves the priority of all members of group `site`",
    ],
    ["nothing to do", "§node: a\n", "the file has no virtual router"],
    ["nothing to do, left empty", "§vrrp:\n", "the file has no virtual router"],
  ])("%s", (_, marked, text) => {
    const { ok, lines, at, marks } = told(marked, () => "secret\n");
    expect(lines.join("\n")).toContain(text);
    expect({ ok, at }).toEqual({ ok: true, at: [...marks] });
    expect(lines.every((line) => line.includes(": warning: "))).toBe(true);
  });

  test("a user that this machine does not have", () => {
    const text = (user: string) =>
      web("    track: [{ probe: p }]\n", `probes: { p: { type: exec, command: [/a], user: ${user} } }\n`);
    const files: Readonly<Record<string, string>> = {
      "/etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n",
      "/etc/group": "adm:x:4:\n",
    };
    const read = (path: string) => files[path]!;
    for (const user of ["web", "33", "4711", "web:adm", "web:4711"]) {
      expect(told(text(user), read)).toMatchObject({ ok: true, lines: [] });
    }
    for (
      const [user, what] of [
        ["§wbe", "`user` names `wbe`, but this machine has no such user (make it, or the probe will fail)"],
        ["§web:amd", "`user` names `amd`, but this machine has no such group"],
      ] as const
    ) {
      const { ok, lines, at, marks } = told(text(user), read);
      expect({ ok, at }).toEqual({ ok: true, at: [...marks] });
      expect(lines[0]).toContain(`warning: ${what}`);
    }
    // Where nobody can say who is there.
    expect(told(text("wbe"))).toMatchObject({ ok: true, lines: [] });
  });

  test("a program that this machine does not have, or cannot run", () => {
    const judge: ProgramJudge = (path) =>
      path === "/gone" ? "missing" : path === "/text" ? "not executable" : null;
    const probe = (command: string) =>
      web("    track: [{ probe: p }]\n", `probes: { p: { type: exec, command: ${command} } }\n`);
    const notify = (text: string) => web(`    notify: { ${text} }\n`);
    const group = "vrrp:\n" +
      "  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24] }\n" +
      "  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }\n" +
      "groups: { site: { members: [web, lan], notify: { any: §/gone secret } } }\n";
    const missing = "cannot be run: this machine has no /gone (install it, or the";
    for (
      const [marked, what] of [
        [probe("§/gone secret"), `\`command\` ${missing} probe will fail)`],
        [notify("stop: [/good], any: §[/gone, secret]"), `\`any\` ${missing} command will fail)`],
        [
          notify("master: §[[/good], [/text, secret]]"),
          "`master` cannot be run: /text is not executable on this machine (chmod +x it, or the command will fail)",
        ],
        [group, `\`any\` ${missing} command will fail)`],
      ] as const
    ) {
      const { ok, lines, at, marks } = told(marked, undefined, judge);
      expect({ ok, at, count: lines.length }).toEqual({ ok: true, at: [...marks], count: 1 });
      expect(lines[0]).toContain(`warning: ${what}`);
      expect(lines[0]).not.toContain("secret");
    }
    // What is no absolute path is looked for by the daemon, in an environment of its own.
    for (const text of [notify("any: [gone]"), notify("any: [./gone]"), probe("[/good]")]) {
      expect(told(text, undefined, judge)).toMatchObject({ ok: true, lines: [] });
    }
  });

  test("programs on the disk", () => {
    expect(["/bin/sh", "/nowhere/x", "/etc/passwd/x", "/etc/passwd", "/etc"].map(diskJudge)).toEqual([
      null,
      "missing",
      "missing",
      "not executable",
      "not executable",
    ]);
  });

  test("warnings are silent beside errors", () => {
    const { lines } = told(web("    priority: 0\n", "probes:\n  p: { type: nginx }\n"));
    expect(lines.length).toBe(1);
  });

  test("a lease as long as the takeover of slow routers is fine", () => {
    expect(told(web("    advert_interval: 10s\n    lease: 30s\n")).lines).toEqual([]);
  });
});
