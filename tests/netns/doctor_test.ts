/** The doctor on machines with one thing wrong each, all examined at once because each examination listens for a while. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  appliancePath,
  createLab,
  describeLab,
  findProgram,
  keepalivedConf,
  type Lab,
  type LabNode,
  must,
  run,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

const NOBODY = 65534;
const LIMIT_MS = 6000;
const KEEPALIVED = { version: 3, priority: 200, interval: 0.1, vip: VIP } as const;

const SIX_VIP = "2001:db8::99/64";

const GRETAP = {
  type: "gretap",
  local: "10.0.0.5",
  remote: "10.0.0.2",
  addresses: ["10.1.1.2/24"],
  datapath: "kernel",
};

interface Found {
  readonly area: string;
  readonly severity: string;
  readonly what: string;
  readonly why: string | null;
  readonly fix: readonly string[];
}

interface Answer {
  readonly code: number | null;
  readonly tookMs: number;
  readonly text: string;
  readonly ok: boolean;
  readonly findings: readonly Found[];
  readonly unchecked: readonly { readonly what: string }[];
}

let files = 0;

/** Runs the doctor in a node; `user` = another one than root. */
async function examine(node: LabNode, yaml: string | null, user: number | null = null): Promise<Answer> {
  const directory = node.directory("doctor");
  // A user who may not read the config sees nothing but that.
  for (const each of [node.lab.directory, directory]) chmodSync(each, 0o755);
  const path = join(directory, `${++files}.yaml`);
  if (yaml !== null) {
    writeFileSync(path, /^runtime_dir:/m.test(yaml) ? yaml : `${yaml}runtime_dir: ${directory}/run\n`);
  }
  const as = user === null ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
  const argv = [appliancePath(), "doctor", "--json", ...yaml === null ? [] : ["-c", path]];
  const before = performance.now();
  const running = node.spawn([...as, ...argv]);
  const { code } = await running.ended;
  const tookMs = performance.now() - before;
  await waitFor(() => running.stdout.trimEnd().endsWith("}"), {
    timeoutMs: 1000,
    what: "the doctor's answer",
    explain: () => running.stderr,
  });
  return { code, tookMs, text: running.stdout, ...JSON.parse(running.stdout) };
}

/** The one finding whose text matches. */
function only({ findings, text }: Answer, pattern: RegExp): Found {
  const found = findings.filter(({ what }) => pattern.test(what));
  if (found.length !== 1) throw new Error(`${found.length} findings match ${pattern} in\n${text}`);
  return found[0]!;
}

/** What a node is like: everything that an examination could leave behind. */
function traces(node: LabNode): string {
  const show = (...argv: string[]) => node.exec(argv).stdout;
  return [
    // The lifetimes of addresses and the ages of groups are no traces.
    show("ip", "-o", "link"),
    show("ip", "-o", "addr").replaceAll(/\w+_lft \S+/g, ""),
    show("ip", "-o", "maddr"),
    show("ip", "route"),
    show("nft", "list", "ruleset"),
    show("sh", "-c", "cat /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/ip_forward"),
  ].join("\n");
}

/** Modules of the whole machine. */
function loadedModules(): string {
  return run(["sh", "-c", "cut -d' ' -f1 /proc/modules 2>/dev/null"]).stdout;
}

describeLab("appliance doctor", ["keepalived"], () => {
  const NAMES = ["good", "rival", "hears", "auth", "filter", "stolen", "user", "bare", "tunnel"] as const;
  const nodes = {} as Record<typeof NAMES[number], LabNode>;
  const answers = {} as Record<typeof NAMES[number], Answer>;
  const labs: Lab[] = [];
  let stranger: LabNode;
  let before: string;
  let after: string;
  let modulesBefore: string;
  let modulesAfter: string;

  beforeAll(async () => {
    // Each in a network of its own, so that nobody hears the others' routers.
    const lab = createLab("doctor");
    labs.push(lab);
    for (const name of NAMES) {
      nodes[name] = lab.node(name, { switch: lab.switch(`lan-${name}`), addresses: ["10.0.0.1/24"] });
    }
    const peer = (name: typeof NAMES[number]) =>
      lab.node(`peer-${name}`, { switch: lab.switch(`lan-${name}`), addresses: ["10.0.0.2/24"] });

    nodes.rival.startKeepalived(keepalivedConf({ ...KEEPALIVED, priority: 50 }));
    nodes.rival.plug({ device: "eth1", switch: lab.switch("other"), addresses: ["10.0.0.3/24"] });
    nodes.rival.exec(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter"]);

    const masters = [peer("hears"), peer("auth"), peer("filter")];
    masters[0]!.startKeepalived(keepalivedConf(KEEPALIVED));
    masters[1]!.startKeepalived(
      keepalivedConf({ ...KEEPALIVED, version: 2, interval: 1, password: "secret" }),
    );
    masters[2]!.startKeepalived(keepalivedConf(KEEPALIVED));
    nodes.filter.exec(["nft", "-f", "-"], {
      stdin:
        "table inet guard { chain input { type filter hook input priority 0; policy accept; ip protocol 112 drop; }; }",
    });
    stranger = peer("stolen");
    stranger.ip(`addr add ${VIP}/24 dev eth0`, `addr add ${SIX_VIP} dev eth0 nodad`);
    nodes.tunnel.ip("route add local 10.0.0.6 dev lo");
    await waitFor(() => masters.every((node) => node.has(VIP)) && nodes.rival.has(VIP), {
      timeoutMs: 10_000,
      what: "keepalived to be master",
    });

    const v2 = webYaml(100, { version: 2, advert_interval: "1s" });
    before = traces(nodes.good);
    modulesBefore = loadedModules();
    const all: Record<typeof NAMES[number], Promise<Answer>> = {
      good: examine(nodes.good, webYaml(100)),
      rival: examine(nodes.rival, webYaml(100)),
      hears: examine(nodes.hears, webYaml(100)),
      auth: examine(nodes.auth, v2),
      filter: examine(nodes.filter, webYaml(100)),
      stolen: examine(nodes.stolen, webYaml(100, { addresses: [`${VIP}/24`, "fe80::99/64", SIX_VIP] })),
      user: examine(nodes.user, webYaml(100), NOBODY),
      bare: examine(nodes.bare, null),
      tunnel: examine(
        nodes.tunnel,
        yamlOf({
          tunnels: { gretap1: GRETAP, gretap2: { ...GRETAP, local: "10.0.0.6", addresses: [] } },
          vrrp: { web: web(100) },
        }),
      ),
    };
    for (const name of NAMES) answers[name] = await all[name];
    after = traces(nodes.good);
    modulesAfter = loadedModules();
  }, 40_000);
  afterAll(() => Promise.all(labs.map((lab) => lab.close())), 20_000);

  test("a good machine has no error; nothing takes longer than it may", () => {
    expect(answers.good.findings.filter(({ severity }) => severity === "error")).toEqual([]);
    expect([answers.good.code, answers.good.ok]).toEqual([0, true]);
    expect(only(answers.good, /No advertisement of VRID 51 was heard on eth0/).severity).toBe("note");
    for (const name of NAMES) expect(answers[name].tookMs).toBeLessThan(LIMIT_MS);
  });

  test("it leaves no trace", () => {
    expect(after).toBe(before);
    expect(modulesAfter).toBe(modulesBefore);
  });

  test("a running keepalived with our VRID is named, and its address on this machine", () => {
    const found = only(answers.rival, /^keepalived is running/);
    expect([found.severity, answers.rival.code]).toEqual(["error", 1]);
    expect(found.why).toContain(`has VRID 51 and ${VIP} too`);
    expect(only(answers.rival, new RegExp(`${VIP} of instance web is on eth0`)).severity).toBe("warning");
    // Those of other namespaces are none of our business.
    expect(answers.hears.findings.filter(({ what }) => what.includes("is running"))).toEqual([]);
  });

  test("a strict rp_filter that drops packets is named with what to type", () => {
    const found = only(
      answers.rival,
      /rp_filter is strict on eth0, and eth0 and eth1 are in the same subnet/,
    );
    expect(found.fix[0]).toBe("sysctl -w net.ipv4.conf.eth0.rp_filter=2");
  });

  test("modules that this kernel lacks are named", () => {
    const lacks = run([
      "ip",
      "-n",
      nodes.bare.namespace,
      "link",
      "add",
      "t0",
      "type",
      "gretap",
      "remote",
      "192.0.2.1",
      "local",
      "192.0.2.2",
    ])
      .code !== 0;
    const named = answers.bare.findings.some(({ what }) => what.startsWith("Module ip_gre is missing"));
    expect(named).toBe(lacks);
    if (lacks) {
      const found = only(
        answers.tunnel,
        /^Module ip_gre is missing: this kernel cannot make gre and gretap tunnels/,
      );
      expect([found.severity, found.fix[0]]).toEqual(["error", "modprobe ip_gre"]);
      expect(answers.tunnel.code).toBe(1);
    }
    expect(only(answers.tunnel, /its local address .* is on no interface/).severity).toBe("error");
    expect(answers.bare.code).toBe(0);
  });

  test("a master that agrees shows that multicast passes", () => {
    const found = only(
      answers.hears,
      /10\.0\.0\.2 on eth0 is master of VRID 51 \(priority 200, ours 100\): multicast passes/,
    );
    expect([found.severity, answers.hears.code]).toEqual(["note", 0]);
  });

  test("a master with another authentication: the key is told, the password is not", () => {
    const found = only(answers.auth, /10\.0\.0\.2 on eth0 speaks for VRID 51 .*auth pass, here none/);
    expect([found.severity, answers.auth.code]).toEqual(["error", 1]);
    expect(answers.auth.text).not.toContain("secret");
  });

  test.skipIf(findProgram("nft") === null)("a firewall is found in its rules and on the wire", () => {
    const rule = only(
      answers.filter,
      /protocol 112\) coming in on eth0 are dropped by the rule with handle \d+ of inet guard input/,
    );
    expect(rule.severity).toBe("error");
    expect(rule.fix[0]).toStartWith("nft insert rule inet guard input ");
    expect(only(answers.filter, /from 10\.0\.0\.2 on eth0 arrive, but the kernel drops them/).severity).toBe(
      "error",
    );
  });

  test("somebody who has our address without VRRP", () => {
    const found = only(
      answers.stolen,
      new RegExp(`${VIP} of instance web is answered for by ${stranger.mac()}`),
    );
    expect([found.severity, answers.stolen.code]).toEqual(["error", 1]);
    const six = only(
      answers.stolen,
      new RegExp(`2001:db8::99 of instance web is answered for by ${stranger.mac()}`),
    );
    expect([six.severity, six.fix[0]]).toEqual([
      "error",
      "ndisc6 2001:db8::99 eth0   # whose hardware address is it?",
    ]);
  });

  test("without root it says what it could not look at", () => {
    expect(only(answers.user, /^User 65534 cannot run it/).severity).toBe("warning");
    expect(answers.user.unchecked.map(({ what }) => what)).toContain("what other routers say on eth0");
    expect(answers.user.findings.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(answers.user.code).toBe(0);
  });

  test("a running daemon is asked, and its own address is none of the findings", async () => {
    const daemon = await nodes.good.startAppliance(webYaml(100, {}, { api: { listen: "127.0.0.1:8405" } }));
    await daemon.waitState("web", "master", 3000);
    const yaml = readFileSync(daemon.configPath, "utf8");
    const started = performance.now();
    const { code, stdout } = nodes.good.exec([appliancePath(), "doctor", "--json", "-c", daemon.configPath]);
    const answer = { ...JSON.parse(stdout), code, text: stdout } as Answer & { daemon: boolean };
    expect(answer.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect([answer.code, answer.daemon]).toEqual([0, true]);
    // Nobody has to be listened to.
    expect(performance.now() - started).toBeLessThan(3000);
    only(answer, /^appliance is running \(good, process \d+\)/);
    expect(stdout).not.toContain("No advertisement");

    // The same port and socket with another config: two daemons do not get along like that.
    const other = await examine(nodes.good, yaml.replace("priority", 'down_adverts": 4, "priority'));
    expect(other.code).toBe(1);
    only(other, /runs another config/);
  }, 20_000);

  test("beside a running daemon that is master a stranger with its address is found", async () => {
    const daemon = await nodes.stolen.startAppliance(webYaml(100));
    await daemon.waitState("web", "master", 3000);
    const { code, stdout } = nodes.stolen.exec([
      appliancePath(),
      "doctor",
      "--json",
      "-c",
      daemon.configPath,
    ]);
    const answer = { ...JSON.parse(stdout), code, text: stdout } as Answer;
    const what = `answered for by ${stranger.mac()} on eth0, and this machine is its master`;
    expect([only(answer, new RegExp(what)).severity, answer.code]).toEqual(["error", 1]);
  }, 15_000);

  test("a text for people: areas, what to type, a verdict", () => {
    const path = join(nodes.user.directory("text"), "a.yaml");
    writeFileSync(
      path,
      yamlOf({ vrrp: { web: { interface: "eth9", vrid: 1, addresses: ["10.0.0.100/24"] } } }),
    );
    const text = must([
      "sh",
      "-c",
      `ip netns exec ${nodes.user.namespace} ${appliancePath()} doctor -c ${path} || true`,
    ]);
    expect(text).toContain("interfaces  error    Interface eth9 does not exist\n");
    expect(text).toMatch(/^ {21}do {4}ip -br link/m);
    expect(text).toMatch(/^clock {7}ok$/m);
    expect(text).toMatch(/\nnot fit: 1 error, /);
  });
});
