/** FRR's vrrpd as the other router, in both roles: version 3 over IPv4 and over IPv6. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { longestOverlap } from "./interop/masters.ts";
import {
  type Appliance,
  createLab,
  describeLab,
  droppedOf,
  type Frr,
  type Lab,
  type LabNode,
  nowMs,
  waitFor,
  webYaml,
} from "./lab.ts";

const VRID = 51;

/** What a test needs to know of an IP version. */
const FAMILIES = [
  { family: "v4", addresses: ["10.0.0.100/24"], vip: "10.0.0.100", mac: "00:00:5e:00:01:33" },
  {
    family: "v6",
    addresses: ["fe80::100/64", "2001:db8::100/64"],
    vip: "2001:db8::100",
    mac: "00:00:5e:00:02:33",
  },
] as const;

describeLab("FRR as the other router", ["vrrpd", "zebra", "vtysh", "tcpdump"], () => {
  let lab: Lab;
  let ours: LabNode;
  let theirs: LabNode;
  let client: LabNode;

  beforeAll(() => {
    lab = createLab("frr");
    ours = lab.node("ours", { addresses: ["10.0.0.1/24", "2001:db8::1/64"] });
    theirs = lab.node("theirs", { addresses: ["10.0.0.2/24", "2001:db8::2/64"] });
    client = lab.node("client", { addresses: ["10.0.0.9/24", "2001:db8::9/64"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  for (const { family, addresses, vip, mac } of FAMILIES) {
    const startOurs = async (priority: number) => {
      const router = await ours.startAppliance(webYaml(priority, { vrid: VRID, addresses }));
      return router;
    };
    const startFrr = (priority: number) =>
      theirs.startFrr({ vrid: VRID, priority, intervalMs: 100, addresses });
    const frrState = (frr: Frr, state: "Master" | "Backup", timeoutMs: number) =>
      waitFor(() => new RegExp(`Status \\(${family}\\)\\s+${state}`).test(frr.vtysh("show vrrp")), {
        timeoutMs,
        what: `FRR to be ${state}`,
        everyMs: 50,
        explain: () => frr.vtysh("show vrrp") + frr.log,
      });
    const listen = () => client.capture("eth0", "ip proto 112 or ip6 proto 112");
    const wellSpoken = (wire: Awaited<ReturnType<typeof listen>>) => {
      const adverts = wire.adverts();
      expect(new Set(adverts.map(({ from }) => from)).size).toBe(2);
      expect(adverts.find(({ text }) => /bad (vrrp )?cksum/.test(text))).toBeUndefined();
      expect(adverts.find(({ text }) => !/(ttl|hlim) 255,/.test(text))).toBeUndefined();
      expect(longestOverlap(adverts, 100), "two masters, ms").toBeLessThan(100);
    };
    const undropped = async (router: Appliance) => expect(droppedOf(await router.instance("web"))).toBe(0);

    test(`IP${family}, we lead: FRR takes over when we stop or die, and gives back`, async () => {
      const wire = await listen();
      const frr = await startFrr(100);
      await frrState(frr, "Master", 5000);
      const first = await startOurs(150);
      await first.waitState("web", "master", 1500);
      await frrState(frr, "Backup", 1000);
      const ping = client.ping(vip, 10);
      await ping.answered();
      await undropped(first);
      await first.stop();
      await frrState(frr, "Master", 1000);
      await ping.answered({ sinceMs: nowMs() });
      const second = await startOurs(150);
      await second.waitState("web", "master", 1500);
      await frrState(frr, "Backup", 1000);
      await undropped(second);
      await second.killHard();
      await frrState(frr, "Master", 1500);
      await waitFor(() => client.neighbour(vip) === mac, { timeoutMs: 500, what: "FRR to announce" });
      wellSpoken(wire);
    }, 20_000);

    test(`IP${family}, FRR leads: we take over when it dies, and give back`, async () => {
      const wire = await listen();
      const follower = await startOurs(100);
      await follower.waitState("web", "master", 1500);
      const frr = await startFrr(150);
      await follower.waitState("web", "backup", 5000);
      await frrState(frr, "Master", 1000);
      const { master } = await follower.instance("web");
      expect(master!.priority).toBe(150);
      expect(master!.address).toBe(wire.adverts().find(({ priority }) => priority === 150)!.from);
      const ping = client.ping(vip, 10);
      await ping.answered();
      await frr.close();
      await follower.waitState("web", "master", 1500);
      await ping.answered({ sinceMs: nowMs() });
      expect(client.neighbour(vip)).toBe(ours.mac());
      const again = await startFrr(150);
      await follower.waitState("web", "backup", 5000);
      await frrState(again, "Master", 1000);
      await undropped(follower);
      wellSpoken(wire);
    }, 20_000);
  }
});
