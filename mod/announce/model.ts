/**
 * Announcements: gratuitous ARPs and unsolicited neighbour advertisements that tell switches and neighbours where an
 * address lives now.
 *
 * @module
 */
import type { AnnounceConfig } from "../vrrp/config.ts";

/** Nanoseconds of the monotonic clock. */
export type MonotonicNs = number;

/** An address to announce, and the interface it is announced on. */
export interface Target {
  readonly ifindex: number;
  readonly address: Uint8Array;
  /** The interface bears a virtual MAC address, which the master before us may still have, too. */
  readonly virtual?: boolean;
}

/** What one instance has still to announce. */
export interface Announcer {
  readonly config: AnnounceConfig;
  readonly targets: readonly Target[];
  /** Packets of the running burst that are still to be sent: the whole of it without pacing. */
  readonly left: number;
  /** Packets that the running burst has in all. */
  readonly burst: number;
  /** When the next packet of the running burst is due. */
  readonly packetDue: MonotonicNs;
  /** Pacing forbids to send before, whichever burst it is. */
  readonly readyAt: MonotonicNs;
  /** When one packet for each address follows the first burst closely; Infinity = none does. */
  readonly settleDue: MonotonicNs;
  readonly secondDue: MonotonicNs;
  readonly refreshDue: MonotonicNs;
}
