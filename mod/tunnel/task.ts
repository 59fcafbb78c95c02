/**
 * One tunnel, kept: made, put right after each event, asked whether its far end is there, removed.
 *
 * @module
 */
import {
  type Address,
  getLink,
  type NetlinkConnection,
  type Route,
  type RouteEvent,
  RT_TABLE_MAIN,
} from "../../lib/netlink/mod.ts";
import { familyOf } from "../../lib/packet/address.ts";
import { type Datapath, type Ensured, UnsupportedError } from "./datapath.ts";
import { bytesOf } from "./diff.ts";
import type { TunnelConfig, TunnelReport, TunnelState } from "./model.ts";
import { hasLocalAddress } from "./path.ts";
import { Settler } from "./settle.ts";
import { initialTunnel, reconfiguredTunnel, stepTunnel, tickDue, type TunnelEvent } from "./step.ts";
import { FarEnd, type FarEndHost } from "./watch/far_end.ts";

/** What a tunnel needs of the process it is kept in. */
export interface TunnelHost extends FarEndHost {
  readonly connection: NetlinkConnection;
  /** In the order in which `auto` tries them. */
  readonly datapaths: readonly Datapath[];
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  readonly report: (report: TunnelReport) => void;
}

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 8000;
/** Netlink tells what happens; this is for what it might not have told. */
const SWEEP_MS = 30_000;
/** Who undoes what we do this often within this time is let win for a moment: two keepers must not burn a processor. */
const CROWD = 10;
const CROWD_MS = 10_000;
const CROWD_WAIT_MS = 800;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A tunnel that is kept. */
export class TunnelTask {
  readonly #host: TunnelHost;
  readonly #settler: Settler;
  #config: TunnelConfig;
  #state: TunnelState;
  #farEnd: FarEnd;
  #datapath: Datapath | null = null;
  /** Interfaces that events are about: the tunnel's own and the one below. */
  #index: number | null = null;
  #under: number | null = null;
  /** Put right at least once under this configuration: what is wrong after that was done by someone else. */
  #established = false;
  /** No interface has its local address. */
  #homeless = false;
  #running: Promise<void> | null = null;
  #again = false;
  #stopped = false;
  #retryMs = RETRY_FIRST_MS;
  #settleTimer: ReturnType<typeof setTimeout> | null = null;
  #tickTimer: ReturnType<typeof setTimeout> | null = null;
  #repairTimes: number[] = [];

  /** Starts at once, or when `after` has ended. */
  constructor(config: TunnelConfig, host: TunnelHost, after: Promise<void> = Promise.resolve()) {
    this.#host = host;
    this.#settler = new Settler(host.connection);
    this.#config = config;
    this.#state = initialTunnel(host.wall());
    this.#farEnd = this.#newFarEnd();
    this.#enqueue(() => after);
  }

  get config(): TunnelConfig {
    return this.#config;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** Whether something happened to what this tunnel is made of. */
  concerns(event: RouteEvent): boolean {
    switch (event.type) {
      case "link-new":
      case "link-gone": {
        const { name, index } = event.link;
        return name === this.#config.name || index === this.#index || name === this.#config.dev ||
          index === this.#under;
      }
      case "address-new":
        return this.#homeless && this.#isLocal(event.address);
      case "address-gone":
        return event.address.ifindex === this.#index || this.#isLocal(event.address);
      case "route-new":
      case "route-gone":
        if (this.#config.routes.length === 0) return false;
        if (event.route.ifindex === this.#index ? event.type === "route-new" : !this.#rivals(event.route)) {
          return false;
        }
        this.#settler.doubt();
        return true;
      default:
        return false;
    }
  }

  /** Whether a route leads to where one of the tunnel's does. */
  #rivals({ destination, family, table }: Route): boolean {
    const prefix = destination?.prefix ?? 0;
    return this.#config.routes.some((route) => {
      if (route.prefix !== prefix || (route.table ?? RT_TABLE_MAIN) !== table) return false;
      const wanted = bytesOf(route.destination);
      if (familyOf(wanted) !== family) return false;
      return destination === null || destination.address.every((byte, index) => byte === wanted[index]);
    });
  }

  #isLocal({ local }: Pick<Address, "local">): boolean {
    const wanted = bytesOf(this.#config.local);
    return local.length === wanted.length && local.every((byte, index) => byte === wanted[index]);
  }

  /** Why the kernel moves no packet of a tunnel that is as it should be; a process of ours says so by itself. */
  #obstacle(): string | null {
    this.#homeless = !hasLocalAddress(this.#config);
    return this.#homeless && this.#datapath?.kind === "kernel"
      ? `Cannot send from ${this.#config.local}: no interface has this address`
      : null;
  }

  /** Looks whether everything is as it should be, and puts it right. */
  poke(): void {
    if (this.#stopped) return;
    const crowded = this.#repairTimes.length >= CROWD &&
      this.#host.now() - this.#repairTimes[0]! < CROWD_MS;
    if (crowded) this.#later(CROWD_WAIT_MS);
    else this.#settle();
  }

  /** Goes on with another configuration of the same name; what is the same is not touched. */
  reconfigure(config: TunnelConfig): void {
    const before = this.#config;
    this.#config = config;
    this.#established = false;
    this.#state = reconfiguredTunnel(this.#state);
    this.#farEnd.detach();
    this.#farEnd = this.#newFarEnd();
    this.#repairTimes = [];
    // After whatever is under way: it works with the config before.
    this.#enqueue(() => this.#change(before, config));
  }

  /** Keeps no more. Resolves when the tunnel is removed, or left where it is. Never rejects. */
  async stop(remove: boolean): Promise<void> {
    this.#stopped = true;
    this.#farEnd.detach();
    for (const timer of [this.#settleTimer, this.#tickTimer]) if (timer !== null) clearTimeout(timer);
    await this.#running;
    if (!remove) return;
    try {
      await this.#datapath?.remove(this.#config);
    } catch (error) {
      this.#apply({ type: "failed", error: messageOf(error) });
    }
  }

  #newFarEnd(): FarEnd {
    return new FarEnd(this.#config, this.#host, {
      asked: (error) => this.#apply({ type: "asked", error }),
      answered: (latencyMs) => this.#apply({ type: "answered", latencyMs }),
    });
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    if (this.#settleTimer !== null) clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => this.#settle(), ms);
  }

  #settle(): void {
    if (this.#running !== null) this.#again = true;
    else this.#enqueue(() => Promise.resolve());
  }

  /** Does something, and settles, when nothing else is being done. */
  #enqueue(first: () => Promise<void>): void {
    const before = this.#running ?? Promise.resolve();
    const running = before.then(first).then(() => this.#settleAll()).finally(() => {
      if (this.#running !== running) return;
      this.#running = null;
      if (this.#again) this.#settle();
    });
    this.#running = running;
  }

  async #settleAll(): Promise<void> {
    do {
      this.#again = false;
      if (this.#stopped) return;
      await this.#settleOnce();
    } while (this.#again);
  }

  async #change(before: TunnelConfig, after: TunnelConfig): Promise<void> {
    try {
      const active = this.#datapath;
      if (active !== null && after.datapath !== "auto" && after.datapath !== active.kind) {
        await active.remove(before);
        this.#datapath = null;
      }
      this.#settler.drop(before, after);
    } catch (error) {
      this.#apply({ type: "failed", error: messageOf(error) });
    }
  }

  async #settleOnce(): Promise<void> {
    const config = this.#config;
    try {
      const ensured = await this.#ensure(config);
      // Meanwhile it may have been stopped or changed: then this is of no use to anybody.
      if (this.#stopped || this.#config !== config) return;
      const { link, was } = this.#settler.settle(config);
      this.#index = link.index;
      this.#under = config.dev === null ? null : getLink(this.#host.connection, config.dev)?.index ?? null;
      const repaired = this.#established ? this.#describeRepair(ensured, was) : null;
      this.#established = true;
      if (repaired !== null) this.#countRepair();
      const obstacle = this.#obstacle();
      this.#apply({
        type: "settled",
        link: {
          index: link.index,
          mtu: link.mtu,
          running: link.up && link.running,
          datapath: this.#datapath!.kind,
        },
        repaired,
        obstacle,
      });
      if (link.running && obstacle === null) this.#farEnd.attach(link, this.#under);
      else this.#farEnd.detach();
      this.#retryMs = RETRY_FIRST_MS;
      this.#later(SWEEP_MS);
    } catch (error) {
      if (this.#stopped) return;
      this.#farEnd.detach();
      this.#apply({ type: "failed", error: messageOf(error) });
      this.#later(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
    }
  }

  /** Lets the first datapath that can have the tunnel ensure it. */
  async #ensure(config: TunnelConfig): Promise<Ensured> {
    const able = this.#host.datapaths.filter(({ kind }) =>
      config.datapath === "auto" || config.datapath === kind
    );
    // Whoever has it keeps it.
    const order = [
      ...able.filter((one) => one === this.#datapath),
      ...able.filter((one) => one !== this.#datapath),
    ];
    const refusals: UnsupportedError[] = [];
    for (const datapath of order) {
      try {
        const ensured = await datapath.ensure(config);
        this.#datapath = datapath;
        return ensured;
      } catch (error) {
        if (!(error instanceof UnsupportedError)) throw error;
        refusals.push(error);
      }
    }
    const [first, ...rest] = refusals.map(({ message }) => message);
    if (first === undefined) {
      throw new Error(
        `Cannot create ${config.type} tunnel ${config.name}: there is no ${config.datapath} datapath here`,
      );
    }
    throw new Error(
      [first, ...rest.map((text) => text.replace(/^Cannot [^:]*: /, "in user space: "))].join("; "),
    );
  }

  #describeRepair(ensured: Ensured, was: readonly string[]): string | null {
    // One that had to be made again has lost everything else with it.
    if (ensured.did === "made") return "was deleted";
    const all = ensured.did === "corrected" ? ensured.was : was;
    return all.length === 0 ? null : all.join(", ");
  }

  #countRepair(): void {
    this.#repairTimes = [...this.#repairTimes, this.#host.now()].slice(-CROWD);
  }

  #apply(event: TunnelEvent): void {
    const before = this.#state;
    const now = { monoMs: this.#host.now(), wallMs: this.#host.wall() };
    this.#state = stepTunnel(this.#config, before, event, now);
    this.#armTick(now.monoMs);
    const changed = this.#state.status !== before.status;
    const repaired = event.type === "settled" ? event.repaired : null;
    if (!changed && repaired === null && this.#state.error === before.error) return;
    this.#host.report({
      name: this.#config.name,
      config: this.#config,
      state: this.#state,
      changed,
      from: before.status,
      repaired,
    });
  }

  #armTick(nowMs: number): void {
    if (this.#tickTimer !== null) clearTimeout(this.#tickTimer);
    this.#tickTimer = null;
    const dueMs = tickDue(this.#config, this.#state);
    if (this.#stopped || dueMs === Infinity) return;
    // A timer may fire a little early; the step would find that it is not yet time.
    this.#tickTimer = setTimeout(() => this.#apply({ type: "tick" }), Math.max(1, Math.ceil(dueMs - nowMs)));
  }
}
