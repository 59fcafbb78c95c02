/**
 * Why a tunnel will not work, or not well, on a machine, and what to type. Packet filters are the doctor's affair. Pure.
 *
 * @module
 */
import { greHeaderLength, IPV4_HEADER_LENGTH, IPV6_HEADER_LENGTH } from "../../../lib/packet/mod.ts";
import { ETHERNET_HEADER_LENGTH } from "../../../lib/packet/mod.ts";
import { bytesOf, isOverIpv6, isTap } from "../diff.ts";
import type { TunnelConfig } from "../model.ts";
import type { FactInterface, FactRoute, MachineFacts } from "./facts.ts";

/** Something that stands in a tunnel's way. */
export interface TunnelFinding {
  readonly tunnel: string;
  /** `error` = it cannot work like this; `warning` = it will not work for everything, or not always. */
  readonly severity: "error" | "warning";
  /** A sentence without a final period. */
  readonly what: string;
  /** What to type or write. */
  readonly fix: string;
  /** What more to type, so that it lasts. */
  readonly lasting?: readonly string[];
}

/** What else is known of how a tunnel is used. */
export interface TunnelUse {
  /** The user-space datapath is there for kernels without GRE. */
  readonly user?: boolean;
}

/** Bytes that the tunnel puts around each packet, from the outer IP header to the packet inside. */
export function tunnelOverhead(
  config: Pick<TunnelConfig, "type" | "checksum" | "sequence" | "okey">,
): number {
  const ip = isOverIpv6(config.type) ? IPV6_HEADER_LENGTH : IPV4_HEADER_LENGTH;
  const gre = greHeaderLength({
    protocol: 0,
    checksum: config.checksum,
    key: config.okey,
    sequence: config.sequence ? 0 : null,
  });
  return ip + gre + (isTap(config.type) ? ETHERNET_HEADER_LENGTH : 0);
}

function matches(route: FactRoute, address: Uint8Array): boolean {
  const base = bytesOf(route.destination);
  return base.length === address.length && base.every((byte, index) => {
    const bits = Math.max(0, Math.min(8, route.prefix - index * 8));
    return ((byte ^ address[index]!) & (0xff00 >> bits) & 0xff) === 0;
  });
}

/** The route of the main table that packets to an address take; null = none. */
export function routeTo(routes: readonly FactRoute[], address: string): FactRoute | null {
  const bytes = bytesOf(address);
  const found = routes.filter((route) => matches(route, bytes));
  return found.sort((a, b) => b.prefix - a.prefix || a.metric - b.metric)[0] ?? null;
}

/** Both halves of what the kernel makes of rp_filter: the stricter of `all` and the interface's own, loose (2) above strict (1). */
function effectiveRpFilter(facts: MachineFacts, name: string): number {
  const own = facts.rpFilter[name] ?? facts.rpFilter["default"] ?? 0;
  return Math.max(facts.rpFilter["all"] ?? 0, own);
}

type Tell = (
  severity: TunnelFinding["severity"],
  what: string,
  fix: string,
  lasting?: readonly string[],
) => void;

const LOOSE = 2;

/** The sysctl of an interface, or of all that are made from now on (`default`). */
function rpFilterOf(name: string): string {
  // With a dot in the interface's name the separators must be slashes.
  return name.includes(".") ? `net/ipv4/conf/${name}/rp_filter` : `net.ipv4.conf.${name}.rp_filter`;
}

/** What sets it at the next boot, and for what is made from then on. */
function persistent(name: string): string {
  return `echo '${rpFilterOf(name)} = ${LOOSE}' >> /etc/sysctl.d/90-appliance.conf   # for the next boot`;
}

function checkSupport(config: TunnelConfig, facts: MachineFacts, use: TunnelUse, tell: Tell): void {
  const { type, name, datapath } = config;
  if (facts.gre === null || datapath === "user") return;
  const offered = facts.gre.netlink[type];
  if (offered === true || (type === "gre" && facts.gre.ioctl)) return;
  if (offered === null) {
    return tell("error", `this process may not make tunnels`, "run it as root, or with CAP_NET_ADMIN");
  }
  const module = isOverIpv6(type) ? "ip6_gre" : "ip_gre";
  const failure = facts.moduleFailures[module];
  const why = failure === undefined ? "" : ` (modprobe ${module}: ${failure})`;
  if (datapath === "auto" && use.user) {
    return tell(
      "warning",
      `the kernel has no ${type} tunnels${why}, so ${name} runs in user space, which takes more of the processor`,
      `modprobe ${module}, where the kernel has it`,
    );
  }
  const neither = datapath === "auto" && use.user === false
    ? ", and there is no /dev/net/tun for one in user space"
    : "";
  tell(
    "error",
    `the kernel has no ${type} tunnels: module ${module} is missing${why}${neither}`,
    `modprobe ${module}${neither === "" ? "" : ", or modprobe tun (in a container, pass the device in)"}`,
  );
}

function checkName(config: TunnelConfig, facts: MachineFacts, tell: Tell): void {
  const { name } = config;
  const there = facts.interfaces.find((one) => one.name === name);
  if (there === undefined) return;
  if (["gre", "gretap", "ip6gre", "ip6gretap"].includes(there.kind ?? "")) return;
  if (there.kind === "tun" && config.datapath !== "kernel") return;
  tell(
    "error",
    `there is another interface ${name}, a ${there.kind ?? "hardware interface"}`,
    `rename the tunnel, or: ip link del ${name}`,
  );
}

function checkLocal(config: TunnelConfig, facts: MachineFacts, tell: Tell): FactInterface | null {
  const { local, dev } = config;
  const holder = facts.interfaces.find(({ addresses }) => addresses.includes(local)) ?? null;
  const six = isOverIpv6(config.type);
  if (holder === null && !facts.locals.includes(local)) {
    const others = facts.interfaces.filter(({ name }) => name !== "lo" && name !== config.name).flatMap((
      one,
    ) =>
      one.addresses.filter((address) => address.includes(":") === six && !address.startsWith("fe80:")).map(
        (address) => `${address} on ${one.name}`,
      )
    );
    const known = others.length === 0 ? "" : `; this machine has ${others.slice(0, 8).join(", ")}`;
    tell(
      "error",
      `its local address ${local} is on no interface${known}`,
      `write one of this machine's addresses as \`local\`, or: ip addr add ${local}/${six ? 64 : 24} dev ${
        dev ?? "INTERFACE"
      }`,
    );
  }
  if (dev !== null && !facts.interfaces.some(({ name }) => name === dev)) {
    tell("error", `its device ${dev} does not exist`, "write another `dev`, or leave it out");
  }
  return holder;
}

/** The interface that the outer packets leave by; null = not known. `holder` has the local address. */
function checkRemote(
  config: TunnelConfig,
  facts: MachineFacts,
  holder: FactInterface | null,
  tell: Tell,
): FactInterface | null {
  const { local, remote, name, dev } = config;
  const route = routeTo(facts.routes, remote);
  const find = (wanted: string | null) => facts.interfaces.find((one) => one.name === wanted) ?? null;
  const bound = find(dev);
  const leaving = bound ?? find(route?.dev ?? null);
  const down = [bound, holder, leaving].find((one) => one !== null && !one.up) ?? null;
  if (down !== null && down.name !== name) {
    const role = down === bound || down === leaving
      ? "by which its packets leave"
      : `which has its local address ${local}`;
    tell("error", `${down.name}, ${role}, is down`, `ip link set ${down.name} up`);
    // Its routes went with it: none is missing.
    return leaving;
  }
  if (route === null && dev === null) {
    tell("error", `there is no route to its far end ${remote}`, `ip route add ${remote} via GATEWAY`);
    return null;
  }
  if (route?.dev === name && dev === null) {
    tell(
      "error",
      `the route to its far end ${remote} leads through the tunnel itself`,
      `ip route add ${remote} via GATEWAY dev UNDERLAY`,
    );
    return null;
  }
  return dev === null ? leaving : bound;
}

function checkMtu(config: TunnelConfig, under: FactInterface | null, tell: Tell): void {
  if (config.mtu === null || under === null) return;
  const outer = config.mtu + tunnelOverhead(config);
  if (outer <= under.mtu) return;
  const most = under.mtu - tunnelOverhead(config);
  const how = config.pmtudisc || isOverIpv6(config.type)
    ? "full ones will be lost or refused"
    : "full ones will be cut into fragments";
  tell(
    "warning",
    `its mtu of ${config.mtu} makes outer packets of ${outer} bytes, but ${under.name} takes ${under.mtu}: ${how}`,
    `write mtu: ${most}, or raise the mtu of the whole path: ip link set ${under.name} mtu ${outer}`,
  );
}

function checkReversePath(
  config: TunnelConfig,
  facts: MachineFacts,
  holder: FactInterface | null,
  under: FactInterface | null,
  tell: Tell,
): void {
  if (!isOverIpv6(config.type) && holder !== null && under !== null && holder.name !== under.name) {
    if (holder.name !== "lo" && effectiveRpFilter(facts, holder.name) === 1) {
      tell(
        "warning",
        `strict rp_filter on ${holder.name} drops what comes from ${config.remote} there, because the way back ` +
          `leads by ${under.name}`,
        `sysctl -w ${rpFilterOf(holder.name)}=${LOOSE}`,
        [persistent(holder.name)],
      );
    }
  }
  if (effectiveRpFilter(facts, config.name) === 1) {
    const { name } = config;
    // A tunnel that is made begins with what `default` says: at first, and each time when it is made anew.
    const present = facts.rpFilter[name] === undefined ? [] : [`sysctl -w ${rpFilterOf(name)}=${LOOSE}`];
    const future = effectiveRpFilter(facts, "default") === 1
      ? [
        `sysctl -w ${rpFilterOf("default")}=${LOOSE}${
          present.length === 0 ? "" : "   # for when it is made anew"
        }`,
        persistent("default"),
      ]
      : [];
    const [fix, ...lasting] = [...present, ...future];
    tell(
      "warning",
      `strict rp_filter drops packets out of the tunnel whose sender this machine would answer by another way`,
      fix!,
      lasting,
    );
  }
}

function checkForwarding(config: TunnelConfig, facts: MachineFacts, tell: Tell): void {
  for (const family of ["ipv4", "ipv6"] as const) {
    const routed = config.routes.some(({ destination }) => destination.includes(":") === (family === "ipv6"));
    if (!routed || facts.forwarding[family] !== false) continue;
    const key = family === "ipv4" ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
    tell(
      "warning",
      `it has ${
        family === "ipv4" ? "IPv4" : "IPv6"
      } routes, but ${key} is 0: only packets of this machine take them`,
      `sysctl -w ${key}=1`,
    );
  }
}

/** Everything that stands in a tunnel's way on this machine, the worst first. */
export function tunnelFindings(
  config: TunnelConfig,
  facts: MachineFacts,
  use: TunnelUse = {},
): TunnelFinding[] {
  const findings: TunnelFinding[] = [];
  const tell: Tell = (severity, what, fix, lasting = []) => {
    findings.push({ tunnel: config.name, severity, what: `tunnel ${config.name}: ${what}`, fix, lasting });
  };
  checkSupport(config, facts, use, tell);
  checkName(config, facts, tell);
  const holder = checkLocal(config, facts, tell);
  const under = checkRemote(config, facts, holder, tell);
  checkMtu(config, under, tell);
  checkReversePath(config, facts, holder, under, tell);
  checkForwarding(config, facts, tell);
  const rank = { error: 0, warning: 1 };
  return findings.sort((a, b) => rank[a.severity] - rank[b.severity]);
}
