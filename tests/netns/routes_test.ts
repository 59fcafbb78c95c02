/** Addresses that are not advertised, routes and rules: with the master, always there, put back; accept mode off. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  type Appliance,
  createLab,
  describeLab,
  findProgram,
  holds,
  killAll,
  type Lab,
  type LabNode,
  nowMs,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

/** What our routes and rules are marked with. */
const PROTOCOL = "112";
const EXTRA = "10.0.0.101";

const FLUSH = `route flush table all proto ${PROTOCOL}\nrule flush protocol ${PROTOCOL}\n`;

interface RouteEntry {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly [key: string]: unknown;
}

/** Our routes of a node, in all tables. */
function routes(node: LabNode, family: "-4" | "-6" = "-4"): RouteEntry[] {
  const { stdout } = node.exec([
    "ip",
    "-j",
    "-d",
    family,
    "route",
    "show",
    "table",
    "all",
    "proto",
    PROTOCOL,
  ]);
  return JSON.parse(stdout || "[]") as RouteEntry[];
}

/** `10.5.0.0/16 via 10.1.0.9 dev eth1`, sorted. */
function routeTexts(node: LabNode, family: "-4" | "-6" = "-4"): string[] {
  return routes(node, family).map(({ dst, gateway, dev }) =>
    `${dst}${gateway === undefined ? "" : ` via ${gateway}`}${dev === undefined ? "" : ` dev ${dev}`}`
  ).sort();
}

/** Rules of a node that are not the kernel's own: `50: from 10.5.0.0/16 lookup 100`. */
function ruleTexts(node: LabNode, family: "-4" | "-6" = "-4"): string[] {
  const { stdout } = node.exec(["ip", family, "rule", "show"]);
  return stdout.split("\n").map((line) => line.replaceAll(/\s+/g, " ").trim()).filter((line) =>
    line !== "" && !/^(0|32766|32767): from all lookup (local|main|default)$/.test(line)
  ).map((line) => line.replace(` proto ${PROTOCOL}`, ""));
}

function ruleset(node: LabNode): string {
  return node.exec(["nft", "list", "ruleset"]).stdout.trim();
}

describeLab("what follows the master", ["tcpdump", "curl"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;
  let server: LabNode;

  beforeAll(() => {
    lab = createLab("routes");
    const wan = lab.switch("wan");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24"] });
    a.plug({ device: "eth1", switch: wan, addresses: ["10.1.0.1/24", "2001:db8:1::1/64"] });
    b.plug({ device: "eth1", switch: wan, addresses: ["10.1.0.2/24", "2001:db8:1::2/64"] });
    client = lab.node("client", { addresses: ["10.0.0.9/24"] });
    server = lab.node("server", { switch: wan, addresses: ["10.1.0.9/24"] });
    for (const node of [a, b]) node.exec(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    server.ip("route add 10.0.0.0/24 via 10.1.0.1");
  }, 30_000);
  afterEach(async () => {
    await lab.reset();
    // A daemon that was killed leaves these to its successor.
    for (const node of [a, b]) {
      for (const family of ["-4", "-6"]) node.exec(["ip", family, "-force", "-batch", "-"], { stdin: FLUSH });
    }
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  const FOLLOWING = {
    extra: [`${EXTRA}/24`, { address: "10.1.0.100/24", dev: "eth1" }, "2001:db8::5/64"],
    routes: ["10.5.0.0/16 via 10.1.0.9 dev eth1", { to: "default", via: "10.1.0.9", metric: 50 }],
    rules: ["from 10.5.0.0/16 table 100 priority 50"],
  };
  const ROUTES = ["10.5.0.0/16 via 10.1.0.9 dev eth1", "default via 10.1.0.9 dev eth1"];
  const RULES = ["50: from 10.5.0.0/16 lookup 100"];

  const empty = (node: LabNode) =>
    routeTexts(node).length + routeTexts(node, "-6").length + ruleTexts(node).length +
        ruleTexts(node, "-6").length ===
      0;

  async function master(node: LabNode, yaml: string): Promise<Appliance> {
    const daemon = await node.startAppliance(yaml);
    await daemon.waitState("web", "master", 3000);
    return daemon;
  }

  async function problems(daemon: Appliance): Promise<string[]> {
    const { instances } = await daemon.status();
    return (instances[0] as unknown as { problems: string[] }).problems;
  }

  async function repaired(daemon: Appliance): Promise<number> {
    return (await daemon.instance("web") as unknown as { repaired: number }).repaired;
  }

  test("they are on the master only, move at a fail-over, and are gone at the end", async () => {
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150, FOLLOWING)),
      b.startAppliance(webYaml(100, FOLLOWING)),
    ]);
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 3000);
    const all = { addresses: [VIP, EXTRA, "10.1.0.100", "2001:db8::5"], routes: ROUTES, rules: RULES };
    const seen = (node: LabNode) => ({
      addresses: all.addresses.filter((address) => node.has(address)),
      routes: routeTexts(node),
      rules: ruleTexts(node),
    });
    const none = { addresses: [], routes: [], rules: [] };
    await waitFor(() => a.has(VIP) && ruleTexts(a).length > 0, { timeoutMs: 500, what: "the rules" });
    expect(seen(a)).toEqual(all);
    expect(seen(b)).toEqual(none);

    const wire = await client.capture("eth0", "arp or ip proto 112");
    expect((await first.stop()).code).toBe(0);
    await second.waitState("web", "master", 1000);
    await waitFor(() => ruleTexts(b).length > 0, { timeoutMs: 500, what: "the rules" });
    expect(seen(b)).toEqual(all);
    expect(seen(a)).toEqual(none);
    // An extra address is announced, and stands in no advertisement.
    await waitFor(() => wire.packets().some(({ text }) => text.includes(`who-has ${EXTRA}`)), {
      timeoutMs: 1000,
      what: "a gratuitous ARP for the extra address",
    });
    await waitFor(() => wire.adverts("10.0.0.2").length > 0, { timeoutMs: 1000, what: "an advertisement" });
    const adverts = wire.packets().filter(({ text }) => text.includes("VRRP"));
    expect(adverts.length).toBeGreaterThan(0);
    expect(adverts.every(({ text }) => text.includes(VIP) && !text.includes(EXTRA))).toBe(true);

    const status = await second.instance("web");
    expect(status).toMatchObject({
      addresses: [`${VIP}/24`],
      extra: [`${EXTRA}/24`, "10.1.0.100/24", "2001:db8::5/64"],
      routes: ["10.5.0.0/16 via 10.1.0.9 dev eth1", "default via 10.1.0.9 metric 50"],
      rules: ["50: from 10.5.0.0/16 lookup 100"],
      problems: [],
    });
    expect((await second.stop()).code).toBe(0);
    expect(seen(b)).toEqual(none);
  }, 15_000);

  test("routes and rules of every kind are as the ip program shows them", async () => {
    const daemon = await master(
      a,
      webYaml(150, {
        routes: [
          "10.21.0.0/16 via 10.1.0.9 dev eth1 metric 77 table 100 mtu 1400",
          `10.22.0.0/16 dev eth1 scope link src ${VIP}`,
          "10.23.0.0/16 via 172.16.0.1 dev eth1 onlink",
          "10.24.0.0/16 nexthop via 10.1.0.8 dev eth1 weight 1 nexthop via 10.1.0.9 dev eth1 weight 3",
          "blackhole 10.25.0.0/16",
          { to: "10.26.0.0/16", type: "prohibit", table: 1000 },
          "unreachable 10.27.0.7",
          { to: "10.28.0.0/16", via: "fe80::9", dev: "eth1" },
          "2001:db8:21::/48 via 2001:db8:1::9 metric 5",
          "2001:db8:24::/48 nexthop via 2001:db8:1::8 dev eth1 nexthop via 2001:db8:1::9 dev eth1",
          "blackhole 2001:db8:25::/48",
          "default via fe80::9 dev eth1 table 100",
        ],
        rules: [
          "from 10.21.0.0/16 table 100 priority 51",
          "not to 10.22.0.0/16 fwmark 0x10/0xff iif eth1 lookup 1000 priority 52",
          "from 10.23.0.0/16 prohibit",
          { table: "main", suppress_prefix: 0, priority: 54, oif: "eth0", tos: 16 },
          "from 2001:db8:21::/48 table 100 priority 55",
        ],
      }),
    );
    expect(await problems(daemon)).toEqual([]);
    const of = (dst: string, family: "-4" | "-6" = "-4") =>
      routes(a, family).find((route) => route.dst === dst);
    expect(of("10.21.0.0/16")).toMatchObject({
      gateway: "10.1.0.9",
      dev: "eth1",
      metric: 77,
      table: "100",
      metrics: [{ mtu: 1400 }],
    });
    expect(of("10.22.0.0/16")).toMatchObject({ dev: "eth1", scope: "link", prefsrc: VIP });
    expect(of("10.23.0.0/16")).toMatchObject({ gateway: "172.16.0.1", flags: ["onlink"] });
    expect(of("10.24.0.0/16")).toMatchObject({
      nexthops: [{ gateway: "10.1.0.8", weight: 1 }, { gateway: "10.1.0.9", weight: 3 }],
    });
    expect(of("10.25.0.0/16")).toMatchObject({ type: "blackhole" });
    expect(of("10.26.0.0/16")).toMatchObject({ type: "prohibit", table: "1000" });
    expect(of("10.27.0.7")).toMatchObject({ type: "unreachable" });
    expect(of("10.28.0.0/16")).toMatchObject({ via: { family: "inet6", host: "fe80::9" } });
    expect(of("2001:db8:21::/48", "-6")).toMatchObject({ gateway: "2001:db8:1::9", metric: 5 });
    expect(of("2001:db8:24::/48", "-6")).toMatchObject({
      nexthops: [{ gateway: "2001:db8:1::8" }, { gateway: "2001:db8:1::9" }],
    });
    expect(of("2001:db8:25::/48", "-6")).toMatchObject({ type: "blackhole" });
    expect(of("default", "-6")).toMatchObject({ gateway: "fe80::9", table: "100" });
    expect(ruleTexts(a)).toEqual([
      "51: from 10.21.0.0/16 lookup 100",
      "52: not from all to 10.22.0.0/16 fwmark 0x10/0xff iif eth1 lookup 1000",
      "54: from all tos 0x10 oif eth0 lookup main suppress_prefixlength 0",
      "16384: from 10.23.0.0/16 prohibit",
    ]);
    expect(ruleTexts(a, "-6")).toEqual(["55: from 2001:db8:21::/48 lookup 100"]);
    // Nothing of what the kernel tells about our own doings is taken for a loss.
    await holds(async () => await repaired(daemon) === 0, { forMs: 300, what: "no repairs" });

    // A reload changes what differs and leaves the rest.
    daemon.writeConfig(webYaml(150, {
      routes: ["10.21.0.0/16 via 10.1.0.8 dev eth1 metric 77 table 100", "blackhole 10.25.0.0/16"],
      rules: ["from 10.21.0.0/16 table 101 priority 51"],
    }));
    expect(daemon.command("reload").code).toBe(0);
    await waitFor(() => routes(a).length === 2 && routes(a, "-6").length === 0, {
      timeoutMs: 1000,
      what: "what is not wanted any more to be gone",
      explain: () => JSON.stringify([routes(a), routes(a, "-6")]),
    });
    expect(of("10.21.0.0/16")).toMatchObject({ gateway: "10.1.0.8", metric: 77 });
    expect(ruleTexts(a)).toEqual(["51: from 10.21.0.0/16 lookup 101"]);
    await holds(async () => await repaired(daemon) === 0, { forMs: 200, what: "no repairs" });
    expect((await daemon.stop()).code).toBe(0);
    expect(empty(a)).toBe(true);
  }, 15_000);

  test(
    "they go with an instance that was called otherwise, or is about to leave, when an interface came meanwhile",
    async () => {
      const daemon = await master(a, webYaml(150, FOLLOWING));
      const gone = () =>
        waitFor(() => empty(a) && !a.has(VIP) && !a.has(EXTRA), {
          // Until a successor would have come; the lease is longer.
          timeoutMs: 2500,
          what: "all to be gone",
          explain: () => daemon.log,
        });
      const comes = () =>
        a.ip("link add late0 type veth peer name late1", "link set late0 up", "link del late0");
      daemon.writeConfig(yamlOf({ vrrp: { shop: web(150, FOLLOWING) } }));
      expect(daemon.command("reload").code).toBe(0);
      comes();
      expect(daemon.command("release", "shop").code).toBe(0);
      await gone();
      expect(daemon.command("resume", "shop").code).toBe(0);
      await daemon.waitState("shop", "master", 3000);
      daemon.writeConfig(
        yamlOf({
          vrrp: {
            lan: { ...web(150), interface: "eth1", addresses: ["10.1.0.201/24"], extra: ["10.1.0.200/24"] },
          },
        }),
      );
      expect(daemon.command("reload").code).toBe(0);
      comes();
      await gone();

      // What belongs to somebody else from then on stays with him.
      await daemon.waitState("lan", "master", 3000);
      const always = { addresses: ["10.1.0.200/24 dev eth1"] };
      daemon.writeConfig(yamlOf({ static: always, vrrp: { web: web(150) } }));
      expect(daemon.command("reload").code).toBe(0);
      comes();
      await waitFor(() => !a.has("10.1.0.201"), { timeoutMs: 2500, what: "the one that leaves to be gone" });
      expect(a.has("10.1.0.200")).toBe(true);
      const lan = { ...web(150), vrid: 61, addresses: ["10.1.0.200/32"] };
      daemon.writeConfig(yamlOf({ vrrp: { web: web(150), lan } }));
      expect(daemon.command("reload").code).toBe(0);
      await daemon.waitState("lan", "master", 3000);
      expect(daemon.events().filter(({ text }) => text.includes("left behind by an earlier run"))).toEqual(
        [],
      );
    },
    20_000,
  );

  test("what someone removes is put back, and counted", async () => {
    const daemon = await master(
      a,
      webYaml(150, {
        extra: [`${EXTRA}/24`, "2001:db8::5/64"],
        routes: [
          "10.5.0.0/16 via 10.1.0.9 dev eth1",
          "2001:db8:22::/48 via 2001:db8:1::9 src 2001:db8::5",
          `10.6.0.0/16 via 10.1.0.9 src ${VIP}`,
          "10.7.0.0/16 nexthop via 10.1.0.8 dev eth1 nexthop via 10.1.0.9 dev eth1",
          "2001:db8:21::/48 via 2001:db8:1::9",
        ],
        rules: FOLLOWING.rules,
      }),
    );
    const before = { routes: routeTexts(a), six: routeTexts(a, "-6"), rules: ruleTexts(a) };
    expect(before.routes).toHaveLength(3);
    const whole = () =>
      a.has(EXTRA) && String(routeTexts(a)) === String(before.routes) &&
      String(routeTexts(a, "-6")) === String(before.six) && String(ruleTexts(a)) === String(before.rules);
    const losses: readonly (readonly [string, string, number])[] = [
      ["a route", "route del 10.5.0.0/16", 1],
      ["a route of several ways", "route del 10.7.0.0/16", 1],
      ["an IPv6 route", "-6 route del 2001:db8:21::/48", 1],
      ["a rule", "rule del priority 50", 1],
      ["an extra address", `addr del ${EXTRA}/24 dev eth0`, 1],
      ["a route that is replaced", "route replace 10.5.0.0/16 via 10.1.0.77 dev eth1", 1],
    ];
    const { transitions } = await daemon.instance("web");
    let count = await repaired(daemon);
    for (const [what, command, repairs] of losses) {
      a.exec(["sh", "-c", `ip ${command}`]);
      await waitFor(() => whole(), {
        timeoutMs: 1000,
        what: `${what} to be back`,
        explain: () => JSON.stringify([routes(a), routes(a, "-6"), ruleTexts(a), daemon.log]),
      });
      count += repairs;
      await waitFor(async () => await repaired(daemon) === count, {
        timeoutMs: 1500,
        what: `a count of ${count} after the loss of ${what}`,
        explain: async () => `it is ${await repaired(daemon)}\n${daemon.log}`,
      });
    }
    // With an address go the routes that prefer it as their source, and nobody tells.
    a.ip(`addr del ${VIP}/24 dev eth0`);
    await waitFor(() => a.has(VIP) && whole(), {
      timeoutMs: 1000,
      what: "the virtual address and the route from it",
      explain: () => daemon.log,
    });
    const source = () => routes(a, "-6").find(({ dst }) => dst === "2001:db8:22::/48")?.["prefsrc"];
    expect(source()).toBe("2001:db8::5");
    a.ip("addr del 2001:db8::5/64 dev eth0");
    await waitFor(() => a.has("2001:db8::5") && source() === "2001:db8::5", {
      timeoutMs: 1000,
      what: "the IPv6 route to prefer its source again",
      explain: () => JSON.stringify([routes(a, "-6"), daemon.log]),
    });
    // With an interface go the IPv4 routes over it, and nobody tells either; IPv6 ones are told.
    a.ip("link set eth1 down");
    await waitFor(() => routeTexts(a).length < 3, { timeoutMs: 500, what: "the routes to be gone" });
    expect((await daemon.instance("web")).state).toBe("master");
    await waitFor(async () => (await problems(daemon)).length > 0, { timeoutMs: 1000, what: "problems" });
    a.ip("link set eth1 up", "addr replace 2001:db8:1::1/64 dev eth1 nodad");
    await waitFor(() => whole(), {
      timeoutMs: 2000,
      what: "all to be back with the interface",
      explain: () => JSON.stringify([routes(a), routes(a, "-6"), daemon.log]),
    });
    await waitFor(async () => (await problems(daemon)).length === 0, {
      timeoutMs: 1500,
      what: "no problems",
      explain: async () => JSON.stringify(await problems(daemon)),
    });
    expect(daemon.events().filter(({ kind }) => kind === "repair").map(({ text }) => text).join("\n"))
      .toContain("route 10.5.0.0/16 via 10.1.0.9 dev eth1 was gone and put back");
    expect((await daemon.instance("web")).transitions).toBe(transitions);
  }, 20_000);

  test("someone who keeps removing a route does not keep us busy", async () => {
    const daemon = await master(a, webYaml(150, { routes: ["10.5.0.0/16 via 10.1.0.9 dev eth1"] }));
    const loop =
      "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do ip route del 10.5.0.0/16 2>/dev/null; done";
    a.exec(["sh", "-c", loop]);
    await waitFor(() => routeTexts(a).length === 1, { timeoutMs: 2000, what: "the route" });
    const fights = daemon.events().filter(({ text }) => text.includes("another program keeps removing it"));
    expect(fights.length).toBeGreaterThan(0);
    expect(await repaired(daemon)).toBeLessThan(25);
  }, 15_000);

  test(
    "a route that the kernel refuses costs no mastership; it is told, shown, and put when it can be",
    async () => {
      const daemon = await master(
        a,
        webYaml(150, {
          extra: [{ address: "10.77.0.1/24", dev: "late0" }],
          routes: ["10.5.0.0/16 via 10.66.0.9", "10.6.0.0/16 dev late0", "10.7.0.0/16 via 10.1.0.9"],
        }),
      );
      const { transitions } = await daemon.instance("web");
      expect(a.has(VIP)).toBe(true);
      expect(routeTexts(a)).toEqual(["10.7.0.0/16 via 10.1.0.9 dev eth1"]);
      const told = await problems(daemon);
      expect(told).toHaveLength(3);
      expect(told.join("\n")).toContain("Cannot add route to 10.5.0.0/16 via 10.66.0.9: ");
      expect(told.join("\n")).toContain("Cannot add 10.77.0.1/24: interface late0 does not exist");
      expect((await daemon.status()).healthy).toBe(false);
      expect(daemon.command("status").code).toBe(1);
      const errors = daemon.events().filter(({ kind }) => kind === "error").map(({ text }) => text);
      expect(errors).toHaveLength(3);
      expect(daemon.command("explain", "web").stdout).toContain("10.66.0.9");

      a.ip("link add late0 type veth peer name late1", "link set late1 up", "link set late0 up");
      a.ip("addr add 10.66.0.1/24 dev eth1");
      await waitFor(() => routeTexts(a).length === 3 && a.has("10.77.0.1"), {
        timeoutMs: 2000,
        what: "the routes",
        explain: () => JSON.stringify([routes(a), daemon.log]),
      });
      await waitFor(async () => (await daemon.status()).healthy, {
        timeoutMs: 1500,
        what: "to be healthy",
        explain: async () => JSON.stringify(await problems(daemon)),
      });
      // An address that is refused, too, and is a problem no more when it is not wanted any more.
      a.exec(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/late0/disable_ipv6"]);
      daemon.writeConfig(webYaml(150, { extra: [{ address: "2001:db8:77::1/64", dev: "late0" }] }));
      expect(daemon.command("reload").code).toBe(0);
      await waitFor(
        async () => (await problems(daemon)).join().includes("Cannot set 2001:db8:77::1/64 on late0"),
        { timeoutMs: 1000, what: "the problem" },
      );
      daemon.writeConfig(webYaml(150));
      expect(daemon.command("reload").code).toBe(0);
      await waitFor(async () => (await daemon.status()).healthy, {
        timeoutMs: 1000,
        what: "the problem's end",
      });
      expect((await daemon.instance("web")).transitions).toBe(transitions);
      a.ip("link del late0");
      expect((await daemon.stop()).code).toBe(0);
      expect(empty(a)).toBe(true);
      a.ip("addr del 10.66.0.1/24 dev eth1");
    },
    15_000,
  );

  test("another program's route for the same destination waits behind ours", async () => {
    a.ip("route add 10.5.0.0/16 via 10.1.0.3 dev eth1", "rule add from 10.5.0.0/16 table 100 priority 50");
    const lookup = () =>
      JSON.parse(a.exec(["ip", "-j", "route", "get", "10.5.0.1"]).stdout)[0].gateway as string;
    expect(lookup()).toBe("10.1.0.3");
    const daemon = await master(a, webYaml(150, FOLLOWING));
    expect(lookup()).toBe("10.1.0.9");
    expect(await problems(daemon)).toEqual([]);
    expect((await daemon.stop()).code).toBe(0);
    expect(lookup()).toBe("10.1.0.3");
    expect(routes(a)).toEqual([]);
    expect(ruleTexts(a)).toEqual(RULES);
    a.ip("route del 10.5.0.0/16", "rule del priority 50");
  }, 10_000);

  test("static ones are there whoever is master, put back, and gone at the end", async () => {
    const always = {
      addresses: ["10.8.0.1/24 dev eth1", { address: "2001:db8:8::1/64", dev: "eth1" }],
      routes: ["10.9.0.0/16 via 10.8.0.9", "10.10.0.0/16 dev late0"],
      rules: ["from 10.8.0.0/24 table 100 priority 60"],
    };
    const web100 = { vrrp: { web: web(100) } };
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150)),
      b.startAppliance(yamlOf({ static: always, ...web100 })),
    ]);
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 3000);
    const whole = () =>
      b.has("10.8.0.1") && b.has("2001:db8:8::1") &&
      routeTexts(b).includes("10.9.0.0/16 via 10.8.0.9 dev eth1") &&
      String(ruleTexts(b)) === "60: from 10.8.0.0/24 lookup 100";
    expect(whole()).toBe(true);
    const shown = (await second.status() as unknown as { static: Record<string, string[]> }).static;
    expect(shown).toMatchObject({
      addresses: ["10.8.0.1/24 dev eth1", "2001:db8:8::1/64 dev eth1"],
      rules: ["60: from 10.8.0.0/24 lookup 100"],
      problems: ["Cannot add route 10.10.0.0/16 dev late0: interface late0 does not exist"],
    });
    for (
      const command of ["addr del 10.8.0.1/24 dev eth1", "route del 10.9.0.0/16", "rule del priority 60"]
    ) {
      b.ip(command);
      await waitFor(() => whole(), {
        timeoutMs: 1000,
        what: `all after ${command}`,
        explain: () => second.log,
      });
    }
    b.ip("addr del 2001:db8:8::1/64 dev eth1");
    await waitFor(() => whole(), { timeoutMs: 1000, what: "the IPv6 address" });
    b.ip("link add late0 type veth peer name late1", "link set late0 up", "link set late1 up");
    await waitFor(() => routeTexts(b).includes("10.10.0.0/16 dev late0"), {
      timeoutMs: 1000,
      what: "the route over the new interface",
      explain: () => second.log,
    });
    // The interface is made anew: another number, the same name.
    b.ip(
      "link del late0",
      "link add late0 type veth peer name late1",
      "link set late0 up",
      "link set late1 up",
    );
    await waitFor(() => routeTexts(b).includes("10.10.0.0/16 dev late0"), {
      timeoutMs: 1000,
      what: "the route over the interface made anew",
      explain: () => second.log,
    });
    const events = second.events().filter(({ kind }) => kind === "repair").map(({ text }) => text);
    expect(events).toContain("static: route 10.9.0.0/16 via 10.8.0.9 was gone and put back");

    // One is changed, one is removed.
    second.writeConfig(
      yamlOf({ static: { ...always, routes: ["10.9.0.0/16 via 10.8.0.7"], rules: [] }, ...web100 }),
    );
    expect(second.command("reload").code).toBe(0);
    await waitFor(() => ruleTexts(b).length === 0, { timeoutMs: 1000, what: "the rule to be gone" });
    expect(routeTexts(b)).toEqual(["10.9.0.0/16 via 10.8.0.7 dev eth1"]);
    expect(b.has("10.8.0.1")).toBe(true);
    expect((await second.stop()).code).toBe(0);
    expect(empty(b)).toBe(true);
    expect(b.has("10.8.0.1") || b.has("2001:db8:8::1")).toBe(false);
    b.ip("link del late0");
  }, 20_000);

  test("static ones to keep stay at the end", async () => {
    const always = { addresses: ["10.8.0.1/24 dev eth1"], routes: ["10.9.0.0/16 via 10.8.0.9"], keep: true };
    const daemon = await master(a, yamlOf({ static: always, vrrp: { web: web(150) } }));
    expect((await daemon.stop()).code).toBe(0);
    expect(a.has("10.8.0.1")).toBe(true);
    expect(routeTexts(a)).toEqual(["10.9.0.0/16 via 10.8.0.9 dev eth1"]);
    expect(a.has(VIP)).toBe(false);
  }, 10_000);

  test(
    "what a killed daemon left is removed by the next, and control cleans up behind its engine",
    async () => {
      const first = await master(a, webYaml(150, FOLLOWING));
      await first.killHard();
      expect(routeTexts(a)).toEqual(ROUTES);
      // Another way to the same destination, and no master at once.
      const second = await a.startAppliance(
        webYaml(150, { ...FOLLOWING, routes: ["10.5.0.0/16 via 10.1.0.8", FOLLOWING.routes[1]] }),
        { name: "again" },
      );
      await second.waitState("web", "backup", 2000).catch(() => second.waitState("web", "master", 1000));
      const removed = () => second.events().some(({ text }) => /removed .*route 10\.5\.0\.0\/16/.test(text));
      await waitFor(removed, { timeoutMs: 1000, what: "the removal", explain: () => second.log });
      await second.waitState("web", "master", 2000);
      await waitFor(() => routeTexts(a).length === 2, { timeoutMs: 500, what: "the routes" });
      expect(routeTexts(a)).toContain("10.5.0.0/16 via 10.1.0.8 dev eth1");

      // What the config no longer names goes too, and only what that daemon has put there itself.
      await second.killHard();
      a.ip(
        "route add 10.66.0.0/16 via 10.1.0.9 proto 112",
        "rule add from 10.66.0.0/16 table 100 protocol 112",
      );
      const third = await a.startAppliance(
        webYaml(150, { extra: [`${EXTRA}/24`], routes: ["10.7.0.0/16 via 10.1.0.9"] }),
        {
          name: "again",
        },
      );
      const left = () =>
        third.events().find(({ text }) => text.includes("left behind by an earlier run"))?.text;
      await waitFor(() => left() !== undefined, {
        timeoutMs: 2000,
        what: "the removal",
        explain: () => third.log,
      });
      await third.waitState("web", "master", 4000);
      await waitFor(() => routeTexts(a).length === 2, {
        timeoutMs: 500,
        what: "the route",
        explain: () => third.log,
      });
      expect(routeTexts(a)).toEqual([
        "10.66.0.0/16 via 10.1.0.9 dev eth1",
        "10.7.0.0/16 via 10.1.0.9 dev eth1",
      ]);
      expect(ruleTexts(a)).toEqual([expect.stringContaining("from 10.66.0.0/16 lookup 100")]);
      a.ip("route del 10.66.0.0/16 proto 112", "rule del from 10.66.0.0/16 table 100 protocol 112");

      const control = third.controlPid!;
      killAll([third.enginePid]);
      await waitFor(() => empty(a) && !a.has(VIP) && !a.has(EXTRA), {
        timeoutMs: 3000,
        what: "control to clean up",
        explain: () => JSON.stringify([routes(a), ruleTexts(a), a.addresses(), third.log]),
      });
      expect(control).toBeGreaterThan(0);
    },
    20_000,
  );

  test("a daemon that is started again in time goes on with what is there", async () => {
    const first = await master(a, webYaml(150, FOLLOWING));
    const before = a.exec(["ip", "-s", "route", "show", "table", "all"]).stdout;
    const monitor = a.spawn(["ip", "monitor", "route", "rule"]);
    await first.killHard();
    const second = await master(a, webYaml(150, FOLLOWING));
    expect((await second.instance("web")).reason).toContain("resumed");
    expect(routeTexts(a)).toEqual(ROUTES);
    expect(ruleTexts(a)).toEqual(RULES);
    expect(a.exec(["ip", "-s", "route", "show", "table", "all"]).stdout).toBe(before);
    await holds(async () => await repaired(second) === 0, { forMs: 200, what: "no repairs" });
    expect(monitor.stdout).not.toContain("Deleted");
    expect(await problems(second)).toEqual([]);
  }, 10_000);

  test("accept: false drops what is for the address, and nothing else", async () => {
    if (findProgram("nft") === null) {
      return console.warn("skipped: nft is not installed (Debian package nftables)");
    }
    const yaml = webYaml(150, { accept: false, extra: [`${EXTRA}/24`, "2001:db8::5/64"] });
    client.ip("addr add 2001:db8::9/64 dev eth0 nodad");
    const daemon = await master(a, yaml);
    // Nothing listens there: a host that accepts the packet refuses the connection, one that drops it says nothing.
    const answers = (address: string) => {
      const url = address.includes(":") ? `http://[${address}]:9/` : `http://${address}:9/`;
      const { code } = client.exec(["curl", "-s", "--max-time", "0.4", url]);
      if (code !== 7 && code !== 28) throw new Error(`curl ${url}: exit ${code}`);
      return code === 7;
    };
    const ping = client.ping(VIP, 20);
    // It answers for the addresses…
    expect(answers(VIP)).toBe(false);
    expect(answers(EXTRA)).toBe(false);
    expect(answers("2001:db8::5")).toBe(false);
    expect(client.neighbour(VIP)).toBe(a.mac());
    expect(client.neighbour("2001:db8::5")).toBe(a.mac());
    // A neighbour that knows the address asks it whether it is still there, without multicast.
    client.ip(`neigh replace 2001:db8::5 lladdr ${a.mac()} dev eth0 nud probe`);
    const neighbour = () => client.exec(["ip", "neigh", "show", "2001:db8::5"]).stdout;
    await waitFor(() => neighbour().includes("REACHABLE"), {
      timeoutMs: 2000,
      what: "the neighbour to be confirmed",
      explain: neighbour,
    });
    // …and forwards for them, while its own address is open.
    expect(answers("10.0.0.1")).toBe(true);
    client.ip(`route add 10.1.0.0/24 via ${VIP}`);
    expect(ping.answers).toHaveLength(0);
    expect(answers("10.1.0.9")).toBe(true);
    // The machine's own firewall is loaded anew.
    expect(a.exec(["nft", "flush", "ruleset"]).code).toBe(0);
    expect(answers(VIP)).toBe(false);

    daemon.writeConfig(webYaml(150, { accept: false }));
    expect(daemon.command("reload").code).toBe(0);
    expect(ruleset(a)).not.toContain(EXTRA);
    expect(ruleset(a)).toContain(VIP);
    daemon.writeConfig(webYaml(150));
    expect(daemon.command("reload").code).toBe(0);
    expect(ruleset(a)).toBe("");
    expect(answers(VIP)).toBe(true);
    await ping.answered();
    await ping.close();
    daemon.writeConfig(yaml);
    expect(daemon.command("reload").code).toBe(0);
    expect(answers(VIP)).toBe(false);
    expect((await daemon.stop()).code).toBe(0);
    expect(ruleset(a)).toBe("");

    const killed = await master(a, yaml);
    expect(ruleset(a)).toContain("table inet appliance");
    await killed.killHard();
    await waitFor(() => ruleset(a) === "", { timeoutMs: 500, what: "the table to go with its process" });
    client.ip("route del 10.1.0.0/24", "addr del 2001:db8::9/64 dev eth0");
  }, 30_000);

  test("accept: false that the kernel did not take is tried again", async () => {
    if (findProgram("nft") === null) {
      return console.warn("skipped: nft is not installed (Debian package nftables)");
    }
    const daemon = await a.startAppliance(webYaml(150));
    await daemon.waitState("web", "master", 3000);
    // As another daemon would that is there already, with both names that we know.
    const program = join(import.meta.dir, "lab", "programs", "own_tables.ts");
    const owner = a.spawn([process.execPath, program, "appliance", `appliance-${daemon.enginePid}`]);
    await waitFor(() => owner.stdout.includes("ready"), {
      timeoutMs: 3000,
      what: "the tables",
      explain: () => owner.stderr,
    });
    daemon.writeConfig(webYaml(150, { accept: false }));
    expect(daemon.command("reload").code).toBe(0);
    expect(await problems(daemon)).toEqual([expect.stringContaining("Cannot set accept: false: ")]);
    await owner.stop();
    await waitFor(async () => (await problems(daemon)).length === 0, {
      timeoutMs: 4000,
      what: "the filter to be set",
      explain: () => daemon.log,
    });
    expect(ruleset(a)).toContain(VIP);
    expect(daemon.events().some(({ text }) => text === "accept: false holds now")).toBe(true);
    expect((await daemon.stop()).code).toBe(0);
    expect(ruleset(a)).toBe("");
  }, 15_000);

  test("a fail-over with a hundred routes and rules is as quick as one without", async () => {
    const many = {
      routes: Array.from({ length: 100 }, (_, index) => `10.200.${index}.0/24 via 10.1.0.9 dev eth1`),
      rules: Array.from(
        { length: 100 },
        (_, index) => `from 10.200.${index}.0/24 table 100 priority ${100 + index}`,
      ),
    };
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150, many)),
      b.startAppliance(webYaml(100, many)),
    ]);
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 3000);
    const wire = await client.capture("eth0", "ip proto 112 or arp");
    await first.killHard();
    await second.waitState("web", "master", 1500);
    await waitFor(() => routes(b).length === 100 && ruleTexts(b).length === 100, {
      timeoutMs: 1000,
      what: "all routes and rules",
    });
    const arp = await waitFor(
      () => wire.packets().find(({ text }) => text.includes(b.mac()) && text.includes(`who-has ${VIP}`)),
      { timeoutMs: 1000, what: "a gratuitous ARP" },
    );
    const advert = wire.adverts("10.0.0.2")[0]!;
    console.log(
      `100 routes and 100 rules: announced ${(arp.atMs - advert.atMs).toFixed(1)} ms after the advert`,
    );
    expect(arp.atMs - advert.atMs).toBeLessThan(50);
    expect(nowMs()).toBeGreaterThan(arp.atMs);
  }, 15_000);
});
