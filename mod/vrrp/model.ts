/**
 * A virtual router as data: what it knows, what can happen to it, what it wants done.
 *
 * @module
 */
import type { DropReason, EventKind, InstanceState } from "../bus/messages.ts";
import type { VrrpChecksumForm, VrrpDecode } from "../../lib/packet/vrrp.ts";
import type { VrrpConfig } from "./config.ts";
import type { Ns } from "./timers.ts";

/** Nanoseconds of the monotonic clock. */
export type MonotonicNs = number;

/** What the surroundings allow: computed from links and tracked objects, and compared by value. */
export interface Conditions {
  /** The address that advertisements leave from; null while the interface has none. */
  readonly source: Uint8Array | null;
  /** What forbids to take part, in words ("interface eth1 is down"); empty = nothing. */
  readonly faults: readonly string[];
  /** What must be known before taking part, in words. */
  readonly waiting: readonly string[];
  /** Sum of the weights that apply now, and where each comes from. */
  readonly adjustments: readonly { readonly source: string; readonly weight: number }[];
  /** Whether every tracked object has been looked at: before that nobody is preempted in haste. */
  readonly settled: boolean;
  /** Its own interface is down and that does not count yet: silence means nothing meanwhile. */
  readonly deaf: boolean;
}

/** Other routers that advertise the same VRID while this one is master. */
export interface Conflict {
  /** The one heard last. */
  readonly address: string;
  readonly since: MonotonicNs;
  readonly last: MonotonicNs;
  /** The longest of the advertisement intervals on both sides: silence is measured by it. */
  readonly interval: Ns;
  /** Whether a `split-brain` event was told. */
  readonly reported: boolean;
  /** When the addresses were last announced because of it. */
  readonly announcedAt: MonotonicNs;
  /** When to announce them again, the other side having had time to let go; Infinity = not. */
  readonly settleDue: MonotonicNs;
  /** Whether the other side's last word was answered by announcements before that. */
  readonly answered: boolean;
}

/** The master as this router knows it. */
export interface KnownMaster {
  readonly address: Uint8Array;
  readonly text: string;
  readonly priority: number;
}

export interface VrrpState {
  readonly config: VrrpConfig;
  readonly phase: InstanceState;
  readonly reason: string;
  readonly conditions: Conditions;
  /** Until when it may go on as the master that the engine before was: no peer can have taken over yet. */
  readonly resumeUntil: MonotonicNs | null;
  /** Until when it waits for its priority to be known before it does so. */
  readonly resumeBy: MonotonicNs;
  /** Set by `release` and maintenance: why this router stands back although it could take part. */
  readonly released: string | null;
  /** Why the addresses could not be put in place at the last attempt, and when to try again. */
  readonly blocked: { readonly error: string; readonly until: MonotonicNs } | null;
  /** How often in a row that has happened. */
  readonly ownFailures: number;
  /** Effective priority: base plus adjustments, within 1..254; an owner's 255 never moves. */
  readonly priority: number;
  /** The interval in force: the own one, or the master's that a v3 backup has learnt. */
  readonly interval: Ns;
  /** Next advertisement (master), end of Master_Down_Interval (backup); Infinity in the other phases. */
  readonly due: MonotonicNs;
  /** Backup: the master is gone and `takeover_delay` runs. */
  readonly delaying: boolean;
  /** Backup in a group: would be master if the whole group could be. */
  readonly ready: boolean;
  /** Backup: when a lower master may be preempted; null while none is heard. */
  readonly preemptAt: MonotonicNs | null;
  /** Why a takeover at `due` would happen. */
  readonly takeoverReason: string | null;
  readonly master: KnownMaster | null;
  /** When the last acceptable advertisement came, or the wait for one began. */
  readonly heardAt: MonotonicNs;
  /** No longer master, yet answering for the addresses until the successor is heard or this moment comes. */
  readonly lingerUntil: MonotonicNs | null;
  /** Since when it is master; meaningless in the other phases. */
  readonly masterSince: MonotonicNs;
  /** When it gave mastership up and went backup; -Infinity = never. */
  readonly gaveUpAt: MonotonicNs;
  readonly conflict: Conflict | null;
  readonly transitions: number;
  /** Last sequence number of the authentication header that was sent or accepted: one counter for both. */
  readonly ahSequence: number;
  /** Numbers that are sent are above this, whatever was accepted. */
  readonly ahFloor: number;
  /** Form of the version 3 IPv4 checksum to send. */
  readonly checksum: VrrpChecksumForm;
  /** When this router last advertised as master, so that a flood cannot be answered by a flood. */
  readonly spokeAt: MonotonicNs;
}

/** A datagram for this VRID, as the socket and the IP header told it. */
export interface ReceivedPacket {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** TTL or hop limit. */
  readonly ttl: number;
  readonly decode: VrrpDecode;
  /** There when it came inside an authentication header: its sequence number, and the whole packet to be verified. */
  readonly ah?: { readonly sequence: number; readonly packet: Uint8Array };
}

export type VrrpEvent =
  | { readonly type: "conditions"; readonly conditions: Conditions }
  | { readonly type: "packet"; readonly packet: ReceivedPacket }
  /** The deadline that {@link nextDue} told has come. */
  | { readonly type: "timer" }
  /** `conditions`: what is allowed under this config, so that no priority is told that never was wanted; or as before. */
  | { readonly type: "configure"; readonly config: VrrpConfig; readonly conditions?: Conditions }
  | { readonly type: "release"; readonly reason: string; readonly lingerNs: Ns }
  | { readonly type: "resume" }
  /** Every member of the group is ready to be master. */
  | { readonly type: "promote"; readonly reason: string }
  /** Another member of the group is master no more. */
  | { readonly type: "demote"; readonly reason: string }
  /** Owning the addresses failed for good. */
  | { readonly type: "own-failed"; readonly error: string };

export type VrrpEffect =
  /** Send an advertisement now, built from the state of this moment; 0 says goodbye. */
  | { readonly type: "advertise"; readonly priority: number; readonly ahSequence?: number }
  /** Have exactly the configured addresses. */
  | { readonly type: "own-addresses" }
  | { readonly type: "drop-addresses" }
  /** Resuming did not come about: remove what the engine before left. */
  | { readonly type: "remove-leftovers" }
  /** This member of a group would be master now: are the others ready, too? */
  | { readonly type: "wants-master" }
  /** Start the burst of gratuitous ARPs or neighbour advertisements. */
  | { readonly type: "announce" }
  | {
    readonly type: "transition";
    readonly from: InstanceState;
    readonly to: InstanceState;
    readonly reason: string;
  }
  | { readonly type: "received"; readonly priorityZero: boolean }
  | { readonly type: "dropped"; readonly reason: DropReason }
  | { readonly type: "mismatch"; readonly kind: "addresses" | "interval"; readonly text: string }
  | {
    readonly type: "event";
    readonly kind: EventKind;
    readonly text: string;
    readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
  };

export interface VrrpStep {
  readonly state: VrrpState;
  readonly effects: readonly VrrpEffect[];
}
