/**
 * The far end of one tunnel: asked at absolute moments, heard whenever it answers.
 *
 * @module
 */
import { bytesOf, isTap } from "../diff.ts";
import type { KeepaliveMethod, TunnelConfig } from "../model.ts";
import { openArpProber } from "./arp.ts";
import { openGreProber } from "./gre.ts";
import { openIcmpProber } from "./icmp.ts";
import type { ProbedLink, Prober } from "./prober.ts";

/** What a far end needs of the process it is in. */
export interface FarEndHost {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Calls a function while a descriptor is readable. */
  readonly watch: {
    add(fd: number, onReadable: () => void): void;
    remove(fd: number): void;
  };
}

/** What a far end tells. */
export interface FarEndListener {
  /** A question left (null) or could not: why. */
  asked(error: string | null): void;
  answered(latencyMs: number): void;
}

/** Questions whose answers are still taken. */
const REMEMBERED = 64;

let lastIdentifier = process.pid & 0xffff;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whose questions would be the same: one with a former MAC address would lead the far end's answers astray. */
function sameLink(a: ProbedLink, b: ProbedLink): boolean {
  return a.index === b.index && a.mac.length === b.mac.length &&
    a.mac.every((byte, index) => byte === b.mac[index]);
}

/** Asks and listens through one interface at a time. */
export class FarEnd {
  readonly #config: TunnelConfig;
  readonly #host: FarEndHost;
  readonly #listener: FarEndListener;
  readonly #identifier: number;
  /** When each question left, by number. */
  readonly #sent = new Map<number, number>();
  #probers: readonly Prober[] = [];
  #at: { readonly link: ProbedLink; readonly under: number | null } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #dueMs = 0;
  #sequence = 0;

  constructor(config: TunnelConfig, host: FarEndHost, listener: FarEndListener) {
    this.#config = config;
    this.#host = host;
    this.#listener = listener;
    this.#identifier = lastIdentifier = (lastIdentifier + 1) & 0xffff;
  }

  /** Asks through this interface from now on; one that is asked through already goes on undisturbed. */
  attach(link: ProbedLink, under: number | null): void {
    if (this.#at !== null && this.#at.under === under && sameLink(this.#at.link, link)) return;
    this.detach();
    this.#at = { link: { index: link.index, mac: link.mac.slice() }, under };
    const failure = this.#open();
    if (this.#config.keepalive === null) return;
    this.#dueMs = this.#host.now();
    this.#ask(failure);
  }

  /** Asks no more, and answers no more. */
  detach(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#closeProbers();
    this.#sent.clear();
    this.#at = null;
  }

  #methods(): readonly KeepaliveMethod[] {
    const { keepalive, type } = this.#config;
    if (keepalive !== null) return keepalive.methods;
    // Routers at the other end may watch us, whether we watch them or not.
    return type === "gre" ? ["gre"] : [];
  }

  /** Opens what is missing. Null, or why not all could be opened. */
  #open(): string | null {
    const { link, under } = this.#at!;
    const missing = this.#methods().filter((method) => !this.#probers.some((one) => one.method === method));
    let failure: string | null = null;
    for (const method of missing) {
      try {
        const prober = this.#openOne(method, link, under);
        this.#watch(prober);
        this.#probers = [...this.#probers, prober];
      } catch (error) {
        failure = messageOf(error);
      }
    }
    return failure;
  }

  /** Throws SyscallError; then it is closed. */
  #watch(prober: Prober): void {
    try {
      this.#host.watch.add(prober.fd, () => prober.receive((sequence) => this.#answered(sequence)));
    } catch (error) {
      prober.close();
      throw error;
    }
  }

  #openOne(method: KeepaliveMethod, link: ProbedLink, under: number | null): Prober {
    const config = this.#config;
    if (method === "gre") return openGreProber(config, link, under);
    const target = bytesOf(config.keepalive!.target!);
    if (method === "arp" && isTap(config.type)) return openArpProber(config, link, target);
    return openIcmpProber(config, link, target, this.#identifier);
  }

  #closeProbers(): void {
    for (const prober of this.#probers) {
      this.#host.watch.remove(prober.fd);
      prober.close();
    }
    this.#probers = [];
  }

  #ask(openFailure: string | null): void {
    const { intervalMs } = this.#config.keepalive!;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const now = this.#host.now();
    this.#sent.set(this.#sequence, now);
    for (const old of this.#sent.keys()) {
      if (this.#sent.size <= REMEMBERED) break;
      this.#sent.delete(old);
    }
    const failures = this.#probers.map((prober) => prober.send(this.#sequence));
    const sent = failures.some((failure) => failure === null);
    this.#listener.asked(sent ? null : failures[0] ?? openFailure);
    // Absolute moments do not drift; those that were missed are left out.
    this.#dueMs += intervalMs * Math.max(1, Math.ceil((now - this.#dueMs) / intervalMs));
    this.#timer = setTimeout(() => this.#ask(this.#open()), Math.max(0, this.#dueMs - now));
  }

  #answered(sequence: number | null): void {
    const number = sequence ?? this.#sequence;
    const sentMs = this.#sent.get(number);
    // Unknown: an answer to somebody else, or to a question of long ago.
    if (sentMs === undefined || this.#config.keepalive === null) return;
    if (sequence !== null) this.#sent.delete(number);
    this.#listener.answered(this.#host.now() - sentMs);
  }
}
