/**
 * Tunnels by the kernel's own GRE: made, changed and removed by netlink; classic `gre` also by the older ioctls.
 *
 * @module
 */
import { EEXIST, ENODEV, EOPNOTSUPP, SyscallError } from "../../lib/libc/errno.ts";
import { addIpTunnel, changeIpTunnel, deleteIpTunnel, type IpTunnel } from "../../lib/libc/ip_tunnel.ts";
import {
  changeTunnel,
  createTunnel,
  deleteLink,
  getLink,
  type Link,
  listLinks,
  type NetlinkConnection,
  setLink,
  type TunnelSpec,
} from "../../lib/netlink/mod.ts";
import { type Datapath, type Ensured, UnsupportedError } from "./datapath.ts";
import { bytesOf, compareLink, isTap, specOf } from "./diff.ts";
import type { TunnelConfig } from "./model.ts";
import { type ModuleLoader, moduleOf } from "./modules.ts";

/** How the kernel is asked for a tunnel. */
export type KernelWay = "netlink" | "ioctl";

/** What the kernel's datapath works with. */
export interface KernelDatapathOptions {
  readonly connection: NetlinkConnection;
  readonly modules: ModuleLoader;
  /** In this order; the next one is tried where one does not know the type. Default: netlink, then ioctl. */
  readonly ways?: readonly KernelWay[];
}

function hasErrno(error: unknown, errno: number): boolean {
  return error instanceof SyscallError && error.errno === errno;
}

function ipTunnelOf(spec: TunnelSpec): IpTunnel {
  return {
    name: spec.name,
    link: spec.link ?? 0,
    ikey: spec.ikey ?? null,
    okey: spec.okey ?? null,
    csum: spec.csum ?? false,
    seq: spec.seq ?? false,
    local: spec.local,
    remote: spec.remote,
    ttl: spec.ttl ?? 64,
    tos: spec.tos ?? 0,
    pmtudisc: spec.pmtudisc ?? true,
  };
}

/** Another link that has the addresses and key that a new one was refused for. */
function twinOf(connection: NetlinkConnection, config: TunnelConfig): Link | null {
  const { type, local, remote, ikey } = config;
  const wanted = [type, bytesOf(local).join(), bytesOf(remote).join(), ikey].join();
  return listLinks(connection).find(({ tunnel, name }) =>
    tunnel !== null && name !== config.name &&
    [tunnel.type, tunnel.local.join(), tunnel.remote.join(), tunnel.ikey].join() === wanted
  ) ?? null;
}

/** The kernel's datapath. */
export function createKernelDatapath(options: KernelDatapathOptions): Datapath {
  const { connection, modules, ways = ["netlink", "ioctl"] } = options;
  /** MAC addresses of taps: one that is made again keeps its own, so that the far end need not learn another. */
  const macs = new Map<string, Uint8Array>();

  function underOf(config: TunnelConfig): number | null {
    if (config.dev === null) return null;
    const under = getLink(connection, config.dev);
    if (under !== null) return under.index;
    throw new Error(
      `Cannot create ${config.type} tunnel ${config.name}: interface ${config.dev} does not exist yet`,
    );
  }

  /** Makes the link by the first way that knows its type; null = none does. */
  function tryCreate(spec: TunnelSpec): KernelWay | null {
    for (const way of ways) {
      try {
        if (way === "netlink") createTunnel(connection, spec);
        else if (spec.type !== "gre") continue;
        else {
          addIpTunnel(ipTunnelOf(spec));
          if (spec.mtu !== undefined) setLink(connection, spec.name, { mtu: spec.mtu });
        }
        return way;
      } catch (error) {
        const unknown = hasErrno(error, EOPNOTSUPP) || (way === "ioctl" && hasErrno(error, ENODEV));
        if (!unknown) throw error;
      }
    }
    return null;
  }

  async function create(config: TunnelConfig, under: number | null): Promise<void> {
    const spec = specOf(config, under, macs.get(config.name) ?? null);
    try {
      if (tryCreate(spec) !== null) return;
      const module = moduleOf(config.type);
      const failure = await modules.load(module);
      if (failure === null && tryCreate(spec) !== null) return;
      throw new UnsupportedError(
        `Cannot create ${config.type} tunnel ${config.name}: this kernel has no ${config.type} ` +
          `(modprobe ${module}: ${failure ?? "done, but it did not help"})`,
      );
    } catch (error) {
      if (!hasErrno(error, EEXIST)) throw error;
      const twin = twinOf(connection, config);
      if (twin === null) throw error;
      throw new Error(
        `Cannot create ${config.type} tunnel ${config.name}: ${twin.name} has its addresses and key already ` +
          `(remove it: ip link del ${twin.name})`,
        { cause: error },
      );
    }
  }

  /** Changes a link in place. False when the kernel refuses, or takes it and has something else afterwards. */
  function change(config: TunnelConfig, link: Link, under: number | null): boolean {
    const spec = specOf(config, under, null);
    try {
      if (ways[0] === "netlink") changeTunnel(connection, link.index, spec);
      else changeIpTunnel(ipTunnelOf(spec));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return false;
    }
    return compareLink(config, getLink(connection, config.name), under).type === "same";
  }

  function removeLink(link: Link): void {
    if (ways[0] === "netlink" || link.tunnel?.type !== "gre") {
      deleteLink(connection, link.index, link.name, { missing: "ok" });
    } else deleteIpTunnel(link.name);
  }

  async function replace(config: TunnelConfig, link: Link, under: number | null): Promise<void> {
    removeLink(link);
    await create(config, under);
    const verdict = compareLink(config, getLink(connection, config.name), under);
    if (verdict.type !== "differs") return;
    throw new Error(
      `Cannot create ${config.type} tunnel ${config.name} as configured: ${verdict.differences.join(", ")}`,
    );
  }

  async function ensure(config: TunnelConfig): Promise<Ensured> {
    const under = underOf(config);
    const link = getLink(connection, config.name);
    const verdict = compareLink(config, link, under);
    if (link !== null && isTap(config.type) && link.mac.length === 6 && verdict.type !== "foreign") {
      macs.set(config.name, link.mac.slice());
    }
    switch (verdict.type) {
      case "missing":
        await create(config, under);
        return { did: "made" };
      case "same":
        return { did: "nothing" };
      case "foreign":
        throw foreign(config, verdict.kind);
      case "differs":
        if (!change(config, link!, under)) await replace(config, link!, under);
        return { did: "corrected", was: verdict.differences };
      case "retype":
        await replace(config, link!, under);
        return { did: "corrected", was: verdict.differences };
      default:
        return verdict satisfies never;
    }
  }

  return {
    kind: "kernel",
    ensure,
    // deno-lint-ignore require-await -- failures reject
    async remove(config) {
      macs.delete(config.name);
      const link = getLink(connection, config.name);
      // Whatever else has that name by now is not ours.
      if (link?.tunnel) removeLink(link);
    },
  };
}

function foreign(config: TunnelConfig, kind: string): Error {
  const { name, type } = config;
  const text = `Cannot create ${type} tunnel ${name}: there is another interface of that name, a ${kind} ` +
    `(rename the tunnel, or remove it: ip link del ${name})`;
  // A TUN or TAP device may be that of the user-space datapath: that one is to judge.
  return kind === "tun" ? new UnsupportedError(text) : new Error(text);
}
