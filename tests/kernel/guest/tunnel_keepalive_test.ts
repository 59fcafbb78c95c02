import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { alloc, EAGAIN, inNetns, receive } from "../../../lib/libc/mod.ts";
import type { KeepaliveMethod, TunnelConfig, TunnelType } from "../../../mod/tunnel/model.ts";
import { openGreProber } from "../../../mod/tunnel/watch/gre.ts";
import { createLab, type Lab, type LabNode, waitFor } from "../../netns/lab.ts";
import { describeGuest } from "./guest.ts";
import { answersPing } from "./ping.ts";
import {
  DEVICE,
  keepalive,
  type KeeperProcess,
  resetKeepers,
  startKeeper,
  tunnelConfig,
} from "./tunnel_keeper.ts";

const INTERVAL_MS = 200;
const RETRIES = 3;
/** What is promised. */
const DOWN_MS = INTERVAL_MS * RETRIES + 1000;
const UP_MS = 2000;
const LONG_MS = 40_000;

type Row = readonly [type: TunnelType, methods: readonly KeepaliveMethod[], target: string | null];

/** Those that are not tried by the daemon in appliance/; each with all that GRE can add to a packet. */
const ROWS: readonly Row[] = [
  ["ip6gre", ["icmp"], "2001:db8:1::2"],
  ["gretap", ["icmp"], "2001:db8:1::2"],
];
const FULL: Partial<TunnelConfig> = { ikey: 42, okey: 42, checksum: true, sequence: true };

let lab: Lab;
let a: LabNode;
let b: LabNode;

function asking(methods: readonly KeepaliveMethod[], target: string | null): Partial<TunnelConfig> {
  return { keepalive: keepalive(INTERVAL_MS, methods, target) };
}

/** The far end, made by hand. */
function handMade(type: TunnelType, options: string): void {
  const { local, remote, addresses } = tunnelConfig(2, type);
  b.ip(
    `link add ${DEVICE} type ${type} local ${local} remote ${remote} ttl 64 ${options}`,
    ...addresses.map(({ address, prefix }) => `addr add ${address}/${prefix} dev ${DEVICE} nodad`),
    `link set ${DEVICE} up`,
  );
}

/** The carrier of everything on `a` stays up; nothing but the silence tells. */
async function goesDownWithTheUnderlay(keeper: KeeperProcess): Promise<void> {
  const before = keeper.reports.length;
  const cutMs = performance.now();
  b.isolate();
  await waitFor(
    () => keeper.reports.slice(before).some(({ changed, status }) => changed && status === "down"),
    {
      timeoutMs: DOWN_MS + 2000,
      everyMs: 2,
      what: "the tunnel to be down",
    },
  );
  expect(performance.now() - cutMs).toBeLessThan(DOWN_MS);
  await keeper.until((view) => view.state === "down", "the view to say so", 500);
  expect(keeper.view()!.error).toContain("no answer from");
  expect(keeper.view()!.latency_ms).toBeNull();
  b.heal();
  await keeper.until((view) => view.state === "up", "the tunnel to be up again", UP_MS);
  expect(keeper.view()!.error).toBeNull();
}

function sysctl(node: LabNode, values: Readonly<Record<string, number>>): void {
  const lines = Object.entries(values).map(([name, value]) => `echo ${value} > /proc/sys/net/ipv4/${name}`);
  const { code, stderr } = node.exec(["sh", "-ec", lines.join("\n")]);
  if (code !== 0) throw new Error(stderr);
}

describeGuest("keepalive", () => {
  beforeAll(() => {
    lab = createLab("alive");
    a = lab.node("a", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
  }, 30_000);
  afterEach(() => resetKeepers([a, b]));
  afterAll(() => lab?.close(), 30_000);

  test.each([...ROWS])(
    "%s asked by %p: up with a latency, down when the far end is silent, up again",
    async (...row) => {
      const [type, methods, target] = row;
      handMade(type, "key 42 csum seq");
      const keeper = await startKeeper(a, [tunnelConfig(1, type, { ...FULL, ...asking(methods, target) })]);
      expect(keeper.view()!.latency_ms).toBeGreaterThan(0);
      expect(keeper.view()!.latency_ms).toBeLessThan(INTERVAL_MS);
      await goesDownWithTheUnderlay(keeper);
    },
    LONG_MS,
  );

  describe("GRE keepalives of gre tunnels", () => {
    test("are sent back by a peer that routes, as routers do", async () => {
      handMade("gre", "key 42 csum");
      sysctl(b, { "ip_forward": 1, "conf/all/rp_filter": 0 });
      sysctl(b, { [`conf/${DEVICE}/rp_filter`]: 0, [`conf/${DEVICE}/accept_local`]: 1 });
      const more = { ikey: 42, okey: 42, checksum: true, ...asking(["gre"], null) };
      const keeper = await startKeeper(a, [tunnelConfig(1, "gre", more)]);
      await goesDownWithTheUnderlay(keeper);
      sysctl(b, { "ip_forward": 0 });
      await keeper.until((view) => view.state === "down", "silence of a peer that does not route", DOWN_MS);
    }, LONG_MS);

    test("are answered by the keeper of the other side, whether it asks itself or not", async () => {
      const other = await startKeeper(b, [tunnelConfig(2, "gre", FULL)]);
      const keeper = await startKeeper(a, [tunnelConfig(1, "gre", { ...FULL, ...asking(["gre"], null) })]);
      await goesDownWithTheUnderlay(keeper);
      other.update([tunnelConfig(2, "gre", { ...FULL, ...asking(["gre"], null) })]);
      await other.until(
        ({ state, latency_ms }) => state === "up" && latency_ms !== null,
        "both to ask",
        UP_MS,
      );
      // Another key is another tunnel.
      other.update([tunnelConfig(2, "gre", { ...FULL, ikey: 7, okey: 7 })]);
      await keeper.until((view) => view.state === "down", "the peer with another key to be silent", DOWN_MS);
      expect(keeper.view()!.error).toContain("set `target`");
    }, LONG_MS);

    test("need no answer where ping has one", async () => {
      handMade("gre", "");
      const keeper = await startKeeper(a, [tunnelConfig(1, "gre", asking(["gre", "icmp"], "10.1.1.2"))]);
      await goesDownWithTheUnderlay(keeper);
    }, LONG_MS);

    test("let the tunnel's own traffic pass them by", async () => {
      const config = tunnelConfig(1, "gre", FULL);
      await Promise.all([startKeeper(a, [config]), startKeeper(b, [tunnelConfig(2, "gre", FULL)])]);
      const prober = inNetns(a.namespace, () => openGreProber(config, { index: 0, mac: alloc(0) }, null));
      try {
        expect(await answersPing(b.namespace, "10.1.1.1")).toBe(true);
        expect(await answersPing(a.namespace, "2001:db8:1::2")).toBe(true);
        const buffer = alloc(512);
        expect(receive(prober.fd, buffer)).toBe(-EAGAIN);
        await startKeeper(b, [tunnelConfig(2, "gre", { ...FULL, ...asking(["gre"], null) })]);
        await waitFor(() => receive(prober.fd, buffer) > 0, { timeoutMs: UP_MS, what: "a keepalive" });
      } finally {
        prober.close();
      }
    }, LONG_MS);
  });

  test("never answered: down after the same time, and why", async () => {
    const config = tunnelConfig(1, "gretap", asking(["arp"], "10.1.1.9"));
    const keeper = await startKeeper(a, [config], "down");
    expect(keeper.reports.map(({ from, status }) => `${from} ${status}`)).toEqual(["unknown down"]);
    expect(keeper.view()!.error).toMatch(/^no answer from 10\.1\.1\.9 for (0\.[89]|1\.\d) s/);
    // With another target the same tunnel is asked anew.
    handMade("gretap", "");
    keeper.update([{ ...config, ...asking(["arp"], "10.1.1.2") }]);
    await keeper.until((view) => view.state === "up", "the tunnel to be up", UP_MS);
    keeper.update([{ ...config, keepalive: null }]);
    await keeper.until((view) => view.keepalive === null, "nobody to be asked", UP_MS);
    expect(keeper.view()!.state).toBe("up");
  }, LONG_MS);
});
