/**
 * From the operator's config to what the engine is to have.
 *
 * @module
 */
import type { EngineWanted, Held } from "../bus/messages.ts";
import type { Config } from "../config/model.ts";

/** SCHED_FIFO priority of `realtime: auto`. */
const AUTO_REALTIME = 50;

/** The engine's part of a config that was read from this text. `held` as in `EngineWanted`. */
export function engineWanted(config: Config, source: string, held: Held | null = null): EngineWanted {
  const { realtime, lockMemory } = config.engine;
  return {
    node: config.node,
    runtimeDir: config.runtimeDir,
    instances: config.vrrp,
    static: config.static,
    source,
    held,
    lockMemory,
    realtime: realtime === "off" ? null : realtime === "auto" ? AUTO_REALTIME : realtime,
  };
}
