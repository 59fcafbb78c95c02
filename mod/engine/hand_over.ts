/**
 * What the first image of the engine's process hands to the second, and how: in an environment variable.
 *
 * @module
 */
import { SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 } from "../../lib/libc/mod.ts";

/** Name of the variable; only the second image has it. */
export const HAND_OVER = "APPLIANCE_ENGINE";

/** What the engine takes by descriptor, and so has to be blocked in all its threads. */
export const OWN_SIGNALS: readonly number[] = [SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2];

/** Who started it, the control process that is started already, and the path of the config file that it reads. */
export interface HandOver {
  /** Whether `run --supervise` has started it. */
  readonly supervised: boolean;
  readonly fd: number;
  readonly pid: number;
  readonly config: string;
}

export function encodeHandOver({ supervised, fd, pid, config }: HandOver): string {
  return `${Number(supervised)}:${fd}:${pid}:${config}`;
}

/** Reads the variable's value; null for anything else. */
export function decodeHandOver(value: string): HandOver | null {
  const match = /^([01]):(\d+):(\d+):(.+)$/s.exec(value);
  return match &&
    { supervised: match[1] === "1", fd: Number(match[2]), pid: Number(match[3]), config: match[4]! };
}
