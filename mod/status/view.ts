/**
 * From a snapshot to the status document. No secret can get into it: the snapshot holds none.
 *
 * @module
 */
import { type Carried, noDrops } from "../bus/messages.ts";
import type { HistoryEntry, StatusSnapshot, SyncGroup } from "./model.ts";
import type { EventDocument, GroupEntry, InstanceEntry, StatusDocument, TrackEntry } from "./schema.ts";
import { countersOf } from "./store.ts";
import {
  addCounters,
  allInUnits,
  inUnits,
  together,
  type Unit,
  type UnitNames,
  unitNames,
  unitsOf,
} from "./unit.ts";
import { familyText } from "./words.ts";

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The status document (`GET /status`). */
export function viewStatus(snapshot: StatusSnapshot): StatusDocument {
  const { figures, config } = snapshot;
  const names = unitNames(snapshot.instances);
  const instances = unitsOf(snapshot.instances).map((unit) => viewUnit(snapshot, unit, names));
  const problems = troubles(snapshot, instances);
  return {
    node: snapshot.node,
    version: snapshot.version,
    healthy: problems.length === 0,
    problems,
    maintenance: snapshot.maintenance,
    time: iso(snapshot.nowMs),
    uptime_s: Math.max(0, Math.round(snapshot.nowMs - snapshot.startedMs)) / 1000,
    instances,
    groups: snapshot.groups.flatMap((group) => viewGroup(snapshot, group)),
    static: {
      addresses: [...snapshot.static?.addresses ?? []],
      routes: [...snapshot.static?.routes ?? []],
      rules: [...snapshot.static?.rules ?? []],
      problems: [...snapshot.static?.problems ?? []],
    },
    probes: [...snapshot.probes],
    tunnels: [...snapshot.tunnels],
    services: [...snapshot.services],
    balance: [...snapshot.balance],
    config: config && {
      file: config.file,
      at: iso(config.atMs),
      ok: config.ok,
      problems: [...config.problems],
    },
    engine: {
      pid: snapshot.enginePid,
      control_restarts: figures?.controlRestarts ?? 0,
      realtime: figures?.realtime ?? false,
      dropped: { ...(figures?.dropped ?? noDrops()) },
      lateness: figures && {
        bounds_ms: [...figures.lateness.boundsMs],
        counts: [...figures.lateness.counts],
        sum_ms: figures.lateness.sumMs,
      },
    },
  };
}

function viewUnit(snapshot: StatusSnapshot, { name, legs }: Unit, names: UnitNames): InstanceEntry {
  const [first] = legs;
  const { state, sinceMs, lead } = together(legs);
  const agreed = legs.every((leg) => leg.state === state);
  const lowest = legs.reduce((low, leg) => leg.priority.effective < low.priority.effective ? leg : low);
  const counters = legs.map((leg) => countersOf(snapshot, leg.name)).reduce(addCounters);
  const masters = legs.flatMap(({ family, master }) => master === null ? [] : [{ family, ...master }]);
  const all = (key: keyof Carried) => [...new Set(legs.flatMap(({ carried }) => carried[key]))];
  const group = snapshot.groups.find(({ members }) => members.includes(name));
  const companions = snapshot.instances.filter(({ unit }) => group?.members.includes(unit) ?? unit === name);
  const preemptAt = legs.map(({ preemptAtMs }) => preemptAtMs).find((at) => at !== null);
  const texts = (key: "faults" | "waiting") => allInUnits(legs.flatMap((leg) => leg[key]), names, name);
  return {
    name,
    state,
    since: iso(sinceMs),
    reason: `${agreed ? "" : `${familyText(lead.family)}: `}${inUnits(lead.reason, names, name)}`,
    vrid: first.vrid,
    version: first.version,
    family: first.family,
    families: legs.map(({ family }) => family),
    group: group?.name ?? null,
    interface: first.interface,
    priority: {
      base: lowest.priority.base,
      effective: lowest.priority.effective,
      adjustments: lowest.priority.adjustments.map(({ source, weight }) => ({ source, weight })),
    },
    master: masters[0] === undefined ? null : { address: masters[0].address, priority: masters[0].priority },
    masters: masters.map(({ family, address, priority }) => ({ family, address, priority })),
    addresses: legs.flatMap(({ addresses }) => addresses),
    extra: all("addresses"),
    routes: all("routes"),
    rules: all("rules"),
    problems: all("problems"),
    // Both legs make every move; the one that was there for longer has made all of them.
    transitions: Math.max(...legs.map(({ transitions }) => transitions)),
    adverts: {
      sent: counters.sent,
      received: counters.received,
      dropped: { ...counters.dropped },
      priority_zero_sent: counters.priorityZeroSent,
      priority_zero_received: counters.priorityZeroReceived,
      send_errors: counters.sendErrors,
      address_mismatch: counters.addressMismatch,
      interval_mismatch: counters.intervalMismatch,
    },
    announced: counters.announced,
    repaired: counters.repaired,
    faults: texts("faults"),
    waiting: texts("waiting"),
    advert_interval_ms: Math.max(...legs.map(({ advertIntervalMs }) => advertIntervalMs)),
    master_down_interval_ms: Math.max(...legs.map(({ masterDownIntervalMs }) => masterDownIntervalMs)),
    preempt: first.preempt,
    preempt_at: preemptAt === undefined ? null : iso(preemptAt),
    // Where all are ready they take over at this moment.
    unheard: companions.every(({ ready }) => ready)
      ? []
      : legs.flatMap(({ family, ready }) => ready ? [family] : []),
    released: legs.some(({ released }) => released),
    send_error: legs.map(({ sendError }) => sendError).find((error) => error !== null) ?? null,
    split_brain_with: legs.map(({ splitBrainWith }) => splitBrainWith).find((other) => other !== null) ??
      null,
    track: [...tracksOf(snapshot, name)],
  };
}

/** A sync group; nothing as long as nothing is known of its members. */
function viewGroup({ instances }: StatusSnapshot, { name, members }: SyncGroup): GroupEntry[] {
  const legs = instances.filter(({ unit }) => members.includes(unit));
  if (legs.length === 0) return [];
  const { state, sinceMs } = together(legs);
  return [{ name, state, since: iso(sinceMs), members: [...members] }];
}

function tracksOf({ tracks }: StatusSnapshot, name: string): readonly TrackEntry[] {
  return tracks !== null && Object.hasOwn(tracks, name) ? tracks[name]! : [];
}

/** What is not well, in words. A probe whose being down is what its instances hope for (`reverse`) is well. */
function troubles(snapshot: StatusSnapshot, instances: readonly InstanceEntry[]): string[] {
  const found: string[] = [];
  for (const { name, state, faults, reason } of instances) {
    if (state === "fault") {
      found.push(`instance ${name} is in fault: ${faults.length > 0 ? faults.join("; ") : reason}`);
    }
  }
  for (const { name, unheard, families } of instances) {
    if (unheard.length === 0) continue;
    const over = families.length > 1 ? ` over ${unheard.map(familyText).join(" and ")}` : "";
    found.push(`instance ${name} hears no master${over}, though the rest of its group does`);
  }
  for (const { unit, splitBrainWith } of snapshot.instances) {
    if (splitBrainWith !== null) found.push(`instance ${unit} has a second master: ${splitBrainWith}`);
  }
  for (const { name, send_error } of instances) {
    if (send_error !== null) found.push(`instance ${name} ${send_error}`);
  }
  for (const { name, problems } of instances) {
    for (const problem of problems) found.push(`instance ${name}: ${problem}`);
  }
  for (const problem of snapshot.static?.problems ?? []) found.push(`static: ${problem}`);
  const expected = expectedUp(snapshot);
  for (const { name, state, error } of snapshot.probes) {
    if (state === "down" && (expected === null || expected.has(`probe:${name}`))) {
      found.push(`probe ${name} is down${error === null ? "" : `: ${error}`}`);
    }
  }
  for (const { name, state, error } of snapshot.tunnels) {
    if (state === "down") found.push(`tunnel ${name} is down${error ? `: ${error}` : ""}`);
  }
  for (const { name, state } of snapshot.services) {
    if (state === "failed") found.push(`service ${name} has failed`);
  }
  found.push(...snapshot.problems);
  return found;
}

/** Sources that an instance wants to be up; null when it is not known what is tracked. */
function expectedUp({ tracks }: StatusSnapshot): ReadonlySet<string> | null {
  if (tracks === null) return null;
  const wanted = Object.values(tracks).flat().filter(({ reverse }) => !reverse);
  return new Set(wanted.map(({ source }) => source));
}

/** A line of the history as the API shows it. */
export function viewEvent(entry: HistoryEntry): EventDocument {
  const { id, atMs, kind, subject, text, detail } = entry;
  return { id, at: iso(atMs), kind, subject, text, detail: { ...detail } };
}
