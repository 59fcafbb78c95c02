/** The two sites: their files, their network, and what happens to them. */
import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../../mod/config/load.ts";
import { nodeFiles } from "../../../../mod/lab/lab.ts";
import type { Stage, WebServer } from "../../../../mod/lab/model.ts";
import { planTopology } from "../../../../mod/lab/topology.ts";
import { TWO_SITES } from "../../../../mod/lab/two_sites.ts";

const WEBS: readonly WebServer[] = [
  { kind: "nginx", path: "/usr/sbin/nginx", version: "1.22.1" },
  { kind: "built-in" },
];
const [A, B] = TWO_SITES.nodes;

function configOf(node: typeof A, web: WebServer) {
  const files = nodeFiles("/tmp/lab: #1", node.name);
  const reroute = (...args: readonly string[]) => ["reroute", ...args];
  const result = loadConfig(
    TWO_SITES.configOf(node, { files, web, reroute }),
    "appliance.yaml",
  );
  expect(result).toMatchObject({ ok: true, warnings: [] });
  if (!result.ok) throw new Error("unreachable");
  return result.config;
}

/** Subnet of an address of the lab: all of them have 24 bits. */
function subnetOf(address: string): string {
  return address.split(".").slice(0, 3).join(".");
}

describe.each(WEBS.map((web) => [web.kind, web] as const))("config with %s", (_, web) => {
  const configs = [A, B].map((node) => configOf(node, web));

  test("VRRPv2 with a password runs over the tunnel; the address is on another interface", () => {
    for (const [index, { vrrp }] of configs.entries()) {
      expect(vrrp).toHaveLength(1);
      expect(vrrp[0]).toMatchObject({
        name: TWO_SITES.instance,
        interface: TWO_SITES.tunnel!,
        vrid: 51,
        version: 2,
        priority: [150, 100][index]!,
        intervalCs: 100,
        auth: { type: "pass" },
      });
      expect(vrrp[0]!.addresses).toMatchObject([{ address: TWO_SITES.vip, prefix: 32, dev: "eth1" }]);
    }
  });

  test("the two ends of the tunnel fit each other and the network", () => {
    const [left, right] = configs.map(({ tunnels }) => tunnels[0]!);
    expect([left!.local, left!.remote]).toEqual([right!.remote, right!.local]);
    expect(subnetOf(left!.local)).not.toBe(subnetOf(right!.local));
    expect([left!.okey, left!.ikey]).toEqual([right!.ikey, right!.okey]);
    expect([left!.keepalive!.target, right!.keepalive!.target]).toEqual([
      right!.addresses[0]!.address,
      left!.addresses[0]!.address,
    ]);
    for (const [index, { local }] of [left!, right!].entries()) {
      const machine = TWO_SITES.topology.machines.find(({ name }) => name === [A, B][index]!.name)!;
      expect(machine.ports[0]!.addresses).toEqual([`${local}/24`]);
    }
    // What arrives for the virtual address at the one that has it not is passed on to the other.
    expect(left!.routes).toMatchObject([{ destination: TWO_SITES.vip, prefix: 32, via: "10.1.1.2" }]);
    expect(right!.routes).toMatchObject([{ destination: TWO_SITES.vip, prefix: 32, via: "10.1.1.1" }]);
  });

  test("the hooks point the router at the master, in the same words on both nodes", () => {
    const [left, right] = configs.map(({ notify }) => notify["web"]!);
    expect(left!.master).toEqual([
      ["reroute", "router", TWO_SITES.vip, "10.9.1.10"],
    ]);
    expect(left!.backup).toEqual(right!.master);
    expect(right!.backup).toEqual(left!.master);
    expect([left!.stop, right!.stop]).toEqual([right!.master, left!.master]);
  });
});

test("no switch has both servers on it: they share no layer 2", () => {
  const { topology } = TWO_SITES;
  const [a, b] = [A, B].map((node) => topology.machines.find(({ name }) => name === node.name)!);
  const shared = a!.ports.filter((port) => b!.ports.some((other) => other.switch === port.switch));
  expect(shared).toEqual([]);
});

test("every gateway is an address of the router, in a subnet of who uses it", () => {
  const { machines } = TWO_SITES.topology;
  const router = machines.find(({ name }) => name === "router")!;
  const gateways = router.ports.flatMap(({ addresses }) => addresses.map((text) => text.split("/")[0]!));
  for (const { ports, routes = [] } of machines) {
    const subnets = ports.flatMap(({ addresses }) => addresses.map(subnetOf));
    for (const { via } of routes) {
      expect(gateways).toContain(via);
      expect(subnets).toContain(subnetOf(via));
    }
  }
});

test("the plan has names that the kernel takes, and cuts a server off on both sides", () => {
  const { plugs, namespaces } = planTopology(TWO_SITES.topology, "applab-1234567-99");
  expect(plugs.filter(({ machine }) => machine === A.name)).toHaveLength(2);
  expect([...namespaces.values()].every((name) => name.length < 64)).toBe(true);
});

describe("the acts", () => {
  const done: string[] = [];
  const note = (what: string) => (of: string | { readonly name: string }) =>
    void done.push(`${what} ${typeof of === "string" ? of : of.name}`);
  const stage: Stage = {
    webTitle: "nginx",
    startWeb: note("start web"),
    killWeb: note("kill web"),
    startDaemon: note("start"),
    stopDaemon: note("stop"),
    isolate: note("isolate"),
    heal: note("heal"),
  };
  const acts = TWO_SITES.acts(stage);

  test("take everything away from the first server, and give it back", () => {
    for (const { action } of acts) action();
    expect(done).toEqual([
      "kill web server-a",
      "start web server-a",
      "stop server-a",
      "start server-a",
      "isolate server-a",
      "heal server-a",
    ]);
    expect(acts.map(({ server }) => server)).toEqual([
      ...["server-b", "server-a", "server-b"],
      ...["server-a", "server-b", "server-a"],
    ]);
  });

  test("each has its limit, and leaves the cluster whole", () => {
    for (const { limitMs, final } of acts) {
      expect(limitMs).toBeLessThan(5000);
      expect(final ?? false).toBe(false);
    }
  });
});
