/** A machine on which nothing is wrong, and configs for it. */
import { loadConfig } from "../../../../mod/config/load.ts";
import { diagnose } from "../../../../mod/doctor/judge.ts";
import type {
  AddressFact,
  Area,
  DaemonInstance,
  Diagnosis,
  DoctorConfig,
  Facts,
  Feature,
  FeatureState,
  Finding,
  HeardFact,
  LinkFact,
} from "../../../../mod/doctor/model.ts";
import { tunnelFindings } from "../../../../mod/tunnel/machine/findings.ts";
import type { TunnelConfig } from "../../../../mod/tunnel/model.ts";

export function address(text: string, more: Partial<AddressFact> = {}): AddressFact {
  const [host, prefix] = text.split("/");
  return {
    address: host!,
    family: host!.includes(":") ? "ipv6" : "ipv4",
    prefix: Number(prefix),
    linkLocal: host!.startsWith("fe80:"),
    usable: true,
    validS: null,
    ...more,
  };
}

export function link(name: string, addresses: readonly string[], more: Partial<LinkFact> = {}): LinkFact {
  return {
    index: name.charCodeAt(name.length - 1),
    name,
    kind: null,
    up: true,
    running: true,
    multicast: true,
    mtu: 1500,
    master: null,
    mac: Uint8Array.of(2, 0, 0, 0, 0, name.charCodeAt(name.length - 1)),
    addresses: addresses.map((text) => address(text)),
    ...more,
  };
}

const FEATURES: Record<Feature, FeatureState> = {
  macvlan: "there",
  ip_gre: "there",
  ip6_gre: "there",
  tun: "there",
  ip_vs: "there",
  nf_tables: "there",
};

/** Sysctls that differ from 0 or matter at 0 on a good machine. */
const SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_forward": "1",
  "net.ipv6.conf.all.forwarding": "1",
  "net.ipv4.igmp_max_memberships": "20",
  "net.ipv4.conf.eth0.promote_secondaries": "1",
};

export interface Changes extends Partial<Omit<Facts, "features" | "sysctl">> {
  readonly features?: Partial<Record<Feature, FeatureState>>;
  readonly sysctl?: Readonly<Record<string, string>>;
}

export function facts({ features = {}, sysctl = {}, ...changes }: Changes = {}): Facts {
  const settings: Readonly<Record<string, string>> = { ...SYSCTLS, ...sysctl };
  return {
    uid: 0,
    kernel: { release: "6.1.0", major: 6, minor: 1 },
    capabilities: [12, 13, 14, 23],
    limits: { rtprio: 0, memlock: 8 << 20 },
    clocksource: "tsc",
    features: { ...FEATURES, ...features },
    modulesLocked: false,
    links: [
      link("lo", ["127.0.0.1/8"], { mac: null, multicast: false }),
      link("eth0", ["10.0.0.1/24", "fe80::1/64"]),
    ],
    routes: [
      { family: "ipv4", destination: Uint8Array.of(10, 0, 0, 0), prefix: 24, dev: "eth0", metric: 0 },
      { family: "ipv4", destination: null, prefix: 0, dev: "eth0", metric: 0 },
    ],
    sysctl: (name) => settings[name] ?? "0",
    processes: [],
    managed: {},
    firewall: { nft: { text: '{"nftables":[]}' }, iptables: null, ip6tables: null },
    daemon: { type: "none" },
    file: "/etc/appliance/appliance.yaml",
    portHolder: null,
    runtimeDir: null,
    listenedMs: 3500,
    listened: ["eth0 ipv4", "eth0 ipv6"],
    heard: [],
    locals: [],
    asked: [],
    answers: [],
    unchecked: [],
    ...changes,
  };
}

/** A config from YAML; sections that the loader may not know yet are added as they are. */
export function config(yaml: string, more: Partial<DoctorConfig> = {}): DoctorConfig {
  const loaded = loadConfig(yaml, "test.yaml");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return { ...loaded.config, ...more } as DoctorConfig;
}

export const WEB = `
vrrp:
  web: { interface: eth0, vrid: 51, priority: 150, addresses: [10.0.0.100/24] }
`;

export const GRETAP: TunnelConfig = {
  name: "gretap1",
  type: "gretap",
  local: "10.0.0.1",
  remote: "192.0.2.20",
  ikey: 42,
  okey: 42,
  ttl: 64,
  tos: 0,
  mtu: null,
  checksum: false,
  sequence: false,
  pmtudisc: true,
  dev: null,
  addresses: [],
  routes: [],
  keep: false,
  datapath: "kernel",
  keepalive: null,
};

export function heard(more: Partial<HeardFact> = {}): HeardFact {
  return {
    interface: "eth0",
    family: "ipv4",
    source: "10.0.0.2",
    destination: "224.0.0.18",
    ttl: 255,
    arrived: 3,
    delivered: 3,
    ah: false,
    vrid: 51,
    version: 3,
    refused: null,
    priority: 100,
    intervalCs: 100,
    addresses: ["10.0.0.100"],
    authType: 0,
    authData: null,
    packet: null,
    ...more,
  };
}

export function running(
  more: Partial<DaemonInstance> = {},
  file = "/etc/appliance/appliance.yaml",
): Facts["daemon"] {
  const adverts = { received: 0, dropped: {}, send_errors: 0, address_mismatch: 0, interval_mismatch: 0 };
  const instance: DaemonInstance = {
    name: "web",
    interface: "eth0",
    vrid: 51,
    families: ["ipv4"],
    state: "master",
    addresses: ["10.0.0.100/24"],
    extra: [],
    masters: [{ family: "ipv4", address: "10.0.0.1", priority: 150 }],
    split_brain_with: null,
    adverts,
    ...more,
  };
  return {
    type: "running",
    node: "a",
    pid: 7,
    file,
    realtime: true,
    problems: [],
    instances: [instance],
    tunnels: [],
  };
}

export function judge(wanted: DoctorConfig | null, changes: Changes = {}): Diagnosis {
  return diagnose(wanted, facts(changes), tunnelFindings);
}

/** Findings of an area, as `severity: what`. */
export function told({ findings }: Diagnosis, area: Area): string[] {
  return findings.filter((entry) => entry.area === area).map(({ severity, what }) => `${severity}: ${what}`);
}

/** The one finding whose text matches. */
export function only({ findings }: Diagnosis, pattern: RegExp): Finding {
  const found = findings.filter(({ what }) => pattern.test(what));
  if (found.length !== 1) {
    throw new Error(`${found.length} findings match ${pattern}: ${JSON.stringify(findings, null, 1)}`);
  }
  return found[0]!;
}
