/**
 * Clusters on one machine: which machines there are, how they are cabled, and what runs on them.
 *
 * @module
 */

/** A network interface of a machine, plugged into a switch. */
export interface Port {
  readonly device: string;
  /** Name of the switch. */
  readonly switch: string;
  /** With prefix lengths: `192.0.2.1/24`. */
  readonly addresses: readonly string[];
}

/** A route of a machine. */
export interface LabRoute {
  /** `198.51.100.0/24`; null = everything else. */
  readonly to: string | null;
  readonly via: string;
}

/** A machine: a network namespace. */
export interface Machine {
  readonly name: string;
  readonly ports: readonly Port[];
  readonly routes?: readonly LabRoute[];
  /** True = it passes packets on between its ports. */
  readonly forwards?: boolean;
}

/** Machines and the switches between them; a switch is a bridge in a network namespace of its own. */
export interface Topology {
  readonly switches: readonly string[];
  readonly machines: readonly Machine[];
}

/** The files of one node. */
export interface NodeFiles {
  readonly directory: string;
  readonly config: string;
  readonly runtimeDir: string;
  readonly log: string;
  readonly webDirectory: string;
  readonly webConfig: string;
  readonly webPid: string;
  readonly webLog: string;
}

/** What answers HTTP on the nodes: nginx where it is installed, else a server of our own. */
export type WebServer =
  | {
    readonly kind: "nginx";
    readonly path: string;
    /** `1.22.1` */
    readonly version: string;
  }
  | { readonly kind: "built-in" };

/** A router that runs the daemon and a web server. */
export interface LabNode {
  /** Name of its machine. */
  readonly name: string;
  readonly priority: number;
}

/** What a node's config file depends on. */
export interface ConfigContext {
  readonly files: NodeFiles;
  readonly web: WebServer;
  /** The command that points a machine's route to an address at a gateway, to be run anywhere on the host. */
  readonly reroute: (machine: string, address: string, gateway: string) => readonly string[];
}

/** What may be done to a lab that stands. Machines and nodes are named. */
export interface Stage {
  /** What the web server is called. */
  readonly webTitle: string;
  /** Starts a node's web server. */
  startWeb(node: LabNode): void;
  /** Kills a node's web server, as a crash would. */
  killWeb(name: string): void;
  /** Starts a node's daemon. */
  startDaemon(node: LabNode): void;
  /** Asks a node's daemon to end. */
  stopDaemon(name: string): void;
  /** Takes a machine off its switches, while its carrier stays up. */
  isolate(machine: string): void;
  /** Undoes {@link Stage.isolate}. */
  heal(machine: string): void;
}

/** Something is done, and then the cluster must be in a certain state. */
export interface Act {
  readonly name: string;
  readonly title: string;
  readonly action: () => void;
  /** State of the instance on each node afterwards; a node that is not named may be in any. */
  readonly states: Readonly<Record<string, string>>;
  /** Node that serves the client afterwards. */
  readonly server: string;
  /** Longest time without an answer that is forgiven, in milliseconds; null = it is only told. */
  readonly limitMs: number | null;
  /** True = it takes a part of the cluster away, so a cluster that is to be left standing is spared it. */
  readonly final?: boolean;
}

/** How long things may take, in milliseconds. */
export interface Pace {
  /** From nothing until the first node is master. */
  readonly startMs: number;
  /** From an act until the cluster is as it should be. */
  readonly actMs: number;
  /** All of it. */
  readonly totalMs: number;
}

/** A cluster to be built. The first node is the one that is master while all is well. */
export interface Scenario {
  readonly topology: Topology;
  readonly nodes: readonly [LabNode, LabNode];
  /** Name of the client's machine. */
  readonly client: string;
  /** Name of the instance. */
  readonly instance: string;
  /** The address that moves. */
  readonly vip: string;
  /** What the web servers answer; null = each its own name. */
  readonly page: string | null;
  /** Name of the tunnel between the nodes; null = there is none. */
  readonly tunnel: string | null;
  /** From one request of the client to the next, in milliseconds. */
  readonly askEachMs: number;
  readonly pace: Pace;
  /** What it is, for people: a line or more. */
  readonly summary: (web: WebServer) => readonly string[];
  /** The daemon's config file on a node. */
  readonly configOf: (node: LabNode, context: ConfigContext) => string;
  /** What happens to it in a demo. */
  readonly acts: (stage: Stage) => readonly Act[];
}
