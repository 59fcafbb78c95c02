/**
 * What virtual routers say on the wire: advertisements, and announcements of their addresses.
 *
 * @module
 */
import { closeFd, EMSGSIZE, errnoText, SendBatch } from "../../lib/libc/mod.ts";
import { equalBytes } from "../../lib/packet/mod.ts";
import type { Target } from "../announce/model.ts";
import { AnnounceSocket } from "../announce/shell.ts";
import { announce, nextDue, timer } from "../announce/step.ts";
import { isRouter } from "../link/forwarding.ts";
import type { LinkTable } from "../link/model.ts";
import { type AdvertMoment, openFrameSocket, sendAdvert, writeAdvert } from "../vrrp/shell.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { type Instance, targetsOf } from "./instance.ts";
import type { Outbox } from "./outbox.ts";
import type { SignsOfLife } from "./signs.ts";
import type { Timer } from "./timer.ts";

/** How long an announcement waits for its addresses to be told of by the kernel. */
const ADDRESS_PATIENCE = 20e6;
/** A send that goes on failing is logged once for so many. */
const LOGGED_FAILURES = 100;
/** Of advertisements that are due together so many wait for each other at most: together about 0.1 ms. */
const GATHERED = 16;

/** Advertisements that wait to be sent together on one socket, and whose they are. */
interface Gathered {
  readonly batch: SendBatch;
  readonly speakers: { readonly instance: Instance; readonly priority: number }[];
}

/** What the voice needs of the routers around it. */
export interface VoiceHost {
  readonly outbox: Outbox;
  readonly signs: SignsOfLife;
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  readonly links: () => LinkTable;
  /** What is shown of an instance changed. */
  readonly changed: (instance: Instance) => void;
  /** Index of the macvlan with this name; null while it is not there. */
  readonly vmacIndex: (name: string) => number | null;
}

export class Voice {
  readonly #host: VoiceHost;
  readonly #announce = new AnnounceSocket();
  /** Sends advertisements from virtual MAC addresses; null until the first of them. */
  #frameFd: number | null = null;
  /** By socket. */
  readonly #gathered = new Map<number, Gathered>();
  #gathering = false;
  /** Instances whose announcements wait for their addresses. */
  readonly #awaiting = new Set<Instance>();
  /** By interface index whether this machine is an IPv6 router on it. */
  readonly #forwarding = new Map<number, boolean>();

  constructor(host: VoiceHost) {
    this.#host = host;
  }

  /** Lets advertisements wait for others that are due too, until {@link flush} or until they are many; or no more. */
  gather(on: boolean): void {
    this.#gathering = on;
    if (!on) this.flush();
  }

  /** Sends what waits. */
  flush(): void {
    for (const [fd, gathered] of this.#gathered) if (gathered.speakers.length > 0) this.#send(fd, gathered);
  }

  #send(fd: number, { batch, speakers }: Gathered): void {
    batch.send(fd, (index, errno) => {
      const { instance, priority } = speakers[index]!;
      this.#advertised(instance, priority, errno);
    });
    speakers.length = 0;
  }

  /** Sends one advertisement, built from the state of this moment. */
  advertise(instance: Instance, priority: number, ahSequence: number): void {
    const { sockets, state } = instance;
    const { source } = state.conditions;
    if (sockets === null || source === null) return;
    const { vmac } = instance.config;
    const frames = vmac?.advertise === "vmac" ? this.#host.vmacIndex(vmac.name) : null;
    const template = instance.template(source, frames ?? sockets.ifindex, frames !== null);
    const fd = frames === null ? sockets.sendFd : this.#frameFd ??= openFrameSocket();
    const moment: AdvertMoment = { priority, checksum: state.checksum, ahSequence };
    const [destination, another] = template.destinations;
    if (!this.#gathering || destination === undefined || another !== undefined) {
      return this.#advertised(instance, priority, sendAdvert(fd, template, moment));
    }
    let gathered = this.#gathered.get(fd);
    if (gathered === undefined) {
      this.#gathered.set(fd, gathered = { batch: new SendBatch(GATHERED), speakers: [] });
    }
    // Its packet is written in one place: the one before leaves first.
    if (gathered.speakers.some((speaker) => speaker.instance === instance)) this.#send(fd, gathered);
    writeAdvert(template, moment, destination.address);
    gathered.batch.add(template.packet, destination.sockaddr);
    gathered.speakers.push({ instance, priority });
    if (gathered.speakers.length === GATHERED) this.#send(fd, gathered);
  }

  /** Notes what became of an advertisement; `failure` = 0 or the errno. */
  #advertised(instance: Instance, priority: number, failure: number): void {
    const { counters } = instance;
    this.#noteFailure(instance, failure);
    if (failure === 0) {
      this.#host.signs.note(instance, priority !== 0);
      counters.sent++;
      if (priority === 0) counters.priorityZeroSent++;
      return;
    }
    if (counters.sendErrors++ % LOGGED_FAILURES === 0) {
      this.#host.outbox.log("warning", ["vrrp", instance.name], instance.sendError!);
    }
  }

  /** A master that nobody can hear is none to its peers: that is shown for as long as it lasts. */
  #noteFailure(instance: Instance, failure: number): void {
    const { interface: name, addresses } = instance.config;
    const why = failure === EMSGSIZE
      ? `${errnoText(failure)} (${addresses.length} addresses do not fit its MTU)`
      : errnoText(failure);
    const error = failure === 0 ? null : `cannot send advertisements on ${name}: ${why}`;
    if (error === instance.sendError) return;
    instance.sendError = error;
    this.#host.changed(instance);
  }

  /**
   * Begins to announce an instance's addresses, with a burst at once. The kernel answers for a new IPv6 address only a
   * moment after it has taken it: whoever were told before would ask in vain.
   */
  announce(instance: Instance, now: MonotonicNs): void {
    const targets = targetsOf(instance.config, this.#host.links());
    const isReady = targets.every(this.#isAnswered);
    if (isReady) this.#awaiting.delete(instance);
    else this.#awaiting.add(instance);
    instance.announcer = announce(instance.config.announce, targets, isReady ? now : now + ADDRESS_PATIENCE);
    this.continueAnnouncing(instance, now);
  }

  /**
   * Links or addresses changed: instances that wait for their addresses announce them when they are there, and masters do
   * it anew whose interface has another MAC address by now.
   */
  observeLinks(before: LinkTable, instances: readonly Instance[], now: MonotonicNs): void {
    for (const instance of [...this.#awaiting]) {
      if (instance.announcer?.targets.every(this.#isAnswered)) this.announce(instance, now);
    }
    const { links } = this.#host.links();
    const moved = new Set<number>();
    for (const [index, { mac }] of links) {
      const known = before.links.get(index);
      if (known !== undefined && !equalBytes(known.mac, mac)) moved.add(index);
    }
    if (moved.size === 0) return;
    for (const instance of instances) {
      if (instance.state.phase !== "master") continue;
      const targets = targetsOf(instance.config, this.#host.links());
      if (targets.some(({ ifindex }) => moved.has(ifindex))) this.announce(instance, now);
    }
  }

  readonly #isAnswered = ({ ifindex, address }: Target): boolean => {
    if (address.length === 4) return true;
    const there = this.#host.links().addresses.get(ifindex) ?? [];
    return there.some(({ local }) => equalBytes(local, address));
  };

  /** Sends what is due of an instance's announcements. */
  continueAnnouncing(instance: Instance, now: MonotonicNs): void {
    if (instance.announcer === null) return;
    if (now >= instance.announcer.readyAt) this.#awaiting.delete(instance);
    const { state, send } = timer(instance.announcer, now);
    instance.announcer = state;
    const { links } = this.#host.links();
    for (const target of send) {
      const link = links.get(target.ifindex);
      if (link === undefined) continue;
      if (this.#announce.send(target, link.mac, this.#forwards(target, link.name)).sent) {
        instance.counters.announced++;
      }
    }
    this.#host.schedule(instance.announceTimer, nextDue(state));
  }

  /** Announces no more. */
  fallSilent(instance: Instance): void {
    instance.sendError = null;
    this.#awaiting.delete(instance);
    instance.announcer = null;
    this.#host.schedule(instance.announceTimer, Infinity);
  }

  /** Interfaces have changed: what was looked up of them is looked up again. */
  forgetLinks(): void {
    this.#forwarding.clear();
  }

  close(): void {
    this.#announce.close();
    if (this.#frameFd !== null) closeFd(this.#frameFd);
  }

  /** Whether an IPv6 announcement is to say that this machine is a router; looked up once for each interface. */
  #forwards({ ifindex, address }: Target, name: string): boolean {
    if (address.length === 4) return false;
    let forwards = this.#forwarding.get(ifindex);
    if (forwards === undefined) this.#forwarding.set(ifindex, forwards = isRouter(name));
    return forwards;
  }
}
