/** Two routers of ours with IPv6 addresses, alone and beside IPv4 ones: what the client's neighbour table learns. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  type Capture,
  createLab,
  describeLab,
  droppedOf,
  holds,
  type Lab,
  type LabNode,
  must,
  nowMs,
  VIP,
  waitFor,
  webYaml,
} from "./lab.ts";

const VIP6 = "2001:db8::100";
const LINK_LOCAL = "fe80::100";
const ONLY_IPV6 = { addresses: [`${LINK_LOCAL}/64`, `${VIP6}/64`] };
const BOTH = { addresses: [`${VIP}/24`, `${LINK_LOCAL}/64`, `${VIP6}/64`] };

/** One address as `ip -j addr` tells it. */
interface Held {
  readonly local: string;
  readonly dadfailed?: boolean;
  readonly tentative?: boolean;
  readonly deprecated?: boolean;
  readonly nodad?: boolean;
  readonly valid_life_time: number;
}

function held(node: LabNode, address: string): Held | undefined {
  const [link] = JSON.parse(must(["ip", "-n", node.namespace, "-j", "addr", "show", "dev", "eth0"])) as {
    addr_info: Held[];
  }[];
  return link!.addr_info.find(({ local }) => local === address);
}

function linkLocalOf(node: LabNode): string {
  const text = must(["ip", "-n", node.namespace, "-o", "-6", "addr", "show", "dev", "eth0", "scope", "link"]);
  return text.match(/inet6 (fe80::\S+:\S+)\/64/)![1]!;
}

/** Unsolicited neighbour advertisements for an address from a MAC address, as tcpdump reads them. */
function advertisements(wire: Capture, address: string, mac: string): string[] {
  return wire.packets("icmp6").map(({ text }) => text).filter((text) =>
    text.includes(`${mac} > 33:33:00:00:00:01`) &&
    text.includes(`neighbor advertisement, length 32, tgt is ${address},`)
  );
}

describeLab("IPv6 between two of ours", ["tcpdump", "nft"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => {
    lab = createLab("ipv6");
    a = lab.node("a", { addresses: ["10.0.0.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24", "2001:db8::2/64"] });
    client = lab.node("client", { addresses: ["10.0.0.9/24", "2001:db8::9/64"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  const start = (keys: Readonly<Record<string, unknown>>): Promise<[Appliance, Appliance]> =>
    Promise.all([a.startAppliance(webYaml(150, keys)), b.startAppliance(webYaml(100, keys))]);
  const knows = (address: string, node: LabNode) =>
    waitFor(() => client.neighbour(address) === node.mac(), {
      timeoutMs: 500,
      what: `the client to know ${node.name} for ${address}`,
      everyMs: 5,
      explain: () => `it knows ${client.neighbour(address)}`,
    });

  test("fail-over: neighbour advertisements lead the client to the new master, and back", async () => {
    const wire = await client.capture("eth0", "icmp6 or ip6 proto 112");
    const [first, second] = await start(ONLY_IPV6);
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 3000);
    // No duplicate address detection, and never a source of the machine's own packets.
    expect(held(a, VIP6)).toMatchObject({ nodad: true, deprecated: true });
    expect(held(a, VIP6)!.tentative).toBeUndefined();
    expect(held(a, VIP6)!.valid_life_time).toBeLessThanOrEqual(3);
    expect(held(a, LINK_LOCAL)).toBeDefined();
    expect(held(b, VIP6)).toBeUndefined();
    const ping = client.ping(VIP6, 5);
    await ping.answered();
    await knows(VIP6, a);

    const stoppedMs = nowMs();
    await first.stop();
    await second.waitState("web", "master", 500);
    await ping.answered({ sinceMs: nowMs() });
    await knows(VIP6, b);
    const stop = ping.longestGap(stoppedMs).lengthMs;
    expect(held(a, VIP6)).toBeUndefined();
    expect(held(a, LINK_LOCAL)).toBeUndefined();

    const again = await a.startAppliance(webYaml(150, ONLY_IPV6));
    await again.waitState("web", "master", 1500);
    await second.waitState("web", "backup", 500);
    await knows(VIP6, a);
    const killedMs = nowMs();
    await again.killHard();
    await second.waitState("web", "master", 1500);
    await ping.answered({ sinceMs: nowMs() });
    await knows(VIP6, b);
    const kill = ping.longestGap(killedMs).lengthMs;
    console.log(
      `IPv6, adverts of 100 ms: ${stop.toFixed(0)} ms without an answer (stop), ${kill.toFixed(0)} (kill -9)`,
    );
    expect(stop).toBeLessThan(100);
    expect(kill).toBeLessThan(600);

    for (const address of [VIP6, LINK_LOCAL]) {
      for (const node of [a, b]) {
        const seen = advertisements(wire, address, node.mac());
        expect(seen.length).toBeGreaterThanOrEqual(5);
        expect(seen.every((text) => /Flags \[override\]/.test(text) && /hlim 255/.test(text))).toBe(true);
        expect(seen.some((text) => /bad icmp6 cksum/.test(text))).toBe(false);
      }
    }
    const adverts = wire.adverts();
    expect(adverts.every(({ from, to }) => from.startsWith("fe80::") && to === "ff02::12")).toBe(true);
    // The virtual link-local address is no router's own.
    expect(adverts.some(({ from }) => from === LINK_LOCAL)).toBe(false);
    expect(droppedOf(await second.instance("web"))).toBe(0);
  }, 20_000);

  test("a machine that forwards says that it is a router", async () => {
    const forwarding = (value: 0 | 1) =>
      a.exec(["sh", "-c", `echo ${value} > /proc/sys/net/ipv6/conf/all/forwarding`]);
    forwarding(1);
    try {
      const wire = await client.capture("eth0", "icmp6");
      const router = await a.startAppliance(webYaml(150, ONLY_IPV6));
      await router.waitState("web", "master", 3000);
      const seen = await waitFor(() => advertisements(wire, VIP6, a.mac())[0], {
        timeoutMs: 500,
        what: "an announcement",
      });
      expect(seen).toContain("Flags [router, override]");
    } finally {
      forwarding(0);
    }
  }, 10_000);

  test("an address deleted by hand is put back at once, and told", async () => {
    const [first, second] = await start(ONLY_IPV6);
    const before = await first.waitState("web", "master", 3000);
    const ping = client.ping(VIP6, 1);
    await ping.answered();
    for (const address of [VIP6, LINK_LOCAL]) {
      const deletedMs = nowMs();
      a.ip(`addr del ${address}/64 dev eth0`);
      await waitFor(() => held(a, address), { timeoutMs: 200, what: `${address} to be back`, everyMs: 2 });
      await ping.answered({ sinceMs: nowMs() });
      const gap = ping.longestGap(deletedMs).lengthMs;
      console.log(`${address} deleted: ${gap.toFixed(1)} ms without an answer`);
      expect(gap).toBeLessThan(50);
      const told = first.events().filter(({ kind, text }) =>
        kind === "repair" && text.includes(`${address}/64`)
      );
      expect(told).toHaveLength(1);
    }
    // What a reload changes of it is not away for longer.
    const [address, link] = [`${VIP6}/64`, `${LINK_LOCAL}/64`];
    for (
      const keys of [
        { addresses: [link, address], lease: "off" },
        // The kernel must not let the route to the whole subnet expire with the address.
        { addresses: [link, address], lease: "10s" },
        // It has an address once, with one prefix length.
        { addresses: [link, `${VIP6}/128`] },
        { addresses: [link, address] },
      ]
    ) {
      const reloadedMs = nowMs();
      first.writeConfig(webYaml(150, keys));
      expect(first.command("reload").code).toBe(0);
      await ping.answered({ sinceMs: nowMs() });
      const gap = ping.longestGap(reloadedMs).lengthMs;
      console.log(`${JSON.stringify(keys)}: ${gap.toFixed(1)} ms without an answer`);
      // It was a second and more.
      expect(gap).toBeLessThan(300);
      expect(a.exec(["ip", "-6", "route", "show", "2001:db8::/64"]).stdout).not.toContain("expires");
    }
    expect((await first.instance("web")).transitions).toBe(before.transitions);
    // What is removed to be put otherwise has not been taken away by someone else.
    expect(first.events().filter(({ kind }) => kind === "repair")).toHaveLength(2);

    // Nor with one that somebody has put on the backup for good.
    b.ip(`addr add ${VIP6}/64 dev eth0 nodad`);
    expect(first.command("release", "web").code).toBe(0);
    await second.waitState("web", "master", 1000);
    await waitFor(() => (held(b, VIP6)?.valid_life_time ?? 99) <= 3, {
      timeoutMs: 500,
      what: "a lease at b",
    });
    expect(b.exec(["ip", "-6", "route", "show", "2001:db8::/64"]).stdout).not.toContain("expires");
    // What is held back outlives the daemon.
    expect(first.command("resume", "web").code).toBe(0);
  }, 15_000);

  test(
    "two families move together: released, killed, and when one of them fails",
    async () => {
      const [first, second] = await start(BOTH);
      await first.waitState("web", "master", 3000);
      await second.waitState("web", "backup", 3000);
      const has = (node: LabNode) =>
        [VIP, VIP6, LINK_LOCAL].map((address) => held(node, address) !== undefined);
      const served = (node: LabNode, boundMs: number) =>
        waitFor(() => {
          const other = node === a ? b : a;
          return has(node).every(Boolean) && !has(other).some(Boolean);
        }, {
          timeoutMs: boundMs,
          what: `${node.name} alone to have all addresses`,
          explain: () => `a ${has(a)}, b ${has(b)}\n${first.log}\n${second.log}`,
        });
      await served(a, 1000);
      const names = (await first.status()).instances.map(({ name }) => name.split(":")[0]);
      expect([...new Set(names)]).toEqual(["web"]);
      const pings = [client.ping(VIP, 5), client.ping(VIP6, 5)];
      for (const ping of pings) await ping.answered();

      const releasedMs = nowMs();
      expect(first.command("release", "web").code).toBe(0);
      await served(b, 1000);
      for (const [index, ping] of pings.entries()) {
        await ping.answered({ sinceMs: nowMs() });
        await knows(index === 0 ? VIP : VIP6, b);
      }
      const gaps = pings.map((ping) => ping.longestGap(releasedMs).lengthMs);
      expect(first.command("resume", "web").code).toBe(0);
      await served(a, 1000);

      // b misses the adverts of one family alone: neither may leave the other behind.
      const nft = (...lines: string[]) =>
        expect(a.exec(["nft", "-f", "-"], { stdin: lines.join("\n") }).code).toBe(0);
      nft(
        "table netdev cut {",
        "  chain out { type filter hook egress device eth0 priority 0; ether type ip6 drop; }",
        "}",
      );
      await holds(() => !has(b).some(Boolean) && has(a).every(Boolean), {
        forMs: 1000,
        what: "a serves both",
      });
      nft("delete table netdev cut");
      await holds(() => !has(b).some(Boolean), { forMs: 300, what: "a serves both" });

      // a can speak one family no more: the other goes with it.
      const own = `${linkLocalOf(a)}/64 dev eth0`;
      a.ip(`addr del ${own}`);
      await served(b, 1000);
      a.ip(`addr add ${own} nodad`);
      await served(a, 1500);

      await first.killHard();
      await waitFor(() => has(b).every(Boolean), { timeoutMs: 1500, what: "b to take over all" });
      for (const ping of pings) await ping.answered({ sinceMs: nowMs() });
      console.log(
        `two families released together: ${
          gaps.map((gap) => gap.toFixed(0)).join(", ")
        } ms without an answer`,
      );
      expect(Math.max(...gaps)).toBeLessThan(100);
      for (const instance of (await second.status()).instances) {
        expect(droppedOf(instance)).toBe(0);
      }
    },
    20_000,
  );
});
