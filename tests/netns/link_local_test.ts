/** One link-local virtual address on two interfaces: each is another host's, whatever becomes of the other. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  createLab,
  describeLab,
  holds,
  type Lab,
  type LabNode,
  must,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";

const VIP6 = "fe80::1";
const VIP4 = "169.254.9.1";
const VIPS = [VIP4, VIP6];
const DEVICES = ["eth0", "eth1"] as const;

type Device = typeof DEVICES[number];
type Keys = Readonly<Record<string, unknown>>;

const INSTANCES: Readonly<Record<Device, string>> = { eth0: "lan", eth1: "wan" };

function yaml(priority: number, keys: Keys = {}, lan: Keys = {}): string {
  const addresses = [`${VIP4}/24`, `${VIP6}/64`];
  return yamlOf({
    vrrp: {
      lan: web(priority, { addresses, ...keys, ...lan }),
      wan: web(priority, { interface: "eth1", addresses, ...keys }),
    },
  });
}

/** Whether a machine has an address on an interface. */
function has(node: LabNode, device: Device, address: string): boolean {
  return must(["ip", "-n", node.namespace, "-o", "addr", "show", "dev", device]).includes(` ${address}/`);
}

/** By interface, which of the virtual addresses a machine has there. */
function held(node: LabNode): Record<string, string[]> {
  return Object.fromEntries(DEVICES.map((device) => [device, VIPS.filter((vip) => has(node, device, vip))]));
}

function linkLocalOf(node: LabNode, device: Device): string {
  const text = must(["ip", "-n", node.namespace, "-o", "-6", "addr", "show", "dev", device, "scope", "link"]);
  return /inet6 (fe80::\S+:\S+)\/64/.exec(text)![1]!;
}

describeLab("one link-local address on two interfaces", [], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  /** One on each link, as both have the same address to ask for. */
  let clients: Record<Device, LabNode>;

  beforeAll(() => {
    lab = createLab("zone");
    const links = DEVICES.map((device) => lab.switch(INSTANCES[device]));
    [a, b] = ["a", "b"].map((name, index) => {
      const node = lab.node(name, { switch: links[0]!, addresses: [`10.0.0.${index + 1}/24`] });
      node.plug({ device: "eth1", switch: links[1]!, addresses: [`10.0.1.${index + 1}/24`] });
      // Else a machine that has the IPv4 address on one interface answers for it on the other, too.
      node.exec(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore"]);
      return node;
    }) as [LabNode, LabNode];
    clients = Object.fromEntries(DEVICES.map((device, index) => {
      const node = lab.node(`c${index}`, { switch: links[index]!, addresses: [`10.0.${index}.9/24`] });
      node.ip(`route add ${VIP4} dev eth0 src 10.0.${index}.9`);
      return [device, node];
    })) as Record<Device, LabNode>;
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  const everything = (lan: boolean, wan: boolean) => ({ eth0: lan ? VIPS : [], eth1: wan ? VIPS : [] });
  const settle = (node: LabNode, lan: boolean, wan: boolean, daemon: Appliance) =>
    waitFor(() => Bun.deepEquals(held(node), everything(lan, wan)), {
      timeoutMs: 3000,
      what: `${node.name} to hold ${JSON.stringify(everything(lan, wan))}`,
      explain: () => `it holds ${JSON.stringify(held(node))}\n${daemon.log}`,
    });
  /** Asks for the virtual addresses on a link. */
  const pings = (device: Device) =>
    [VIP4, `${VIP6}%eth0`].map((address) => clients[device].ping(address, 20));
  /** Waits until a link's client is answered, and by this machine. */
  const leads = async (device: Device, node: LabNode) => {
    for (const ping of pings(device)) {
      await ping.answered({ timeoutMs: 2000 });
      await ping.close();
    }
    await waitFor(() => VIPS.every((vip) => clients[device].neighbour(vip) === node.mac(device)), {
      timeoutMs: 500,
      what: `the client of ${device} to know ${node.name}`,
      explain: () => VIPS.map((vip) => `${vip}: ${clients[device].neighbour(vip)}`).join(),
    });
  };

  const start = async (keys: Keys = {}): Promise<[Appliance, Appliance]> => {
    const first = await a.startAppliance(yaml(150, keys));
    for (const name of Object.values(INSTANCES)) await first.waitState(name, "master", 3000);
    const second = await b.startAppliance(yaml(100, keys));
    for (const name of Object.values(INSTANCES)) await second.waitState(name, "backup", 3000);
    return [first, second];
  };

  test("both hold it at once, and one fails over without the other", async () => {
    const [first, second] = await start();
    await settle(a, true, true, first);
    await settle(b, false, false, second);
    for (const device of DEVICES) await leads(device, a);
    for (const device of DEVICES) {
      expect(first.command("release", INSTANCES[device]).code).toBe(0);
      await settle(a, device !== "eth0", device !== "eth1", first);
      await settle(b, device === "eth0", device === "eth1", second);
      await leads("eth0", device === "eth0" ? b : a);
      await leads("eth1", device === "eth1" ? b : a);
      expect(first.command("resume", INSTANCES[device]).code).toBe(0);
      await settle(a, true, true, first);
      await settle(b, false, false, second);
    }
    // A reload that takes it off one interface leaves it on the other.
    first.writeConfig(yaml(150, {}, { addresses: ["10.0.0.100/24", "fe80::2/64"] }));
    expect(first.command("reload").code).toBe(0);
    await settle(a, false, true, first);
    await leads("eth1", a);
  }, 30_000);

  test("after kill -9 each instance clears its own interface, and none other", async () => {
    const [first, second] = await start({ lease: "off" });
    await first.killHard();
    for (const name of Object.values(INSTANCES)) await second.waitState(name, "master", 3000);
    await settle(a, true, true, first);
    const again = await a.startAppliance(yaml(50, { lease: "off" }));
    await settle(a, false, false, again);
    const repairs = again.events().filter(({ kind }) => kind === "repair");
    for (const name of Object.values(INSTANCES)) {
      const texts = repairs.filter(({ subject }) => subject?.startsWith(name)).map(({ text }) => text);
      for (const vip of VIPS) expect(texts.filter((text) => text.includes(`${vip}/`))).toHaveLength(1);
    }
    for (const device of DEVICES) await leads(device, b);
    await again.stop();

    // What one interface has on its own account is none of the other's instance.
    a.ip(`addr add ${VIP6}/64 dev eth0 nodad`, `addr add ${VIP6}/64 dev eth1 nodad`);
    const alone = await a.startAppliance(yamlOf({ vrrp: { lan: web(50, { addresses: [`${VIP6}/64`] }) } }));
    await waitFor(() => !has(a, "eth0", VIP6), { timeoutMs: 2000, what: "eth0 to be cleared" });
    expect(has(a, "eth1", VIP6)).toBe(true);
    expect(await alone.stop()).toMatchObject({ code: 0 });
    expect(has(a, "eth1", VIP6)).toBe(true);
  }, 30_000);

  test("a router's own link-local address may be another interface's virtual one", async () => {
    const own = linkLocalOf(a, "eth1");
    const first = await a.startAppliance(
      yaml(150, { addresses: ["fe80::7/64"] }, { addresses: [`${own}/64`] }),
    );
    for (const name of Object.values(INSTANCES)) await first.waitState(name, "master", 3000);
    expect(has(a, "eth0", own) && has(a, "eth1", own)).toBe(true);
    expect(await first.stop()).toMatchObject({ code: 0 });
    expect(has(a, "eth0", own)).toBe(false);
    expect(has(a, "eth1", own)).toBe(true);
  }, 15_000);

  test("accept: false closes it on its own interface alone", async () => {
    const first = await a.startAppliance(yaml(150, {}, { accept: false }));
    for (const name of Object.values(INSTANCES)) await first.waitState(name, "master", 3000);
    await leads("eth1", a);
    const closed = pings("eth0");
    await holds(() => closed.every(({ answers }) => answers.length === 0), {
      forMs: 500,
      what: "no answer on eth0",
    });
    expect(clients.eth0.neighbour(VIP6)).toBe(a.mac());
  }, 20_000);
});
