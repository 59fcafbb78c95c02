/** The keeper without a daemon around it; what the daemon makes of it for each type is tried in appliance/. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { TunnelType } from "../../../mod/tunnel/model.ts";
import { createLab, holds, type Lab, type LabNode, must, waitFor } from "../../netns/lab.ts";
import { describeGuest, type IpLink } from "./guest.ts";
import { answersPing } from "./ping.ts";
import { DEVICE, type KeeperProcess, resetKeepers, startKeeper, tunnelConfig } from "./tunnel_keeper.ts";

const BACK_MS = 1000;
const LONG_MS = 40_000;

let lab: Lab;
let a: LabNode;
let b: LabNode;

function linkOf(node: LabNode, name = DEVICE): IpLink | null {
  const { code, stdout } = node.exec(["ip", "-d", "-j", "link", "show", "dev", name]);
  return code === 0 ? (JSON.parse(stdout) as IpLink[])[0]! : null;
}

function dataOf(node: LabNode): Readonly<Record<string, unknown>> {
  return linkOf(node)?.linkinfo?.info_data ?? {};
}

/** The other end, made by hand. */
function handMade(node: LabNode, type: TunnelType, options = ""): void {
  const { local, remote, addresses } = tunnelConfig(node === a ? 1 : 2, type);
  node.ip(
    `link add ${DEVICE} type ${type} local ${local} remote ${remote} ttl 64 ${options}`,
    ...addresses.map(({ address, prefix }) => `addr add ${address}/${prefix} dev ${DEVICE} nodad`),
    `link set ${DEVICE} up`,
  );
}

async function broken(keeper: KeeperProcess, breakIt: () => void, what: string): Promise<void> {
  const before = keeper.view()!.repairs;
  breakIt();
  await keeper.until(({ repairs }) => repairs > before, what, BACK_MS);
  expect(keeper.view()!.repairs).toBe(before + 1);
}

describeGuest("the tunnel keeper", () => {
  beforeAll(() => {
    lab = createLab("keep");
    a = lab.node("a", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
  }, 30_000);
  afterEach(() => resetKeepers([a, b]));
  afterAll(() => lab?.close(), 30_000);

  test("taken down, an address or a route taken away, the mtu changed: each is put back", async () => {
    const route = {
      destination: "10.8.0.0",
      prefix: 16,
      via: "10.1.1.2",
      metric: null,
      source: null,
      table: null,
    };
    const keeper = await startKeeper(a, [tunnelConfig(1, "gretap", { mtu: 1400, routes: [route] })]);
    await broken(keeper, () => a.ip(`link set ${DEVICE} down`), "it to be up");
    expect(keeper.view()!.last_repair).toContain("was down");
    expect(linkOf(a)!.flags).toContain("UP");
    // With the link its route went, and IPv6's addresses.
    await waitFor(() => a.has("2001:db8:1::1"), { timeoutMs: BACK_MS, what: "the IPv6 address" });
    await waitFor(() => must(["ip", "-n", a.namespace, "route", "show", "10.8.0.0/16"]).includes(DEVICE), {
      timeoutMs: BACK_MS,
      what: "the route",
    });
    await broken(keeper, () => a.ip(`addr del 10.1.1.1/24 dev ${DEVICE}`), "the address");
    expect(a.has("10.1.1.1")).toBe(true);
    await broken(keeper, () => a.ip(`route del 10.8.0.0/16`), "the route");
    expect(keeper.view()!.last_repair).toBe("route to 10.8.0.0/16 via 10.1.1.2 was gone");
    await broken(keeper, () => a.ip(`link set ${DEVICE} mtu 1300`), "the mtu");
    expect(linkOf(a)!.mtu).toBe(1400);
  }, LONG_MS);

  test(
    "adopts one with the same parameters, and corrects one that differs; neither counts as a repair",
    async () => {
      handMade(a, "gretap", "key 42");
      const same = linkOf(a)!.ifindex;
      const first = await startKeeper(a, [tunnelConfig(1, "gretap", { ikey: 42, okey: 42 })]);
      expect(linkOf(a)!.ifindex).toBe(same);
      expect(first.view()!.repairs).toBe(0);
      await first.stop(true);
      expect(linkOf(a)!.ifindex).toBe(same);
      const second = await startKeeper(a, [tunnelConfig(1, "gretap", { ikey: 7, okey: 8, ttl: 9 })]);
      expect(linkOf(a)!.ifindex).toBe(same);
      expect(dataOf(a)).toMatchObject({ ikey: "0.0.0.7", okey: "0.0.0.8", ttl: 9 });
      expect(second.view()!.repairs).toBe(0);
      // Another type cannot be changed in place.
      second.update([tunnelConfig(1, "gre", { keep: true })]);
      await waitFor(() => linkOf(a)?.linkinfo?.info_kind === "gre", {
        timeoutMs: BACK_MS,
        what: "a gre tunnel",
      });
      await second.stop();
      expect(linkOf(a)).not.toBeNull();
    },
    LONG_MS,
  );

  test("a reload takes away what is no longer wanted, and touches nothing else", async () => {
    const two = { address: "10.1.2.1", prefix: 24, peer: null };
    const config = tunnelConfig(1, "gretap");
    const keeper = await startKeeper(a, [{ ...config, addresses: [...config.addresses, two] }]);
    const { ifindex } = linkOf(a)!;
    a.ip(`addr add 10.1.3.1/24 dev ${DEVICE}`);
    keeper.update([{ ...config, ttl: 33 }]);
    await waitFor(() => !a.has("10.1.2.1"), { timeoutMs: BACK_MS, what: "the address to go" });
    await waitFor(() => dataOf(a)["ttl"] === 33, { timeoutMs: BACK_MS, what: "the new ttl" });
    expect(a.has("10.1.3.1")).toBe(true);
    expect(a.has("10.1.1.1")).toBe(true);
    expect(linkOf(a)!.ifindex).toBe(ifindex);
    const fits = linkOf(a)!.mtu;
    keeper.update([{ ...config, mtu: 1300 }]);
    await waitFor(() => linkOf(a)!.mtu === 1300, { timeoutMs: BACK_MS, what: "the new mtu" });
    keeper.update([config]);
    await waitFor(() => linkOf(a)!.mtu === fits, { timeoutMs: BACK_MS, what: "the mtu of before" });
    keeper.update([]);
    await waitFor(() => linkOf(a) === null, { timeoutMs: BACK_MS, what: "the tunnel to go" });
  }, LONG_MS);

  test("leaves an interface of another kind alone, and says so", async () => {
    a.ip(`link add ${DEVICE} type dummy`);
    const keeper = await startKeeper(a, [tunnelConfig(1, "gretap")], "down");
    expect(keeper.view()!.error).toContain("there is another interface of that name, a dummy");
    a.ip(`link del ${DEVICE}`);
    await keeper.until((view) => view.state === "up", "the tunnel once the name is free", BACK_MS);
  }, LONG_MS);

  test("waits for the device that it is bound to", async () => {
    const keeper = await startKeeper(a, [tunnelConfig(1, "gre", { dev: "lab-under" })], "down");
    expect(keeper.view()!.error).toContain("interface lab-under does not exist yet");
    a.ip("link add lab-under type dummy");
    await keeper.until((view) => view.state === "up", "the tunnel once the device is there", BACK_MS);
    expect(dataOf(a)["link"]).toBe("lab-under");
    a.ip("link del lab-under");
  }, LONG_MS);

  test("is down, and says why, while no interface has its local address", async () => {
    const keeper = await startKeeper(a, [tunnelConfig(1, "gretap")]);
    a.ip("addr del 192.0.2.1/24 dev eth0");
    await keeper.until((view) => view.state === "down", "the tunnel to be down", BACK_MS);
    expect(keeper.view()!.error).toBe("Cannot send from 192.0.2.1: no interface has this address");
    a.ip("addr add 192.0.2.1/24 dev eth0");
    await keeper.until((view) => view.state === "up", "the tunnel to be up again", BACK_MS);
    expect(keeper.view()!.repairs).toBe(0);
  }, LONG_MS);

  test("names the other tunnel that has the same addresses and key", async () => {
    a.ip("link add lab-twin type gre local 192.0.2.1 remote 192.0.2.2 ttl 64");
    const keeper = await startKeeper(a, [tunnelConfig(1, "gre")], "down");
    expect(keeper.view()!.error).toContain("lab-twin has its addresses and key already");
    a.ip("link del lab-twin");
    await keeper.until((view) => view.state === "up", "the tunnel once the other one is gone", 2000);
  }, LONG_MS);

  test("a gre tunnel by ioctl alone is the same: made, corrected, put back, removed", async () => {
    handMade(b, "gre", "key 42");
    const keeper = await startKeeper(a, [tunnelConfig(1, "gre", { ikey: 42, okey: 42, mtu: 1400 })], "up", [
      "ioctl",
    ]);
    expect(linkOf(a)).toMatchObject({ mtu: 1400, linkinfo: { info_kind: "gre" } });
    expect(await answersPing(a.namespace, "10.1.1.2")).toBe(true);
    await broken(keeper, () => {
      a.ip(`link set ${DEVICE} type gre local 192.0.2.1 remote 192.0.2.2 ttl 64 key 43`);
    }, "the key");
    expect(dataOf(a)).toMatchObject({ ikey: "0.0.0.42", okey: "0.0.0.42" });
    await broken(keeper, () => a.ip(`link del ${DEVICE}`), "the tunnel to be back");
    expect(await answersPing(a.namespace, "10.1.1.2")).toBe(true);
    await keeper.stop();
    expect(linkOf(a)).toBeNull();
  }, LONG_MS);

  test("two keepers that want different things do not burn a processor", async () => {
    const keeper = await startKeeper(a, [tunnelConfig(1, "gretap", { ttl: 10 })]);
    const other = await startKeeper(a, [tunnelConfig(1, "gretap", { ttl: 20 })]);
    await waitFor(() => keeper.view()!.repairs >= 10, { timeoutMs: 5000, what: "a quarrel" });
    const before = keeper.view()!.repairs;
    await holds(() => keeper.view()!.repairs - before < 8, { forMs: 2000, what: "a repair now and then" });
    await other.stop(true);
    await waitFor(() => dataOf(a)["ttl"] === 10, { timeoutMs: 2000, what: "peace" });
  }, LONG_MS);
});
