/**
 * All that can happen to a few machines, to a bounded depth: every order of faults, cuts, pauses, crashes, restarts and
 * silence. Packets take no time here; whether they arrive is a matter of which paths are open.
 *
 * @module
 */
import { parseAddress } from "../../lib/packet/mod.ts";
import type { Member } from "../../mod/group/model.ts";
import { demotion, heedsDemotion, mayLead, resumeTogether, sharedConditions } from "../../mod/group/step.ts";
import type { VrrpConfig } from "../../mod/vrrp/config.ts";
import type { Conditions, VrrpEvent, VrrpState } from "../../mod/vrrp/model.ts";
import { resumeBounds, sufferedSilence } from "../../mod/vrrp/phase.ts";
import { initialState, nextDue, resumedState, step, takeoverReason } from "../../mod/vrrp/step.ts";
import type { Ns } from "../../mod/vrrp/timers.ts";
import { type Datagram, decodeDatagram, encodeAdverts } from "./datagram.ts";
import type { Sign } from "./parts.ts";

/** One virtual router as data. */
export interface Node {
  readonly state: VrrpState;
  readonly holds: boolean;
  readonly faulty: boolean;
  readonly sign: Sign | null;
  readonly inbox: readonly Datagram[];
}

/** One daemon as data. */
export interface Host {
  readonly alive: boolean;
  readonly paused: boolean;
  /** A probe with a weight is down. */
  readonly weak: boolean;
}

/** A whole cluster as data. Router `segment × hosts + host` is that of a host on a segment. */
export interface Scene {
  readonly now: Ns;
  readonly hosts: readonly Host[];
  readonly nodes: readonly Node[];
  /** Bit `from × n + to`: this path is cut. */
  readonly cuts: number;
}

/** What is explored. */
export interface Exploration {
  /** By router. */
  readonly configs: readonly VrrpConfig[];
  readonly sources: readonly Uint8Array[];
  /** How many hosts there are. */
  readonly size: number;
  readonly weight: number;
}

/** Routers on so many segments, each of which has the hosts with these configs. */
export function exploration(
  parts: readonly VrrpConfig[],
  segments: number,
  weight: number,
): Exploration {
  const places = Array.from({ length: segments }, (_, segment) => segment);
  return {
    configs: places.flatMap((segment) =>
      parts.map((part) => segments === 1 ? part : { ...part, name: `r${segment}`, group: "site" })
    ),
    sources: places.flatMap((segment) => parts.map((_, at) => parseAddress(`10.9.${segment}.${at + 1}`)!)),
    size: parts.length,
    weight,
  };
}

const RESTING: Host = { alive: false, paused: false, weak: false };

/** All hosts are off. */
export function firstScene({ configs, size }: Exploration): Scene {
  return {
    now: 1e9,
    cuts: 0,
    hosts: Array.from({ length: size }, () => RESTING),
    nodes: configs.map((config) => ({
      state: initialState(config, 1e9),
      holds: false,
      faulty: false,
      sign: null,
      inbox: [],
    })),
  };
}

/** A scene while it is being changed. */
class Draft {
  now: Ns;
  cuts: number;
  readonly hosts: Host[];
  readonly nodes: Node[];
  readonly #of: Exploration;
  readonly #waiting: { readonly to: number; readonly datagram: Datagram }[] = [];

  constructor(scene: Scene, of: Exploration) {
    this.now = scene.now;
    this.cuts = scene.cuts;
    this.hosts = [...scene.hosts];
    this.nodes = [...scene.nodes];
    this.#of = of;
  }

  scene(): Scene {
    return { now: this.now, cuts: this.cuts, hosts: this.hosts, nodes: this.nodes };
  }

  change(id: number, part: Partial<Node>): void {
    this.nodes[id] = { ...this.nodes[id]!, ...part };
  }

  changeHost(host: number, part: Partial<Host>): void {
    this.hosts[host] = { ...this.hosts[host]!, ...part };
  }

  /** The routers of a host, which are members of one group when there are several. */
  idsOf(host: number): number[] {
    const ids: number[] = [];
    for (let id = host; id < this.nodes.length; id += this.#of.size) ids.push(id);
    return ids;
  }

  runs(host: number): boolean {
    const { alive, paused } = this.hosts[host]!;
    return alive && !paused;
  }

  /** One event, and all that the packets which it causes cause. */
  feed(id: number, event: VrrpEvent): void {
    this.#feed(id, event);
    this.#settlePackets();
  }

  #settlePackets(): void {
    for (let count = 0; this.#waiting.length > 0; count++) {
      if (count > 300) throw new Error("Packets answer each other without an end");
      const { to, datagram } = this.#waiting.shift()!;
      const { alive, paused } = this.hosts[to % this.#of.size]!;
      if (!alive) continue;
      if (paused) this.change(to, { inbox: [...this.nodes[to]!.inbox, datagram].slice(-3) });
      else this.#feed(to, { type: "packet", packet: decodeDatagram(datagram) });
    }
  }

  #feed(id: number, event: VrrpEvent): void {
    const before = this.nodes[id]!;
    const { state, effects } = step(before.state, event, this.now);
    this.change(id, { state });
    for (const effect of effects) {
      if (effect.type === "own-addresses") this.change(id, { holds: true });
      else if (effect.type === "drop-addresses") this.change(id, { holds: false });
      else if (effect.type === "advertise") this.#send(id, effect.priority, effect.ahSequence ?? 0);
      else if (effect.type === "wants-master") this.#askGroup(id);
      else if (effect.type === "transition" && effect.from === "master") this.#markSign(id);
    }
    const { state: after, holds } = this.nodes[id]!;
    if (holds !== (after.phase === "master" || after.lingerUntil !== null)) {
      throw new Error(`Router ${id} in ${after.phase} ${holds ? "holds" : "lacks"} its addresses`);
    }
    const due = nextDue(after);
    if (Number.isNaN(due) || (event.type === "timer" && due <= this.now)) {
      throw new Error(`Router ${id} in ${after.phase} waits for ${due} at ${this.now}`);
    }
    this.#moveTogether(id, before.state);
  }

  #markSign(id: number): void {
    const { sign } = this.nodes[id]!;
    if (sign !== null) this.change(id, { sign: { ...sign, master: false } });
  }

  #members(id: number): Member[] {
    return this.idsOf(id % this.#of.size).map((member) => {
      const { state: { config: { name }, phase, ready }, faulty } = this.nodes[member]!;
      const faults = faulty ? ["interface eth0 is down"] : [];
      return { name, phase, ready, faults, waiting: [], settled: true };
    });
  }

  #moveTogether(id: number, before: VrrpState): void {
    const { state } = this.nodes[id]!;
    const { group, name } = state.config;
    if (group === null) return;
    const reason = demotion(group, name, before, state, this.#members(id));
    if (reason === null) return;
    this.idsOf(id % this.#of.size).forEach((other, at) => {
      if (other !== id && heedsDemotion(this.#members(id)[at]!)) {
        this.#feed(other, { type: "demote", reason });
      }
    });
  }

  #askGroup(id: number): void {
    if (!mayLead(this.#members(id))) return;
    for (const member of this.idsOf(id % this.#of.size)) {
      const reason = takeoverReason(this.nodes[member]!.state, this.now);
      this.#feed(member, { type: "promote", reason });
    }
  }

  #send(from: number, priority: number, ahSequence: number): void {
    const { state } = this.nodes[from]!;
    const { size } = this.#of;
    const sign = {
      master: priority !== 0,
      spokeAt: this.now,
      ahSequence: state.ahSequence,
      silenceNs: sufferedSilence(state.config),
    };
    this.change(from, { sign });
    for (const datagram of encodeAdverts(state, priority, ahSequence)) {
      const first = from - from % size;
      for (let to = first; to < first + size; to++) {
        const cut = (this.cuts & (1 << (from * size + to % size))) !== 0;
        if (to !== from && !cut) this.#waiting.push({ to, datagram });
      }
    }
  }

  #own(id: number): Conditions {
    return {
      source: this.#of.sources[id]!,
      faults: this.nodes[id]!.faulty ? ["interface eth0 is down"] : [],
      waiting: [],
      adjustments: this.hosts[id % this.#of.size]!.weak
        ? [{ source: "probe:p", weight: this.#of.weight }]
        : [],
      settled: true,
      deaf: false,
    };
  }

  /** Tells the routers of a host what their surroundings allow. */
  look(host: number): void {
    if (!this.runs(host)) return;
    for (const id of this.idsOf(host)) {
      const { group, name } = this.nodes[id]!.state.config;
      const own = this.#own(id);
      const conditions = group === null ? own : sharedConditions(own, group, this.#members(id), name);
      this.#feed(id, { type: "conditions", conditions });
    }
    this.#settlePackets();
  }

  /** Starts a process, which goes on as master where the one before it was, if that was just now. */
  start(host: number): void {
    this.changeHost(host, { alive: true, paused: false });
    const ids = this.idsOf(host);
    const bounds = resumeTogether(ids.map((id) => {
      const { sign, state: { config } } = this.nodes[id]!;
      return {
        group: config.group,
        bounds: sign?.master === true ? resumeBounds(config, sign.spokeAt, sign.silenceNs) : null,
      };
    }));
    ids.forEach((id, at) => {
      const { sign, state: { config } } = this.nodes[id]!;
      const own = bounds[at] ?? null;
      const state = sign === null || own === null
        ? initialState(config, this.now)
        : resumedState(config, this.now, { ...sign, bounds: own });
      this.change(id, { inbox: [], holds: false, sign: null, state });
    });
    this.look(host);
  }

  wake(host: number): void {
    this.changeHost(host, { paused: false });
    const ids = this.idsOf(host);
    for (const id of ids) {
      const { inbox } = this.nodes[id]!;
      this.change(id, { inbox: [] });
      for (const datagram of inbox) this.feed(id, { type: "packet", packet: decodeDatagram(datagram) });
    }
    this.look(host);
    for (const id of ids) if (nextDue(this.nodes[id]!.state) <= this.now) this.feed(id, { type: "timer" });
  }

  /** Lets an operator release or resume what a host has. */
  command(host: number): void {
    const released = this.nodes[host]!.state.released !== null;
    for (const id of this.idsOf(host)) {
      this.#feed(
        id,
        released ? { type: "resume" } : { type: "release", reason: "released", lingerNs: 1e9 },
      );
    }
    this.#settlePackets();
  }

  /** The routers whose deadline comes first, and when. */
  next(): { readonly due: Ns; readonly ids: readonly number[] } {
    let due = Infinity;
    let ids: number[] = [];
    this.nodes.forEach(({ state }, id) => {
      const at = this.runs(id % this.#of.size) ? nextDue(state) : Infinity;
      if (at < due) [due, ids] = [at, [id]];
      else if (at === due && at !== Infinity) ids.push(id);
    });
    return { due, ids };
  }

  tick(id: number): void {
    this.now = Math.max(this.now, nextDue(this.nodes[id]!.state));
    this.feed(id, { type: "timer" });
  }
}

/** Every scene that one event can make of this one. */
export function successors(scene: Scene, of: Exploration): Scene[] {
  const scenes: Scene[] = [];
  const add = (act: (draft: Draft) => void) => {
    const draft = new Draft(scene, of);
    act(draft);
    scenes.push(draft.scene());
  };
  for (const id of new Draft(scene, of).next().ids) add((draft) => draft.tick(id));
  scene.hosts.forEach((host, at) => {
    if (!host.alive) return add((draft) => draft.start(at));
    add((draft) => draft.changeHost(at, { alive: false, paused: false }));
    if (host.paused) return add((draft) => draft.wake(at));
    add((draft) => draft.changeHost(at, { paused: true }));
    add((draft) => {
      draft.changeHost(at, { weak: !host.weak });
      draft.look(at);
    });
    add((draft) => draft.command(at));
    for (const id of new Draft(scene, of).idsOf(at)) {
      add((draft) => {
        draft.change(id, { faulty: !scene.nodes[id]!.faulty });
        draft.look(at);
      });
      for (let to = 0; to < of.size; to++) {
        if (to !== at) add((draft) => draft.cuts ^= 1 << (id * of.size + to));
      }
    }
  });
  return scenes;
}

/** Starts every host. */
export function startAll(of: Exploration): Scene {
  const draft = new Draft(firstScene(of), of);
  for (let host = 0; host < of.size; host++) draft.start(host);
  return draft.scene();
}

/** The same text for scenes that differ only in what time it is, and in what has no consequences any more. */
export function identify({ now, hosts, nodes, cuts }: Scene): string {
  const since = (at: Ns | null) =>
    at === null ? "-" : Number.isFinite(at) ? Math.round((at - now) / 1000) : at;
  const least = Math.min(...nodes.map(({ state }) => state.ahSequence));
  const parts = nodes.map(({ state, faulty, sign, inbox }, id) => {
    const { alive, paused, weak } = hosts[id % hosts.length]!;
    if (!alive) {
      const fresh = sign !== null && sign.master && now - sign.spokeAt < sign.silenceNs;
      return `dead ${faulty} ${weak} ${fresh ? `${since(sign.spokeAt)} ${sign.ahSequence - least}` : ""}`;
    }
    const { conflict } = state;
    return [
      state.phase,
      paused,
      faulty,
      weak,
      state.released !== null,
      state.interval,
      since(state.due),
      state.delaying,
      state.ready,
      since(state.preemptAt),
      state.takeoverReason !== null,
      state.master?.text,
      state.master?.priority,
      since(state.heardAt),
      since(state.lingerUntil),
      now - state.spokeAt < 5e6 ? since(state.spokeAt) : "",
      state.ahSequence - least,
      conflict &&
      [
        since(conflict.since),
        since(conflict.last),
        conflict.reported,
        since(conflict.settleDue),
        conflict.answered,
      ],
      inbox.map(({ payload, ah }) => [payload[2], ah && ah.sequence - least]),
    ].join(" ");
  });
  return `${cuts}|${parts.join("|")}`;
}

/** Ends all trouble and lets time pass. */
export function settle(scene: Scene, of: Exploration, time: Ns): Scene {
  const draft = new Draft(scene, of);
  draft.cuts = 0;
  draft.hosts.forEach(({ alive, paused }, at) => {
    if (!alive) draft.start(at);
    else if (paused) draft.wake(at);
  });
  const end = draft.now + time;
  for (let next = draft.next(); next.due <= end; next = draft.next()) draft.tick(next.ids[0]!);
  return { ...draft.scene(), now: end };
}
