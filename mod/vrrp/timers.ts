/**
 * The timers of a virtual router (RFC 3768 §6.1, RFC 5798 §6.1), in nanoseconds.
 *
 * @module
 */
import type { VrrpConfig } from "./config.ts";

/** A duration in nanoseconds. */
export type Ns = number;

export const NS_PER_MS = 1e6;
const NS_PER_CENTISECOND = 1e7;
const NS_PER_SECOND = 1e9;

/** An interval in centiseconds as nanoseconds. */
export function intervalNs(intervalCs: number): Ns {
  return intervalCs * NS_PER_CENTISECOND;
}

/**
 * Skew_Time: what makes the backup of the highest priority the first to speak. Version 2 counts 1/256 of a second for
 * each step below 256; version 3 counts 1/256 of the master's interval.
 */
export function skewTime(version: 2 | 3, priority: number, interval: Ns): Ns {
  return ((256 - priority) * (version === 2 ? NS_PER_SECOND : interval)) / 256;
}

/** Master_Down_Interval: the silence after which a backup declares the master dead. */
export function masterDownInterval(config: VrrpConfig, priority: number, interval: Ns): Ns {
  return config.downAdverts * interval + skewTime(config.version, priority, interval);
}

/** The longest that a fast hand-over waits. */
const FAST_SKEW_LIMIT: Ns = 100 * NS_PER_MS;

/**
 * How long a backup waits before it takes over a master that is of lower priority or has said goodbye: ordered by priority
 * as Skew_Time is, and never over 100 ms. Not of the RFCs, which let the whole Master_Down_Interval pass for the former and
 * Skew_Time for the latter.
 */
export function fastSkewTime(priority: number, interval: Ns): Ns {
  return ((256 - priority) * Math.min(interval, FAST_SKEW_LIMIT)) / 256;
}
