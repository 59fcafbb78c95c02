/**
 * Why each instance is in its state, and what would change that: in sentences, from the status document alone.
 *
 * @module
 */
import type { DropReason } from "../bus/messages.ts";
import type {
  ExplainDocument,
  GroupEntry,
  InstanceEntry,
  ProbeEntry,
  StatusDocument,
  TrackEntry,
  TunnelEntry,
} from "./schema.ts";
import { ageText, familyText, intervalText, listText, momentText, sourceText } from "./words.ts";

/** Why a packet is ignored, and what to do about it. */
const CAUSES: Readonly<Record<DropReason, string>> = {
  truncated: "damaged, or no VRRP at all",
  length: "damaged, or no VRRP at all",
  type: "damaged, or no VRRP at all",
  count: "damaged, or no VRRP at all",
  version: "the sender speaks the other version of VRRP; set `version` alike",
  checksum: "damaged, or a checksum of no known form",
  ttl: "a TTL other than 255, so it was routed or forged; name `peers` where a router is between",
  vrid: "another virtual router",
  auth: "another type, another password, or an old number; set `auth` alike on every router",
  interval: "the sender advertises at another interval; set `advert_interval` alike",
  mode: "multicast where `peers` are configured, or the other way round; configure both alike",
  peer: "the sender is not in `peers`; add it, or find out who it is",
  own: "it bears our own source address; give each router an address of its own",
  owner: "the sender has priority 255, as this router has; only one can own the addresses",
};

/** Explains one instance, or all of them and their groups. Empty when there is none of that name. */
export function explain(status: StatusDocument, name: string | null = null): ExplainDocument {
  const instances = status.instances.filter((instance) => name === null || instance.name === name);
  return {
    instances: instances.map((instance) => ({
      name: instance.name,
      state: instance.state,
      sentences: explainInstance(status, instance),
    })),
    groups: name !== null ? [] : status.groups.map((group) => ({
      name: group.name,
      state: group.state,
      sentences: explainGroup(status, group),
    })),
  };
}

function explainGroup(status: StatusDocument, { name, state, since, members }: GroupEntry): string[] {
  const sentences = [
    `The sync group ${name} is ${stateText(state)} since ${sinceText(status, since)}: ` +
    `${listText(members)} ${members.length === 1 ? "is its only member" : "share one state"}.`,
  ];
  const entries = status.instances.filter((instance) => members.includes(instance.name));
  if (entries.some((entry) => entry.state !== state)) {
    const states = entries.map((entry) => `${entry.name} is ${stateText(entry.state)}`);
    sentences.push(`Not all have reached it: ${listText(states)}.`);
  }
  for (const entry of entries) {
    // What comes from another member is told of that one.
    const own = entry.faults.filter((why) => !why.startsWith(`group ${name}: `));
    if (state === "fault" && own.length > 0) {
      sentences.push(`${entry.name} holds it in fault: ${own.join("; ")}.`);
    }
  }
  if (state === "init") {
    const waiting = [...new Set(entries.flatMap((entry) => entry.waiting))];
    if (waiting.length > 0) sentences.push(`It takes part as soon as it has ${listText(waiting)}.`);
  }
  return sentences;
}

function stateText(state: InstanceEntry["state"]): string {
  return state === "fault" || state === "init" ? `in ${state}` : state;
}

/** `2026-11-20 03:02:00 UTC (3 min)` */
function sinceText({ time }: StatusDocument, since: string): string {
  return `${momentText(since)} (${ageText(Math.max(0, Date.parse(time) - Date.parse(since)))})`;
}

function explainInstance(status: StatusDocument, instance: InstanceEntry): string[] {
  const sentences = [
    headline(status, instance),
    ...priority(status, instance),
    ...companions(status, instance),
  ];
  switch (instance.state) {
    case "init":
      sentences.push(...init(instance));
      break;
    case "fault":
      sentences.push(...fault(instance));
      break;
    case "backup":
      sentences.push(...backup(status, instance));
      break;
    case "master":
      sentences.push(...master(status, instance));
      break;
  }
  sentences.push(...warnings(instance));
  return sentences;
}

function headline(status: StatusDocument, instance: InstanceEntry): string {
  const { name, vrid, version, families, state, since, reason } = instance;
  const what = [`VRID ${vrid}`, `VRRPv${version}`];
  if (families.length > 1) what.push(listText(families.map(familyText)));
  const where = `on ${instance.interface} (${what.join(", ")})`;
  return `${name} is ${stateText(state)} ${where} since ${sinceText(status, since)}: ${reason}.`;
}

function companions({ groups }: StatusDocument, { name, group }: InstanceEntry): string[] {
  const others = groups.find((entry) => entry.name === group)?.members.filter((member) => member !== name);
  if (others === undefined || others.length === 0) return [];
  return [`It shares its state with ${listText(others)} in the sync group ${group}.`];
}

function signed(weight: number): string {
  return weight < 0 ? `−${-weight}` : `+${weight}`;
}

function priority(status: StatusDocument, { priority, track }: InstanceEntry): string[] {
  const { base, effective, adjustments } = priority;
  if (base === 255) return ["Its priority is 255: it owns the addresses, and nothing changes that."];
  const parts = adjustments.map(({ source, weight }) => {
    const state = stateOf(status, source);
    return `${signed(weight)} by ${sourceText(source)}${state === null ? "" : ` (${state})`}`;
  });
  const sum = adjustments.reduce((total, { weight }) => total + weight, base);
  const clamped = sum === effective ? "" : `, kept within 1 and 254`;
  const first = parts.length === 0
    ? `Its priority is ${effective}, as configured.`
    : `Its priority is ${effective}: ${base} as configured, ${listText(parts)}${clamped}.`;
  const unknown = track.map(({ source }) => source).filter((source) =>
    watchedOf(status, source)?.state === "unknown"
  );
  return unknown.length === 0 ? [first] : [first, `No result yet of ${listText(unknown.map(sourceText))}.`];
}

function probeOf(status: StatusDocument, source: string): ProbeEntry | undefined {
  return status.probes.find(({ name }) => source === `probe:${name}`);
}

/** The probe or tunnel that is called so where it is tracked. */
function watchedOf(status: StatusDocument, source: string): ProbeEntry | TunnelEntry | undefined {
  return probeOf(status, source) ?? status.tunnels.find(({ name }) => source === `tunnel:${name}`);
}

/** "down for 12 s: connection refused" */
function stateOf(status: StatusDocument, source: string): string | null {
  const watched = watchedOf(status, source);
  if (watched?.since === undefined) return null;
  const age = ageText(Math.max(0, Date.parse(status.time) - Date.parse(watched.since)));
  return `${watched.state} for ${age}${watched.error ? `: ${watched.error}` : ""}`;
}

function init({ waiting }: InstanceEntry): string[] {
  return waiting.length === 0 ? [] : [`It takes part as soon as it has ${listText(waiting)}.`];
}

function fault({ name, faults, released, waiting }: InstanceEntry): string[] {
  const sentences = faults.length > 1 ? [`All of this holds it in fault: ${faults.join("; ")}.`] : [];
  if (released) {
    const way = faults.some((why) => why.includes("maintenance")) ? "maintenance off" : `resume ${name}`;
    sentences.push(`An operator wants it so, until \`appliance ${way}\`.`);
  } else {
    sentences.push(
      `It becomes backup by itself when ${faults.length > 1 ? "all of that is" : "that is"} over.`,
    );
  }
  if (waiting.length > 0) sentences.push(`After that it waits for ${listText(waiting)}.`);
  return sentences;
}

function backup(status: StatusDocument, instance: InstanceEntry): string[] {
  const { masters, master_down_interval_ms, preempt, preempt_at, priority, unheard } = instance;
  const silence = `no advertisement is heard for ${intervalText(master_down_interval_ms)}`;
  if (unheard.length > 0) return heldByGroup(status, instance);
  if (masters.length === 0) return [`It has heard no master yet, and takes over when ${silence}.`];
  const own = priority.effective;
  const highest = Math.max(...masters.map((master) => master.priority));
  const sentences = [masterText(masters)];
  if (own <= highest) {
    const lost = priority.adjustments.filter(({ weight }) => weight < 0);
    const whole = Math.min(254, lost.reduce((total, { weight }) => total - weight, own));
    sentences.push(
      `This router takes over when ${silence}${
        preempt ? `, or when its priority exceeds the master's` : ""
      }.`,
    );
    if (preempt && lost.length > 0 && whole > highest) {
      const names = listText(lost.map(({ source }) => sourceText(source)));
      sentences.push(
        `Without what ${names} takes away its priority would be ${whole}, and it would take over.`,
      );
    }
  } else if (preempt || priority.base === 255) {
    sentences.push(
      preempt_at === null
        ? `Its own priority is higher, so it is about to take over.`
        : `Its own priority is higher: it takes over at ${momentText(preempt_at)}, after the delay that ` +
          `\`preempt\` demands.`,
    );
  } else {
    sentences.push(
      `Its own priority is higher, but it does not preempt: it takes over only when ${silence}.`,
    );
  }
  return sentences;
}

/** A router that hears no master where the others of its group do. */
function heldByGroup({ instances }: StatusDocument, instance: InstanceEntry): string[] {
  const { name, group, families, masters, master_down_interval_ms, unheard } = instance;
  const silence = `no advertisement for longer than ${intervalText(master_down_interval_ms)}`;
  const cure = "find out why the master's packets (IP protocol 112) do not arrive";
  if (unheard.length < families.length) {
    const [deaf, other] = [unheard, families.filter((family) => !unheard.includes(family))].map((list) =>
      listText(list.map(familyText))
    );
    return [
      `Over ${deaf} it has heard ${silence}, though the master is heard over ${other}: ${cure} over ${deaf}.`,
      ...(masters.length === 0 ? [] : [masterText(masters)]),
    ];
  }
  const others = instances.filter((other) =>
    other.group === group && other.name !== name && other.unheard.length === 0
  );
  const heard = others.map((other) =>
    other.masters[0] === undefined ? other.name : `${other.name} hears ${other.masters[0].address}`
  );
  return [
    `It has heard ${silence} and would be master, but the sync group ${group} moves as a whole, and ` +
    `${listText(heard)}: ${cure} on ${instance.interface}.`,
  ];
}

/** "The master is 10.1.1.2 and fe80::2 with priority 90." */
function masterText(masters: InstanceEntry["masters"]): string {
  const [first, ...others] = masters;
  const alike = others.every(({ priority }) => priority === first!.priority);
  const texts = masters.map(({ address, priority }) =>
    alike ? address : `${address} with priority ${priority}`
  );
  return `The master is ${listText(texts)}${alike ? ` with priority ${first!.priority}` : ""}.`;
}

function master(status: StatusDocument, instance: InstanceEntry): string[] {
  const { addresses, advert_interval_ms, priority } = instance;
  const sentences = [
    `It holds ${
      addresses.length > 4 ? `${addresses.length} addresses` : listText(addresses)
    } and advertises ` +
    `every ${intervalText(advert_interval_ms)}.`,
  ];
  if (priority.base === 255) return sentences;
  sentences.push(`It stays master until a router with a priority above ${priority.effective} preempts it.`);
  const held = new Set(priority.adjustments.map(({ source }) => source));
  for (const track of instance.track) {
    // What multiplies a weight by its number moves the priority by more than that it is lost.
    if (typeof probeOf(status, track.source)?.value === "number") continue;
    sentences.push(...threat(track, held, priority.effective));
  }
  return sentences;
}

/** What the loss of a tracked object would do. Reversed and multiplied weights cannot be said in half a sentence. */
function threat({ source, weight, reverse }: TrackEntry, held: ReadonlySet<string>, now: number): string[] {
  if (reverse) return [];
  const name = sourceText(source);
  if (weight === null) return [`If ${name} goes down, it goes to fault.`];
  const loses = weight < 0 ? !held.has(source) : held.has(source);
  if (!loses || weight === 0) return [];
  const left = Math.max(1, now - Math.abs(weight));
  return [`If ${name} goes down, its priority falls to ${left}.`];
}

function warnings(instance: InstanceEntry): string[] {
  const { name, send_error, split_brain_with, state, released, adverts, problems } = instance;
  const sentences: string[] = [];
  if (send_error !== null) {
    sentences.push(`It ${send_error}: no other router hears it, and each of them may be master too.`);
  }
  if (split_brain_with !== null) {
    const why = send_error === null
      ? ", so the routers do not hear each other or differ in their config (`appliance doctor` looks which)"
      : "";
    sentences.push(`Two routers are master: ${split_brain_with} advertises too${why}.`);
  }
  if (released && state !== "fault") {
    sentences.push(`It is released: \`appliance resume ${name}\` ends that.`);
  }
  if (problems.length > 0) {
    sentences.push(`Not all is well with what it holds as master: ${problems.join("; ")}.`);
  }
  for (const [reason, count] of Object.entries(adverts.dropped)) {
    if (count === 0) continue;
    const packets = count === 1 ? "1 packet was" : `${count} packets were`;
    sentences.push(`${packets} ignored (${reason}): ${CAUSES[reason as DropReason]}.`);
  }
  if (adverts.address_mismatch > 0) {
    sentences.push(
      `${adverts.address_mismatch} advertisements carried another list of addresses than this config.`,
    );
  }
  return sentences;
}
