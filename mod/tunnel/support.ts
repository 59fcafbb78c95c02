/**
 * What a machine's kernel offers for GRE, found out without making anything.
 *
 * @module
 */
import { EOPNOTSUPP, EPERM, SyscallError } from "../../lib/libc/errno.ts";
import { offersIpTunnels } from "../../lib/libc/ip_tunnel.ts";
import { deleteLink, NETLINK_ROUTE, NetlinkConnection } from "../../lib/netlink/mod.ts";
import { beginLink, newLinkRequest } from "../../lib/netlink/link_message.ts";
import type { TunnelType } from "./model.ts";

const TYPES: readonly TunnelType[] = ["gre", "gretap", "ip6gre", "ip6gretap"];
const IFLA_GRE_IFLAGS = 2;
/** Flags that no kernel takes for a tunnel of these kinds: GRE version 7. */
const IMPOSSIBLE_FLAGS = 0x0007;
const PROBE_NAME = "gre-probe";

/** What a kernel offers. */
export interface KernelGre {
  /** By netlink, for each type; null = not to be found out (not permitted). */
  readonly netlink: Readonly<Record<TunnelType, boolean | null>>;
  /** Classic `gre` by the SIOCADDTUNNEL ioctl. */
  readonly ioctl: boolean;
}

/** A kernel that knows the kind looks at the flags and refuses them; one that does not says so. */
function offersType(connection: NetlinkConnection, type: TunnelType): boolean | null {
  const builder = beginLink(PROBE_NAME, type).attrBe16(IFLA_GRE_IFLAGS, IMPOSSIBLE_FLAGS).end().end();
  try {
    connection.request(newLinkRequest(builder, `ask for ${type} tunnels`));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.errno === EPERM) return null;
    return error.errno !== EOPNOTSUPP;
  }
  // A kernel that takes anything.
  deleteLink(connection, PROBE_NAME, PROBE_NAME, { missing: "ok" });
  return true;
}

/**
 * Asks the kernel of the calling thread's namespace. The kernel itself loads the module that it needs to answer, where
 * it can. Throws SyscallError when there is no netlink at all.
 */
export function probeKernelGre(): KernelGre {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    const entries = TYPES.map((type) => [type, offersType(connection, type)] as const);
    return {
      netlink: Object.fromEntries(entries) as Record<TunnelType, boolean | null>,
      ioctl: offersIpTunnels(),
    };
  } finally {
    connection.close();
  }
}
