/**
 * What an advertisement means in each phase: election, learning, preemption, giving way.
 *
 * @module
 */
import {
  compareAddresses,
  equalBytes,
  formatAddress,
  parseAddress,
  type VrrpAdvert,
} from "../../lib/packet/mod.ts";
import type { DropReason } from "../bus/messages.ts";
import type { VrrpConfig } from "./config.ts";
import { announceSoon, noteRival, type Rival } from "./conflict.ts";
import type { MonotonicNs, ReceivedPacket, VrrpEffect, VrrpState, VrrpStep } from "./model.ts";
import { abandon, letGo, mayPreempt, toBackup, yieldResume } from "./phase.ts";
import { isRepeated, judge } from "./receive.ts";
import { fastSkewTime, intervalNs, masterDownInterval, type Ns, NS_PER_MS, skewTime } from "./timers.ts";

/** Advertisements out of turn (answers to a lower master or to a goodbye) keep this distance. */
const ANSWER_GAP: Ns = 5 * NS_PER_MS;

/** Judges a packet and acts on it. */
export function onPacket(before: VrrpState, packet: ReceivedPacket, now: MonotonicNs): VrrpStep {
  const verdict = judge(before.config, before.conditions.source, packet, before.ahSequence);
  if (!verdict.ok) {
    const state = before;
    const effects: VrrpEffect[] = [{ type: "dropped", reason: verdict.reason }];
    const { decode } = packet;
    if (verdict.reason === "auth" && decode.ok && isRepeated(state.config, packet, state.ahSequence)) {
      return { state: outnumber(state, decode.advert, packet.source, effects, now), effects };
    }
    if (state.phase !== "master" || !isRefusedMaster(verdict.reason, packet)) return { state, effects };
    const rival = {
      address: formatAddress(packet.source),
      interval: decode.ok ? intervalNs(decode.advert.intervalCs) : 0,
      refused: verdict.reason,
      goodbye: decode.ok && decode.advert.priority === 0,
    };
    return { state: noteRival(state, rival, now, effects), effects };
  }
  const { advert } = verdict;
  const state = adoptSequence(adoptChecksum(before, verdict.checksum), packet);
  const effects: VrrpEffect[] = [{ type: "received", priorityZero: advert.priority === 0 }];
  compareWithPeer(state, advert, packet.source, effects);
  switch (state.phase) {
    case "master":
      return { state: masterHears(state, advert, packet.source, effects, now), effects };
    case "backup":
      return { state: backupHears(state, advert, packet.source, effects, now), effects };
    case "init":
    case "fault":
      return { state: bystanderHears(state, advert, packet.source, effects, now), effects };
  }
}

/** Whether a packet that we must refuse is from a router that is a second master of our VRID all the same. */
function isRefusedMaster(reason: DropReason, { decode, ttl }: ReceivedPacket): boolean {
  switch (reason) {
    case "auth":
    case "interval":
    case "owner":
      return true;
    // Set up for the other version, for unicast where we are not, or for other peers. From afar anybody can send such a
    // packet, yet not with this TTL.
    case "version":
    case "mode":
    case "peer":
      return decode.ok && ttl === 255;
    default:
      return false;
  }
}

/** Speaks as the peers do where that is left open: some refuse the other form, all of ours take both. */
function adoptChecksum(state: VrrpState, checksum: VrrpState["checksum"]): VrrpState {
  const { config } = state;
  const open = config.checksum === "auto" && config.version === 3 && config.family === "ipv4";
  return open && checksum !== state.checksum ? { ...state, checksum } : state;
}

/** A backup continues above its master's numbers, or its peers would take it for a repetition. */
function adoptSequence(state: VrrpState, { ah }: ReceivedPacket): VrrpState {
  return ah === undefined ? state : { ...state, ahSequence: ah.sequence };
}

/** Tells differences between the peer's configuration and ours: never a reason to refuse (pairs change one by one). */
function compareWithPeer(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
): void {
  // A goodbye may come from a router that is half gone.
  if (advert.priority === 0) return;
  if (!sameAddressList(state, advert.addresses)) {
    const theirs = advert.addresses.map(formatAddress).join(", ") || "none";
    const text = `${formatAddress(source)} advertises other addresses than ours: ${theirs}`;
    effects.push({ type: "mismatch", kind: "addresses", text });
  }
  if (state.config.version === 3 && advert.intervalCs !== state.config.intervalCs) {
    const text = `${formatAddress(source)} advertises every ${advert.intervalCs * 10} ms, we are set to ` +
      `${state.config.intervalCs * 10} ms`;
    effects.push({ type: "mismatch", kind: "interval", text });
  }
}

/** By config, so that an advertisement that says nothing new costs no text. */
const ownAddresses = new WeakMap<VrrpConfig, readonly Uint8Array[]>();

function sameAddressList({ config }: VrrpState, theirs: readonly Uint8Array[]): boolean {
  let ours = ownAddresses.get(config);
  if (ours === undefined) {
    ours = config.addresses.flatMap(({ address }) => parseAddress(address) ?? []);
    ownAddresses.set(config, ours);
  }
  if (ours.length !== theirs.length) return false;
  return ours.every((own, index) =>
    equalBytes(own, theirs[index]!) || theirs.some((address) => equalBytes(own, address))
  );
}

/** The master that an advertisement tells of: the one that is known already when nothing about it is new. */
function knownMaster(
  { master }: VrrpState,
  { priority }: VrrpAdvert,
  source: Uint8Array,
): VrrpState["master"] {
  if (master?.priority === priority && equalBytes(master.address, source)) return master;
  return { address: source, text: formatAddress(source), priority };
}

/** The interval to reckon with after an advertisement: in version 3 the master's own (RFC 5798 §6.1). */
function learntInterval(state: VrrpState, advert: VrrpAdvert): Ns {
  return state.config.version === 3 && advert.intervalCs > 0
    ? intervalNs(advert.intervalCs)
    : intervalNs(state.config.intervalCs);
}

// --- INIT and FAULT -----------------------------------------------------------------------------------------------

function bystanderHears(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  if (advert.priority === 0) {
    return state.master !== null && compareAddresses(state.master.address, source) === 0
      ? { ...state, master: null }
      : state;
  }
  // The successor is heard: what was kept for the hand-over, or by the engine before, can go.
  return {
    ...yieldResume(letGo(state, effects, now), effects, now),
    interval: learntInterval(state, advert),
    heardAt: now,
    master: knownMaster(state, advert, source),
  };
}

// --- BACKUP -------------------------------------------------------------------------------------------------------

function backupHears(
  before: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  const interval = learntInterval(before, advert);
  if (advert.priority === 0) {
    // The master is there: this goodbye is of one that gave way to it, or of a backup (see outnumber).
    if (before.master !== null && !equalBytes(before.master.address, source)) return before;
    const due = now + successionTime(before, interval);
    const takeoverReason = `${formatAddress(source)} stepped down (priority 0)`;
    return { ...before, interval, due, delaying: false, takeoverReason, heardAt: now, master: null };
  }
  // Resumed before the successor spoke: the addresses that were kept for the hand-over go soon.
  const state = letGo(before, effects, now);
  const { config } = state;
  const lower = advert.priority < state.priority;
  const delayNs = config.priority === 255 ? 0 : config.preemptDelayMs * NS_PER_MS;
  const preemptAt = lower ? state.preemptAt ?? now + delayNs : null;
  const suffered = preemptAt !== null && delayNs > 0 && now < preemptAt;
  if (mayPreempt(state, advert.priority) && !suffered) {
    return preempting({ ...state, preemptAt }, advert, source, now);
  }
  return {
    ...state,
    interval,
    due: now + masterDownInterval(config, state.priority, interval),
    preemptAt,
    delaying: false,
    ready: false,
    takeoverReason: null,
    heardAt: now,
    master: knownMaster(state, advert, source),
  };
}

/** How long a backup waits after a goodbye: Skew_Time, or 100 ms at most when hand-over is fast. */
function successionTime({ config, priority }: VrrpState, interval: Ns): Ns {
  const skew = skewTime(config.version, priority, interval);
  return config.handover === "fast" ? Math.min(skew, fastSkewTime(priority, interval)) : skew;
}

/** A lower master is heard and may be preempted: the timer is left to run out, sooner when hand-over is fast. */
function preempting(state: VrrpState, advert: VrrpAdvert, source: Uint8Array, now: MonotonicNs): VrrpState {
  const { master } = state;
  const fromMaster = master === null || compareAddresses(master.address, source) === 0;
  // The last word of a master that yields to another must not make a third router jump in.
  if (!fromMaster && !mayPreempt(state, master.priority)) return state;
  const takeoverReason = `preempting ${
    formatAddress(source)
  } (priority ${advert.priority} < ${state.priority})`;
  const fast = state.config.handover === "fast" && state.conditions.settled && !state.delaying;
  const interval = learntInterval(state, advert);
  const due = fast ? Math.min(state.due, now + fastSkewTime(state.priority, interval)) : state.due;
  return { ...state, due, takeoverReason, heardAt: now, master: knownMaster(state, advert, source) };
}

// --- MASTER -------------------------------------------------------------------------------------------------------

function masterHears(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  const goodbye = advert.priority === 0;
  if (!goodbye && isBetter(state, advert, source)) return yieldTo(state, advert, source, effects, now);
  return answerRival(state, advert, source, effects, now);
}

/** Speaks to another master that is to give way, and leads back the clients that it may have misled. */
function answerRival(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  return noteRival(answer(state, effects, now), rivalOf(advert, source, null), now, effects);
}

function rivalOf(advert: VrrpAdvert, source: Uint8Array, refused: string | null): Rival {
  return {
    address: formatAddress(source),
    interval: intervalNs(advert.intervalCs),
    refused,
    goodbye: advert.priority === 0,
  };
}

/** Whether another master is better than this one: of a higher priority, or of the same and a higher address. */
function isBetter(
  { conditions: { source: own }, priority }: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
): boolean {
  return (advert.priority - priority || (own === null ? 1 : compareAddresses(source, own))) > 0;
}

/**
 * Hears a packet whose number was used before. Masters whose advertisements cross on the way refuse each other's for
 * that, and again with each that follows. So the better one speaks out of turn, with a number that is new to the other;
 * the other does so later, for a router that knows nothing of this. And a member of a group that gave up mastership with
 * its group, unheard, may be ahead of the master by its own numbers: it tells them with a goodbye, or it would be deaf
 * until the master has caught up.
 */
function outnumber(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  if (state.phase === "master") {
    if (advert.priority === 0 || !isBetter(state, advert, source)) {
      return answerRival(state, advert, source, effects, now);
    }
    const due = Math.min(state.due, Math.max(now, state.spokeAt + 2 * ANSWER_GAP));
    // It may also be the last word of a rival, late on its way, whom clients still believe.
    return announceSoon(noteRival({ ...state, due }, rivalOf(advert, source, "auth"), now, effects), now);
  }
  if (!state.ready || advert.priority === 0 || now < state.spokeAt + state.interval) return state;
  effects.push({ type: "advertise", priority: 0 });
  return { ...state, spokeAt: now };
}

/** Sends an advertisement out of turn: at once, or in a moment when one has just left (a flood is no reason to flood). */
function answer(state: VrrpState, effects: VrrpEffect[], now: MonotonicNs): VrrpState {
  const earliest = state.spokeAt + ANSWER_GAP;
  if (now < earliest) return { ...state, due: Math.min(state.due, earliest) };
  effects.push({ type: "advertise", priority: state.priority });
  return { ...state, spokeAt: now, due: now + state.interval };
}

/**
 * Gives way to a better master. After the addresses are gone it says one last word: the winner, which may not have
 * known of a split, learns of it and announces the addresses again, so that no client stays misled.
 */
function yieldTo(
  state: VrrpState,
  advert: VrrpAdvert,
  source: Uint8Array,
  effects: VrrpEffect[],
  now: MonotonicNs,
): VrrpState {
  const left = abandon(state, false, 0, now, effects);
  effects.push({ type: "advertise", priority: state.priority });
  const better = advert.priority > state.priority
    ? `priority ${advert.priority} > ${state.priority}`
    : `equal priority ${state.priority}, higher address`;
  const reason = `${formatAddress(source)} is the better master (${better})`;
  const learnt = {
    ...left,
    interval: learntInterval(state, advert),
    master: knownMaster(state, advert, source),
  };
  return toBackup(learnt, reason, effects, now);
}
