/**
 * The status document as the contract has it: written down again here, so that a change of the product's own types
 * cannot change what the tests demand.
 *
 * @module
 */

export type State = "init" | "backup" | "master" | "fault";

export interface InstanceStatus {
  readonly name: string;
  readonly state: State;
  readonly since: string;
  readonly reason: string;
  readonly vrid: number;
  readonly version: number;
  readonly family: string;
  readonly interface: string;
  readonly priority: {
    readonly base: number;
    readonly effective: number;
    readonly adjustments: readonly { readonly source: string; readonly weight: number }[];
  };
  readonly master: { readonly address: string; readonly priority: number } | null;
  readonly addresses: readonly string[];
  readonly transitions: number;
  readonly adverts: {
    readonly sent: number;
    readonly received: number;
    readonly dropped: Readonly<Record<string, number>>;
  };
}

export interface ProbeStatus {
  readonly name: string;
  readonly type: string;
  readonly state: "unknown" | "up" | "down";
  readonly since: string;
  readonly latency_ms: number | null;
  readonly error: string | null;
}

export interface TunnelStatus {
  readonly name: string;
  readonly type: string;
  readonly local: string;
  readonly remote: string;
  readonly state: "unknown" | "up" | "down";
  readonly error: string | null;
  readonly latency_ms: number | null;
  readonly datapath: "kernel" | "user" | null;
  readonly repairs: number;
  readonly last_repair: string | null;
}

export interface StatusDocument {
  readonly node: string;
  readonly version: string;
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly uptime_s: number;
  /** Beyond the contract. */
  readonly engine?: { readonly pid: number };
  readonly instances: readonly InstanceStatus[];
  readonly probes: readonly ProbeStatus[];
  readonly tunnels: readonly TunnelStatus[];
  readonly services: readonly unknown[];
  readonly balance: readonly unknown[];
}

/** One line of `appliance events --json` or of `/events`, as far as the tests look at it. */
export interface EventRecord {
  readonly kind: string;
  readonly subject: string | null;
  readonly text: string;
  readonly [key: string]: unknown;
}

/** Sum of all drop counters of an instance. */
export function droppedOf(instance: InstanceStatus): number {
  return Object.values(instance.adverts.dropped).reduce((sum, count) => sum + count, 0);
}
