/**
 * From a topology to the steps that build it. Pure.
 *
 * @module
 */
import { parseAddress, parsePrefix, type Prefix } from "../../lib/packet/address.ts";
import type { Machine, Port, Topology } from "./model.ts";

/** Name of the bridge inside the namespace of a switch. */
export const BRIDGE = "br0";
/** Longest name of an interface, in characters. */
const INTERFACE_MAX = 15;

/** One thing to do; namespaces and devices are named. */
export type BuildStep =
  | { readonly type: "namespace"; readonly namespace: string }
  | { readonly type: "forward"; readonly namespace: string }
  | { readonly type: "bridge"; readonly namespace: string; readonly device: string }
  /** A cable: `device` in `namespace`, its other end `peer` in `peerNamespace`. */
  | {
    readonly type: "cable";
    readonly namespace: string;
    readonly device: string;
    readonly peerNamespace: string;
    readonly peer: string;
  }
  /** Makes a device a port of a bridge. */
  | { readonly type: "attach"; readonly namespace: string; readonly device: string; readonly bridge: string }
  | {
    readonly type: "address";
    readonly namespace: string;
    readonly device: string;
    readonly address: Prefix;
  }
  | { readonly type: "up"; readonly namespace: string; readonly device: string }
  | {
    readonly type: "route";
    readonly namespace: string;
    /** null = the default route. */
    readonly to: Prefix | null;
    readonly via: Uint8Array;
  };

/** Where a machine's interface is plugged in. */
export interface Plug {
  readonly machine: string;
  readonly device: string;
  /** Namespace of the switch. */
  readonly namespace: string;
  /** The device in that namespace: the switch's side of the cable. */
  readonly port: string;
}

/** How to build a topology, and what is where once it stands. */
export interface BuildPlan {
  /** By name of the machine or switch. */
  readonly namespaces: ReadonlyMap<string, string>;
  readonly plugs: readonly Plug[];
  readonly steps: readonly BuildStep[];
}

/**
 * Plans a topology. Namespaces are named `PREFIX-NAME`. Within the switch a port has the name of the machine that hangs
 * on it, or `MACHINE-DEVICE` from the second of a machine on.
 *
 * Throws RangeError for a topology that makes no sense.
 */
export function planTopology(topology: Topology, prefix: string): BuildPlan {
  const { switches, machines } = topology;
  const namespaces = new Map<string, string>();
  for (const name of [...switches, ...machines.map((machine) => machine.name)]) {
    if (namespaces.has(name)) throw new RangeError(`Cannot build a lab with two machines named ${name}`);
    namespaces.set(name, `${prefix}-${name}`);
  }
  const plugs = machines.flatMap((machine) => plugsOf(machine, switches, namespaces));
  const steps: BuildStep[] = [...namespaces.values()].map((namespace) => ({ type: "namespace", namespace }));
  for (const name of switches) {
    const namespace = namespaces.get(name)!;
    steps.push({ type: "bridge", namespace, device: BRIDGE }, { type: "up", namespace, device: BRIDGE });
  }
  for (const machine of machines) {
    const own = plugs.filter((plug) => plug.machine === machine.name);
    steps.push(...machineSteps(machine, own, namespaces.get(machine.name)!));
  }
  return { namespaces, plugs, steps };
}

function plugsOf(
  machine: Machine,
  switches: readonly string[],
  namespaces: ReadonlyMap<string, string>,
): Plug[] {
  const used = new Set<string>();
  return machine.ports.map(({ device, switch: name }) => {
    if (!switches.includes(name)) {
      throw new RangeError(`Cannot plug ${device} of ${machine.name} into ${name}: there is no such switch`);
    }
    const port = used.has(name) ? `${machine.name}-${device}` : machine.name;
    used.add(name);
    for (const link of [port, device]) {
      if (link.length > INTERFACE_MAX) {
        throw new RangeError(`Cannot name an interface ${link}: it is too long`);
      }
    }
    return { machine: machine.name, device, namespace: namespaces.get(name)!, port };
  });
}

function machineSteps(machine: Machine, plugs: readonly Plug[], namespace: string): BuildStep[] {
  const steps: BuildStep[] = [{ type: "up", namespace, device: "lo" }];
  if (machine.forwards) steps.push({ type: "forward", namespace });
  for (const [index, port] of machine.ports.entries()) {
    steps.push(...portSteps(port, plugs[index]!, namespace));
  }
  // Gateways are reachable only now that all ports are up.
  for (const { to, via } of machine.routes ?? []) {
    const destination = to === null ? null : prefixOf(to, machine.name);
    const gateway = parseAddress(via);
    if (gateway === null) throw new RangeError(`Cannot route via ${via} on ${machine.name}: not an address`);
    steps.push({ type: "route", namespace, to: destination, via: gateway });
  }
  return steps;
}

function portSteps({ device, addresses }: Port, plug: Plug, namespace: string): BuildStep[] {
  return [
    { type: "cable", namespace: plug.namespace, device: plug.port, peerNamespace: namespace, peer: device },
    { type: "attach", namespace: plug.namespace, device: plug.port, bridge: BRIDGE },
    { type: "up", namespace: plug.namespace, device: plug.port },
    ...addresses.map((text): BuildStep => ({
      type: "address",
      namespace,
      device,
      address: prefixOf(text, plug.machine),
    })),
    { type: "up", namespace, device },
  ];
}

function prefixOf(text: string, machine: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) {
    throw new RangeError(`Cannot use ${text} on ${machine}: not an address with prefix length`);
  }
  return prefix;
}
