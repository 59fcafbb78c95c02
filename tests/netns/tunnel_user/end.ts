/**
 * One end of a user-space tunnel, run inside a namespace as a process of its own.
 *
 * @module
 */
import type {
  UserTunnelCounters,
  UserTunnelReport,
  UserTunnelSettings,
} from "../../../mod/tunnel/user/settings.ts";
import { type LabNode, type Running, waitFor } from "../lab.ts";

const PROGRAM = `${import.meta.dirname}/program.ts`;

/** Settings with the usual values for what is not said. */
export function settings(
  wanted: Partial<UserTunnelSettings> & Pick<UserTunnelSettings, "type" | "local" | "remote">,
): UserTunnelSettings {
  return {
    name: "tun1",
    ikey: null,
    okey: null,
    ttl: 64,
    tos: 0,
    mtu: null,
    checksum: false,
    sequence: false,
    pmtudisc: true,
    dev: null,
    answersKeepalives: true,
    engine: null,
    ...wanted,
  };
}

/** A running end. */
export class UserEnd {
  readonly process: Running;
  readonly settings: UserTunnelSettings;
  readonly reports: UserTunnelReport[] = [];

  constructor(readonly node: LabNode, wanted: UserTunnelSettings) {
    this.settings = wanted;
    this.process = node.spawn([process.execPath, PROGRAM], (line) => this.reports.push(JSON.parse(line)));
    this.process.child.stdin!.write(`${JSON.stringify(wanted)}\n`);
  }

  /** The last state told; null before the first. */
  get state(): Extract<UserTunnelReport, { type: "state" }> | null {
    return this.reports.findLast((report) => report.type === "state") ?? null;
  }

  /** The last counters told; null before the first. */
  get counters(): UserTunnelCounters | null {
    return this.reports.findLast((report) => report.type === "counters")?.counters ?? null;
  }

  /** Waits until its packets can leave, and addresses its interface. */
  async up(...addresses: readonly string[]): Promise<this> {
    await waitFor(() => this.state?.up, {
      timeoutMs: 10_000,
      what: `${this.settings.name} to come up`,
      explain: () => `${JSON.stringify(this.reports)}\n${this.process.stderr}`,
    });
    this.node.ip(
      ...addresses.map((address) =>
        `addr add ${address} dev ${this.settings.name}${address.includes(":") ? " nodad" : ""}`
      ),
    );
    return this;
  }

  /** Hangs up its pipe and waits for its end: the exit code. */
  async hangUp(): Promise<number | null> {
    this.process.child.stdin!.end();
    const { code } = await this.process.ended;
    return code;
  }
}
