/**
 * Commands that are run when an instance changes its state.
 *
 * @module
 */

/** Program and arguments; no shell is between. */
export type NotifyCommand = readonly string[];

/** What can be notified of. */
export type NotifyState = "master" | "backup" | "fault" | "stop";

/** Who changed its state, as keepalived's arguments name it. */
export interface NotifySubject {
  readonly kind: "INSTANCE" | "GROUP";
  readonly name: string;
  /** Effective priority; 0 for groups. */
  readonly priority: number;
}

/** The commands of one instance by state; `any` runs after each of them. */
export interface NotifyPlan {
  readonly master: readonly NotifyCommand[];
  readonly backup: readonly NotifyCommand[];
  readonly fault: readonly NotifyCommand[];
  readonly stop: readonly NotifyCommand[];
  readonly any: readonly NotifyCommand[];
}
