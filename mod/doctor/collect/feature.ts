/**
 * What the kernel offers, found out without making or loading anything: by its lists of modules, and where these do not
 * tell, by asking for it in a network namespace that is thrown away at once.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { release } from "node:os";
import {
  closeFd,
  EACCES,
  EOPNOTSUPP,
  EPERM,
  inNewNetns,
  O_CLOEXEC,
  O_RDWR,
  openFile,
  SyscallError,
} from "../../../lib/libc/mod.ts";
import {
  beginRequest,
  deleteTableRequest,
  endRequest,
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkConnection,
  newTableRequest,
  resolveFamily,
} from "../../../lib/netlink/mod.ts";
import { beginLink, newLinkRequest } from "../../../lib/netlink/link_message.ts";
import { type Feature, FEATURES, type FeatureState } from "../model.ts";
import { readText } from "./machine.ts";

const TUN_PATH = "/dev/net/tun";

/** Names of modules, all with underscores. */
interface Modules {
  /** Loaded or built in. */
  readonly there: ReadonlySet<string>;
  readonly onDisk: ReadonlySet<string>;
}

function names(text: string | null): string[] {
  return (text ?? "").split("\n").map((line) =>
    line.split(":")[0]!.replace(/^.*\//, "").replace(/\.ko.*$/, "").replaceAll("-", "_")
  );
}

function readModules(): Modules {
  const folder = `/lib/modules/${release()}`;
  const loaded = (readText("/proc/modules") ?? "").split("\n").map((line) => line.split(" ")[0]!);
  return {
    there: new Set([...loaded, ...names(readText(`${folder}/modules.builtin`))]),
    onDisk: new Set(names(readText(`${folder}/modules.dep`))),
  };
}

/** Asks for a link of a kind without saying enough to get one: a kernel that does not know the kind says just that. */
function offersKind(kind: string): boolean {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    connection.request(newLinkRequest(beginLink("doctor0", kind).end().end(), `ask for ${kind}`));
    return true;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.errno !== EOPNOTSUPP;
  } finally {
    connection.close();
  }
}

function offersIpvs(): boolean {
  const connection = new NetlinkConnection(NETLINK_GENERIC);
  try {
    return resolveFamily(connection, "IPVS") !== null;
  } finally {
    connection.close();
  }
}

function offersNftables(): boolean {
  const table = "doctor";
  try {
    const connection = new NetlinkConnection(NETLINK_NETFILTER);
    try {
      const requests = [newTableRequest(table, false), deleteTableRequest(table)];
      connection.transaction(beginRequest("ask for nftables"), requests, endRequest("ask for nftables"));
      return true;
    } finally {
      connection.close();
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return false;
  }
}

const ASK: Readonly<Record<Exclude<Feature, "tun">, () => boolean>> = {
  macvlan: () => offersKind("macvlan"),
  ip_gre: () => offersKind("gretap"),
  ip6_gre: () => offersKind("ip6gretap"),
  ip_vs: offersIpvs,
  nf_tables: offersNftables,
};

function askKernel(feature: Exclude<Feature, "tun">): FeatureState {
  try {
    return inNewNetns(ASK[feature]) ? "there" : "missing";
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return "unknown";
  }
}

function askTun(): FeatureState {
  if (!existsSync(TUN_PATH)) return "missing";
  try {
    closeFd(openFile(TUN_PATH, O_RDWR | O_CLOEXEC));
    return "there";
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.errno === EPERM || error.errno === EACCES ? "unknown" : "missing";
  }
}

/** What is there of everything that some config may need. Throws nothing but what is a mistake of this program. */
export function readFeatures(): Record<Feature, FeatureState> {
  const { there, onDisk } = readModules();
  const state = (feature: Feature): FeatureState => {
    if (feature === "tun") {
      // A container may have the module and not the device.
      if (onDisk.has("tun") && !there.has("tun")) return "loadable";
      return askTun();
    }
    if (there.has(feature)) return "there";
    // To ask for it would load it.
    if (onDisk.has(feature)) return "loadable";
    return askKernel(feature);
  };
  return Object.fromEntries(FEATURES.map((feature) => [feature, state(feature)])) as Record<
    Feature,
    FeatureState
  >;
}
