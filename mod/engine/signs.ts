/**
 * Leaves signs of life for an engine after this one.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import { HeartbeatWriter } from "../heartbeat/shell.ts";
import { identity } from "../vrrp/config.ts";
import { sufferedSilence } from "../vrrp/phase.ts";
import type { Instance } from "./instance.ts";
import type { Outbox } from "./outbox.ts";

export class SignsOfLife {
  readonly #outbox: Outbox;
  #writer: HeartbeatWriter | null = null;
  #runtimeDir: string | null = null;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Begins anew, for the routers that are there now, unless they and the directory are the same as before. Does without
   * when the file cannot be made.
   */
  begin(runtimeDir: string, instances: readonly Instance[], same: boolean): void {
    if (same && runtimeDir === this.#runtimeDir) return;
    this.#runtimeDir = runtimeDir;
    const present = instances.filter(({ leaving }) => !leaving);
    present.forEach((instance, slot) => instance.slot = slot);
    const signs = present.map(({ config, state, counters }) => ({
      identity: identity(config),
      master: state.phase === "master" && counters.sent > 0,
      spokeAt: state.spokeAt,
      ahSequence: state.ahSequence,
      silenceNs: sufferedSilence(config),
    }));
    const before = this.#writer;
    try {
      this.#writer = new HeartbeatWriter(runtimeDir, signs);
    } catch (error) {
      this.#writer = null;
      this.#outbox.log("warning", ["engine"], `no restart without fail-over: ${(error as Error).message}`);
    }
    before?.close();
  }

  /** Notes that this router has spoken as master just now, or is master no more. */
  note({ slot, state }: Instance, master: boolean): void {
    if (slot === null) return;
    this.#writer?.sign(slot, {
      master,
      spokeAt: monotonicNs(),
      ahSequence: state.ahSequence,
      silenceNs: sufferedSilence(state.config),
    });
  }
}
