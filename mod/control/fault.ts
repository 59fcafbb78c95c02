/**
 * What becomes of an exception that nobody expected: one line in the log, and another control process. What this one
 * knows is in doubt, and the engine tells its successor all there is.
 *
 * @module
 */
import { reasonOf } from "../../lib/runtime/mod.ts";
import { logLast } from "./log.ts";

const EXIT_FAULT = 1;

/** Ends the process. `what` could not be done, as the beginning of a sentence. */
export function endFor(what: string, error: unknown): never {
  logLast(["control"], `${what}, by a fault of this program: ${reasonOf(error)}; this process ends`);
  process.exit(EXIT_FAULT);
}

/**
 * Has every exception that nobody catches end the process by {@link endFor}. That the log cannot be written, because its reader
 * has gone or the disk is full, is none: the addresses are worth more than it.
 */
export function endOnFaults(): void {
  process.stderr.on("error", () => {});
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.removeAllListeners(event);
    process.on(event, (error: unknown) => endFor("Cannot go on", error));
  }
}
