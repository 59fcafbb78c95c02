/**
 * Counters of a datapath: numbers that are added to for every packet, and the report made of them once a second.
 *
 * @module
 */
import { USER_DROP_REASONS, type UserDropReason, type UserTunnelCounters } from "./settings.ts";

/** The numbers, written by the pumps. */
export class Counters {
  receivedPackets = 0;
  receivedBytes = 0;
  sentPackets = 0;
  sentBytes = 0;
  keepalives = 0;
  readonly #dropped = new Float64Array(USER_DROP_REASONS.length);
  #told = "";

  drop(reason: UserDropReason, packets: number = 1): void {
    this.#dropped[USER_DROP_REASONS.indexOf(reason)]! += packets;
  }

  /** The totals, as plain data. */
  totals(): UserTunnelCounters {
    const dropped: Partial<Record<UserDropReason, number>> = {};
    USER_DROP_REASONS.forEach((reason, index) => {
      if (this.#dropped[index]! > 0) dropped[reason] = this.#dropped[index]!;
    });
    return {
      received: { packets: this.receivedPackets, bytes: this.receivedBytes },
      sent: { packets: this.sentPackets, bytes: this.sentBytes },
      keepalives: this.keepalives,
      dropped,
    };
  }

  /** The totals when they differ from those of the last call, else null. */
  changes(): UserTunnelCounters | null {
    const totals = this.totals();
    const text = JSON.stringify(totals);
    if (text === this.#told) return null;
    this.#told = text;
    return totals;
  }
}
