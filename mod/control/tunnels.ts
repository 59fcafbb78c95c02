/**
 * The tunnels of a daemon: made, watched and repaired beside the engine. A daemon without tunnels does not even load
 * what it takes.
 *
 * @module
 */
import { equalValues } from "../../lib/compare/mod.ts";
import { hasTun } from "../../lib/libc/mod.ts";
import type { TrackedValue } from "../bus/messages.ts";
import type { TunnelConfig, TunnelReport, TunnelSnapshot } from "../tunnel/model.ts";
import type { TunnelKeeper } from "../tunnel/shell.ts";
import { trackedValue, viewTunnel } from "../tunnel/view.ts";

/** What is told of tunnels. */
export interface TunnelListener {
  /** What instances that track a tunnel reckon with. */
  readonly tracked: (name: string, value: TrackedValue, error: string | null) => void;
  /** Its state changed, in words. */
  readonly changed: (name: string, text: string) => void;
  /** Something of it was put back, in words. */
  readonly repaired: (name: string, text: string) => void;
  /** Something on this machine will bite. */
  readonly warning: (name: string, text: string) => void;
}

export class Tunnels {
  readonly #listener: TunnelListener;
  readonly #engine: number;
  #keeper: TunnelKeeper | null = null;
  #configs: readonly TunnelConfig[] = [];

  /** @param engine Process id of the engine. */
  constructor(engine: number, listener: TunnelListener) {
    this.#engine = engine;
    this.#listener = listener;
  }

  /** Makes the machine's tunnels these. */
  async update(configs: readonly TunnelConfig[]): Promise<void> {
    const before = this.#configs;
    this.#configs = configs;
    const fresh = configs.filter((config) => !before.some((one) => equalValues(one, config)));
    if (this.#keeper !== null) {
      this.#keeper.update(configs);
      // A reload does not wait for that. Without netlink the keeper has worse to tell.
      void this.#warn(fresh).catch(() => {});
      return;
    }
    if (configs.length === 0) return;
    const [{ createTunnelKeeper }, { createUserDatapath }] = await Promise.all([
      import("../tunnel/shell.ts"),
      import("../tunnel/user/datapath.ts"),
    ]);
    const report = (report: TunnelReport) => this.#onReport(report);
    this.#keeper = createTunnelKeeper(configs, report, {
      user: createUserDatapath({ engine: this.#engine }),
    });
    await this.#warn(fresh);
  }

  /** Entries of the status document. */
  view(): readonly ReturnType<typeof viewTunnel>[] {
    const snapshots: readonly TunnelSnapshot[] = this.#keeper?.snapshot() ?? [];
    return snapshots.map(viewTunnel);
  }

  /** Removes the tunnels that are not to be kept; none when another daemon goes on with them. */
  async stop(handedOn: boolean): Promise<void> {
    const keeper = this.#keeper;
    this.#keeper = null;
    await keeper?.stop({ handedOn });
  }

  /** Tells what stands in the way of tunnels that are new, or other than before. */
  async #warn(configs: readonly TunnelConfig[]): Promise<void> {
    if (configs.length === 0) return;
    const [{ tunnelFindings }, { readMachineFacts }] = await Promise.all([
      import("../tunnel/machine/findings.ts"),
      import("../tunnel/machine/read.ts"),
    ]);
    const facts = await readMachineFacts(configs);
    for (
      const { tunnel, what, fix } of configs.flatMap((config) =>
        tunnelFindings(config, facts, { user: hasTun() })
      )
    ) {
      this.#listener.warning(tunnel, `${what} (${fix})`);
    }
  }

  #onReport(report: TunnelReport): void {
    const { name, state, changed, repaired } = report;
    if (changed) {
      this.#listener.tracked(name, trackedValue(report), state.error);
      this.#listener.changed(name, state.lastChangeReason ?? state.status);
    }
    if (repaired !== null) this.#listener.repaired(name, repaired);
  }
}
