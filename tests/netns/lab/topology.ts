/**
 * Machines and cables: network namespaces, joined by veth pairs into bridges that stand in namespaces of their own.
 * Everything is done with the `ip` program, a second opinion on the product's own netlink code.
 *
 * @module
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Appliance, type ApplianceOptions } from "./appliance.ts";
import { Capture } from "./capture.ts";
import { HttpClient, PingClient } from "./client.ts";
import { type CommandResult, must, run, Running } from "./command.ts";
import { Frr, type FrrOptions } from "./frr.ts";
import { Keepalived } from "./keepalived.ts";
import { deleteNamespace, labDirectory, register, uniquePrefix, unregister } from "./names.ts";
import { Nginx } from "./nginx.ts";

/** An interface of a node: its name, the switch it is plugged into, and its addresses with prefix. */
export interface PortOptions {
  readonly device?: string;
  readonly switch?: LabSwitch;
  readonly addresses?: readonly string[];
}

/** Something that runs in a lab and is closed with it. */
interface Closable {
  close(): Promise<void> | void;
}

/** An Ethernet switch: a bridge that floods multicast as a simple one does. */
export class LabSwitch {
  readonly namespace: string;
  #ports = 0;

  constructor(readonly lab: Lab, readonly name: string) {
    this.namespace = lab.addNamespace(name);
    this.ip(
      "link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0 ageing_time 30000",
      "link set br0 up",
    );
  }

  /** Runs `ip` commands inside the switch. */
  ip(...lines: readonly string[]): void {
    must(["ip", "-n", this.namespace, "-batch", "-"], { stdin: lines.join("\n") });
  }

  /** Name for the next port. */
  nextPort(): string {
    return `p${++this.#ports}`;
  }
}

/** One plugged cable. */
export interface Port {
  readonly device: string;
  readonly port: string;
  readonly switch: LabSwitch;
  readonly addresses: readonly string[];
}

/** A machine. */
export class LabNode {
  readonly namespace: string;
  readonly ports = new Map<string, Port>();

  constructor(readonly lab: Lab, readonly name: string) {
    this.namespace = lab.addNamespace(name);
    // Duplicate address detection would hold back IPv6 addresses for a second and more.
    const sysctls = ["net/ipv6/conf/default/accept_dad", "net/ipv6/conf/all/accept_dad"];
    this.exec(["sh", "-c", sysctls.map((name) => `echo 0 > /proc/sys/${name}`).join("; ")]);
    this.ip("link set lo up");
  }

  /** Runs `ip` commands inside the node; throws when one fails. */
  ip(...lines: readonly string[]): void {
    must(["ip", "-n", this.namespace, "-batch", "-"], { stdin: lines.join("\n") });
  }

  /** Runs a program inside the node to its end. */
  exec(
    argv: readonly string[],
    options: { readonly stdin?: string; readonly timeoutMs?: number } = {},
  ): CommandResult {
    return run(["ip", "netns", "exec", this.namespace, ...argv], options);
  }

  /** Starts a program inside the node; it ends with the lab at the latest. */
  spawn(argv: readonly string[], onLine: ((line: string) => void) | null = null): Running {
    return this.lab.keep(new Running(["ip", "netns", "exec", this.namespace, ...argv], onLine));
  }

  /** Plugs an interface into a switch, set up and addressed. */
  plug(options: PortOptions = {}): Port {
    const { device = "eth0", addresses = [], switch: lan = this.lab.switch() } = options;
    const port = lan.nextPort();
    const plugged = { device, port, switch: lan, addresses };
    this.ports.set(device, plugged);
    this.#cable(plugged);
    return plugged;
  }

  #cable({ device, port, switch: lan, addresses }: Port): void {
    lan.ip(
      `link add ${port} type veth peer name ${device} netns ${this.namespace}`,
      `link set ${port} master br0`,
      `link set ${port} up`,
    );
    this.ip(...addresses.map((address) => `addr add ${address} dev ${device}`), `link set ${device} up`);
  }

  #port(device: string): Port {
    const port = this.ports.get(device);
    if (port === undefined) throw new Error(`${this.name} has no ${device}`);
    return port;
  }

  /** Takes the switch's port out of the bridge: frames are lost both ways, and the node's carrier stays up. */
  isolate(device = "eth0"): void {
    const { port, switch: lan } = this.#port(device);
    lan.ip(`link set ${port} nomaster`);
  }

  /** Undoes {@link isolate}. */
  heal(device = "eth0"): void {
    const { port, switch: lan } = this.#port(device);
    lan.ip(`link set ${port} master br0`);
  }

  /** Pulls the cable: the node's carrier is gone. */
  unplug(device = "eth0"): void {
    const { port, switch: lan } = this.#port(device);
    lan.ip(`link set ${port} down`);
  }

  /** Undoes {@link unplug}. */
  replug(device = "eth0"): void {
    const { port, switch: lan } = this.#port(device);
    lan.ip(`link set ${port} up`);
  }

  /** Deletes the interface. */
  removeDevice(device = "eth0"): void {
    this.ip(`link del ${device}`);
  }

  /** Makes a deleted interface anew, addressed and set up. */
  recreateDevice(device = "eth0"): void {
    this.#cable(this.#port(device));
  }

  /** Leaves each interface with the addresses it was plugged in with, up and in its switch. */
  restore(): void {
    for (const { device, port, switch: lan, addresses } of this.ports.values()) {
      if (this.exec(["test", "-d", `/sys/class/net/${device}`]).code !== 0) this.recreateDevice(device);
      lan.ip(`link set ${port} master br0`, `link set ${port} up`);
      this.ip(`link set ${device} up`);
      const same = this.addresses(device).sort().join() === [...addresses].sort().join();
      if (!same) {
        this.ip(
          `addr flush dev ${device}`,
          // The kernel makes the link-local address anew.
          `link set ${device} down`,
          `link set ${device} up`,
          ...addresses.map((address) => `addr add ${address} dev ${device}`),
        );
      }
    }
  }

  /** Hardware address of an interface. */
  mac(device = "eth0"): string {
    const [link] = JSON.parse(must(["ip", "-n", this.namespace, "-j", "link", "show", "dev", device]));
    return (link as { address: string }).address;
  }

  /** Addresses of the node, of one interface or of all but the loopback, as `10.0.0.1/24`; link-local ones left out. */
  addresses(device?: string): string[] {
    type Link = { ifname: string; addr_info: { local?: string; prefixlen: number; scope: string }[] };
    const links = JSON.parse(must(["ip", "-n", this.namespace, "-j", "addr", "show"])) as Link[];
    return links.filter(({ ifname }) => device === undefined ? ifname !== "lo" : ifname === device)
      .flatMap(({ addr_info }) => addr_info)
      .filter(({ scope, local }) => scope !== "link" || local?.startsWith("169."))
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }

  /** Whether the node has this address (without prefix) on any interface. */
  has(address: string): boolean {
    return this.addresses().some((text) => text.startsWith(`${address}/`));
  }

  /** Hardware address that the node holds for a neighbour; null when none. */
  neighbour(address: string): string | null {
    const text = must(["ip", "-n", this.namespace, "-j", "neigh", "show", address]);
    const [entry] = JSON.parse(text || "[]") as { lladdr?: string }[];
    return entry?.lladdr ?? null;
  }

  /** Starts our daemon, and waits until its API answers unless `ready: false`. */
  startAppliance(yaml: string, options: ApplianceOptions = {}): Promise<Appliance> {
    const appliance = this.lab.keep(new Appliance(this, yaml, options));
    return options.ready === false ? Promise.resolve(appliance) : appliance.ready();
  }

  /** Starts keepalived with this configuration. */
  startKeepalived(conf: string): Keepalived {
    return this.lab.keep(new Keepalived(this, conf));
  }

  /** Starts FRR's zebra and vrrpd with one virtual router. */
  startFrr(options: FrrOptions): Promise<Frr> {
    return this.lab.keep(new Frr(this, options)).ready();
  }

  /** Starts a real nginx that answers with the node's name on port 80. */
  startNginx(): Promise<Nginx> {
    return this.lab.keep(new Nginx(this)).ready();
  }

  /** Captures what passes an interface. */
  capture(device: string, filter: string): Promise<Capture> {
    return this.lab.keep(new Capture(this, device, filter)).ready();
  }

  /** Pings an address each `intervalMs`. */
  ping(address: string, intervalMs: number): PingClient {
    return this.lab.keep(new PingClient(this, address, intervalMs));
  }

  /** Gets a URL each `intervalMs`, each over a connection of its own. */
  http(url: string, intervalMs: number): HttpClient {
    return this.lab.keep(new HttpClient(this, url, intervalMs));
  }

  /** A new directory for a program's files. */
  directory(purpose: string): string {
    const path = join(this.lab.directory, `${this.name}-${purpose}`);
    mkdirSync(path, { recursive: true });
    return path;
  }
}

/** All machines, switches and programs of one test file. */
export class Lab {
  readonly prefix: string;
  readonly directory: string;
  readonly #namespaces: string[] = [];
  readonly #kept: (Running | Closable)[] = [];
  readonly #nodes: LabNode[] = [];
  readonly #switches = new Map<string, LabSwitch>();
  #closed = false;

  constructor(readonly theme: string) {
    register(this);
    this.prefix = uniquePrefix(theme);
    this.directory = labDirectory();
  }

  /** Makes a namespace that goes with the lab. */
  addNamespace(name: string): string {
    const namespace = `${this.prefix}${name}`;
    must(["ip", "netns", "add", namespace]);
    this.#namespaces.push(namespace);
    return namespace;
  }

  /** The switch of this name, made when it is first named. */
  switch(name = "lan"): LabSwitch {
    const known = this.#switches.get(name);
    if (known !== undefined) return known;
    const made = new LabSwitch(this, name);
    this.#switches.set(name, made);
    return made;
  }

  /** A machine with `eth0` in a switch (unless `addresses` is left out, it has them). */
  node(name: string, options: PortOptions = {}): LabNode {
    const node = new LabNode(this, name);
    node.plug(options);
    this.#nodes.push(node);
    return node;
  }

  /** Remembers something that must end with the lab. */
  keep<T extends Running | Closable>(thing: T): T {
    this.#kept.push(thing);
    return thing;
  }

  async #closeKept(): Promise<void> {
    const ends = this.#kept.splice(0).map(async (thing) => {
      if (thing instanceof Running) thing.kill("SIGKILL");
      else await thing.close();
    });
    // What does not end by itself goes with its namespace.
    await Promise.allSettled(ends);
  }

  /** Ends every program and leaves machines and cables as they were made: for `afterEach`. */
  async reset(): Promise<void> {
    if (this.#closed) return;
    await this.#closeKept();
    for (const node of this.#nodes) node.restore();
  }

  /** Ends everything in order and removes all traces: for `afterAll`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#closeKept();
    this.cleanNow();
  }

  cleanNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const namespace of this.#namespaces) deleteNamespace(namespace);
    rmSync(this.directory, { recursive: true, force: true });
    unregister(this);
  }
}
