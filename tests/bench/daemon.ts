/**
 * The two daemons under measurement behind one face, so that every row treats both alike: the same instances, written
 * as our YAML and as keepalived.conf.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lab, type LabNode } from "../netns/lab/topology.ts";
import type { Appliance } from "../netns/lab/appliance.ts";
import { descendantsOf, killTogether } from "../netns/lab/command.ts";
import { VIP, yamlOf } from "../netns/lab/config.ts";
import type { Keepalived } from "../netns/lab/keepalived.ts";
import { pause, waitFor } from "../netns/lab/wait.ts";

/** Which daemon. */
export type Kind = "appliance" | "keepalived";

export const KINDS: readonly Kind[] = ["appliance", "keepalived"];

/** One virtual router, in either daemon. Version 3, IPv4, multicast. */
export interface Router {
  readonly name: string;
  readonly device?: string;
  readonly vrid: number;
  readonly priority: number;
  readonly intervalMs: number;
  /** With prefix length. */
  readonly addresses: readonly string[];
}

/** A whole node. What only one of the daemons has words for is given in its own words. */
export interface Setup {
  readonly routers: readonly Router[];
  readonly appliance?: {
    /** Keys of the file. */
    readonly file?: Readonly<Record<string, unknown>>;
    /** Keys of each instance. */
    readonly instance?: Readonly<Record<string, unknown>>;
  };
  readonly keepalived?: {
    readonly globals?: readonly string[];
    readonly blocks?: readonly string[];
    readonly instance?: readonly string[];
  };
}

/** The instance `web` that most rows use. */
export function web(priority: number, intervalMs: number): Router {
  return { name: "web", vrid: 51, priority, intervalMs, addresses: [`${VIP}/24`] };
}

/** The setup as our file. */
export function applianceYaml({ routers, appliance = {} }: Setup): string {
  const vrrp = Object.fromEntries(
    routers.map(({ name, device = "eth0", vrid, priority, intervalMs, addresses }) => [
      name,
      {
        interface: device,
        vrid,
        priority,
        advert_interval: `${intervalMs}ms`,
        addresses,
        ...appliance.instance,
      },
    ]),
  );
  return yamlOf({ log: { level: "warning" }, ...appliance.file }) + instancesYaml(vrrp);
}

/** One line for each instance, as people write files: a parser meets what it will meet. */
function instancesYaml(vrrp: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(vrrp).map(([name, instance]) => `  ${name}: ${JSON.stringify(instance)}`);
  return `vrrp:\n${lines.join("\n")}\n`;
}

/** The setup as keepalived.conf. */
export function keepalivedText({ routers, keepalived = {} }: Setup): string {
  const lines = ["global_defs {", "  router_id bench", "  vrrp_version 3"];
  lines.push(...(keepalived.globals ?? []).map((line) => `  ${line}`), "}", ...(keepalived.blocks ?? []));
  for (const { name, device = "eth0", vrid, priority, intervalMs, addresses } of routers) {
    lines.push(
      `vrrp_instance ${name} {`,
      `  state ${priority === 255 ? "MASTER" : "BACKUP"}`,
      `  interface ${device}`,
      `  virtual_router_id ${vrid}`,
      `  priority ${priority}`,
      `  advert_int ${intervalMs / 1000}`,
      ...(keepalived.instance ?? []).map((line) => `  ${line}`),
      "  virtual_ipaddress {",
      ...addresses.map((address) => `    ${address}`),
      "  }",
      "}",
    );
  }
  return lines.join("\n") + "\n";
}

/** A running daemon of either kind. */
export interface Daemon {
  readonly kind: Kind;
  readonly node: LabNode;
  /** All its processes. */
  pids(): number[];
  /** Whether its main process is there. */
  alive(): boolean;
  /** Replaces its config file; {@link reload} makes it read that. */
  write(setup: Setup | string): void;
  /** SIGHUP. */
  reload(): void;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** `kill -9` of all its processes at one moment; resolves when they are gone, with that moment. */
  kill(): Promise<number>;
  /** Everything it wrote. */
  log(): string;
}

class OurDaemon implements Daemon {
  readonly kind = "appliance";

  constructor(readonly inner: Appliance) {}

  get node(): LabNode {
    return this.inner.node;
  }

  pids(): number[] {
    return this.inner.pids;
  }

  alive(): boolean {
    return this.inner.process.end === null;
  }

  write(setup: Setup | string): void {
    this.inner.writeConfig(typeof setup === "string" ? setup : applianceYaml(setup));
  }

  reload(): void {
    this.inner.process.kill("SIGHUP");
  }

  async stop(): Promise<void> {
    await this.inner.stop();
  }

  async kill(): Promise<number> {
    const { pids } = this.inner;
    const atMs = Date.now();
    killTogether(pids);
    await this.inner.process.ended;
    return atMs;
  }

  log(): string {
    return this.inner.log;
  }
}

class KeepalivedDaemon implements Daemon {
  readonly kind = "keepalived";

  constructor(readonly inner: Keepalived) {}

  get node(): LabNode {
    return this.inner.node;
  }

  pids(): number[] {
    return [this.inner.process.pid, ...descendantsOf(this.inner.process.pid)];
  }

  alive(): boolean {
    return this.inner.process.end === null;
  }

  write(setup: Setup | string): void {
    const text = typeof setup === "string" ? setup : keepalivedText(setup);
    writeFileSync(join(this.node.directory("keepalived"), "keepalived.conf"), text);
  }

  reload(): void {
    this.inner.process.kill("SIGHUP");
  }

  async stop(): Promise<void> {
    await this.inner.stop();
  }

  async kill(): Promise<number> {
    const atMs = Date.now();
    await this.inner.killHard();
    return atMs;
  }

  log(): string {
    return this.inner.log;
  }
}

/** Our daemon behind {@link Daemon}, for what only it can do. */
export function applianceOf(daemon: Daemon): Appliance {
  if (daemon instanceof OurDaemon) return daemon.inner;
  throw new TypeError("not the appliance");
}

const SETTLED = /Entering (BACKUP|MASTER) STATE/g;

/** Starts a daemon and waits until all its instances take part. */
export async function startDaemon(kind: Kind, node: LabNode, setup: Setup): Promise<Daemon> {
  const count = setup.routers.length;
  if (kind === "appliance") {
    const inner = await node.startAppliance(applianceYaml(setup));
    await waitFor(
      async () =>
        (await inner.status()).instances.filter(({ state }) => state !== "init" && state !== "fault")
          .length === count,
      { timeoutMs: 10_000, what: `${node.name}: ${count} instances`, everyMs: 20, explain: () => inner.log },
    );
    return new OurDaemon(inner);
  }
  const inner = node.startKeepalived(keepalivedText(setup));
  await waitFor(() => (inner.log.match(SETTLED)?.length ?? 0) >= count, {
    timeoutMs: 10_000,
    what: `${node.name}: keepalived's ${count} instances`,
    everyMs: 20,
    explain: () => inner.log,
  });
  return new KeepalivedDaemon(inner);
}

/** Waits until a node holds an address. */
export async function holdsAddress(daemon: Daemon, address: string = VIP, timeoutMs = 15_000): Promise<void> {
  await waitFor(() => daemon.node.has(address), {
    timeoutMs,
    what: `${daemon.node.name} to hold ${address}`,
    everyMs: 20,
    explain: () => daemon.log(),
  });
}

/** Waits until a node does not hold an address. */
export async function lacksAddress(daemon: Daemon, address: string = VIP, timeoutMs = 15_000): Promise<void> {
  await waitFor(() => !daemon.node.has(address), {
    timeoutMs,
    what: `${daemon.node.name} to let go of ${address}`,
    everyMs: 20,
    explain: () => daemon.log(),
  });
}

/** Two routers and a client, who is also the witness, on one switch. */
export interface Pair {
  readonly kind: Kind;
  readonly lab: Lab;
  readonly a: LabNode;
  readonly b: LabNode;
  readonly client: LabNode;
}

export const ADDRESS_A = "10.0.0.1";
export const ADDRESS_B = "10.0.0.2";

/** Runs `body` in a lab of its own and cleans up, however it ends. */
export async function withPair<T>(
  kind: Kind,
  theme: string,
  body: (pair: Pair) => Promise<T>,
): Promise<T> {
  const lab = new Lab(`${theme}-${kind[0]}`);
  try {
    const a = lab.node("a", { addresses: [`${ADDRESS_A}/8`] });
    const b = lab.node("b", { addresses: [`${ADDRESS_B}/8`] });
    const client = lab.node("client", { addresses: ["10.0.0.9/8"] });
    return await body({ kind, lab, a, b, client });
  } finally {
    await lab.close();
  }
}

/** Both daemons one after the other: for rows in which they would take the processor from each other. */
export async function inTurn<T>(measure: (kind: Kind) => Promise<T>): Promise<Record<Kind, T>> {
  const appliance = await measure("appliance");
  return { appliance, keepalived: await measure("keepalived") };
}

/** Both daemons at once, each in its own lab: for rows that mostly wait. */
export async function sideBySide<T>(measure: (kind: Kind) => Promise<T>): Promise<Record<Kind, T>> {
  const [appliance, keepalived] = await Promise.allSettled([measure("appliance"), measure("keepalived")]);
  if (appliance.status === "rejected") throw appliance.reason;
  if (keepalived.status === "rejected") throw keepalived.reason;
  return { appliance: appliance.value, keepalived: keepalived.value };
}

/** Waits for a moment that keeps no step with anybody's timers: between `fromMs` and `toMs`. */
export function pauseSomewhere(fromMs: number, toMs: number): Promise<void> {
  return pause(fromMs + Math.random() * (toMs - fromMs));
}
