/**
 * What a simulated cluster is made of: machines, segments of network, and a virtual router for each pair of them.
 *
 * @module
 */
import { NO_ADDRESSES } from "../../mod/address/step.ts";
import type { Announcer } from "../../mod/announce/model.ts";
import type { TrackedValue } from "../../mod/bus/messages.ts";
import type { Sign as HeartbeatSign } from "../../mod/heartbeat/model.ts";
import type { VrrpConfig } from "../../mod/vrrp/config.ts";
import type { Conditions, VrrpState } from "../../mod/vrrp/model.ts";
import { initialState } from "../../mod/vrrp/step.ts";
import type { Ns } from "../../mod/vrrp/timers.ts";
import { addressOf } from "./addresses.ts";
import type { Datagram } from "./datagram.ts";
import { Duality } from "./duality.ts";
import type { Network } from "./network.ts";

/** A virtual router to begin with. */
export interface Setup {
  readonly config: VrrpConfig;
  readonly source: string;
}

/** What an engine leaves behind of a virtual router, in memory that outlives it. */
export type Sign = Omit<HeartbeatSign, "identity">;

/** One daemon and the kernel below it. All times of its routers are those of its own clock. */
export interface Machine {
  readonly id: number;
  /** One for each segment. */
  readonly routers: Router[];
  alive: boolean;
  /** A process that does not run hears nothing; its packets wait. */
  paused: boolean;
  /** The whole machine stands still, its kernel and its clock included, since this moment; null = it runs. */
  frozenAt: Ns | null;
  /** How far its clock is behind, having stood still. */
  lag: Ns;
  /** Counts its processes: what is meant for one is not for the next. */
  run: number;
  /** Steps of its routers that are under way: what must hold, holds in between. */
  depth: number;
  /** Its groups were put together anew and need not agree before they had time to. */
  regrouped: boolean;
  readonly inbox: {
    readonly router: Router;
    readonly datagram: Datagram;
    /** To be called when the packet is lost after all. */
    readonly unheard: (() => void) | null;
  }[];
  /** What is true of the things that it tracks. */
  readonly probes: Map<string, TrackedValue>;
  /** What its engine has been told of them. */
  readonly tracked: Map<string, TrackedValue>;
}

export interface Router {
  readonly machine: Machine;
  readonly segment: Segment;
  readonly source: Uint8Array;
  config: VrrpConfig;
  state: VrrpState;
  /** What its own surroundings allow, its group aside. */
  own: Conditions;
  /** Goes for good when its addresses are handed over. */
  leaving: boolean;
  fault: string | null;
  /** Its interface is down: nothing comes or goes, and nobody is answered. */
  cutOff: boolean;
  /** The kernel refuses to add addresses. */
  refuses: boolean;
  addresses: typeof NO_ADDRESSES;
  announcer: Announcer | null;
  /** Addresses in the kernel, and until when. */
  readonly kernel: Map<string, Ns>;
  sign: Sign | null;
  /** It stopped being master in a way that others could not hear of: nobody can know that it misled clients. */
  leftUnheard: boolean;
  /** When the last copy of what it said on leaving arrives. */
  lastWordAt: Ns;
}

/** One network with one virtual router identifier. */
export interface Segment {
  readonly id: number;
  readonly network: Network;
  readonly duality: Duality;
  /** By machine. */
  readonly routers: Router[];
  /** Who sent the last announcement: where clients and switches believe the addresses to be. */
  lastAnnouncer: Router | null;
  /** The latest packets, for somebody to repeat. */
  readonly history: Datagram[];
  /** For how long nobody had the addresses. */
  unheld: Ns;
  /** For how long the one whom clients believe to have the addresses did not have them. */
  unserved: Ns;
}

/** Whether a router runs and is master. */
export function isMaster({ machine, state }: Router): boolean {
  return machine.alive && !machine.paused && machine.frozenAt === null && state.phase === "master";
}

/** A machine without routers that is off. */
export function newMachine(id: number): Machine {
  return {
    id,
    routers: [],
    alive: false,
    paused: false,
    frozenAt: null,
    lag: 0,
    run: 0,
    depth: 0,
    regrouped: false,
    inbox: [],
    probes: new Map(),
    tracked: new Map(),
  };
}

/** A segment without routers, for those that are set up so. */
export function newSegment(id: number, setups: readonly Setup[], network: Network): Segment {
  return {
    id,
    network,
    duality: new Duality(setups.length, setups[0]!.config.auth.type === "ah"),
    routers: [],
    lastAnnouncer: null,
    history: [],
    unheld: 0,
    unserved: 0,
  };
}

/** Puts a router in its place. */
export function addRouter(
  segment: Segment,
  machine: Machine,
  { config, source }: Setup,
  now: Ns,
): void {
  const state = initialState(config, now);
  const router: Router = {
    machine,
    segment,
    source: addressOf(source),
    config,
    state,
    own: state.conditions,
    leaving: false,
    fault: null,
    cutOff: false,
    refuses: false,
    addresses: NO_ADDRESSES,
    announcer: null,
    kernel: new Map(),
    sign: null,
    leftUnheard: false,
    lastWordAt: -Infinity,
  };
  segment.routers.push(router);
  machine.routers.push(router);
}
