/** The daemon's own kernel tunnels, one of each type at once, with VRRP over each. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { inNetns } from "../../../../lib/libc/mod.ts";
import { type Link, listLinks, NETLINK_ROUTE, NetlinkConnection } from "../../../../lib/netlink/mod.ts";
import {
  type Appliance,
  createLab,
  droppedOf,
  type InstanceStatus,
  type Lab,
  type LabNode,
  type StatusDocument,
  waitFor,
  yamlOf,
} from "../../../netns/lab.ts";
import { describeGuest } from "../guest.ts";
import { answersPing } from "../ping.ts";
import { echoedByTcp } from "../tcp.ts";

const TYPES = ["gre", "gretap", "ip6gre", "ip6gretap"] as const;
type Type = (typeof TYPES)[number];

const INTERVAL_MS = 200;
const RETRIES = 3;
const WEIGHT = -50;
/** What is promised. */
const BACK_MS = 1000;
const DOWN_MS = INTERVAL_MS * RETRIES + 1000;
/** Of a guest with one processor, for what has no promise. */
const START_MS = 15_000;
const SETTLE_MS = 8000;
const LONG_MS = 40_000;

let lab: Lab;
let a: LabNode;
let b: LabNode;
let first: Appliance;
let second: Appliance;

/** Number of a type: part of its addresses, key and VRID. */
function numberOf(type: Type): number {
  return TYPES.indexOf(type) + 1;
}

function keyOf(type: Type): number {
  return 40 + numberOf(type);
}

function inner(type: Type, end: number): string {
  return `10.1.${numberOf(type)}.${end}`;
}

function inner6(type: Type, end: number): string {
  return `2001:db8:${numberOf(type)}::${end}`;
}

const vipOf = (type: Type) => inner(type, 6);

function outer(type: Type, end: number): string {
  return type.startsWith("ip6") ? `2001:db8::${end}` : `192.0.2.${end}`;
}

/** The config of one end, 1 or 2. */
function yaml(end: 1 | 2, priority: number): string {
  const other = 3 - end;
  const entries = (of: (type: Type) => unknown) => Object.fromEntries(TYPES.map((type) => [type, of(type)]));
  return yamlOf({
    tunnels: Object.fromEntries(TYPES.map((type) => [`t-${type}`, {
      type,
      local: outer(type, end),
      remote: outer(type, other),
      key: keyOf(type),
      checksum: true,
      addresses: [`${inner(type, end)}/29`, `${inner6(type, end)}/64`],
      keepalive: { interval: `${INTERVAL_MS}ms`, retries: RETRIES, target: inner(type, other) },
    }])),
    vrrp: entries((type) => ({
      interface: `t-${type}`,
      vrid: numberOf(type),
      priority,
      advert_interval: "100ms",
      addresses: [`${vipOf(type)}/29`],
      track: [{ tunnel: `t-${type}`, weight: WEIGHT }],
    })),
  });
}

/** The tunnels of a node as the kernel has them, by type. */
function linksOf(node: LabNode): Partial<Record<Type, Link>> {
  const connection = inNetns(node.namespace, () => new NetlinkConnection(NETLINK_ROUTE));
  try {
    const links = listLinks(connection).filter(({ name }) => name.startsWith("t-"));
    return Object.fromEntries(links.map((link) => [link.name.slice(2), link]));
  } finally {
    connection.close();
  }
}

async function waitStatus(
  daemon: Appliance,
  what: string,
  timeoutMs: number,
  holds: (status: StatusDocument) => boolean,
): Promise<StatusDocument> {
  let seen: StatusDocument | null = null;
  return await waitFor(async () => {
    seen = await daemon.status();
    return holds(seen) ? seen : null;
  }, {
    timeoutMs,
    what: `${daemon.node.name}: ${what}`,
    explain: () => `${JSON.stringify({ tunnels: seen?.tunnels, instances: seen?.instances })}\n${daemon.log}`,
  });
}

const allUp = ({ tunnels }: StatusDocument) =>
  tunnels.length === TYPES.length && tunnels.every(({ state }) => state === "up");

function allAre(state: InstanceStatus["state"]): (status: StatusDocument) => boolean {
  return ({ instances }) =>
    instances.length === TYPES.length && instances.every((instance) => instance.state === state);
}

/** All as it should be: the first is master of all, by tunnels that are up. */
async function expectOrder(): Promise<void> {
  await waitStatus(first, "all tunnels to be up", START_MS, allUp);
  await waitStatus(first, "to be master of all", SETTLE_MS, allAre("master"));
  await waitStatus(second, "to be backup of all", SETTLE_MS, allAre("backup"));
}

describeGuest("kernel tunnels made by the daemon", () => {
  beforeAll(async () => {
    lab = createLab("own");
    a = lab.node("a", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
    [first, second] = await Promise.all([
      a.startAppliance(yaml(1, 150), { ready: false }),
      b.startAppliance(yaml(2, 90), { ready: false }),
    ]);
    await Promise.all([first.ready(START_MS), second.ready(START_MS)]);
    await expectOrder();
  }, LONG_MS);
  afterAll(() => lab?.close(), 30_000);

  describe.each([...TYPES])("%s", (type) => {
    test("is what was asked for", async () => {
      expect(linksOf(a)[type]).toMatchObject({
        up: true,
        tunnel: { type, ikey: keyOf(type), okey: keyOf(type), csum: true, ttl: 64 },
      });
      const { tunnels } = await first.status();
      expect(tunnels.find(({ name }) => name === `t-${type}`)).toMatchObject({
        type,
        datapath: "kernel",
        key: keyOf(type),
        mtu: linksOf(a)[type]!.mtu,
        repairs: 0,
        error: null,
      });
    });

    test("carries ping of both families, up to its mtu, and TCP both ways", async () => {
      expect(await answersPing(a.namespace, inner(type, 2))).toBe(true);
      expect(await answersPing(b.namespace, inner6(type, 1))).toBe(true);
      const size = linksOf(a)[type]!.mtu - 28;
      expect(await answersPing(a.namespace, inner(type, 2), { size })).toBe(true);
      expect(await echoedByTcp(a, b, inner(type, 2))).toBe(256 << 10);
      expect(await echoedByTcp(b, a, inner6(type, 1))).toBe(256 << 10);
    }, LONG_MS);

    test("carries VRRP: one is master, the other hears it, and reaches the address", async () => {
      const [master, backup] = [await first.instance(type), await second.instance(type)];
      expect([master.state, backup.state]).toEqual(["master", "backup"]);
      expect(backup.master).toEqual({ address: inner(type, 1), priority: 150 });
      expect([a.has(vipOf(type)), b.has(vipOf(type))]).toEqual([true, false]);
      expect(await answersPing(b.namespace, vipOf(type))).toBe(true);
      const { received } = backup.adverts;
      await waitFor(async () => (await second.instance(type)).adverts.received > received + 5, {
        timeoutMs: 3000,
        what: "advertisements",
      });
      expect([droppedOf(master), droppedOf(await second.instance(type))]).toEqual([0, 0]);
    });
  });

  test("deleted under the running daemon: back within a second, and VRRP recovers", async () => {
    const before = linksOf(a);
    const start = performance.now();
    a.ip(...TYPES.map((type) => `link del t-${type}`));
    const deletedMs = performance.now() - start;
    await waitFor(() => {
      const now = linksOf(a);
      return TYPES.every((type) => now[type]?.up && now[type].index !== before[type]!.index);
    }, { timeoutMs: SETTLE_MS, everyMs: 5, what: "the tunnels to be back", explain: () => first.log });
    expect(performance.now() - start - deletedMs).toBeLessThan(BACK_MS);
    const after = linksOf(a);
    // A tap keeps its MAC address, so that the far end need not learn another.
    for (const type of ["gretap", "ip6gretap"] as const) expect(after[type]!.mac).toEqual(before[type]!.mac);
    await expectOrder();
    const { tunnels } = await first.status();
    for (const tunnel of tunnels) expect(tunnel).toMatchObject({ repairs: 1, last_repair: "was deleted" });
    for (const type of TYPES) expect(await answersPing(b.namespace, vipOf(type))).toBe(true);
  }, LONG_MS);

  test("its key changed behind our back: corrected in place within a second", async () => {
    const before = linksOf(a);
    for (const type of TYPES) {
      const options = `local ${outer(type, 1)} remote ${outer(type, 2)} ttl 64 csum key 7`;
      const start = performance.now();
      a.ip(`link set t-${type} type ${type} ${options}`);
      await waitStatus(
        first,
        `t-${type} to be corrected`,
        SETTLE_MS,
        ({ tunnels }) => tunnels.find(({ name }) => name === `t-${type}`)!.repairs === 2,
      );
      expect(performance.now() - start).toBeLessThan(BACK_MS);
    }
    const after = linksOf(a);
    for (const type of TYPES) {
      expect(after[type]!.tunnel).toMatchObject({ ikey: keyOf(type), okey: keyOf(type) });
      expect(after[type]!.index).toBe(before[type]!.index);
      expect(await answersPing(a.namespace, inner(type, 2))).toBe(true);
    }
    const { tunnels } = await first.status();
    for (const tunnel of tunnels) expect(tunnel.last_repair).toContain("key was 7");
    await expectOrder();
  }, LONG_MS);

  test(
    "the peer's underlay is cut: down within interval × retries + 1 s, and the weight applies",
    async () => {
      b.isolate();
      const start = performance.now();
      const status = await waitStatus(
        first,
        "all tunnels to be down",
        SETTLE_MS,
        ({ tunnels, instances }) =>
          tunnels.every(({ state }) => state === "down") &&
          instances.every(({ priority }) => priority.effective === 150 + WEIGHT),
      );
      expect(performance.now() - start).toBeLessThan(DOWN_MS);
      for (const { name, priority } of status.instances) {
        expect(priority).toEqual({
          base: 150,
          effective: 150 + WEIGHT,
          adjustments: [{ source: `tunnel:t-${name}`, weight: WEIGHT }],
        });
      }
      for (const type of TYPES) {
        const tunnel = status.tunnels.find(({ name }) => name === `t-${type}`)!;
        expect(tunnel.error).toContain(`no answer from ${inner(type, 2)}`);
        expect(tunnel.latency_ms).toBeNull();
        // Nothing else tells: the device itself is well.
        expect(linksOf(a)[type]).toMatchObject({ up: true, running: true });
      }
      b.heal();
      await expectOrder();
      const { instances, tunnels } = await first.status();
      for (const { priority } of instances) expect(priority.effective).toBe(150);
      for (const { latency_ms } of tunnels) expect(latency_ms).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  test("a stop hands all of them over, and takes the tunnels along", async () => {
    const stopped = first.stop("SIGTERM", 10_000);
    await waitStatus(second, "to be master of all", SETTLE_MS, allAre("master"));
    expect((await stopped).code).toBe(0);
    expect(linksOf(a)).toEqual({});
    expect((await second.stop("SIGTERM", 10_000)).code).toBe(0);
    expect(linksOf(b)).toEqual({});
  }, LONG_MS);
});
