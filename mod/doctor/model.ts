/**
 * What is found out about a machine, and what is made of it: plain data.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import type { Family } from "../vrrp/config.ts";

/** `error` = something that the config asks for will not work; `warning` = it may not, or only until something happens. */
export type Severity = "error" | "warning" | "note";

/** What findings are about, in the order in which they are shown. */
export const AREAS = [
  "config",
  "rights",
  "kernel",
  "interfaces",
  "tunnels",
  "sysctls",
  "firewall",
  "daemons",
  "wire",
  "api",
  "clock",
] as const;

/** One of {@link AREAS}. */
export type Area = typeof AREAS[number];

/** Something that was found. */
export interface Finding {
  readonly area: Area;
  readonly severity: Severity;
  readonly what: string;
  /** Why it matters; null where that is plain. */
  readonly why: string | null;
  /** What to type or to write, a line each; empty = nothing. */
  readonly fix: readonly string[];
}

/** Something that could not be looked at. */
export interface Unchecked {
  readonly area: Area;
  readonly what: string;
  readonly why: string;
}

/** The config as the doctor reads it: also a section that the rest of the program may not have yet. */
export type DoctorConfig = Config & { readonly balance?: readonly { readonly forward?: string }[] };

/** What the kernel must offer for some config. */
export const FEATURES = ["macvlan", "ip_gre", "ip6_gre", "tun", "ip_vs", "nf_tables"] as const;

/** One of {@link FEATURES}: the name of the module that has it. */
export type Feature = typeof FEATURES[number];

/**
 * `there` = loaded or built in; `loadable` = its module lies on the disk; `missing` = asked for it, the kernel says no;
 * `unknown` = not to be found out.
 */
export type FeatureState = "there" | "loadable" | "missing" | "unknown";

/** An address of an interface. */
export interface AddressFact {
  /** Canonical text. */
  readonly address: string;
  readonly family: Family;
  readonly prefix: number;
  readonly linkLocal: boolean;
  /** Checked for duplicates and usable. */
  readonly usable: boolean;
  /** Seconds until the kernel removes it; null = never. */
  readonly validS: number | null;
}

/** An interface. */
export interface LinkFact {
  readonly index: number;
  readonly name: string;
  /** `veth`, `gretap`…; null for hardware. */
  readonly kind: string | null;
  readonly up: boolean;
  /** Up, with carrier. */
  readonly running: boolean;
  readonly multicast: boolean;
  readonly mtu: number;
  /** What it is a port of: a bridge, a bond…; null = nothing. */
  readonly master: { readonly name: string; readonly kind: string | null } | null;
  /** Six bytes, or null where there is no Ethernet and so no ARP. */
  readonly mac: Uint8Array | null;
  readonly addresses: readonly AddressFact[];
}

/** A route of the main table that leads somewhere. */
export interface RouteFact {
  readonly family: Family;
  /** 4 or 16 bytes; null = default. */
  readonly destination: Uint8Array | null;
  readonly prefix: number;
  readonly dev: string;
  readonly metric: number;
}

/** A process of another program that deals with addresses. */
export interface ProcessFact {
  /** The kernel's name of it, `keepalived`. */
  readonly name: string;
  readonly pid: number;
  /** Whether it lives in the network namespace of the doctor; null = not permitted to know. */
  readonly here: boolean | null;
  /** Its config file, where one was found and could be read. */
  readonly config: { readonly path: string; readonly text: string } | null;
}

/** Text of a program that shows firewall rules; null = there is no such program; `error` = it failed. */
export type RulesText = { readonly text: string } | { readonly error: string } | null;

/** A router that was heard, by its last advertisement. */
export interface HeardFact {
  readonly interface: string;
  readonly family: Family;
  /** Canonical text. */
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** Advertisements that came in at the device, and those of them that the kernel let through to a socket. */
  readonly arrived: number;
  readonly delivered: number;
  /** In an authentication header. */
  readonly ah: boolean;
  readonly vrid: number | null;
  readonly version: number | null;
  /** Why it cannot be read: `checksum`; then the rest is empty. */
  readonly refused: string | null;
  readonly priority: number;
  readonly intervalCs: number;
  readonly addresses: readonly string[];
  /** Authentication type of version 2, and its bytes: a secret. */
  readonly authType: number;
  readonly authData: Uint8Array | null;
  /** The whole IPv4 packet where there is an authentication header. */
  readonly packet: Uint8Array | null;
}

/** Who said that he has an address. */
export interface NeighbourAnswer {
  readonly interface: string;
  readonly address: string;
  readonly mac: string;
}

/** The part of the status document that is looked at. */
export interface DaemonInstance {
  readonly name: string;
  readonly interface: string;
  readonly vrid: number;
  /** One, or both: then it moves and counts for both together. */
  readonly families: readonly Family[];
  readonly state: string;
  readonly addresses: readonly string[];
  readonly extra: readonly string[];
  /** Of each family that there is a master of. */
  readonly masters: readonly {
    readonly family: Family;
    readonly address: string;
    readonly priority: number;
  }[];
  readonly split_brain_with: string | null;
  readonly adverts: {
    readonly received: number;
    readonly dropped: Readonly<Record<string, number>>;
    readonly send_errors: number;
    readonly address_mismatch: number;
    readonly interval_mismatch: number;
  };
}

/** Who is behind the API's socket. */
export type DaemonFact =
  | { readonly type: "none" }
  /** Something is wrong with the socket, in words. */
  | { readonly type: "trouble"; readonly why: string }
  | {
    readonly type: "running";
    readonly node: string;
    readonly pid: number | null;
    /** Absolute path of its config; null = not known. */
    readonly file: string | null;
    readonly realtime: boolean;
    readonly problems: readonly string[];
    readonly instances: readonly DaemonInstance[];
    readonly tunnels: readonly { readonly name: string; readonly state: string }[];
  };

/** Who listens on a port; all null = this user may not know. */
export interface PortHolder {
  readonly pid: number | null;
  readonly parent: number | null;
  readonly name: string | null;
}

/** Everything that was found out. Nothing of it is shown as it is: it holds secrets. */
export interface Facts {
  readonly uid: number;
  readonly kernel: { readonly release: string; readonly major: number; readonly minor: number };
  /** Numbers of the capabilities that this process has. */
  readonly capabilities: readonly number[];
  /** Soft limits; Infinity = none. `memlock` in bytes. */
  readonly limits: { readonly rtprio: number; readonly memlock: number };
  readonly clocksource: string | null;
  readonly features: Readonly<Record<Feature, FeatureState>>;
  /** kernel.modules_disabled: no module can be loaded until the next boot. */
  readonly modulesLocked: boolean;
  readonly links: readonly LinkFact[];
  readonly routes: readonly RouteFact[];
  /** By name with dots (`/` where an interface has a dot in its name); null = there is none. */
  readonly sysctl: (name: string) => string | null;
  readonly processes: readonly ProcessFact[];
  /** Names of the interfaces that a manager has in its hands, by the manager's process name. */
  readonly managed: Readonly<Record<string, readonly string[]>>;
  readonly firewall: {
    readonly nft: RulesText;
    readonly iptables: RulesText;
    readonly ip6tables: RulesText;
  };
  readonly daemon: DaemonFact;
  /** Absolute path of the config; null = there is none. */
  readonly file: string | null;
  /** Where somebody listens on the port of `api.listen`: who, or null when nobody does. */
  readonly portHolder: PortHolder | null;
  /** Why the runtime directory cannot be used; null = it can. */
  readonly runtimeDir: string | null;
  /** How long was listened, in milliseconds; 0 = not at all. */
  readonly listenedMs: number;
  /** Interfaces and families on which was listened: `eth0 ipv4`. */
  readonly listened: readonly string[];
  readonly heard: readonly HeardFact[];
  /** Of the tunnels' local addresses those that the kernel takes for this machine's own. */
  readonly locals: readonly string[];
  readonly asked: readonly string[];
  readonly answers: readonly NeighbourAnswer[];
  /** What could not be looked at. */
  readonly unchecked: readonly Unchecked[];
}

/** The whole answer. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly unchecked: readonly Unchecked[];
  /** Areas that were looked at; those without a finding are well. */
  readonly areas: readonly Area[];
}

/** Capability numbers that matter here, by name (linux/capability.h). */
export const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_SYS_NICE: 23,
} as const;
