import { describe, expect, test } from "bun:test";
import { told } from "./marked.ts";

/** An instance that is good, with more lines. */
function web(more: string, head = ""): string {
  return `${head}vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [10.0.0.1/24]\n${more}`;
}

function probes(text: string): string {
  return `probes:\n${text}\n${web("    track: [{ probe: p, weight: 1 }]\n")}`;
}

type Row = readonly [name: string, marked: string, ...texts: string[]];

function table(rows: readonly Row[]): void {
  test.each(rows)("%s", (_, marked, ...texts) => {
    const { ok, lines, at, marks } = told(marked);
    expect({ ok, at }).toEqual({ ok: false, at: [...marks] });
    for (const [i, text] of texts.entries()) expect(lines[i]).toContain(text);
  });
}

describe("keys", () => {
  table([
    ["unknown at the top", web("", "§nod: a\n"), "unknown key `nod` (did you mean `node`?)"],
    [
      "unknown in an instance; the one meant is not missing too",
      "vrrp:\n  web:\n    interface: eth0\n    §vird: 51\n    addresses: [10.0.0.1/24]\n",
      "unknown key `vird` (did you mean `vrid`?)",
    ],
    ["keepalived's word", web("    §advert_int: 1s\n"), "did you mean `advert_interval`?"],
    ["far from all", web("    §zzz: 1\n"), "unknown key `zzz` (known here: interface, vrid, version, "],
    ["unknown in announce", web("    announce: { §repeet: 1 }\n"), "did you mean `repeat`?"],
    [
      "unknown in an address",
      web("").replace("[10.0.0.1/24]", "[{ address: 10.0.0.1/24, §devv: eth1 }]"),
      "did you mean `dev`?",
    ],
    ["unknown in track", web("    track: [{ interface: eth1, §weigth: 1 }]\n"), "did you mean `weight`?"],
    ["unknown in notify", web("    notify: { §mastr: [/a] }\n"), "did you mean `master`?"],
    ["unknown in api", web("", "api: { §sock: /a }\n"), "did you mean `socket`?"],
    [
      "missing",
      "vrrp:\n  §web:\n    interface: eth0\n    addresses: [10.0.0.1/24]\n",
      "`web` has no `vrid` (write the same number",
    ],
    [
      "missing in a list",
      web("").replace("[10.0.0.1/24]", "[§{ dev: eth1 }]"),
      "`addresses[0]` has no `address`",
    ],
    ["without value", web("    §lease:\n"), "`lease` has no value (write one, or remove the key)"],
    ["null", web("    §source: ~\n"), "`source` has no value"],
    ["a mapping for a value", web("    priority: §{ a: 1 }\n"), "`priority` must be a single value"],
    ["a value for a mapping", web("    announce: §5\n"), "`announce` must be a mapping"],
    [
      "a value for a list",
      web("    peers: §10.0.0.2\n"),
      "`peers` must be a list (write [item, item], or lines that begin with -)",
    ],
    ["a value for an instance", "vrrp:\n  web: §eth0\n", "`web` must be a mapping"],
    ["a name that cannot be one", web("").replace("  web:", '  §"my web":'), "`my web` cannot be a name"],
  ]);
});

describe("what this version does not do is refused, not ignored", () => {
  table([
    ["services", web("", "§services: {}\n"), "`services` is not supported by this version"],
    ["balance", web("", "§balance: { shop: {} }\n"), "`balance` is not supported by this version"],
    [
      "later probes",
      probes("  p: { type: §ping, host: a }"),
      "`type` is `ping`, which is not supported by this version",
    ],
  ]);
});

describe("families", () => {
  table([
    [
      "IPv6 in version 2",
      web("    version: 2\n").replace("10.0.0.1/24", "§2001:db8::1/64"),
      "but version 2 knows IPv4 only (write version: 3)",
    ],
    ["IPv6 peers of an IPv4 service", web("    peers: [§fe80::1]\n"), "but the virtual addresses are IPv4"],
    [
      "an IPv6 source of an IPv4 service",
      web("    source: §fe80::1\n"),
      "but the virtual addresses are IPv4",
    ],
    [
      "peers of one family for a service of two",
      web("    §peers: [10.0.0.9]\n").replace("10.0.0.1/24", "10.0.0.1/24, 2001:db8::1/64"),
      "`peers` has no IPv6 address",
    ],
    ["multicast", web("").replace("10.0.0.1/24", "§ff02::1"), "a multicast address"],
    ["loopback", web("").replace("10.0.0.1/24", "§::1"), "the loopback address"],
    [
      "a broadcast address of IPv6",
      web("").replace("10.0.0.1/24", "{ address: 2001:db8::1/64, §broadcast: + }"),
      "has no meaning for an IPv6 address (remove it)",
    ],
    [
      "a prefix of 0",
      web("").replace("10.0.0.1/24", "§2001:db8::1/0"),
      "write 2001:db8::1/64, 1 to 128 bits",
    ],
  ]);
});

describe("groups", () => {
  const two = "vrrp:\n" +
    "  web: { interface: eth0, vrid: 51, addresses: [10.0.0.1/24] }\n" +
    "  lan: { interface: eth1, vrid: 51, addresses: [10.0.1.1/24] }\n";
  table([
    ["no members", `${two}groups: { §site: {} }\n`, "`site` has no `members`"],
    ["one member", `${two}groups: { site: { members: §[web] } }\n`, "has one member only"],
    ["a stranger", `${two}groups: { site: { members: [web, §lam] } }\n`, "did you mean `lan`?"],
    [
      "a stranger with a name that every object of JavaScript knows",
      `${two}groups: { site: { members: [web, §toString] } }\n`,
      "names `toString`, but there is no such instance",
    ],
    [
      "a member of two",
      `${two}groups: { a: { members: [web, lan] }, b: { members: [§web, §lan] } }\n`,
      "is in `a` (line 4) already",
    ],
    [
      "an owner",
      `${two.replace("vrid: 51", "priority: 255, vrid: 51")}groups: { site: { members: [§web, lan] } }\n`,
      "which is always master",
    ],
  ]);
});

describe("scalars", () => {
  table([
    [
      "a number in octal dress",
      web("").replace("51", "§051"),
      "`vrid` is `051`, which some read as an octal number (write 51)",
    ],
    [
      "a number out of range",
      web("").replace("51", "§256"),
      "`vrid` is 256, out of range (write a number from 1 to 255)",
    ],
    ["zero", web("").replace("51", "§0"), "`vrid` is 0, out of range"],
    ["no number", web("    priority: §high\n"), "which is not a whole number"],
    ["a fraction", web("    priority: §1.5\n"), "which is not a whole number"],
    ["yes", web("    preempt: §yes\n"), "`preempt` is `yes` (write true, false or a delay like 30s)"],
    [
      "off",
      probes("  p: { type: http, url: 'https://a/', insecure: §off }"),
      "`insecure` is `off` (write false)",
    ],
    ["a bare number", web("    advert_interval: §1\n"), "a number without a unit (write 1s or 1ms)"],
    ["negative", web("    takeover_delay: §-1s\n"), "a duration cannot be negative"],
    ["a wrong unit", web("    takeover_delay: §1d\n"), "there is no unit `d`"],
    ["a wrong word", web("    checksum: §rcf\n"), "`checksum` is `rcf` (did you mean `rfc`?)"],
    ["another wrong word", web("    handover: §slow\n"), "(write one of fast, rfc)"],
    ["a log level", web("", "log: { level: §warn }\n"), "did you mean `warning`?"],
    ["a version", web("    version: §4\n"), "`version` is `4` (write 2 or 3)"],
    ["an interface with a slash", web("").replace("eth0", "§eth0/1"), "which cannot be an interface"],
    ["an interface with a blank", web("").replace("eth0", "§eth 0"), "which cannot be an interface"],
    ["a long interface", web("").replace("eth0", "§abcdefghijklmnop"), "16 bytes long"],
    ["an address of letters", web("    source: §router\n"), "which is not an IP address"],
    [
      "an address as keepalived has it",
      web("").replace("10.0.0.1/24", "§10.0.0.1/24 brd + dev eth1 label eth1:1"),
      "(write { address: 10.0.0.1/24, broadcast: +, dev: eth1, label: eth1:1 })",
    ],
    [
      "a netmask",
      web("").replace("10.0.0.1/24", "§10.0.0.1/255.255.254.0"),
      "with a netmask (write 10.0.0.1/23)",
    ],
    ["far too large a number", web("    priority: §99999999999999999999\n"), "far out of range"],
    [
      "half an address",
      probes("  p: { type: tcp, address: §10.0.0.300:80 }"),
      "whose host is not an IP address",
    ],
    [
      "a file that depends on the daemon's directory",
      probes("  p: { type: file, path: §down }"),
      "`path` is `down`, a relative path (write it from the root",
    ],
    ["its process file", probes("  p: { type: process, pid_file: §x.pid }"), "a relative path"],
    ["nginx's", probes("  p: { type: nginx, process: { pid_file: §x.pid } }"), "a relative path"],
    ["an address with prefix", web("    source: §10.0.0.2/24\n"), "(write it without prefix: 10.0.0.2)"],
    ["a listen address", web("", "api: { listen: §8405 }\n"), "(write 127.0.0.1:8405 or [::1]:8405)"],
    [
      "a real-time priority",
      web("", "engine: { realtime: §100 }\n"),
      "(write auto, off or a number from 1 to 99)",
    ],
    [
      "a scope",
      web("").replace("10.0.0.1/24", "{ address: 10.0.0.1/24, scope: §globl }"),
      "did you mean `global`?",
    ],
    ["a relative directory", web("", "runtime_dir: §run\n"), "a relative path"],
    ["a relative socket", web("", "api: { socket: §api.sock }\n"), "a relative path"],
    ["a long socket path", web("", `runtime_dir: §/${"a".repeat(100)}\n`), "but Linux allows 107"],
    ["a hook that is none", web("    notify: { any: §[] }\n"), "`any` is not a command"],
    ["a hook for a shell", web("    notify: { any: §a | b }\n"), "which only a shell understands"],
    ["a list of hooks with a gap", web("    notify: { any: §[[a], []] }\n"), "an item that is not a command"],
  ]);
});

describe("timers and authentication", () => {
  table([
    [
      "version 2 below a second",
      web("    version: 2\n    advert_interval: §500ms\n"),
      "version 2 has whole seconds only (write 1s or more, or version: 3)",
    ],
    [
      "version 2 between seconds",
      web("    version: 2\n    advert_interval: §2.5s\n"),
      "(write 3s, or version: 3)",
    ],
    ["version 2 above 255 s", web("    version: 2\n    advert_interval: §5m\n"), "(write at most 255s)"],
    ["version 3 below 10 ms", web("    advert_interval: §5ms\n"), "(write 10ms to 40.95s)"],
    ["version 3 above 40.95 s", web("    advert_interval: §41s\n"), "(write 10ms to 40.95s)"],
    ["version 3 between steps", web("    advert_interval: §15ms\n"), "steps of 10 ms (write 20ms)"],
    [
      "auth in version 3",
      web("    §auth: { type: pass, key: a }\n"),
      "version 3, which has no authentication (remove it, or write version: 2)",
    ],
    ["auth without key", web("    version: 2\n    §auth: { type: pass }\n"), "`auth` has no `key`"],
    [
      "auth with two keys",
      web("    version: 2\n    auth: { type: pass, key: a, §key_file: §/b }\n"),
      "`key_file` stands beside `key`",
      "cannot be read: no such file",
    ],
    ["auth without type", web("    version: 2\n    §auth: { key: a }\n"), "`auth` has no `type`"],
    [
      "no auth, written out",
      web("    version: 2\n    §auth: { type: §none }\n"),
      "`auth` has no `key`",
      "`type` is `none` (remove `auth` for none)",
    ],
    [
      "auth of no type",
      web("    version: 2\n    auth: { type: §md5, key: a }\n"),
      "`type` is not known (write one of pass, ah)",
    ],
    ["a lease below a second", web("    lease: §500ms\n"), "whole seconds (write 2s, or off)"],
    ["a lease between seconds", web("    lease: §2.5s\n"), "whole seconds (write 3s, or off)"],
    [
      "a key file that is not there",
      web("    version: 2\n    auth: { type: pass, key_file: §/no/key }\n"),
      "`key_file` names a file which cannot be read: no such file",
    ],
    [
      "a token file that is not there",
      web("", "api: { listen: '[::1]:80', token_file: §t }\n"),
      "`token_file` names a file which cannot be read: no such file",
    ],
  ]);
});

describe("addresses", () => {
  const vip = (text: string) => web("").replace("[10.0.0.1/24]", text);
  table([
    ["none", vip("§[]"), "`addresses` is empty"],
    ["no address", vip("[§10.0.0.256/24]"), "which is not an IP address"],
    ["octal parts", vip("[§010.0.0.1/24]"), "which is not an IP address"],
    ["a prefix out of range", vip("[§10.0.0.1/33]"), "whose prefix is out of range"],
    ["a prefix of 0", vip("[§10.0.0.1/0]"), "whose prefix is out of range"],
    ["the network's address", vip("[§10.0.0.0/24]"), "10.0.0.0/24, the address of the network itself"],
    ["the network's broadcast address", vip("[§10.0.0.255/24]"), "the broadcast address of its network"],
    ["the same in a small network", vip("[§10.0.0.3/30]"), "the broadcast address of its network"],
    ["multicast", vip("[§224.0.0.18]"), "a multicast address"],
    ["loopback", vip("[§127.0.0.1/8]"), "a loopback address"],
    ["nothing", vip("[§0.0.0.0]"), "not the address of a host"],
    ["everybody", vip("[§255.255.255.255]"), "broadcast address of every network"],
    ["reserved", vip("[§240.0.0.1]"), "a reserved address"],
    ["twice", vip("[10.0.0.1/24, §10.0.0.1]"), "which stands in this list already"],
    ["written in full", vip("[{ address: §10.0.0.0/8 }]"), "the address of the network itself"],
    [
      "a label of another device",
      vip("[{ address: 10.0.0.1/24, dev: eth1, label: §'eth0:1' }]"),
      "begin it with the device: eth1:1",
    ],
    [
      "a label of the instance's",
      vip("[{ address: 10.0.0.1/24, label: §vip }]"),
      "begin it with the device: eth0:1",
    ],
    ["a long label", vip("[{ address: 10.0.0.1/24, label: §'eth0:0123456789a' }]"), "longer than 15 bytes"],
    ["no broadcast in /32", vip("[{ address: 10.0.0.1, broadcast: §+ }]"), "a /32 has no broadcast address"],
    [
      "more than an advertisement holds",
      vip(`[${Array.from({ length: 256 }, (_, i) => `10.1.${i}.1`)}]`).replace(
        "    addresses",
        "    §addresses",
      ),
      "has 256 IPv4 addresses, but an advertisement holds 255",
    ],
    [
      "no peers",
      web("    peers: §[]\n"),
      "`peers` is empty (name the other routers, or remove the key for multicast)",
    ],
    [
      "the source as peer",
      web("    source: 10.0.0.2\n    peers: [10.0.0.3, §10.0.0.2]\n"),
      "this router's own `source`",
    ],
    ["a virtual address as peer", web("    peers: [§10.0.0.1]\n"), "is 10.0.0.1, a virtual address"],
    ["a peer twice", web("    peers: [10.0.0.3, §10.0.0.3]\n"), "which stands in this list already"],
    ["a multicast peer", web("    peers: [§224.0.0.18]\n"), "a multicast address"],
    ["a source that is no host", web("    source: §255.255.255.255\n"), "broadcast address of every network"],
    [
      "a virtual address as source, with the priority of everybody",
      web("    source: §10.0.0.1\n"),
      "a virtual address, which a backup does not have",
    ],
    [
      "a virtual address as source",
      web("    priority: 100\n    source: §10.0.0.1\n"),
      "a virtual address, which a backup does not have",
    ],
  ]);
});

describe("instances beside each other", () => {
  const lan = (vrid: string, address: string, more = "") =>
    `  lan:\n    interface: eth0\n    vrid: ${vrid}\n    addresses: [${address}]\n${more}`;
  table([
    ["one VRID", web(lan("§51", "10.0.0.2/24")), "`vrid` is 51, which `web` (line 4) has on eth0 already"],
    [
      "one address",
      web(lan("52", "§10.0.0.1/16")),
      "`address` is 10.0.0.1, which `web` (line 5) has already",
    ],
    ["unicast and multicast", web(`    peers: [10.0.0.9]\n${lan("§51", "10.0.0.2/24")}`), "which `web`"],
    [
      "peers of their own",
      web(`    peers: [10.0.0.9]\n${lan("§51", "10.0.0.2/24", "    peers: [10.0.0.7]\n")}`),
      "which `web`",
    ],
  ]);

  test("different interfaces may share a VRID", () => {
    expect(told(web(lan("51", "10.0.0.2/24").replace("eth0", "eth1")))).toMatchObject({
      ok: true,
      lines: [],
    });
  });
});

describe("track", () => {
  const nginx = "probes:\n  nginx: { type: nginx }\n";
  table([
    [
      "an unknown probe",
      web("    track: [{ probe: nginx }, { probe: §ngin, weight: -5 }]\n", nginx),
      "`probe` names `ngin`, but there is no such probe (did you mean `nginx`?)",
    ],
    [
      "an unknown probe, far from all",
      web("    track: [{ probe: nginx }, { probe: §sql }]\n", nginx),
      "(the probes are nginx)",
    ],
    ["no probes at all", web("    track: [{ probe: §sql }]\n"), "(write it under `probes:`)"],
    ["nothing", web("    track: [§{ weight: 5 }]\n"), "`track[0]` names nothing to track"],
    [
      "two things",
      web("    track: [{ probe: nginx, §interface: eth1 }]\n", nginx),
      "`interface` stands beside `probe`",
    ],
    [
      "an interface twice",
      web("    track: [{ interface: eth1 }, { interface: §eth1, weight: 5 }]\n"),
      "names `eth1`, which is tracked already",
    ],
    [
      "a probe twice",
      web("    track: [{ probe: nginx }, { probe: §nginx, weight: 5 }]\n", nginx),
      "which is tracked already",
    ],
    [
      "a heavy weight",
      web("    track: [{ interface: eth1, weight: §-254 }]\n"),
      "(write a number from -253 to 253)",
    ],
    [
      "a number without weight",
      web("    track: [{ probe: §n }]\n", "probes: { n: { type: file, path: /n, expect: integer } }\n"),
      "gives a number, but there is no weight to multiply it by (add weight: 1)",
    ],
    [
      "a word",
      web("    track: [§nginx]\n", nginx.replace("  nginx:", "  nginx:")),
      "`track[0]` must be a mapping",
    ],
  ]);
});

describe("probes", () => {
  table([
    [
      "no type",
      probes("  §p: { interval: 1s }"),
      "`type` is missing (write one of nginx, http, https, tcp, process, exec, file)",
    ],
    ["an unknown type", probes("  p: { type: §ngnix }"), "`type` is `ngnix` (did you mean `nginx`?)"],
    ["an unknown key", probes("  p: { type: nginx, §intervall: 1s }"), "did you mean `interval`?"],
    [
      "a key of another type",
      probes("  p: { type: tcp, address: 'a:1', §url: 'http://a/' }"),
      "unknown key `url`",
    ],
    [
      "too often",
      probes("  p: { type: nginx, interval: §10ms }"),
      "`interval` is `10ms`, out of range (write a duration from 50ms to 24h)",
    ],
    ["no time", probes("  p: { type: nginx, timeout: §0s }"), "out of range"],
    ["no rise", probes("  p: { type: nginx, rise: §0 }"), "out of range"],
    [
      "a jitter that reaches the next run",
      probes("  p: { type: nginx, interval: 1s, jitter: §1s }"),
      "not less than the interval of 1s",
    ],
    ["no URL", probes("  §p: { type: http }"), "`p` has no `url`"],
    ["a URL that is none", probes("  p: { type: http, url: §localhost/x }"), "which is not a URL"],
    ["a URL of a file", probes("  p: { type: http, url: §'file:///x' }"), "which is not a URL"],
    [
      "a URL that is none, with a password, which is not shown",
      probes("  p: { type: http, url: §'htp://a:b@c/' }"),
      "`url` is `htp://…@c/`, which is not a URL",
    ],
    [
      "a password before a host without a scheme",
      probes("  p: { type: http, url: §'a:b@c/' }"),
      "@c/`, which is not a URL",
    ],
    ["a URL with a password", probes("  p: { type: http, url: §'http://a:b@c/' }"), "a user or password"],
    ["https over http", probes("  p: { type: https, url: §'http://c/' }"), "has the scheme http"],
    [
      "a status",
      probes("  p: { type: http, url: 'http://c/', expect: { status: [200, §20] } }"),
      "which is not an HTTP status",
    ],
    [
      "a range that falls",
      probes("  p: { type: http, url: 'http://c/', expect: { status: §299-200 } }"),
      "out of range",
    ],
    [
      "no status",
      probes("  p: { type: http, url: 'http://c/', expect: { status: §[] } }"),
      "`status` is empty",
    ],
    [
      "a pattern",
      probes("  p: { type: http, url: 'http://c/', expect: { body: §/(/ } }"),
      "is not a regular expression",
    ],
    ["a method", probes("  p: { type: http, url: 'http://c/', method: §'GE T' }"), "(write GET or HEAD)"],
    [
      "a header's name",
      probes("  p: { type: http, url: 'http://c/', headers: { §'a b': c } }"),
      "cannot be the name of a header",
    ],
    [
      "a header twice",
      probes("  p: { type: http, url: 'http://c/', headers: { a: b, §A: c } }"),
      "this header stands in this mapping already",
    ],
    [
      "Host as header",
      probes("  p: { type: http, url: 'http://c/', headers: { §host: b } }"),
      "(write host: NAME beside `headers`)",
    ],
    [
      "a CA that is not there",
      probes("  p: { type: http, url: 'https://c/', ca: §ca.pem }"),
      "cannot be read: no such file",
    ],
    [
      "two ways to nginx",
      probes("  p: { type: nginx, process: { pid_file: /a, §name: b } }"),
      "`name` stands beside `pid_file`",
    ],
    ["no way to nginx", probes("  p: { type: nginx, §process: {} }"), "has none of pid_file, name"],
    ["no process", probes("  §p: { type: process }"), "`p` has none of name, pid_file, cmdline"],
    [
      "a command line's pattern",
      probes("  p: { type: process, cmdline: §'[' }"),
      "is not a regular expression",
    ],
    [
      "an address without port",
      probes("  p: { type: tcp, address: §10.0.0.1 }"),
      "which is not an address and a port",
    ],
    ["no command", probes("  §p: { type: exec }"), "`p` has no `command`"],
    [
      "a shell's command",
      probes("  p: { type: exec, command: §'a && b' }"),
      "which only a shell understands",
    ],
    ["a user", probes("  p: { type: exec, command: [a], user: §'a b' }"), "(write user or user:group)"],
    ["no path", probes("  §p: { type: file }"), "`p` has no `path`"],
    ["an expectation", probes("  p: { type: file, path: /a, expect: §absnt }"), "did you mean `absent`?"],
    ["without value", "probes:\n  §p:\n" + web(""), "`p` has no value"],
  ]);
});

test("a misspelt section is one mistake, not one for each name in it", () => {
  const { at, marks } = told(web("    track: [{ probe: p }]\n", "§probs: { p: { type: nginx } }\n"));
  expect(at).toEqual([...marks]);
});

test("five mistakes in one file are five lines, in the order of the file", () => {
  const { ok, lines, at, marks } = told(`node: edge-a
probes:
  nginx: { type: nginx, interval: §200 }
vrrp:
  web:
    interface: eth0
    §vird: 51
    priority: §300
    preempt: §yes
    addresses: [10.9.0.100/24]
    track:
      - { probe: §ngnix, weight: -60 }
`);
  expect(ok).toBe(false);
  expect(at).toEqual([...marks]);
  expect(lines).toEqual([
    "3:35: `interval` is `200`, a number without a unit (write 200s or 200ms)",
    "7:5: unknown key `vird` (did you mean `vrid`?)",
    "8:15: `priority` is 300, out of range (write a number from 1 to 255)",
    "9:14: `preempt` is `yes` (write true, false or a delay like 30s)",
    "12:18: `probe` names `ngnix`, but there is no such probe (did you mean `nginx`?)",
  ]);
});

describe("a config of keepalived", () => {
  const SAYS = "this is in keepalived's format, which is not read (write it in YAML: ";
  const INSTANCE = "vrrp_instance VI_1 {\n  state MASTER\n  interface eth0\n  priority 100\n}\n";
  table([
    ["its own example", `! Configuration File\n\n§global_defs {\n  router_id LVS\n}\n${INSTANCE}`, SAYS],
    ["an instance", `§${INSTANCE}`, SAYS],
    ["the brace on a line of its own", "# edge\n§vrrp_script chk\n{\n  script /bin/true\n}\n", SAYS],
    ["a colon somewhere in it", `§${INSTANCE.replace("}", '  notify_master "/a: b"\n}')}`, SAYS],
    ["an IPv6 server", "§virtual_server 2001:db8::1 80 {\n  lb_algo rr\n}\n", SAYS],
    ["what it is told to include", "§include /etc/keepalived/*.conf\n", SAYS],
    ["macros before the first block", `$VRID=51\n@a x\n§${INSTANCE}`, SAYS],
    ["another text", "§hello world\n", "the file must be a mapping"],
    [
      "one of its lines in one of ours",
      web("    notify: { master: [/a] }\n§vrrp_instance VI_1 {\n  state: MASTER\n§}\n"),
      "not valid YAML",
    ],
  ]);

  test("its words in a text of ours are a text", () => {
    const script = "        vrrp_instance VI_1 {\n        }\n";
    const { ok } = told(probes(`  p:\n    type: exec\n    command:\n      - /bin/sh\n      - |\n${script}`));
    expect(ok).toBe(true);
  });
});
