/**
 * A process found and watched: its end is heard at once, not at the next run.
 *
 * @module
 */
import { watchProcessEnd } from "../../../lib/runtime/process_end.ts";
import type { Found, ProcessFinder } from "./find_process.ts";
import { isAlive, type ProcessIdentity } from "./proc.ts";

/** A finder with an ear. */
export interface ProcessWatch {
  /** Looks for the process and, when it is there, watches it. */
  look(): Found;
  close(): void;
}

/** `onEnd` is called when the process that was found last has ended; another may have taken its place already. */
export function createProcessWatch(find: ProcessFinder, onEnd: () => void): ProcessWatch {
  let watched: ProcessIdentity | null = null;
  let stop: (() => void) | null = null;

  function forget(): void {
    stop?.();
    stop = null;
    watched = null;
  }

  function watch(process: ProcessIdentity): void {
    if (watched !== null && watched.pid === process.pid && watched.start === process.start) return;
    forget();
    watched = process;
    // Where the kernel cannot tell (before 5.3) the runs find out by themselves.
    stop = watchProcessEnd(process.pid, () => {
      // Should the watch itself have failed, the process stays `watched` and is only polled.
      if (isAlive(process)) return;
      forget();
      onEnd();
    });
  }

  return {
    look() {
      const found = find();
      if (!found.ok) return found;
      watch(found.process);
      // It may have ended, and its pid been reused, between the look and the watch.
      if (isAlive(found.process)) return found;
      forget();
      return find();
    },
    close: forget,
  };
}
