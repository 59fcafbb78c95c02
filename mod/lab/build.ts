/**
 * Building what was planned, with our own netlink code.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { closeFd, createNetns, inNetns, openNetns } from "../../lib/libc/mod.ts";
import {
  addAddress,
  addRoute,
  createBridge,
  createVeth,
  getLink,
  NETLINK_ROUTE,
  NetlinkConnection,
  setLink,
} from "../../lib/netlink/mod.ts";
import { familyOf } from "../../lib/packet/address.ts";
import { BRIDGE, type BuildPlan, type BuildStep, type Plug } from "./topology.ts";

const IPV4_CONF = "/proc/sys/net/ipv4/conf";
/** rp_filter: a sender is believed when there is any way back to it (RFC 3704 §2.4). */
const LOOSE = "2";

/** A netlink connection into each namespace. */
export class Network {
  readonly plan: BuildPlan;
  readonly #connections = new Map<string, NetlinkConnection>();

  /** Throws Error with the step that failed; what was built until then stays. */
  constructor(plan: BuildPlan) {
    this.plan = plan;
    for (const step of plan.steps) this.#perform(step);
  }

  /** Where a machine is plugged in. */
  plugsOf(machine: string): readonly Plug[] {
    return this.plan.plugs.filter((plug) => plug.machine === machine);
  }

  /** Takes the switch's port out of the bridge: frames are lost both ways, and the machine's carrier stays up. */
  isolate(machine: string): void {
    for (const { namespace, port } of this.plugsOf(machine)) {
      setLink(this.#connection(namespace), port, { master: null });
    }
  }

  /** Undoes {@link isolate}. */
  heal(machine: string): void {
    for (const { namespace, port } of this.plugsOf(machine)) this.#attach(namespace, port, BRIDGE);
  }

  /** Closes the connections; the network stays. */
  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  #connection(namespace: string): NetlinkConnection {
    let connection = this.#connections.get(namespace);
    if (connection === undefined) {
      connection = inNetns(namespace, () => new NetlinkConnection(NETLINK_ROUTE));
      this.#connections.set(namespace, connection);
    }
    return connection;
  }

  #index(namespace: string, device: string): number {
    const link = getLink(this.#connection(namespace), device);
    if (link === null) throw new Error(`Cannot find ${device} in ${namespace}: no such device`);
    return link.index;
  }

  #attach(namespace: string, device: string, bridge: string): void {
    setLink(this.#connection(namespace), device, { master: this.#index(namespace, bridge) });
  }

  #perform(step: BuildStep): void {
    const { namespace } = step;
    switch (step.type) {
      case "namespace":
        return createNetns(namespace);
      case "forward":
        return inNetns(namespace, () => {
          writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
          writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
          // The host's own may be strict, and answers need not take the way on which questions came.
          for (const name of ["all", "default"]) writeFileSync(`${IPV4_CONF}/${name}/rp_filter`, LOOSE);
        });
      case "bridge":
        // Nobody asks for multicast groups in here, so every port must get every group.
        createBridge(this.#connection(namespace), step.device, { mcastSnooping: false });
        return;
      case "cable":
        return this.#cable(step);
      case "attach":
        return this.#attach(namespace, step.device, step.bridge);
      case "up":
        return setLink(this.#connection(namespace), step.device, { up: true });
      case "address": {
        const { device } = step;
        const ifindex = this.#index(namespace, device);
        // Nobody else is here: waiting for duplicates would only hold back IPv6.
        addAddress(this.#connection(namespace), { ifindex, device, ...step.address, noDad: true });
        return;
      }
      case "route":
        addRoute(this.#connection(namespace), {
          family: familyOf(step.via),
          gateway: step.via,
          ...(step.to === null ? {} : { destination: step.to }),
        });
        return;
      default:
        return step satisfies never;
    }
  }

  #cable(step: Extract<BuildStep, { type: "cable" }>): void {
    const peerNetnsFd = openNetns(step.peerNamespace);
    try {
      createVeth(this.#connection(step.namespace), step.device, step.peer, { peerNetnsFd });
    } finally {
      closeFd(peerNetnsFd);
    }
  }
}
