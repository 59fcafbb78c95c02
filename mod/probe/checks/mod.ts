/**
 * The check for each type of probe.
 *
 * @module
 */
import type { ProbeConfig } from "../model.ts";
import type { Check } from "./check.ts";
import { execCheck } from "./exec.ts";
import { fileCheck } from "./file.ts";
import { httpCheck } from "./http.ts";
import { nginxCheck } from "./nginx.ts";
import { processCheck } from "./process.ts";
import { tcpCheck } from "./tcp.ts";

export type { Check } from "./check.ts";

function checkFor(config: ProbeConfig, onEnd: () => void): Check {
  switch (config.type) {
    case "nginx":
      return nginxCheck(config, onEnd);
    case "http":
    case "https":
      return httpCheck(config);
    case "tcp":
      return tcpCheck(config);
    case "process":
      return processCheck(config, onEnd);
    case "exec":
      return execCheck(config);
    case "file":
      return fileCheck(config);
  }
}

/**
 * Makes the check of a probe. `onEnd` is called between runs when the process that it watches has ended. A config that
 * no check can be made of (a CA file without a certificate) gives a check that fails and says why: never an exception.
 */
export function createCheck(config: ProbeConfig, onEnd: () => void): Check {
  try {
    return checkFor(config, onEnd);
  } catch (thrown) {
    const error = `cannot check: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    return { run: () => Promise.resolve({ ok: false, latencyMs: 0, error }) };
  }
}
