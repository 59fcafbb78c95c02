import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { formatProblem, loadConfig } from "../../../../mod/config/load.ts";
import { findApiSocket } from "../../../../mod/config/socket.ts";
import { good, told } from "./marked.ts";

const SMALL = "vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24, 10.0.0.2]\n";

test("defaults", () => {
  expect(good(SMALL)).toEqual({
    node: hostname(),
    runtimeDir: "/run/appliance",
    api: { socket: "/run/appliance/api.sock", listen: null, token: null },
    log: { level: "info", format: "text" },
    engine: { realtime: "auto", lockMemory: false },
    probes: [],
    tunnels: [],
    vrrp: [{
      name: "web",
      unit: "web",
      group: null,
      family: "ipv4",
      interface: "eth0",
      vrid: 51,
      version: 3,
      priority: 100,
      intervalCs: 100,
      preempt: true,
      preemptDelayMs: 0,
      takeoverDelayMs: 0,
      downAdverts: 3,
      source: null,
      peers: [],
      auth: { type: "none" },
      vmac: null,
      addresses: [
        { address: "10.0.0.1", prefix: 24, dev: null, label: null, scope: null, broadcast: null },
        { address: "10.0.0.2", prefix: 32, dev: null, label: null, scope: null, broadcast: null },
      ],
      extra: [],
      routes: [],
      rules: [],
      accept: true,
      leaseMs: 3000,
      announce: { repeat: 5, delayMs: 5000, refreshMs: 60_000, refreshRepeat: 1, intervalMs: 0 },
      track: [],
      debounce: {},
      checksum: "auto",
      handover: "fast",
    }],
    notify: {},
    static: { addresses: [], routes: [], rules: [], keep: false },
    groups: [],
    groupNotify: {},
  });
});

test("everything said", () => {
  const config = good(`
node: edge-a
runtime_dir: /run/other
api: { listen: "[::1]:8405" }
log: { level: debug, format: json }
engine: { realtime: 50, lock_memory: true }
probes:
  nginx: { type: nginx, interval: 200ms, timeout: 500ms, rise: 2, fall: 3, jitter: 0, process: { pid_file: /run/n.pid } }
  n: { type: file, path: /n, expect: integer, interval: 5s }
vrrp:
  web:
    interface: gretap1
    vrid: "51"
    version: 2
    priority: 150
    advert_interval: 2s
    preempt: 30s
    takeover_delay: 1500ms
    down_adverts: 4
    source: 10.1.1.2
    peers: [10.1.1.3, 10.1.1.4]
    auth: { type: pass, key: 1234 }
    addresses:
      - { address: 10.9.1.100/24, dev: eth1, label: "eth1:1", scope: link, broadcast: + }
      - { address: 10.9.1.101/25, broadcast: 10.9.1.1, scope: 7 }
    lease: off
    announce: { repeat: 1, delay: 0, refresh: 0s, refresh_repeat: 2, interval: 10ms }
    track:
      - { probe: nginx, weight: -60 }
      - { interface: eth1, weight: 0 }
      - { probe: n, weight: 2, reverse: true }
    notify: { master: [/up.sh, now], backup: "/down.sh 'a b'", any: [[/a], [/b, c]] }
    checksum: rfc
    handover: rfc
`);
  expect(config).toMatchObject({
    node: "edge-a",
    runtimeDir: "/run/other",
    api: { socket: "/run/other/api.sock", listen: { host: "::1", port: 8405 }, token: null },
    log: { level: "debug", format: "json" },
    engine: { realtime: 50, lockMemory: true },
    notify: {
      web: {
        master: [["/up.sh", "now"]],
        backup: [["/down.sh", "a b"]],
        fault: [],
        stop: [],
        any: [["/a"], ["/b", "c"]],
      },
    },
  });
  expect(config.vrrp[0]).toMatchObject({
    interface: "gretap1",
    vrid: 51,
    version: 2,
    priority: 150,
    intervalCs: 200,
    preempt: true,
    preemptDelayMs: 30_000,
    takeoverDelayMs: 1500,
    downAdverts: 4,
    source: "10.1.1.2",
    peers: ["10.1.1.3", "10.1.1.4"],
    auth: { type: "pass", key: "1234" },
    vmac: null,
    addresses: [
      {
        address: "10.9.1.100",
        prefix: 24,
        dev: "eth1",
        label: "eth1:1",
        scope: 253,
        broadcast: "10.9.1.255",
      },
      { address: "10.9.1.101", prefix: 25, dev: null, label: null, scope: 7, broadcast: "10.9.1.1" },
    ],
    leaseMs: null,
    announce: { repeat: 1, delayMs: 0, refreshMs: 0, refreshRepeat: 2, intervalMs: 10 },
    track: [
      { kind: "probe", name: "nginx", weight: -60, reverse: false },
      { kind: "interface", name: "eth1", weight: null, reverse: false },
      { kind: "probe", name: "n", weight: 2, reverse: true },
    ],
    handover: "rfc",
  });
  expect(config.probes[0]).toMatchObject({ timeoutMs: 500, rise: 2, fall: 3, jitterMs: 0 });
});

test("40.95s and 10ms are whole centiseconds", () => {
  expect(good(`${SMALL}    advert_interval: 40.95s\n`).vrrp[0]!.intervalCs).toBe(4095);
  expect(good(`${SMALL}    advert_interval: 10ms\n`).vrrp[0]!.intervalCs).toBe(1);
  expect(good(`${SMALL}    preempt: false\n`).vrrp[0]).toMatchObject({ preempt: false, preemptDelayMs: 0 });
  expect(good(`${SMALL}    preempt: 0s\n`).vrrp[0]).toMatchObject({ preempt: true, preemptDelayMs: 0 });
});

describe("probes", () => {
  const probe = (text: string, readFile?: () => string) =>
    good(`probes:\n  p: ${text}\n${SMALL}    track: [{ probe: p, weight: 1 }]\n`, readFile).probes[0]!;

  test("defaults", () => {
    expect(probe("{ type: nginx }")).toEqual({
      name: "p",
      type: "nginx",
      intervalMs: 1000,
      timeoutMs: 1000,
      rise: 1,
      fall: 1,
      jitterMs: 100,
      process: { by: "name", name: "nginx" },
      request: {
        url: "http://127.0.0.1/",
        method: "GET",
        headers: [],
        host: null,
        sni: null,
        caPem: null,
        insecure: false,
        status: [{ from: 200, to: 399 }],
        body: null,
      },
    });
    expect(probe("{ type: http, url: http://a/x }")).toMatchObject({
      request: { status: [{ from: 200, to: 299 }] },
    });
  });

  test.each([
    ["nginx, interval: 50ms", 500],
    ["nginx, interval: 700ms", 700],
    ["nginx, interval: 10s", 1000],
    ["exec, command: a, interval: 10s", 10_000],
    ["exec, command: a, interval: 100ms", 500],
  ])("time-out of { type: %s }", (text, timeoutMs) => {
    expect(probe(`{ type: ${text} }`).timeoutMs).toBe(timeoutMs);
  });

  test("HTTP requests", () => {
    const pem = "-----BEGIN CERTIFICATE-----\n";
    const text =
      `{ type: https, url: https://a, method: head, headers: { X-A: 1, x-b: "b c" }, host: h, sni: s, ca: c.pem,
      insecure: true, expect: { status: [200, 204-205, 3xx], body: '/^ok$/i' } }`;
    expect(probe(text, () => pem)).toMatchObject({
      type: "https",
      request: {
        url: "https://a/",
        method: "HEAD",
        headers: [["X-A", "1"], ["x-b", "b c"]],
        host: "h",
        sni: "s",
        caPem: pem,
        insecure: true,
        status: [{ from: 200, to: 200 }, { from: 204, to: 205 }, { from: 300, to: 399 }],
        body: { kind: "regex", source: "^ok$", flags: "i" },
      },
    });
    expect(probe("{ type: http, url: http://a/, expect: { status: 200-299, body: 51 } }")).toMatchObject({
      request: { status: [{ from: 200, to: 299 }], body: { kind: "text", text: "51" } },
    });
  });

  test("the other types", () => {
    expect(probe('{ type: tcp, address: "[::1]:80" }')).toMatchObject({ host: "::1", port: 80 });
    expect(probe("{ type: process, name: sshd }")).toMatchObject({ process: { by: "name", name: "sshd" } });
    expect(probe("{ type: process, pid_file: /p }")).toMatchObject({
      process: { by: "pid_file", path: "/p" },
    });
    expect(probe("{ type: process, cmdline: ^a }")).toMatchObject({
      process: { by: "cmdline", source: "^a" },
    });
    expect(probe("{ type: exec, command: [a, b c], user: nobody:adm }")).toMatchObject(
      { command: ["a", "b c"], user: "nobody", group: "adm" },
    );
    expect(probe("{ type: exec, command: a 'b c' }")).toMatchObject({
      command: ["a", "b c"],
      user: null,
      group: null,
    });
    expect(probe("{ type: file, path: /d }")).toMatchObject({ path: "/d", expect: "present" });
    expect(probe("{ type: file, path: /d, expect: absent }")).toMatchObject({ expect: "absent" });
  });
});

describe("files that the config names", () => {
  test("are read beside it, and their line end is cut off", () => {
    const directory = mkdtempSync(join(tmpdir(), `config-test-${process.pid}-`));
    try {
      writeFileSync(join(directory, "key"), "s3cret\n");
      writeFileSync(join(directory, "token"), "t0ken\r\n");
      const text =
        `api: { listen: "127.0.0.1:1", token_file: ${directory}/token }\n${SMALL}    version: 2\n` +
        "    auth: { type: pass, key_file: key }\n";
      const result = loadConfig(text, join(directory, "a.yaml"));
      expect(result).toMatchObject({
        ok: true,
        warnings: [],
        config: { api: { token: "t0ken" }, vrrp: [{ auth: { type: "pass", key: "s3cret" } }] },
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("must hold what they are for", () => {
    const auth = `${SMALL}    version: 2\n    auth: { type: pass, key_file: §/key }\n`;
    const empty = told(auth, () => "\n");
    expect(empty).toMatchObject({
      ok: false,
      lines: [`${empty.marks[0]}: \`key_file\` names a file which is empty`],
    });
    const token = told(`api: { listen: "[::1]:1", token_file: §/t }\n${SMALL}`, () => "two words\n");
    expect(token.at).toEqual([...token.marks]);
    const ca = told(
      `probes: { p: { type: http, url: "https://a/", ca: §/c } }\n${SMALL}    track: [{ probe: p }]\n`,
      () => "x",
    );
    expect(ca).toMatchObject({ ok: false, lines: [expect.stringContaining("which holds no certificate")] });
    expect(ca.at).toEqual([...ca.marks]);
  });

  test("a password is one line of text, in its file as in the config", () => {
    const file = `${SMALL}    version: 2\n    auth: { type: pass, key_file: §/key }\n`;
    const named = "`key_file` names a file which";
    for (
      const [contents, what] of [
        ["a\nb\n", "holds more than one line (put the password alone into it, on one line)"],
        ["a\tb\n", "holds a control character (put the password alone into it, on one line)"],
        [
          "s\uFFFDcret\n",
          "is not UTF-8 text (save it as UTF-8: bytes that are none are not kept as they are)",
        ],
        ["\uFEFF\r\n", "is empty"],
      ] as const
    ) {
      const { ok, lines, marks } = told(file, () => contents);
      expect({ ok, lines }).toEqual({ ok: false, lines: [`${marks[0]}: ${named} ${what}`] });
    }
    const clean = file.replace("§", "");
    expect(good(clean, () => "\uFEFFs3crét\r\n").vrrp[0]!.auth).toEqual({ type: "pass", key: "s3crét" });
    const block = told(
      `${SMALL}    version: 2\n    auth:\n      type: pass\n      key: §|\n        s3cret\n`,
    );
    expect(block).toMatchObject({ ok: false, at: block.marks });
    expect(block.lines[0]).toContain("holds a line end or another control character (write it on one line)");
    const token = told(`api: { listen: "[::1]:1", token_file: §/t }\n${SMALL}`, () => "tokén\n");
    expect(token.lines).toEqual([
      `${token.marks[0]}: \`token_file\` names a file which holds more than ASCII ` +
      "(an HTTP header carries letters, digits and signs of ASCII only)",
    ]);
  });

  test("a long password is cut at 8 bytes, at a whole character", () => {
    const key = (text: string) =>
      good(`${SMALL}    version: 2\n    auth: { type: pass, key: ${text} }\n`).vrrp[0]!.auth;
    expect(key("1234567890")).toEqual({ type: "pass", key: "12345678" });
    expect(key("1234567é")).toEqual({ type: "pass", key: "1234567" });
  });
});

test("every interface that the file names is known with its place", () => {
  const result = loadConfig(
    `${SMALL.replace("[", "[{ address: 10.0.0.9, dev: eth1 }, ")}    track: [{ interface: eth2 }]\n`,
    "a.yaml",
  );
  expect(result).toMatchObject({
    ok: true,
    interfaces: [
      { name: "eth0", file: "a.yaml", line: 3, column: 16, path: "vrrp.web.interface" },
      { name: "eth1", file: "a.yaml", line: 5, column: 43, path: "vrrp.web.addresses[0].dev" },
      { name: "eth2", file: "a.yaml", line: 6, column: 26, path: "vrrp.web.track[0].interface" },
    ],
  });
});

test("a problem is one line: file, line, column, what, and what to write instead", () => {
  const problem = {
    severity: "error",
    file: "/etc/a.yaml",
    line: 3,
    column: 9,
    path: "a",
    what: "x",
    instead: "y",
  } as const;
  expect(formatProblem(problem)).toBe("/etc/a.yaml:3:9: x (y)");
  expect(formatProblem({ ...problem, severity: "warning", instead: null })).toBe(
    "/etc/a.yaml:3:9: warning: x",
  );
});

test("values shared by an anchor are told once, where they stand", () => {
  const { lines } = told(
    "vrrp:\n  a: &a\n    interface: eth0\n    vrid: 300\n    addresses: [10.0.0.1]\n  b:\n    <<: *a\n    addresses: [10.0.0.2]\n",
  );
  expect(lines).toEqual(["4:11: `vrid` is 300, out of range (write a number from 1 to 255)"]);
});

describe("the API socket of a file", () => {
  test.each([
    ["node: a\n", "/run/appliance/api.sock"],
    ["", null],
    ["garbage", null],
    ["vrrp: [", null],
    ["runtim_dir: /run/b\n", null],
    ["  node: a\nruntime_dir: /run/b\nvrrp:\n", "/run/b/api.sock"],
    ["runtime_dir: /run/b\n", "/run/b/api.sock"],
    ["runtime_dir: /run/b\napi: { socket: /x.sock }\n", "/x.sock"],
    ["runtime_dir: relative\n", null],
    ["runtime_dir: [a]\napi: 5\n", null],
    ["vird: [\nruntime_dir: /run/b\n", "/run/b/api.sock"],
    ["runtime_dir: /run/b\nvrrp: { web: { vrid: 'x\n", "/run/b/api.sock"],
    ["[".repeat(20_000), null],
  ])("%p", (text, socket) => {
    expect(findApiSocket(text)).toBe(socket);
  });
});

test("an instance with addresses of both families is two routers that move together", () => {
  const { vrrp } = good(`
vrrp:
  web:
    interface: eth0
    vrid: 51
    source: fe80::5
    addresses: [10.0.0.1/24, "2001:db8::1/64", 10.0.0.2]
`);
  expect(vrrp.map(({ name, unit, group, family, source }) => ({ name, unit, group, family, source })))
    .toEqual([
      { name: "web", unit: "web", group: "@web", family: "ipv4", source: null },
      { name: "web:ipv6", unit: "web", group: "@web", family: "ipv6", source: "fe80::5" },
    ]);
  expect(vrrp.map(({ addresses }) => addresses.map(({ address, prefix }) => `${address}/${prefix}`))).toEqual(
    [
      ["10.0.0.1/24", "10.0.0.2/32"],
      ["2001:db8::1/64"],
    ],
  );
});

test("a group that is called like an instance of both families has nothing to do with it", () => {
  const { vrrp } = good(`
vrrp:
  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24, "2001:db8::1/64"] }
  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }
  dmz: { interface: eth2, vrid: 51, addresses: [10.0.2.1/24] }
groups:
  web: { members: [lan, dmz] }
`);
  const [own, ipv6, ...members] = vrrp.map(({ group }) => group);
  expect(own).toBe(ipv6!);
  expect(members).toEqual(["web", "web"]);
  expect(own).not.toBe("web");
});

test("members of a group have its name and what it tracks", () => {
  const config = good(`
vrrp:
  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24], track: [{ interface: eth9 }] }
  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }
  out: { interface: eth2, vrid: 51, addresses: [10.0.2.1/24] }
groups:
  site: { members: [web, lan], track: [{ interface: eth8, weight: -20 }], notify: { any: [/bin/say] } }
`);
  const shared = { kind: "interface" as const, name: "eth8", weight: -20, reverse: false };
  expect(config.vrrp.map(({ name, group, track }) => ({ name, group, track }))).toEqual([
    {
      name: "web",
      group: "site",
      track: [{ kind: "interface", name: "eth9", weight: null, reverse: false }, shared],
    },
    { name: "lan", group: "site", track: [shared] },
    { name: "out", group: null, track: [] },
  ]);
  expect(config.groups).toEqual([{ name: "site", members: ["web", "lan"] }]);
  expect(config.groupNotify).toMatchObject({ site: { any: [["/bin/say"]], master: [] } });
});

test("what moves the priority of one member of a group moves that of all, once", () => {
  const { vrrp } = good(`
vrrp:
  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24], track: [{ interface: eth8, weight: -60 }, { interface: eth9 }] }
  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24], track: [{ interface: eth8, weight: -60 }] }
groups:
  site: { members: [web, lan] }
`);
  const shared = { kind: "interface" as const, name: "eth8", weight: -60, reverse: false };
  expect(vrrp.map(({ name, track }) => ({ name, track }))).toEqual([
    { name: "web", track: [{ kind: "interface", name: "eth9", weight: null, reverse: false }, shared] },
    { name: "lan", track: [shared] },
  ]);
});
