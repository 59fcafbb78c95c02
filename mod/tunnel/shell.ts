/**
 * All tunnels of a daemon, kept.
 *
 * @module
 */
import { diffByName } from "../../lib/compare/mod.ts";
import {
  NETLINK_ROUTE,
  NetlinkConnection,
  NetlinkListener,
  parseRouteEvent,
  RTNLGRP,
} from "../../lib/netlink/mod.ts";
import { ReadableWatch } from "../../lib/runtime/readable.ts";
import type { Datapath } from "./datapath.ts";
import { createKernelDatapath, type KernelWay } from "./kernel.ts";
import type { TunnelConfig, TunnelReport, TunnelSnapshot } from "./model.ts";
import { createModuleLoader } from "./modules.ts";
import { TunnelTask } from "./task.ts";

/** The tunnels that are kept. */
export interface TunnelKeeper {
  /**
   * Keeps these tunnels from now on. One whose configuration is the same goes on untouched; a changed one is changed in
   * place where the kernel can; one that is no longer there is removed, unless it says `keep`.
   */
  update(configs: readonly TunnelConfig[]): void;
  /**
   * Stops keeping, and removes the tunnels that do not say `keep`; with `handedOn` all stay as they are, and go on
   * working until another daemon keeps them. Nothing is reported afterwards. Never rejects.
   */
  stop(options?: { readonly handedOn?: boolean }): Promise<void>;
  /** What is known of each, in the order of the configuration. */
  snapshot(): readonly TunnelSnapshot[];
}

/** How a keeper differs from the usual. */
export interface TunnelKeeperOptions {
  /** The user-space datapath; null = there is none, so `auto` means the kernel. */
  readonly user?: Datapath | null;
  /** In place of the kernel's (tests). */
  readonly kernel?: Datapath;
  /** How the kernel is asked for tunnels; default: netlink, then ioctl. */
  readonly ways?: readonly KernelWay[];
  /** May kernel modules be loaded by modprobe? Default: yes. */
  readonly modprobe?: boolean;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Milliseconds since 1970. */
  readonly wall?: () => number;
}

const GROUPS = [RTNLGRP.LINK, RTNLGRP.IPV4_IFADDR, RTNLGRP.IPV6_IFADDR];
const ROUTE_GROUPS = [RTNLGRP.IPV4_ROUTE, RTNLGRP.IPV6_ROUTE];

/**
 * Makes tunnels and keeps them, in the network namespace of the calling thread. `onReport` is called when a tunnel's
 * status turned (then `changed`), when something of it was put back (`repaired`), and when something new is wrong.
 * Names are unique.
 *
 * @throws SyscallError when there is no netlink.
 */
export function createTunnelKeeper(
  configs: readonly TunnelConfig[],
  onReport: (report: TunnelReport) => void,
  options: TunnelKeeperOptions = {},
): TunnelKeeper {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  const watch = new ReadableWatch();
  const modules = createModuleLoader(options.modprobe ?? true);
  const kernel = options.kernel ??
    createKernelDatapath({
      connection,
      modules,
      ...(options.ways === undefined ? {} : { ways: options.ways }),
    });
  let stopped = false;
  const host = {
    connection,
    datapaths: options.user ? [kernel, options.user] : [kernel],
    now: options.now ?? (() => performance.now()),
    wall: options.wall ?? (() => Date.now()),
    watch,
    report: (report: TunnelReport) => {
      if (!stopped) onReport(report);
    },
  };
  let tasks: readonly TunnelTask[] = [];
  /** Tunnels of former configurations on their way out; one of the same name must wait for its end. */
  const leaving = new Map<string, Promise<void>>();
  let listener: NetlinkListener | null = null;
  let hearsRoutes = false;

  function hear(): void {
    const concerned = new Set<TunnelTask>();
    const result = listener!.drain((message) => {
      const event = parseRouteEvent(message);
      if (event === null) return;
      for (const task of tasks) if (!concerned.has(task) && task.concerns(event)) concerned.add(task);
    });
    // What was lost may have been about any of them.
    for (const task of result === "overrun" ? tasks : concerned) task.poke();
  }

  /** Routes of a router with full tables change all the time: they are listened to only where it matters. */
  function listen(wanted: readonly TunnelConfig[]): void {
    const routes = wanted.some((config) => config.routes.length > 0);
    if (listener !== null && routes === hearsRoutes) return;
    const fresh = new NetlinkListener(NETLINK_ROUTE, routes ? [...GROUPS, ...ROUTE_GROUPS] : GROUPS);
    silence();
    listener = fresh;
    hearsRoutes = routes;
    watch.add(fresh.fd, hear);
  }

  function silence(): void {
    if (listener === null) return;
    watch.remove(listener.fd);
    listener.close();
    listener = null;
  }

  function retire(task: TunnelTask): void {
    const { name, keep } = task.config;
    const gone = task.stop(!keep).finally(() => {
      if (leaving.get(name) === gone) leaving.delete(name);
    });
    leaving.set(name, gone);
  }

  function update(wanted: readonly TunnelConfig[]): void {
    if (stopped) return;
    const diff = diffByName(tasks.map(({ config }) => config), wanted);
    const old = new Map(tasks.map((task) => [task.config.name, task]));
    for (const name of diff.removed) retire(old.get(name)!);
    // Before anything is made: what happens to it from then on is heard.
    if (wanted.length > 0) listen(wanted);
    else silence();
    for (const config of diff.changed) old.get(config.name)!.reconfigure(config);
    tasks = wanted.map((config) => {
      return old.get(config.name) ?? new TunnelTask(config, host, leaving.get(config.name));
    });
  }

  update(configs);
  return {
    update,
    async stop({ handedOn = false } = {}) {
      stopped = true;
      silence();
      const last = tasks;
      tasks = [];
      await Promise.all([
        ...leaving.values(),
        ...last.map((task) => task.stop(!handedOn && !task.config.keep)),
      ]);
      await Promise.all(host.datapaths.map((datapath) => datapath.end?.(handedOn)));
      watch.close();
      connection.close();
    },
    snapshot: () => tasks.map(({ config, state }) => ({ config, state })),
  };
}
