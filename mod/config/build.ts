/**
 * From a file without mistakes to the config: defaults filled in, units converted.
 *
 * @module
 */
import { hostname } from "node:os";
import { join } from "node:path";
import type { HttpRequest, ProbeCommon, ProbeConfig, StatusRange } from "../probe/model.ts";
import type { StaticConfig } from "../route/config.ts";
import type { AuthConfig, Family, TrackConfig, VipConfig, VmacConfig, VrrpConfig } from "../vrrp/config.ts";
import { deviceOf, familiesOf, lastAddress, vmacName } from "./check/address.ts";
import { familiesOfGroup, routeName, trackedFamily } from "./check/track.ts";
import { routeOf, ruleOf } from "./build_route.ts";
import { tunnelOf } from "./build_tunnel.ts";
import { secretOf } from "./check/files.ts";
import { PASS_BYTES } from "./check/vrrp.ts";
import { DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "./model.ts";
import type { Config, NotifyConfig } from "./model.ts";
import type { RawConfig } from "./schema.ts";
import type { RawGroup } from "./schema/group.ts";
import type { RawVip } from "./schema/address.ts";
import { PROBE_DEFAULTS } from "./schema/probe.ts";
import type { RawProbe } from "./schema/probe.ts";
import { VRRP_DEFAULTS } from "./schema/vrrp.ts";
import type { RawInstance } from "./schema/vrrp.ts";

/** A value that the checks made sure of. */
function sure<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error("Cannot build the config: a required value slipped through the checks");
  }
  return value;
}

/** Contents of the files that the config names. */
type Contents = ReadonlyMap<string, string>;

/** An address of an instance, on the interface that carries it. */
function instanceVipOf(instance: RawInstance, raw: RawVip): VipConfig {
  if (instance.vmac === undefined) return vipOf(raw);
  return { ...vipOf(raw), dev: deviceOf(instance, raw) ?? null };
}

function vmacOf(raw: RawInstance, family: Family): VmacConfig | null {
  const name = vmacName(raw, family);
  if (raw.vmac === undefined || name === null) return null;
  // Unicast is between the routers' own addresses.
  return { name, advertise: raw.peers === undefined ? raw.vmac.advertise ?? "vmac" : "base" };
}

function vipOf(raw: RawVip): VipConfig {
  const address = sure(raw.address);
  const { broadcast } = raw;
  return {
    address: address.text,
    prefix: address.prefix,
    dev: raw.dev ?? null,
    label: raw.label ?? null,
    scope: raw.scope ?? null,
    broadcast: broadcast === undefined ? null : broadcast === "+" ? lastAddress(address) : broadcast.text,
  };
}

function staticOf(raw: RawConfig["static"]): StaticConfig {
  const { addresses = [], routes = [], rules = [], keep = false } = raw ?? {};
  return {
    addresses: addresses.map(sure).map((entry) => ({ ...vipOf(entry), dev: sure(entry.dev) })),
    routes: routes.map((route) => routeOf(sure(route))),
    rules: rules.map((rule) => ruleOf(sure(rule))),
    keep,
  };
}

/** The first bytes of a password, cut at a whole character. */
function firstBytes(key: string, count: number): string {
  let length = 0;
  let out = "";
  for (const char of key) {
    length += new TextEncoder().encode(char).length;
    if (length > count) break;
    out += char;
  }
  return out;
}

function authOf(raw: RawInstance, contents: Contents): AuthConfig {
  const { auth } = raw;
  if (auth === undefined) return { type: "none" };
  const key = auth.key ?? secretOf(sure(contents.get(sure(auth.key_file))));
  return { type: sure(auth.type), key: firstBytes(key, PASS_BYTES) };
}

/** @param families Of the virtual addresses of whoever tracks. */
function trackOf(raw: RawInstance["track"], families: readonly Family[]): readonly TrackConfig[] {
  return (raw ?? []).map((entry): TrackConfig => {
    const track = sure(entry);
    const weight = track.weight === undefined || track.weight === 0 ? null : track.weight;
    const common = { weight, reverse: track.reverse ?? false };
    if (track.instance !== undefined) {
      return { kind: "instance", name: track.instance, ...common, state: track.state ?? "up" };
    }
    if (track.route !== undefined) {
      const family = trackedFamily(track, families);
      return { kind: "route", name: routeName(family), ...common, family };
    }
    const kind = track.probe !== undefined ? "probe" : track.tunnel !== undefined ? "tunnel" : "interface";
    return { kind, name: sure(track[kind]), ...common };
  });
}

/** A group's part in the config of its members. */
interface Membership {
  readonly group: string;
  /** What moves the priority of all of them, and what means FAULT for the group. */
  readonly track: readonly TrackConfig[];
}

/**
 * What all members of a group track: what the group does, and what moves the priority of any one of them, lest they
 * disagree on who is to be master. Each thing counts once.
 */
function sharedTrack(raw: RawConfig, group: RawGroup): readonly TrackConfig[] {
  const members = sure(group.members).map((name) => sure(raw.vrrp?.[sure(name)]));
  const tracks = [
    ...trackOf(group.track, familiesOfGroup(raw, group)),
    ...members.flatMap((member) =>
      trackOf(member.track, familiesOf(member)).filter(({ weight }) => weight !== null)
    ),
  ];
  const seen = new Set<string>();
  return tracks.filter(({ kind, name }) => !seen.has(`${kind}:${name}`) && seen.add(`${kind}:${name}`));
}

/** The virtual routers of one instance: one for each family of its addresses, moving together when there are two. */
function routersOf(
  unit: string,
  raw: RawInstance,
  membership: Membership | null,
  contents: Contents,
  links: RawConfig["links"],
): readonly VrrpConfig[] {
  const families = familiesOf(raw);
  return families.map((family) => {
    const name = families.length === 2 && family === "ipv6" ? `${unit}:ipv6` : unit;
    // No group that somebody writes can be called so.
    const group = membership?.group ?? (families.length === 2 ? `@${unit}` : null);
    return { ...routerOf(family, raw, contents, membership?.track ?? null, links), name, unit, group };
  });
}

function routerOf(
  family: Family,
  raw: RawInstance,
  contents: Contents,
  shared: readonly TrackConfig[] | null,
  links: RawConfig["links"],
): Omit<VrrpConfig, "name" | "unit" | "group"> {
  const { announce = {}, preempt = true } = raw;
  const own = trackOf(raw.track, familiesOf(raw));
  // What moves the priority of a member of a group is among what the group shares.
  const tracks = shared === null ? own : [...own.filter(({ weight }) => weight === null), ...shared];
  return {
    family,
    interface: sure(raw.interface),
    vrid: sure(raw.vrid),
    version: raw.version ?? VRRP_DEFAULTS.version,
    priority: raw.priority ?? VRRP_DEFAULTS.priority,
    intervalCs: (raw.advert_interval ?? VRRP_DEFAULTS.advertIntervalMs) / 10,
    preempt: preempt !== false,
    preemptDelayMs: typeof preempt === "number" ? preempt : 0,
    takeoverDelayMs: raw.takeover_delay ?? VRRP_DEFAULTS.takeoverDelayMs,
    downAdverts: raw.down_adverts ?? VRRP_DEFAULTS.downAdverts,
    source: raw.source?.family === family ? raw.source.text : null,
    peers: (raw.peers ?? []).map(sure).filter((peer) => peer.family === family).map(({ text }) => text),
    auth: authOf(raw, contents),
    vmac: vmacOf(raw, family),
    addresses: sure(raw.addresses).map(sure).filter((vip) => sure(vip.address).family === family)
      .map((vip) => instanceVipOf(raw, vip)),
    ...carriedOf(family, raw),
    accept: raw.accept ?? true,
    leaseMs: raw.lease === undefined ? VRRP_DEFAULTS.leaseMs : raw.lease,
    announce: {
      repeat: announce.repeat ?? VRRP_DEFAULTS.repeat,
      delayMs: announce.delay ?? VRRP_DEFAULTS.delayMs,
      refreshMs: announce.refresh ?? VRRP_DEFAULTS.refreshMs,
      refreshRepeat: announce.refresh_repeat ?? VRRP_DEFAULTS.refreshRepeat,
      intervalMs: announce.interval ?? VRRP_DEFAULTS.intervalMs,
    },
    track: tracks,
    debounce: debounceOf(raw, tracks, links),
    checksum: raw.checksum ?? VRRP_DEFAULTS.checksum,
    handover: raw.handover ?? VRRP_DEFAULTS.handover,
  };
}

/** The delays of the links that an instance depends on: its own, or else those of the interface. */
function debounceOf(
  raw: RawInstance,
  tracks: readonly TrackConfig[],
  links: RawConfig["links"],
): VrrpConfig["debounce"] {
  const tracked = tracks.filter(({ kind }) => kind === "interface").map(({ name }) => name);
  const names = new Set([sure(raw.interface), ...tracked]);
  return Object.fromEntries([...names].flatMap((name) => {
    const { down = 0, up = 0 } = raw.debounce ?? links?.[name]?.debounce ?? {};
    return down === 0 && up === 0 ? [] : [[name, { downMs: down, upMs: up }] as const];
  }));
}

/** What of an instance's other addresses, routes and rules belongs to its virtual router of this family. */
function carriedOf(family: Family, raw: RawInstance): Pick<VrrpConfig, "extra" | "routes" | "rules"> {
  // The only one has all; of two, which move together, each has its own.
  const alone = familiesOf(raw).length === 1;
  const mine = <T>(items: readonly T[], of: (item: T) => Family) =>
    items.filter((item) => alone || of(item) === family);
  return {
    extra: mine((raw.extra ?? []).map(sure), (vip) => sure(vip.address).family)
      .map((vip) => instanceVipOf(raw, vip)),
    routes: mine((raw.routes ?? []).map((route) => routeOf(sure(route))), (route) => route.family),
    rules: mine((raw.rules ?? []).map((rule) => ruleOf(sure(rule))), (rule) => rule.family),
  };
}

function notifyOf(raw: Pick<RawInstance, "notify">): NotifyConfig | null {
  const { master = [], backup = [], fault = [], stop = [], any = [] } = raw.notify ?? {};
  const empty = [master, backup, fault, stop, any].every((commands) => commands.length === 0);
  return empty ? null : { master, backup, fault, stop, any };
}

/** The commands of each that has any, by name. */
function notifiesOf(
  entries: readonly (readonly [name: string, raw: Pick<RawInstance, "notify">])[],
): Readonly<Record<string, NotifyConfig>> {
  return Object.fromEntries(entries.flatMap(([name, raw]) => {
    const commands = notifyOf(raw);
    return commands === null ? [] : [[name, commands] as const];
  }));
}

function commonOf(name: string, raw: RawProbe): ProbeCommon {
  const intervalMs = raw.interval ?? PROBE_DEFAULTS.intervalMs;
  const most = raw.type === "exec" ? intervalMs : 1000;
  return {
    name,
    intervalMs,
    timeoutMs: raw.timeout ?? Math.max(500, Math.min(intervalMs, most)),
    rise: raw.rise ?? PROBE_DEFAULTS.rise,
    fall: raw.fall ?? PROBE_DEFAULTS.fall,
    jitterMs: raw.jitter ?? Math.floor(intervalMs / 10),
  };
}

const GOOD_STATUS: Readonly<Record<"nginx" | "http" | "https", readonly StatusRange[]>> = {
  // A page that redirects shows that nginx lives.
  nginx: [{ from: 200, to: 399 }],
  http: [{ from: 200, to: 299 }],
  https: [{ from: 200, to: 299 }],
};

function requestOf(
  raw: Extract<RawProbe, { type: "nginx" | "http" | "https" }>,
  contents: Contents,
): HttpRequest {
  const url = raw.url ?? (raw.type === "nginx" ? new URL(PROBE_DEFAULTS.url) : undefined);
  return {
    url: sure(url).href,
    method: raw.method ?? PROBE_DEFAULTS.method,
    headers: Object.entries(raw.headers ?? {}).map(([name, value]) => [name, sure(value)] as const),
    host: raw.host ?? null,
    sni: raw.sni ?? null,
    caPem: raw.ca === undefined ? null : sure(contents.get(raw.ca)),
    insecure: raw.insecure ?? false,
    status: raw.expect?.status?.map(sure) ?? GOOD_STATUS[raw.type],
    body: raw.expect?.body === undefined ? null : raw.expect.body,
  };
}

function probeOf(name: string, raw: RawProbe, contents: Contents): ProbeConfig {
  const common = commonOf(name, raw);
  switch (raw.type) {
    case "nginx": {
      const { process } = raw;
      const match = process?.pid_file !== undefined
        ? { by: "pid_file", path: process.pid_file } as const
        : { by: "name", name: process?.name ?? "nginx" } as const;
      return { ...common, type: raw.type, process: match, request: requestOf(raw, contents) };
    }
    case "http":
    case "https":
      return { ...common, type: raw.type, request: requestOf(raw, contents) };
    case "tcp":
      return { ...common, type: raw.type, ...sure(raw.address) };
    case "process": {
      const match = raw.pid_file !== undefined
        ? { by: "pid_file", path: raw.pid_file } as const
        : raw.name !== undefined
        ? { by: "name", name: raw.name } as const
        : { by: "cmdline", source: sure(raw.cmdline) } as const;
      return { ...common, type: raw.type, process: match };
    }
    case "exec": {
      const { user = null, group = null } = raw.user ?? {};
      return { ...common, type: raw.type, command: sure(raw.command), user, group };
    }
    case "file":
      return { ...common, type: raw.type, path: sure(raw.path), expect: raw.expect ?? "present" };
  }
}

/** The config of a file that the checks found no error in. Throws an Error when they missed one. */
export function buildConfig(raw: RawConfig, contents: Contents): Config {
  const runtimeDir = raw.runtime_dir ?? DEFAULT_RUNTIME_DIR;
  const token = raw.api?.token_file === undefined ? null : secretOf(sure(contents.get(raw.api.token_file)));
  const instances = Object.entries(raw.vrrp ?? {}).map(([name, instance]) => [name, sure(instance)] as const);
  const groups = Object.entries(raw.groups ?? {}).map(([name, group]) => [name, sure(group)] as const);
  const memberships = new Map(groups.flatMap(([name, group]) => {
    const membership = { group: name, track: sharedTrack(raw, group) };
    return sure(group.members).map((member) => [sure(member), membership] as const);
  }));
  return {
    node: raw.node ?? hostname(),
    runtimeDir,
    api: { socket: raw.api?.socket ?? join(runtimeDir, SOCKET_NAME), listen: raw.api?.listen ?? null, token },
    log: { level: raw.log?.level ?? "info", format: raw.log?.format ?? "text" },
    engine: { realtime: raw.engine?.realtime ?? "auto", lockMemory: raw.engine?.lock_memory ?? false },
    probes: Object.entries(raw.probes ?? {}).map(([name, probe]) => probeOf(name, sure(probe), contents)),
    tunnels: Object.entries(raw.tunnels ?? {}).map(([name, tunnel]) => tunnelOf(name, sure(tunnel))),
    vrrp: instances.flatMap(([name, instance]) =>
      routersOf(name, instance, memberships.get(name) ?? null, contents, raw.links).map((router) =>
        Object.hasOwn(raw.tunnels ?? {}, router.interface) ? { ...router, onTunnel: true as const } : router
      )
    ),
    notify: notifiesOf(instances),
    static: staticOf(raw.static),
    groups: groups.map(([name, group]) => ({ name, members: sure(group.members).map(sure) })),
    groupNotify: notifiesOf(groups),
  };
}
