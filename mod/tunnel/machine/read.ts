/**
 * Finding out what of this machine decides whether tunnels can work on it.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import {
  listAddresses,
  listLinks,
  listRoutes,
  NETLINK_ROUTE,
  NetlinkConnection,
} from "../../../lib/netlink/mod.ts";
import { RT_TABLE_MAIN } from "../../../lib/netlink/mod.ts";
import { formatAddress } from "../../../lib/packet/address.ts";
import type { TunnelConfig } from "../model.ts";
import { createModuleLoader, moduleOf } from "../modules.ts";
import { hasLocalAddress } from "../path.ts";
import { type KernelGre, probeKernelGre } from "../support.ts";
import type { FactInterface, FactRoute, MachineFacts } from "./facts.ts";

const IPV4_CONF = "/proc/sys/net/ipv4/conf";

function readNumber(path: string): number | null {
  try {
    const number = Number(readFileSync(path, "utf8"));
    return Number.isNaN(number) ? null : number;
  } catch {
    return null;
  }
}

function readInterfaces(
  connection: NetlinkConnection,
): readonly (FactInterface & { readonly index: number })[] {
  const addresses = listAddresses(connection);
  return listLinks(connection).map(({ index, name, kind, up, mtu }) => ({
    index,
    name,
    kind,
    up,
    mtu,
    addresses: addresses.filter(({ ifindex }) => ifindex === index).map(({ local }) => formatAddress(local)),
  }));
}

function readRoutes(connection: NetlinkConnection, names: ReadonlyMap<number, string>): FactRoute[] {
  return listRoutes(connection, { table: RT_TABLE_MAIN }).map(({ family, destination, ifindex, metric }) => ({
    destination: destination === null
      ? family === "ipv4" ? "0.0.0.0" : "::"
      : formatAddress(destination.address),
    prefix: destination?.prefix ?? 0,
    dev: ifindex === null ? null : names.get(ifindex) ?? null,
    metric: metric ?? 0,
  }));
}

function readRpFilter(): Record<string, number> {
  const values: Record<string, number> = {};
  try {
    for (const name of readdirSync(IPV4_CONF)) {
      const value = readNumber(`${IPV4_CONF}/${name}/rp_filter`);
      if (value !== null) values[name] = value;
    }
  } catch {
    // No /proc/sys: nothing is known, so nothing is said.
  }
  return values;
}

function probe(): KernelGre | null {
  try {
    return probeKernelGre();
  } catch {
    return null;
  }
}

/** What the kernel offers, after it was helped to load what these tunnels need; and why that failed. */
async function readSupport(
  configs: readonly TunnelConfig[],
  modprobe: boolean,
): Promise<Pick<MachineFacts, "gre" | "moduleFailures">> {
  const first = probe();
  const missing = new Set(
    configs.filter(({ type }) => first?.netlink[type] === false).map(({ type }) => moduleOf(type)),
  );
  if (missing.size === 0 || !modprobe) return { gre: first, moduleFailures: {} };
  const loader = createModuleLoader(true);
  const failures: Record<string, string> = {};
  for (const module of missing) {
    const failure = await loader.load(module);
    if (failure !== null) failures[module] = failure;
  }
  return { gre: probe(), moduleFailures: failures };
}

/**
 * Reads what these tunnels depend on, in the network namespace of the calling thread. `modprobe`: missing modules may be
 * loaded. Throws SyscallError when there is no netlink.
 */
export async function readMachineFacts(
  configs: readonly TunnelConfig[],
  options: { readonly modprobe?: boolean } = {},
): Promise<MachineFacts> {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  let interfaces: ReturnType<typeof readInterfaces>;
  let routes: FactRoute[];
  try {
    interfaces = readInterfaces(connection);
    routes = readRoutes(connection, new Map(interfaces.map(({ index, name }) => [index, name])));
  } finally {
    connection.close();
  }
  const four = readNumber("/proc/sys/net/ipv4/ip_forward");
  const six = readNumber("/proc/sys/net/ipv6/conf/all/forwarding");
  return {
    interfaces: interfaces.map(({ index: _, ...rest }) => rest),
    locals: configs.filter(hasLocalAddress).map(({ local }) => local),
    routes,
    forwarding: { ipv4: four === null ? null : four !== 0, ipv6: six === null ? null : six !== 0 },
    rpFilter: readRpFilter(),
    ...await readSupport(configs, options.modprobe ?? true),
  };
}
