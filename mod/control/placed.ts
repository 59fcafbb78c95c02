/**
 * Which routes and rules this daemon may have put into the kernel, kept in the runtime directory: what a crashed one left
 * and the config no longer names can be told from what another daemon, which marks its own alike, has there.
 *
 * @module
 */
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listLinks, NETLINK_ROUTE, NetlinkConnection } from "../../lib/netlink/mod.ts";
import { reasonOf } from "../../lib/runtime/mod.ts";
import type { Config } from "../config/model.ts";
import { bootId } from "../heartbeat/shell.ts";
import type { RouteConfig, RuleConfig } from "../route/config.ts";
import type { Item } from "../route/model.ts";
import { planItems } from "../route/plan.ts";
import { removeItems } from "../route/shell.ts";

/** Name of the file in the runtime directory; it is there while something may be in the kernel. */
const FILE = "placed.json";

type Wanted = Pick<Config, "vrrp" | "static">;

/** Routes and rules that are gone when a daemon has ended in good order. */
interface Placed {
  readonly routes: readonly RouteConfig[];
  readonly rules: readonly RuleConfig[];
}

/** Where they were placed: of another boot or another network namespace nothing is known. */
interface Place {
  readonly bootId: string;
  readonly namespace: string;
}

const NOTHING: Placed = { routes: [], rules: [] };

function placeNow(): Place {
  return { bootId: bootId(), namespace: readlinkSync("/proc/self/ns/net") };
}

/** What is to be kept when the daemon stops is nothing that it leaves behind. */
function placedBy({ vrrp, static: always }: Wanted): Placed {
  const owners = always.keep ? vrrp : [...vrrp, always];
  return { routes: owners.flatMap(({ routes }) => routes), rules: owners.flatMap(({ rules }) => rules) };
}

function isEmpty({ routes, rules }: Placed): boolean {
  return routes.length + rules.length === 0;
}

function read(runtimeDir: string): Placed {
  try {
    const { bootId, namespace, routes, rules } = JSON.parse(
      readFileSync(join(runtimeDir, FILE), "utf8"),
    ) as Partial<Placed & Place>;
    const here = placeNow();
    const good = bootId === here.bootId && namespace === here.namespace;
    return good && Array.isArray(routes) && Array.isArray(rules) ? { routes, rules } : NOTHING;
  } catch {
    // None, or none of ours: what nobody knows of is left alone.
    return NOTHING;
  }
}

function write(runtimeDir: string, placed: Placed): void {
  const path = join(runtimeDir, FILE);
  if (isEmpty(placed)) return rmSync(path, { force: true });
  mkdirSync(runtimeDir, { recursive: true, mode: 0o750 });
  writeFileSync(`${path}.new`, JSON.stringify({ ...placeNow(), ...placed }) + "\n", { mode: 0o640 });
  renameSync(`${path}.new`, path);
}

/** Those that stood in one config and that another one does not want, whoever it gives them to. */
export function forsaken(
  placed: Placed,
  { vrrp, static: always }: Wanted,
  indexOf: (name: string) => number | null,
): readonly Item[] {
  const wanted = [...vrrp, always].flatMap(({ routes, rules }) => planItems(routes, rules, indexOf).items);
  const keys = new Set(wanted.map(({ key }) => key));
  return planItems(placed.routes, placed.rules, indexOf).items.filter(({ key }) => !keys.has(key));
}

/** What the keeper of the file tells. */
export interface PlacedListener {
  /** The file cannot be kept, or what it names not be removed: why. */
  readonly failed: (problem: string) => void;
  /** Something of an earlier run was removed. */
  readonly removed: (text: string) => void;
}

/** Keeps the file as configs come and go. */
export class PlacedKeeper {
  readonly #listener: PlacedListener;
  #runtimeDir: string | null = null;
  #placed: Placed = NOTHING;

  constructor(listener: PlacedListener) {
    this.#listener = listener;
  }

  /** This config is about to be in force: until {@link settle} what is there may be of it or of the one before. */
  expect(config: Pick<Config, "vrrp" | "static" | "runtimeDir">): void {
    const before = this.#runtimeDir === null ? read(config.runtimeDir) : this.#placed;
    const { routes, rules } = placedBy(config);
    this.#keep(this.#runtimeDir ?? config.runtimeDir, {
      routes: [...before.routes, ...routes],
      rules: [...before.rules, ...rules],
    });
  }

  /**
   * This config is in force.
   *
   * @param first The engine has begun with it: what else there is of the file's was left by a daemon before, and goes. Later
   *   the engine removes what it has put, some of it only when a successor has been heard.
   */
  settle(config: Pick<Config, "vrrp" | "static" | "runtimeDir">, first: boolean): void {
    const before = this.#placed;
    const old = this.#runtimeDir;
    if (old !== null && old !== config.runtimeDir) this.#keep(old, NOTHING);
    this.#keep(config.runtimeDir, placedBy(config));
    if (first && !isEmpty(before)) this.#remove(before, config);
  }

  /** Nothing of ours is left. */
  clear(): void {
    if (this.#runtimeDir !== null) this.#keep(this.#runtimeDir, NOTHING);
  }

  #keep(runtimeDir: string, placed: Placed): void {
    this.#runtimeDir = runtimeDir;
    this.#placed = placed;
    try {
      write(runtimeDir, placed);
    } catch (error) {
      const rest = "routes and rules that a crash leaves may stay when the config no longer names them";
      this.#listener.failed(`Cannot write ${join(runtimeDir, FILE)}: ${reasonOf(error)}; ${rest}`);
    }
  }

  #remove(placed: Placed, config: Wanted): void {
    const connection = new NetlinkConnection(NETLINK_ROUTE);
    try {
      const indexes = new Map(listLinks(connection).map(({ name, index }) => [name, index]));
      const removed = removeItems(connection, forsaken(placed, config, (name) => indexes.get(name) ?? null));
      if (removed.length === 0) return;
      this.#listener.removed(`removed ${removed.join(", ")}, left behind by an earlier run`);
    } catch (error) {
      this.#listener.failed(`Cannot remove what an earlier run left: ${reasonOf(error)}`);
    } finally {
      connection.close();
    }
  }
}
