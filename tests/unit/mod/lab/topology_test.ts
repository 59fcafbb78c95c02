/** From a topology to the steps that build it. */
import { describe, expect, test } from "bun:test";
import type { Topology } from "../../../../mod/lab/model.ts";
import { PAIR } from "../../../../mod/lab/pair.ts";
import { type BuildStep, planTopology } from "../../../../mod/lab/topology.ts";

/** Two sites with a router between them. */
const ROUTED: Topology = {
  switches: ["left", "right"],
  machines: [
    {
      name: "a",
      ports: [{ device: "eth0", switch: "left", addresses: ["192.0.2.10/25", "2001:db8::a/64"] }],
      routes: [{ to: null, via: "192.0.2.1" }],
    },
    {
      name: "router",
      forwards: true,
      ports: [
        { device: "eth0", switch: "left", addresses: ["192.0.2.1/25"] },
        { device: "eth1", switch: "right", addresses: ["198.51.100.1/24"] },
      ],
    },
    {
      name: "b",
      ports: [{ device: "eth0", switch: "right", addresses: ["198.51.100.10/24"] }],
      routes: [{ to: "192.0.2.0/25", via: "198.51.100.1" }],
    },
  ],
};

function stepsOf(steps: readonly BuildStep[], namespace: string): string[] {
  return steps.filter((step) => step.namespace === namespace).map((step) =>
    "device" in step ? `${step.type} ${step.device}` : step.type
  );
}

describe("the pair", () => {
  const { namespaces, plugs, steps } = planTopology(PAIR.topology, "x-1");

  test("each machine and the switch has a namespace of its own, made before anything else", () => {
    expect([...namespaces.values()]).toEqual(["x-1-switch", "x-1-edge-a", "x-1-edge-b", "x-1-client"]);
    const made = steps.slice(0, 4).map(({ type, namespace }) => `${type} ${namespace}`);
    expect(made).toEqual([...namespaces.values()].map((name) => `namespace ${name}`));
    expect(steps.slice(4).some(({ type }) => type === "namespace")).toBe(false);
  });

  test("the switch is a bridge whose ports have the machines' names", () => {
    expect(stepsOf(steps, "x-1-switch")).toEqual([
      "namespace",
      "bridge br0",
      "up br0",
      ...["edge-a", "edge-b", "client"].flatMap((name) => [`cable ${name}`, `attach ${name}`, `up ${name}`]),
    ]);
    expect(plugs[0]).toEqual({ machine: "edge-a", device: "eth0", namespace: "x-1-switch", port: "edge-a" });
  });

  test("a machine's port is cabled before it is addressed, and addressed before it is up", () => {
    expect(stepsOf(steps, "x-1-edge-b")).toEqual(["namespace", "up lo", "address eth0", "up eth0"]);
    const cable = steps.findIndex((step) => step.type === "cable" && step.peerNamespace === "x-1-edge-b");
    const address = steps.findIndex((step) => step.type === "address" && step.namespace === "x-1-edge-b");
    expect(cable).toBeGreaterThan(0);
    expect(address).toBeGreaterThan(cable);
    expect(steps[cable]).toMatchObject({ device: "edge-b", peer: "eth0" });
    expect(steps[address]).toMatchObject({ address: { address: Uint8Array.of(192, 0, 2, 2), prefix: 24 } });
  });
});

describe("two switches and a router", () => {
  const { plugs, steps } = planTopology(ROUTED, "x");

  test("the router hangs on both switches and forwards", () => {
    expect(plugs.filter(({ machine }) => machine === "router")).toEqual([
      { machine: "router", device: "eth0", namespace: "x-left", port: "router" },
      { machine: "router", device: "eth1", namespace: "x-right", port: "router" },
    ]);
    expect(steps.filter(({ type }) => type === "forward")).toEqual([{
      type: "forward",
      namespace: "x-router",
    }]);
  });

  test("routes come after the ports that lead to their gateways are up", () => {
    expect(stepsOf(steps, "x-b").slice(-2)).toEqual(["up eth0", "route"]);
    const routes = steps.filter((step) => step.type === "route");
    expect(routes).toEqual([
      { type: "route", namespace: "x-a", to: null, via: Uint8Array.of(192, 0, 2, 1) },
      {
        type: "route",
        namespace: "x-b",
        to: { address: Uint8Array.of(192, 0, 2, 0), prefix: 25 },
        via: Uint8Array.of(198, 51, 100, 1),
      },
    ]);
  });

  test("both families are addressed", () => {
    const addresses = steps.filter((step) => step.type === "address" && step.namespace === "x-a");
    expect(addresses.map((step) => step.type === "address" && step.address.address.length)).toEqual([4, 16]);
  });
});

describe("what makes no sense is refused", () => {
  const machine = (change: object) => ({
    switches: ["lan"],
    machines: [{
      name: "a",
      ports: [{ device: "eth0", switch: "lan", addresses: ["192.0.2.1/24"], ...change }],
    }],
  });

  test.each([
    [machine({ switch: "wan" }), "Cannot plug eth0 of a into wan: there is no such switch"],
    [
      machine({ addresses: ["192.0.2.1/33"] }),
      "Cannot use 192.0.2.1/33 on a: not an address with prefix length",
    ],
    [machine({ device: "a-very-long-name" }), "Cannot name an interface a-very-long-name: it is too long"],
    [{ switches: ["a"], machines: machine({}).machines }, "Cannot build a lab with two machines named a"],
    [
      { switches: [], machines: [{ name: "a", ports: [], routes: [{ to: null, via: "here" }] }] },
      "Cannot route via here on a: not an address",
    ],
  ])("%#", (topology, message) => {
    expect(() => planTopology(topology, "x")).toThrow(new RangeError(message));
  });

  test("a second port on the same switch gets another name", () => {
    const port = (device: string) => ({ device, switch: "lan", addresses: [] });
    const { plugs } = planTopology(
      { switches: ["lan"], machines: [{ name: "a", ports: [port("eth0"), port("eth1")] }] },
      "x",
    );
    expect(plugs.map((plug) => plug.port)).toEqual(["a", "a-eth1"]);
  });
});
