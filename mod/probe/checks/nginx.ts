/**
 * `nginx`: its master process lives and a URL answers.
 *
 * The process comes first and decides alone when it is gone, also while a request waits: workers that outlive a killed
 * master go on answering, but nothing would replace them. A master that ends because another has taken over (an
 * upgrade of the binary) is no failure.
 *
 * @module
 */
import type { NginxProbe } from "../model.ts";
import { type Check, failure, runWithin } from "./check.ts";
import { createProcessFinder } from "./find_process.ts";
import { createRequester, missingPart } from "./http.ts";
import { createProcessWatch } from "./watch_process.ts";

/** `onEnd` is called between runs when the master has ended. Throws as the requester does. */
export function nginxCheck(config: NginxProbe, onEnd: () => void): Check {
  const send = createRequester(config.request);
  let whileRunning: (() => void) | null = null;
  const watch = createProcessWatch(
    createProcessFinder(config.process, "nginx master process"),
    () => (whileRunning ?? onEnd)(),
  );
  return {
    run(signal) {
      let phase: Parameters<typeof missingPart>[0] = "connect";
      const missing = () => missingPart(phase, config.request);
      return runWithin(config.timeoutMs, signal, missing, (settle) => {
        const found = watch.look();
        if (!found.ok) {
          settle(failure(found.error));
          return () => {};
        }
        whileRunning = () => {
          const successor = watch.look();
          if (!successor.ok) settle(failure(successor.error));
        };
        const cancel = send(settle, (now) => phase = now);
        return () => {
          whileRunning = null;
          cancel();
        };
      });
    },
    close: () => watch.close(),
  };
}
