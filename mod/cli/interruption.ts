/**
 * Ending a command that would go on for ever.
 *
 * @module
 */

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Aborts at SIGINT, SIGTERM or SIGHUP, which do nothing else until it has aborted, by them or by its owner. */
export function interruption(): AbortController {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const signal of SIGNALS) process.on(signal, abort);
  controller.signal.addEventListener("abort", () => {
    for (const signal of SIGNALS) process.off(signal, abort);
  });
  return controller;
}
