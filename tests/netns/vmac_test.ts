/** Virtual MAC addresses: neighbours learn one address and never another, whoever is master. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  createLab,
  describeLab,
  droppedOf,
  holds,
  type Keepalived,
  keepalivedConf,
  type Lab,
  type LabNode,
  must,
  nowMs,
  VIP,
  waitFor,
  web as webKeys,
  webYaml,
  yamlOf,
} from "./lab.ts";

const MAC = "00:00:5e:00:01:33";
const MAC6 = "00:00:5e:00:02:33";
const VIP6 = "2001:db8::100";

/** What `ip -j link` tells of an interface; null when there is none. */
interface LinkInfo {
  readonly ifindex: number;
  readonly address: string;
  readonly flags: readonly string[];
}

function linkOf(node: LabNode, name: string): LinkInfo | null {
  const { code, stdout } = node.exec(["ip", "-j", "link", "show", "dev", name]);
  return code === 0 ? (JSON.parse(stdout) as LinkInfo[])[0]! : null;
}

function sysctl(node: LabNode, name: string, value?: number): string {
  const path = `/proc/sys/net/${name}`;
  const write = value === undefined ? "" : `echo ${value} > ${path}; `;
  return node.exec(["sh", "-c", `${write}cat ${path}`]).stdout.trim();
}

/** Every interface and every setting of ARP that a virtual MAC address could leave changed. */
function traces(node: LabNode): string {
  const links = node.exec(["ip", "-o", "link", "show"]).stdout.replace(/qlen \d+|state \S+/g, "");
  const settings = node.exec(["sh", "-c", "cd /proc/sys/net/ipv4/conf && grep -r . eth0 all default"]).stdout;
  return links.split("\n").map((line) => line.replace(/^\d+: /, "").replace(/@.*/, "")).join("\n") + settings;
}

/** The switch's port on which a MAC address was seen last. */
function portOf(lab: Lab, mac: string): string | undefined {
  const table = must(["bridge", "-n", lab.switch().namespace, "-j", "fdb", "show", "br", "br0"]);
  const entries = JSON.parse(table) as { mac: string; ifname: string; master?: string }[];
  return entries.find((entry) => entry.mac === mac && entry.master === "br0")?.ifname;
}

/** Sends a datagram that the kernel has to find a neighbour for. */
function knock(node: LabNode, address: string): void {
  const code =
    `const s = require("node:dgram").createSocket(${address.includes(":") ? '"udp6"' : '"udp4"'});` +
    `s.send("x", 9, ${JSON.stringify(address)}, () => s.close())`;
  node.exec([process.execPath, "-e", code]);
}

const IPV6 = { addresses: ["fe80::100/64", `${VIP6}/64`] };

describeLab("virtual MAC addresses of two of ours", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => {
    lab = createLab("vmac");
    a = lab.node("a", { addresses: ["10.0.0.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24", "2001:db8::2/64"] });
    client = lab.node("client", { addresses: ["10.0.0.9/24", "2001:db8::9/64"] });
  }, 30_000);
  afterEach(async () => {
    await lab.reset();
    for (const node of [a, b]) {
      node.exec(["ip", "link", "del", "vrrp.51"]);
      for (const name of ["eth0/arp_ignore", "eth0/arp_announce", "all/rp_filter"]) {
        sysctl(node, `ipv4/conf/${name}`, 0);
      }
    }
    client.ip("neigh flush all");
  }, 10_000);
  afterAll(() => lab.close(), 30_000);

  const port = (node: LabNode) => node.ports.get("eth0")!.port;
  const arrivesAt = (node: LabNode, mac = MAC) =>
    waitFor(() => portOf(lab, mac) === port(node), {
      timeoutMs: 1000,
      what: `the switch to send ${mac} to ${node.name}`,
      explain: () => `it is at ${portOf(lab, mac)}`,
    });

  async function startBoth(
    keys: Readonly<Record<string, unknown>> = {},
  ): Promise<readonly [Appliance, Appliance]> {
    const first = await a.startAppliance(webYaml(150, { vmac: true, ...keys }));
    await first.waitState("web", "master", 6000);
    const second = await b.startAppliance(webYaml(100, { vmac: true, ...keys }));
    await waitFor(async () => (await second.instance("web")).master?.priority === 150, {
      timeoutMs: 2000,
      what: "the backup to hear the master",
    });
    return [first, second];
  }

  test("fail-over and back: the client's entry stays, the switch follows, the backup is silent", async () => {
    // A strict check of the way back must not drop what comes by the macvlan.
    sysctl(a, "ipv4/conf/all/rp_filter", 1);
    const before = [traces(a), traces(b)];
    const arp = await client.capture("eth0", "arp");
    const silent = await b.capture("eth0", `outbound and ether host ${MAC}`);
    const [first, second] = await startBoth();
    const ping = client.ping(VIP, 5);
    await ping.answered();
    expect(client.neighbour(VIP)).toBe(MAC);
    await arrivesAt(a);
    expect(a.addresses("vrrp.51")).toEqual([`${VIP}/24`]);
    expect(a.has(VIP) && !a.addresses("eth0").includes(`${VIP}/24`)).toBe(true);
    // The routers' own addresses are answered for by their own MAC addresses, and no others.
    for (const [node, address] of [[a, "10.0.0.1"], [b, "10.0.0.2"]] as const) {
      knock(client, address);
      await waitFor(() => client.neighbour(address), { timeoutMs: 1000, what: `a neighbour ${address}` });
      expect(client.neighbour(address)).toBe(node.mac());
    }
    // The master asks for the client anew: what it says of itself must not name its own MAC address.
    a.ip("neigh flush dev eth0");
    await ping.answered({ sinceMs: nowMs() });
    expect(client.neighbour(VIP)).toBe(MAC);
    expect(silent.packets().map(({ text }) => text)).toEqual([]);
    await silent.stop();

    const killedMs = nowMs();
    await first.killHard();
    await second.waitState("web", "master", 2000);
    await arrivesAt(b);
    await ping.answered({ sinceMs: nowMs() });
    const gap = ping.longestGap(killedMs).lengthMs;
    console.log(`crash with a virtual MAC, adverts of 100 ms: ${gap.toFixed(0)} ms without an answer`);
    expect(gap).toBeLessThan(600);
    expect(client.neighbour(VIP)).toBe(MAC);

    const again = await a.startAppliance(webYaml(150, { vmac: true }));
    await again.waitState("web", "master", 2000);
    await second.waitState("web", "backup", 1000);
    await arrivesAt(a);
    await ping.answered({ sinceMs: nowMs() });
    expect(client.neighbour(VIP)).toBe(MAC);
    // Nobody ever claimed the address for another MAC address.
    const claims = arp.packets().filter(({ text }) =>
      text.includes(`Reply ${VIP} is-at`) || text.includes(`tell ${VIP},`)
    );
    expect(claims.length).toBeGreaterThan(5);
    for (const { text } of claims) expect(text).toMatch(new RegExp(`^\\S+ ${MAC} > `));
    for (const router of [again, second]) expect(droppedOf(await router.instance("web"))).toBe(0);

    await Promise.all([again.stop(), second.stop()]);
    expect([traces(a), traces(b)]).toEqual(before);
  }, 20_000);

  test("a planned step down loses nothing, though both have the MAC address for a moment", async () => {
    const keys = { advert_interval: "1s" };
    const [first, second] = await startBoth(keys);
    const ping = client.ping(VIP, 1);
    await ping.answered();
    const gaps: number[] = [];
    for (let round = 0; round < 3; round++) {
      const sinceMs = nowMs();
      expect(first.command("release", "web").code).toBe(0);
      await second.waitState("web", "master", 2500);
      await ping.answered({ sinceMs: nowMs() });
      expect(first.command("resume", "web").code).toBe(0);
      await first.waitState("web", "master", 2500);
      await second.waitState("web", "backup", 1000);
      await ping.answered({ sinceMs: nowMs() + 50 });
      gaps.push(ping.longestGap(sinceMs).lengthMs);
    }
    console.log(`release and resume with a virtual MAC: ${gaps.map((gap) => gap.toFixed(1)).join(", ")} ms`);
    expect(gaps.toSorted((x, y) => x - y)[1]!).toBeLessThan(40);
  }, 20_000);

  test("adverts bear the virtual MAC address, or the interface's own where that is wanted", async () => {
    for (const advertise of ["vmac", "base"] as const) {
      const wire = await client.capture("eth0", "ip proto 112");
      const [first, second] = await startBoth({ vmac: { advertise } });
      await waitFor(() => wire.adverts().length > 4, { timeoutMs: 2000, what: "adverts" });
      const ofMaster = wire.adverts("10.0.0.1");
      const source = advertise === "vmac" ? MAC : a.mac();
      for (const { text } of ofMaster) {
        expect(text).toMatch(new RegExp(`^\\S+ ${source} > 01:00:5e:00:00:12`));
      }
      expect(wire.adverts().some(({ text }) => /bad (vrrp )?cksum/.test(text))).toBe(false);
      await first.stop();
      await second.waitState("web", "master", 1000);
      expect(wire.adverts("10.0.0.1").at(-1)).toMatchObject({ priority: 0 });
      await Promise.all([second.stop(), wire.stop()]);
    }
  }, 20_000);

  test("IPv6: its own MAC address, announced by the master and never by the backup", async () => {
    const silent = await b.capture("eth0", `outbound and ether host ${MAC6}`);
    const wire = await client.capture("eth0", "ip6 proto 112 or icmp6");
    const [first, second] = await startBoth(IPV6);
    const neighbour = async () => {
      client.ip("neigh flush all");
      knock(client, VIP6);
      return await waitFor(() => client.neighbour(VIP6), {
        timeoutMs: 2000,
        what: "a neighbour",
        everyMs: 50,
      });
    };
    expect(await neighbour()).toBe(MAC6);
    await arrivesAt(a, MAC6);
    expect(silent.packets().map(({ text }) => text)).toEqual([]);
    await silent.stop();
    await first.killHard();
    await second.waitState("web", "master", 2000);
    await arrivesAt(b, MAC6);
    expect(client.neighbour(VIP6)).toBe(MAC6);
    expect(await neighbour()).toBe(MAC6);
    const adverts = wire.adverts();
    expect(new Set(adverts.map(({ from }) => from)).size).toBe(2);
    for (const { text, from } of adverts) {
      expect(text).toMatch(new RegExp(`^\\S+ ${MAC6} > 33:33:00:00:00:12`));
      expect(from).toStartWith("fe80::");
      expect(from).not.toBe("fe80::100");
    }
    const told = wire.packets("icmp6").filter(({ text }) =>
      text.includes(`neighbor advertisement`) &&
      text.includes(`tgt is ${VIP6}`)
    );
    expect(told.length).toBeGreaterThan(4);
    for (const { text } of told) expect(text).toMatch(new RegExp(`^\\S+ ${MAC6} > `));
    await second.stop();
    expect(linkOf(b, "vrrp6.51")).toBeNull();
    a.ip("link del vrrp6.51");
  }, 20_000);

  test(
    "a macvlan that is deleted, set down or changed is put back, and its router stays master",
    async () => {
      const router = await a.startAppliance(webYaml(150, { vmac: true }));
      const { transitions } = await router.waitState("web", "master", 3000);
      const ping = client.ping(VIP, 5);
      await ping.answered();
      for (
        const [harm, back] of [
          ["del vrrp.51", "was gone and made anew"],
          ["set vrrp.51 down", "up again"],
          ["set vrrp.51 address 02:00:00:00:00:99", "was changed by someone else and made anew"],
        ] as const
      ) {
        const sinceMs = nowMs();
        a.ip(`link ${harm}`);
        const isBack = () => {
          const link = linkOf(a, "vrrp.51");
          return link?.address === MAC && link.flags.includes("UP") && a.has(VIP);
        };
        await waitFor(isBack, {
          timeoutMs: 1000,
          what: "the macvlan to be back",
          explain: () => router.log,
        });
        await ping.answered({ sinceMs: nowMs() });
        const gap = ping.longestGap(sinceMs).lengthMs;
        console.log(`ip link ${harm}: ${gap.toFixed(0)} ms without an answer`);
        expect(gap).toBeLessThan(150);
        expect(client.neighbour(VIP)).toBe(MAC);
        const told = router.events().filter(({ kind, text }) => kind === "repair" && text.includes(back));
        expect(told).toHaveLength(1);
      }
      expect((await router.instance("web")).transitions).toBe(transitions);
      const counted = async () =>
        ((await router.instance("web")) as unknown as { repaired: number }).repaired;
      await waitFor(async () => await counted() >= 3, { timeoutMs: 2500, what: "the repairs to be counted" });
    },
    15_000,
  );

  test("the interface below goes down, goes away, comes back: FAULT, and master again", async () => {
    const router = await a.startAppliance(webYaml(150, { vmac: true }));
    await router.waitState("web", "master", 3000);
    const ping = client.ping(VIP, 5);
    await ping.answered();
    a.ip("link set eth0 down");
    expect((await router.waitState("web", "fault", 1000)).reason).toBe("interface eth0 is down");
    expect(a.has(VIP)).toBe(false);
    a.ip("link set eth0 up");
    await router.waitState("web", "master", 2000);
    await ping.answered({ sinceMs: nowMs() });

    a.removeDevice();
    const { reason } = await router.waitState("web", "fault", 1000);
    expect(reason).toBe("interface eth0 does not exist");
    a.recreateDevice();
    await router.waitState("web", "master", 2000);
    await ping.answered({ sinceMs: nowMs() });
    expect(client.neighbour(VIP)).toBe(MAC);
    expect(sysctl(a, "ipv4/conf/eth0/arp_ignore")).toBe("1");
    await router.stop();
    expect(linkOf(a, "vrrp.51")).toBeNull();
    expect(sysctl(a, "ipv4/conf/eth0/arp_ignore")).toBe("0");
  }, 15_000);

  test("a reload switches it on, renames it and switches it off under a running client", async () => {
    sysctl(a, "ipv4/conf/eth0/arp_announce", 1);
    const before = traces(a);
    const router = await a.startAppliance(webYaml(150));
    const { transitions } = await router.waitState("web", "master", 3000);
    const ping = client.ping(VIP, 5);
    await ping.answered();
    expect(client.neighbour(VIP)).toBe(a.mac());
    const change = async (vmac: unknown, device: string, mac: string) => {
      const sinceMs = nowMs();
      router.writeConfig(webYaml(150, { vmac }));
      expect(router.command("reload")).toMatchObject({ code: 0 });
      await waitFor(() => a.addresses(device).includes(`${VIP}/24`) && client.neighbour(VIP) === mac, {
        timeoutMs: 1000,
        what: `the address on ${device}`,
        explain: () => `${client.neighbour(VIP)}\n${router.log}`,
      });
      await ping.answered({ sinceMs: nowMs() });
      expect(ping.longestGap(sinceMs).lengthMs).toBeLessThan(150);
    };
    await change(true, "vrrp.51", MAC);
    await change({ name: "web-vip" }, "web-vip", MAC);
    expect(linkOf(a, "vrrp.51")).toBeNull();
    await change(false, "eth0", a.mac());
    expect((await router.instance("web")).transitions).toBe(transitions);
    await router.stop();
    expect(traces(a)).toBe(before);
  }, 15_000);

  test("several on one interface share its settings; addresses outlive the first of theirs", async () => {
    const before = traces(a);
    const many = { addresses: [`${VIP}/24`, "10.0.0.101/24", "10.0.0.102/24"] };
    const other = {
      interface: "eth0",
      vrid: 52,
      advert_interval: "100ms",
      vmac: true,
      addresses: ["10.0.0.110/24"],
    };
    const yaml = (web: Readonly<Record<string, unknown>>, more = {}) =>
      yamlOf({ vrrp: { web: { ...webKeys(150, { vmac: true }), ...web }, ...more } });
    const router = await a.startAppliance(yaml(many, { other }));
    await router.waitState("web", "master", 3000);
    await router.waitState("other", "master", 1000);
    for (const address of [VIP, "10.0.0.110"]) {
      knock(client, address);
      await waitFor(() => client.neighbour(address), { timeoutMs: 1000, what: `a neighbour ${address}` });
    }
    expect(client.neighbour("10.0.0.110")).toBe("00:00:5e:00:01:34");
    router.writeConfig(yaml({ addresses: many.addresses.slice(1) }));
    expect(router.command("reload")).toMatchObject({ code: 0 });
    await waitFor(() => linkOf(a, "vrrp.52") === null, { timeoutMs: 3000, what: "the other one's to go" });
    expect(a.addresses("vrrp.51")).toEqual(["10.0.0.101/24", "10.0.0.102/24"]);
    expect(router.events().filter(({ kind }) => kind === "repair")).toEqual([]);
    expect(sysctl(a, "ipv4/conf/eth0/arp_ignore")).toBe("1");
    await router.stop();
    expect(traces(a)).toBe(before);
  }, 15_000);

  test("what a crash leaves is adopted by the next run, or removed by the half that lives", async () => {
    sysctl(a, "ipv4/conf/eth0/arp_announce", 1);
    const before = traces(a);
    const yaml = webYaml(150, { vmac: true });
    const dead = await a.startAppliance(yaml);
    await dead.waitState("web", "master", 3000);
    const { ifindex } = linkOf(a, "vrrp.51")!;
    await dead.killHard();
    expect(linkOf(a, "vrrp.51")!.ifindex).toBe(ifindex);
    const next = await a.startAppliance(yaml);
    await next.waitState("web", "master", 3000);
    expect(linkOf(a, "vrrp.51")!.ifindex).toBe(ifindex);
    // The engine alone dies: control removes what is ours.
    process.kill(next.enginePid, "SIGKILL");
    await waitFor(() => traces(a) === before, {
      timeoutMs: 5000,
      what: "the macvlan and its settings to go",
      explain: () => `${traces(a)}\n${next.log}`,
    });
    // A backup that finds a macvlan that was awake silences it.
    const third = await a.startAppliance(yaml);
    await third.waitState("web", "master", 3000);
    await third.killHard();
    await (await b.startAppliance(webYaml(200))).waitState("web", "master", 4000);
    const fourth = await a.startAppliance(yaml);
    await fourth.waitState("web", "backup", 2000);
    await waitFor(() => sysctl(a, "ipv4/conf/vrrp.51/forwarding") === "0", {
      timeoutMs: 1000,
      what: "the macvlan to be silent",
    });
    await fourth.stop();
    expect(traces(a)).toBe(before);
  }, 25_000);

  test("where it cannot work it says so, and begins when it can", async () => {
    a.ip("link add vrrp.51 type bridge");
    const router = await a.startAppliance(webYaml(150, { vmac: true }));
    const { reason } = await router.waitState("web", "fault", 2000);
    expect(reason).toBe(
      "vrrp.51 is the name of a bridge that somebody else made: it cannot be the virtual MAC's",
    );
    expect(linkOf(a, "vrrp.51")!.address).not.toBe(MAC);
    a.ip("link del vrrp.51");
    await router.waitState("web", "master", 2000);
    await router.stop();

    a.ip("tuntap add tun9 mode tun", "addr add 10.7.0.1/24 dev tun9", "link set tun9 up", "link set lo up");
    const why = { tun9: "has no Ethernet MAC address", lo: "is the loopback" };
    for (const [device, text] of Object.entries(why)) {
      const other = await a.startAppliance(webYaml(150, { interface: device, vmac: true }));
      expect((await other.waitState("web", "fault", 2000)).reason).toContain(text);
      await other.stop();
    }
    a.ip("tuntap del tun9 mode tun");
    // Two routers on one machine that want the same.
    const first = await a.startAppliance(webYaml(150, { vmac: true }));
    await first.waitState("web", "master", 2000);
    const second = await a.startAppliance(webYaml(150, { vmac: true }), { name: "a-second" });
    const fault = await second.waitState("web", "fault", 2000);
    expect(fault.reason).toBe(`vrrp.51 belongs to another appliance (process ${first.enginePid})`);
    await first.stop();
    await second.waitState("web", "master", 8000);
    await second.stop();
  }, 30_000);

  test("what the kernel refuses is told once and done when it can be", async () => {
    const node = lab.node("sealed", { addresses: ["10.0.0.4/24"] });
    node.ip("link add eth1 type veth peer name far1", "addr add 10.7.0.4/24 dev eth1");
    node.ip("link set far1 up", "link set eth1 up");
    sysctl(node, "ipv4/ip_forward", 1);
    const common = { vmac: true, advert_interval: "100ms" };
    const other = { ...common, interface: "eth1", vrid: 52, addresses: ["10.7.0.100/24"] };
    const yaml = (more = {}) => yamlOf({ vrrp: { web: webKeys(150, { vmac: true }), ...more } });
    const router = await node.startAppliance(yaml({ other }));
    await router.waitState("web", "master", 3000);
    await router.waitState("other", "master", 1000);
    // Its mounts are its own.
    const mount = (line: string) => must(["nsenter", "-t", `${router.enginePid}`, "-m", "sh", "-ec", line]);
    const settings = () => [
      sysctl(node, "ipv4/conf/vrrp.51/forwarding"),
      sysctl(node, "ipv6/conf/vrrp.51/disable_ipv6"),
      sysctl(node, "ipv4/conf/eth1/arp_ignore"),
    ];
    const awake = settings();
    expect(awake[0]).toBe("1");
    expect(awake[2]).toBe("1");
    const refusals = () => [
      router.log.split("Cannot set net.ipv4.conf.vrrp.51.forwarding to 0: /proc/sys is read-only").length - 1,
      router.log.split("Cannot set net.ipv4.conf.eth1.arp_ignore to 0: /proc/sys is read-only").length - 1,
    ];
    mount("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
    expect(router.command("release", "web").code).toBe(0);
    router.writeConfig(yaml());
    expect(router.command("reload")).toMatchObject({ code: 0 });
    await waitFor(() => refusals().every((count) => count > 0), {
      timeoutMs: 3000,
      what: "both refusals to be told",
      explain: () => router.log,
    });
    expect(linkOf(node, "vrrp.52")).toBeNull();
    // Longer than until the next attempt.
    await holds(() => String(settings()) === String(awake), {
      forMs: 5500,
      what: "the settings stay",
      everyMs: 200,
    });
    mount("umount /proc/sys");
    await waitFor(() => String(settings()) === "0,1,0", {
      timeoutMs: 6000,
      what: "the settings to be made",
      explain: () => `${settings()}\n${router.log}`,
      everyMs: 50,
    });
    expect(refusals()).toEqual([1, 1]);
    await router.stop();
  }, 25_000);

  test("the backup discards what a switch floods to it (RFC 5798 §6.4.2)", async () => {
    const far = lab.node("host", { switch: lab.switch("far"), addresses: ["10.8.0.9/24"] });
    far.ip("route add 10.0.0.0/24 via 10.8.0.1");
    for (const [index, node] of [a, b].entries()) {
      node.plug({ device: "eth1", switch: lab.switch("far"), addresses: [`10.8.0.${index + 1}/24`] });
      sysctl(node, "ipv4/ip_forward", 1);
    }
    const [first, second] = await startBoth();
    client.ip(`route replace 10.8.0.0/24 via ${VIP}`);
    const switchIp = (line: string) => lab.switch().ip(line);
    for (const node of [a, b]) switchIp(`link set ${port(node)} type bridge_slave learning off`);
    must(["bridge", "-n", lab.switch().namespace, "fdb", "flush", "dev", "br0"]);
    const arrivals = await far.capture("eth0", "icmp[icmptype] == icmp-echo");
    const ping = client.ping("10.8.0.9", 20);
    const copies = async () => {
      const since = arrivals.packets().length;
      await ping.answered({ sinceMs: nowMs() });
      await waitFor(() => arrivals.packets().length > since + 20, { timeoutMs: 3000, what: "packets" });
      const counts = new Map<string, number>();
      for (const { text } of arrivals.packets().slice(since)) {
        const id = /id (\d+), seq (\d+)/.exec(text)![0];
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      // The last one may still be under way.
      return Math.max(...[...counts.values()].slice(1, -1));
    };
    expect(portOf(lab, MAC)).toBeUndefined();
    expect(await copies()).toBe(1);
    // So it would be otherwise.
    sysctl(b, "ipv4/conf/vrrp.51/forwarding", 1);
    expect(await copies()).toBe(2);
    for (const node of [a, b]) switchIp(`link set ${port(node)} type bridge_slave learning on`);
    await ping.close();
    await first.stop();
    await second.waitState("web", "master", 1000);
    await second.stop();
    for (const node of [a, b]) sysctl(node, "ipv4/ip_forward", 0);
  }, 30_000);
});

describeLab("virtual MAC addresses beside keepalived's", ["keepalived", "tcpdump"], () => {
  let lab: Lab;
  /** The scenarios run at the same time, each in a switch of its own. */
  const outcomes = new Map<string, Promise<void>>();

  beforeAll(() => {
    lab = createLab("vmackeep");
    for (const form of FORMS) {
      for (const weLead of [true, false]) {
        const outcome = scenario(form, weLead);
        outcome.catch(() => {});
        outcomes.set(`${form.name} ${weLead}`, outcome);
      }
    }
  }, 20_000);
  afterAll(() => lab.close(), 30_000);

  interface Form {
    readonly name: string;
    readonly version: 2 | 3;
    readonly keys?: Readonly<Record<string, unknown>>;
    readonly lines?: readonly string[];
    readonly vips?: readonly string[];
    readonly mac?: string;
  }

  const FORMS: readonly Form[] = [
    { name: "v2", version: 2 },
    { name: "v3", version: 3 },
    {
      name: "v3 from the base",
      version: 3,
      keys: { vmac: { advertise: "base" } },
      lines: ["vmac_xmit_base"],
    },
    { name: "v3 IPv6", version: 3, keys: IPV6, vips: IPV6.addresses, mac: MAC6 },
  ];

  async function scenario(form: Form, weLead: boolean): Promise<void> {
    const theme = `${FORMS.indexOf(form)}${weLead ? "l" : "f"}`;
    const lan = lab.switch(`${theme}lan`);
    const node = (name: string, host: number) =>
      lab.node(`${theme}${name}`, { switch: lan, addresses: [`10.0.0.${host}/24`, `2001:db8::${host}/64`] });
    const [ours, theirs, client] = [node("ours", 1), node("theirs", 2), node("client", 9)];
    // Without it keepalived's base asks for neighbours in the name of the virtual address, by its own MAC address.
    sysctl(theirs, "ipv4/conf/all/arp_announce", 2);
    const { version, mac = MAC, vips = [`${VIP}/24`] } = form;
    const vip = vips.at(-1)!.split("/")[0]!;
    const interval = version === 2 ? 1000 : 100;
    const ourPriority = weLead ? 150 : 100;
    let appliance: Appliance | null = null;
    let keepalived: Keepalived | null = null;
    const startOurs = async () => {
      appliance = await ours.startAppliance(webYaml(ourPriority, {
        version,
        advert_interval: `${interval}ms`,
        vmac: true,
        ...form.keys,
      }));
    };
    const startTheirs = () => {
      keepalived = theirs.startKeepalived(keepalivedConf({
        version,
        priority: 250 - ourPriority,
        interval: interval / 1000,
        vip: vips.join("\n    "),
        more: ["use_vmac", ...form.lines ?? []],
      }));
    };
    const served = async (by: LabNode, step: string) => {
      const other = by === ours ? theirs : ours;
      await waitFor(() => by.has(vip) && !other.has(vip), {
        // The dead keep theirs until the lease is over.
        timeoutMs: 4 * interval + 4500,
        what: `${by.name} to have the address, and it alone (${step})`,
        everyMs: 20,
        explain: () => `${appliance?.log}\n--- keepalived ---\n${keepalived?.log}`,
      });
      const place = () => {
        const table = must(["bridge", "-n", lan.namespace, "-j", "fdb", "show", "br", "br0"]);
        const entries = JSON.parse(table) as { mac: string; ifname: string; master?: string }[];
        return entries.find((entry) => entry.mac === mac && entry.master === "br0")?.ifname;
      };
      await waitFor(() => place() === by.ports.get("eth0")!.port, {
        timeoutMs: 1500,
        what: `the switch to send ${mac} to ${by.name} (${step})`,
      });
      if (client.neighbour(vip) === null) knock(client, vip);
      await waitFor(() => client.neighbour(vip), { timeoutMs: 2000, what: `a neighbour (${step})` });
      expect(client.neighbour(vip), step).toBe(mac);
    };
    const [leader, follower] = weLead ? [ours, theirs] : [theirs, ours];
    const startLeader = () => weLead ? startOurs() : startTheirs();
    const claims = await client.capture("eth0", "arp or icmp6");
    const ping = vip.includes(":") ? null : client.ping(vip, 20);

    if (weLead) startTheirs();
    else await startOurs();
    await served(follower, "alone");
    await startLeader();
    await served(leader, "preempted");
    await ping?.answered({ sinceMs: nowMs() });
    await (weLead ? appliance! : keepalived!).stop();
    await served(follower, "stopped");
    await ping?.answered({ sinceMs: nowMs() });
    await startLeader();
    await served(leader, "returned");
    if (weLead) await appliance!.killHard();
    else {
      theirs.isolate();
      await keepalived!.killHard();
      theirs.ip("link del dev " + (linkOf(theirs, "vrrp.51") === null ? "vrrp6.51" : "vrrp.51"));
    }
    await waitFor(() => follower.has(vip), {
      timeoutMs: 4 * interval + 1000,
      what: "the follower to take over",
    });
    await served(follower, "killed");
    await ping?.answered({ sinceMs: nowMs() });
    theirs.heal();
    await startLeader();
    await served(leader, "returned from the dead");
    await holds(() => leader.has(vip) && !follower.has(vip), {
      forMs: 4 * interval,
      what: `${leader.name} stays the one master`,
      everyMs: 50,
    });
    const instance = await waitFor(async () => {
      const { adverts } = await appliance!.instance("web");
      return (weLead ? adverts.sent : adverts.received) > 3 ? await appliance!.instance("web") : null;
    }, { timeoutMs: 4 * interval + 2500, what: "the adverts to be counted", everyMs: 100 });
    expect(droppedOf(instance), JSON.stringify(instance.adverts)).toBe(0);
    // Whatever either of them said about the address named the virtual MAC address.
    const said = claims.packets().filter(({ text }) =>
      [`Reply ${vip} is-at`, `tell ${vip},`, `tgt is ${vip},`].some((words) => text.includes(words))
    );
    expect(said.length).toBeGreaterThan(3);
    const from = (text: string) => text.split(" ")[1];
    expect(new Set(said.map(({ text }) => from(text)))).toEqual(new Set([mac]));
  }

  for (const form of FORMS) {
    for (const weLead of [true, false]) {
      test(`${form.name}: ${weLead ? "we lead" : "keepalived leads"}`, async () => {
        await outcomes.get(`${form.name} ${weLead}`);
      }, 60_000);
    }
  }
});
