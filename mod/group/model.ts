/**
 * Sync groups: virtual routers that share one state.
 *
 * @module
 */
import type { InstanceState } from "../bus/messages.ts";
import type { VrrpState } from "../vrrp/model.ts";

/** What a group needs to know of a member. */
export interface Member {
  readonly name: string;
  readonly phase: InstanceState;
  /** A backup whose time has run out: it would be master. */
  readonly ready: boolean;
  /** What forbids this member itself to take part, in words. */
  readonly faults: readonly string[];
  /** What this member itself waits for, in words. */
  readonly waiting: readonly string[];
  /** Whether everything that it tracks has been looked at. */
  readonly settled: boolean;
}

/** Where a member stands before or after a step of its own. */
export type Standing = Pick<
  VrrpState,
  "phase" | "reason" | "released" | "master" | "takeoverReason" | "resumeUntil"
>;
