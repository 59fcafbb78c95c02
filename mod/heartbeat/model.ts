/**
 * The engine's last signs of life, in memory that outlives it: what a new engine may go on with.
 *
 * @module
 */

/** Nanoseconds of the monotonic clock, which all processes of one boot share. */
export type MonotonicNs = number;

/** What an engine left behind of one virtual router. */
export interface Sign {
  /** Interface, family, VRID and version: what makes it the same virtual router. */
  readonly identity: string;
  readonly master: boolean;
  /** When its last advertisement left. */
  readonly spokeAt: MonotonicNs;
  /** Last sequence number of the authentication header. */
  readonly ahSequence: number;
  /** The least silence after which a peer takes over, by what was advertised, in nanoseconds. */
  readonly silenceNs: number;
}

/** Everything that an engine left behind. */
export interface Heartbeat {
  /** Of the machine's boot: signs of an earlier one mean nothing. */
  readonly bootId: string;
  /** Of the engine that wrote it. */
  readonly pid: number;
  readonly signs: readonly Sign[];
}
