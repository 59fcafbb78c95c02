/**
 * For the tests of the tunnel keeper: configs, and keepers that run inside a node.
 *
 * @module
 */
import { join } from "node:path";
import type { KernelWay } from "../../../mod/tunnel/kernel.ts";
import type { KeepaliveConfig, TunnelConfig, TunnelType } from "../../../mod/tunnel/model.ts";
import type { TunnelView } from "../../../mod/tunnel/view.ts";
import { type LabNode, type Running, waitFor } from "../../netns/lab.ts";

const PROGRAM = join(import.meta.dirname, "programs/keep_tunnels.ts");
/** A guest is slow to start a program. */
const START_MS = 15_000;

export const DEVICE = "tunnel1";

/** One end of the tunnel between node `own` (1 or 2) and the other one. */
export function tunnelConfig(own: 1 | 2, type: TunnelType, more: Partial<TunnelConfig> = {}): TunnelConfig {
  const other = 3 - own;
  const outer = type.startsWith("ip6") ? "2001:db8::" : "192.0.2.";
  return {
    name: DEVICE,
    type,
    local: `${outer}${own}`,
    remote: `${outer}${other}`,
    ikey: null,
    okey: null,
    ttl: 64,
    tos: 0,
    mtu: null,
    checksum: false,
    sequence: false,
    pmtudisc: true,
    dev: null,
    addresses: [
      { address: `10.1.1.${own}`, prefix: 24, peer: null },
      { address: `2001:db8:1::${own}`, prefix: 64, peer: null },
    ],
    routes: [],
    keep: false,
    datapath: "auto",
    keepalive: null,
    ...more,
  };
}

/** Asks each `intervalMs`; down after three questions without an answer. */
export function keepalive(
  intervalMs: number,
  methods: KeepaliveConfig["methods"],
  target: string | null,
): KeepaliveConfig {
  return { intervalMs, retries: 3, methods, target };
}

/** One report of a keeper. */
export interface ToldReport {
  readonly name: string;
  readonly from: string;
  readonly changed: boolean;
  readonly repaired: string | null;
  readonly status: string;
  readonly error: string | null;
}

/** Keepers of a node, one at a time, in a process of their own: in a guest it takes long to start one. */
export class KeeperProcess {
  reports: ToldReport[] = [];
  readonly #running: Running;
  #views: readonly TunnelView[] = [];
  #busy = false;
  #stops = 0;

  constructor(readonly node: LabNode) {
    this.#running = node.spawn([process.execPath, PROGRAM], (line) => {
      const told = JSON.parse(line) as "stopped" | { report?: ToldReport; snapshot?: TunnelView[] };
      if (told === "stopped") this.#stops++;
      else if (told.report !== undefined) this.reports.push(told.report);
      else this.#views = told.snapshot ?? [];
    });
  }

  /** It ended, which it does not by itself. */
  get dead(): boolean {
    return this.#running.end !== null;
  }

  /** A keeper runs in it. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The tunnel as it was last shown. */
  view(name = DEVICE): TunnelView | undefined {
    return this.#views.find((view) => view.name === name);
  }

  start(configs: readonly TunnelConfig[], ways?: readonly KernelWay[]): void {
    this.#busy = true;
    this.reports = [];
    this.#views = [];
    this.#tell({ update: configs, ways });
  }

  update(configs: readonly TunnelConfig[]): void {
    this.#tell({ update: configs });
  }

  async stop(handedOn = false): Promise<void> {
    const before = this.#stops;
    this.#tell({ stop: { handedOn } });
    await this.#wait(() => this.#stops > before, "the keeper to stop", START_MS);
    this.#busy = false;
  }

  /** Waits until the tunnel is shown so. */
  until(condition: (view: TunnelView) => boolean, what: string, timeoutMs = START_MS): Promise<boolean> {
    return this.#wait(
      () => {
        const view = this.view();
        return view !== undefined && condition(view);
      },
      what,
      timeoutMs,
    );
  }

  #wait(condition: () => boolean, what: string, timeoutMs: number): Promise<boolean> {
    const explain = () => `${JSON.stringify(this.view())}\n${this.#running.stderr}`;
    return waitFor(condition, { timeoutMs, what, explain });
  }

  #tell(command: unknown): void {
    this.#running.child.stdin!.write(JSON.stringify(command) + "\n");
  }
}

const processes: KeeperProcess[] = [];

/** Starts a keeper with these tunnels and waits until the first is in this state. */
export async function startKeeper(
  node: LabNode,
  configs: readonly TunnelConfig[],
  state = "up",
  ways?: readonly KernelWay[],
): Promise<KeeperProcess> {
  let keeper = processes.find((one) => one.node === node && !one.busy && !one.dead);
  if (keeper === undefined) {
    keeper = new KeeperProcess(node);
    processes.push(keeper);
  }
  keeper.start(configs, ways);
  await keeper.until((view) => view.state === state, `the tunnel to be ${state}`);
  return keeper;
}

/** Stops all keepers and leaves the nodes as they were made: for `afterEach`. */
export async function resetKeepers(nodes: readonly LabNode[]): Promise<void> {
  await Promise.all(processes.filter(({ busy, dead }) => busy && !dead).map((keeper) => keeper.stop()));
  for (const node of nodes) {
    node.exec(["ip", "link", "del", DEVICE]);
    node.restore();
  }
}
