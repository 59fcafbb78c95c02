/**
 * Virtual addresses on this machine: which ones are ours now, and until when the kernel keeps them.
 *
 * @module
 */
import type { Ns } from "../vrrp/timers.ts";

/** Nanoseconds of the monotonic clock. */
export type MonotonicNs = number;

/** One address on one interface, as it is to be in the kernel. */
export interface Placement {
  readonly ifindex: number;
  /** For messages. */
  readonly interface: string;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly text: string;
  readonly prefix: number;
  readonly label: string | null;
  readonly scope: number;
  readonly broadcast: Uint8Array | null;
  /** Lifetime given to the kernel; null = permanent. */
  readonly leaseNs: Ns | null;
}

/** A placement that an instance owns. */
export interface Owned {
  readonly instance: string;
  readonly placement: Placement;
  /** When its lease is to be renewed; Infinity = never. */
  readonly renewDue: MonotonicNs;
  /** Times at which it was put back of late, to notice a fight with another program. */
  readonly repairs: readonly MonotonicNs[];
  /** When it is to be put back after it was taken away; Infinity = it is there. */
  readonly repairDue: MonotonicNs;
}

export interface AddressState {
  /** By {@link placementKey}. */
  readonly owned: ReadonlyMap<string, Owned>;
}

export type AddressEffect =
  | { readonly type: "put"; readonly placements: readonly Placement[] }
  | { readonly type: "remove"; readonly placements: readonly Placement[] }
  /** Someone else took these away from their instance; they were put back. */
  | {
    readonly type: "repaired";
    readonly instance: string;
    readonly placement: Placement;
    readonly fight: boolean;
  };

export interface AddressStep {
  readonly state: AddressState;
  readonly effects: readonly AddressEffect[];
}
