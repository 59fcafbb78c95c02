/**
 * FRR's zebra and vrrpd in a node.
 *
 * @module
 */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, type Running } from "./command.ts";
import { findProgram } from "./need.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** A virtual router of FRR, version 3 on eth0. */
export interface FrrOptions {
  readonly vrid: number;
  readonly priority: number;
  readonly intervalMs: number;
  /** With prefix; IPv4 and IPv6 ones may stand together. */
  readonly addresses: readonly string[];
  /** More lines for the interface's section: `checksum-with-ipv4-pseudoheader`. */
  readonly more?: readonly string[];
}

/** The macvlan devices that FRR wants: one a family, with the virtual MAC and the addresses, up at all times. */
function devices({ vrid, addresses }: FrrOptions): string[] {
  const hex = vrid.toString(16).padStart(2, "0");
  return ([4, 6] as const).flatMap((family) => {
    const own = addresses.filter((address) => address.includes(":") === (family === 6));
    if (own.length === 0) return [];
    const device = `vrrp${family}-${vrid}`;
    return [
      `link add ${device} link eth0 type macvlan mode bridge`,
      `link set ${device} address 00:00:5e:00:0${family === 4 ? 1 : 2}:${hex}`,
      ...own.map((address) => `addr add ${address} dev ${device}`),
      `link set ${device} up`,
    ];
  });
}

function configuration({ vrid, priority, intervalMs, addresses, more = [] }: FrrOptions): string {
  const lines = ["version 3", `priority ${priority}`, `advertisement-interval ${intervalMs}`];
  for (const address of addresses) {
    lines.push(`${address.includes(":") ? "ipv6" : "ip"} ${address.split("/")[0]}`);
  }
  return ["interface eth0", ...[...lines, ...more].map((line) => ` vrrp ${vrid} ${line}`), "!", ""].join(
    "\n",
  );
}

/** One pair of zebra and vrrpd. The addresses sit on macvlan devices that FRR takes down while it is backup. */
export class Frr {
  readonly #directory: string;
  readonly #devices: readonly string[];
  readonly #zebra: Running;
  #vrrpd: Running | null = null;

  constructor(readonly node: LabNode, options: FrrOptions) {
    const made = devices(options);
    this.#devices = made.filter((line) => line.startsWith("link add")).map((line) => line.split(" ")[2]!);
    for (const device of this.#devices) node.exec(["ip", "link", "del", device]);
    node.ip(...made);
    this.#directory = node.directory("frr");
    // The socket of a killed zebra would look like that of a living one.
    rmSync(join(this.#directory, "zserv.api"), { force: true });
    // FRR's daemons drop to a user of their own, which must reach this directory.
    chmodSync(node.lab.directory, 0o711);
    writeFileSync(join(this.#directory, "zebra.conf"), "log stdout\n");
    writeFileSync(join(this.#directory, "vrrpd.conf"), configuration(options));
    must(["chown", "-R", "frr:frr", this.#directory]);
    this.#zebra = this.#start("zebra");
  }

  #start(daemon: "zebra" | "vrrpd"): Running {
    const directory = this.#directory;
    return this.node.spawn([
      findProgram(daemon)!,
      ...["-f", join(directory, `${daemon}.conf`)],
      ...["-i", join(directory, `${daemon}.pid`)],
      ...["-z", join(directory, "zserv.api")],
      ...["--vty_socket", directory],
      ...["-P", "0"],
      ...["--log", "stdout"],
    ]);
  }

  /** Starts vrrpd once zebra listens. */
  async ready(): Promise<this> {
    await waitFor(() => this.node.exec(["test", "-S", join(this.#directory, "zserv.api")]).code === 0, {
      timeoutMs: 5000,
      what: "zebra's socket",
      explain: () => this.log,
    });
    this.#vrrpd = this.#start("vrrpd");
    return this;
  }

  get log(): string {
    return [this.#zebra, this.#vrrpd].map((one) => (one?.stdout ?? "") + (one?.stderr ?? "")).join("\n");
  }

  /** What `vtysh` answers. */
  vtysh(command: string): string {
    return this.node.exec(["vtysh", "--vty_socket", this.#directory, "-d", "vrrpd", "-c", command]).stdout;
  }

  /** Kills both; the macvlan devices stay, taken down, so that their addresses answer nobody. */
  async close(): Promise<void> {
    await this.#vrrpd?.stop("SIGKILL");
    await this.#zebra.stop("SIGKILL");
    for (const device of this.#devices) this.node.exec(["ip", "link", "set", device, "down"]);
  }
}
