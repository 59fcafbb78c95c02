/**
 * From the tunnel's device to the underlay: a batch of packets is read one by one (a device offers no more), each gets
 * its header, and all leave with one call.
 *
 * @module
 */
import {
  EADDRNOTAVAIL,
  EAGAIN,
  EBADFD,
  EHOSTUNREACH,
  EINTR,
  EINVAL,
  EMSGSIZE,
  ENETDOWN,
  ENETUNREACH,
  ENODEV,
  EPERM,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_HOPLIMIT,
  IPV6_TCLASS,
  SlotBatch,
  VNET_HEADER_LENGTH,
} from "../../../lib/libc/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";
import type { Counters } from "./counters.ts";
import { emptyInner, inspect, isGreBetween, outerTos } from "./inner.ts";
import { isOverIpv6, isTap, type UserDropReason, type UserTunnelSettings } from "./settings.ts";
import type { Underlay } from "./underlay.ts";
import { type GreEnd, leadingNumbers, PROTOCOL, writeGre } from "./wire.ts";

/** Packets a batch: more gain nothing, and the other direction waits meanwhile. */
const BATCH = 64;
/** The largest packet that a device hands over, and room for the header in front. */
const FRAME_AT = 32;
const SLOT = FRAME_AT + 65536;

/** Two control messages that carry an int each (CMSG_SPACE(4) bytes): TTL and TOS of one packet. */
const CONTROL = 24;
const DEFAULT_TTL = 64;
/** An Ethernet frame without meaning to anybody: EtherType for local experiments (IEEE 802), least length. */
const EXPERIMENTAL = 0x88b5;
const LEAST_FRAME = 60;

/** What a pump says when it stops: nothing left for now, more to do, the underlay takes no more, the device is gone. */
export type Progress = "drained" | "more" | "blocked" | "gone";

function reasonOf(error: number): UserDropReason {
  switch (error) {
    case EMSGSIZE:
      return "too-big";
    case EPERM:
      return "refused";
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "no-underlay";
    default:
      return "unsent";
  }
}

/** The sending half of a tunnel's end. */
export class Outbound {
  readonly #batch = new SlotBatch(BATCH, SLOT, 2 * CONTROL);
  readonly #inner = emptyInner();
  readonly #tap: boolean;
  readonly #six: boolean;
  readonly #ttl: number;
  readonly #tos: number;
  readonly #plainTos: number;
  readonly #local: Uint8Array;
  readonly #remote: Uint8Array;
  readonly #gre: GreEnd;
  readonly #counters: Counters;
  readonly #lengths = new Int32Array(BATCH);
  /** Packets from `#from` to `#to` wait to be sent on `#fd`. */
  #from = 0;
  #to = 0;
  #fd = -1;

  constructor(settings: UserTunnelSettings, gre: GreEnd, counters: Counters) {
    this.#tap = isTap(settings);
    this.#six = isOverIpv6(settings);
    this.#ttl = settings.ttl;
    this.#tos = settings.tos;
    this.#plainTos = settings.tos & 1 ? 0 : settings.tos & ~3;
    this.#local = parseAddress(settings.local)!;
    this.#remote = parseAddress(settings.remote)!;
    this.#gre = gre;
    this.#counters = counters;
    const { control } = this.#batch;
    const level = this.#six ? IPPROTO_IPV6 : IPPROTO_IP;
    for (let slot = 0; slot < BATCH; slot++) {
      this.#batch.place(slot, FRAME_AT - gre.headerLength, 0);
      const types = this.#six ? [IPV6_HOPLIMIT, IPV6_TCLASS] : [IP_TTL, IP_TOS];
      types.forEach((type, index) => {
        const at = (2 * slot + index) * CONTROL;
        control.setUint32(at, 20, true);
        control.setInt32(at + 8, level, true);
        control.setInt32(at + 12, type, true);
      });
    }
  }

  /** Whether packets wait for room in the socket. */
  get blocked(): boolean {
    return this.#from < this.#to;
  }

  /** Moves one batch, at most. Without an underlay what comes is thrown away: stale packets help nobody. */
  pump(deviceFd: number, underlay: Underlay | null): Progress {
    if (this.blocked && !this.flush()) return "blocked";
    const batch = this.#batch;
    for (let turn = 0; turn < BATCH; turn++) {
      const length = batch.read(deviceFd, this.#to, FRAME_AT - VNET_HEADER_LENGTH) - VNET_HEADER_LENGTH;
      if (length <= 0) {
        const error = -(length + VNET_HEADER_LENGTH);
        if (error === EBADFD || error === ENODEV) return "gone";
        return this.flush() ? "drained" : "blocked";
      }
      if (underlay === null) {
        this.#counters.drop("no-underlay");
        continue;
      }
      if (!this.#prepare(underlay, length)) return "blocked";
    }
    return this.flush() ? "more" : "blocked";
  }

  /** Puts the header on the packet in slot `#to`. False when those before it must go first and cannot. */
  #prepare(underlay: Underlay, length: number): boolean {
    const batch = this.#batch;
    const inner = this.#inner;
    const start = this.#to * SLOT + FRAME_AT;
    const end = start + length;
    inspect(inner, batch.view, this.#tap, start, end);
    if (inner.next === 47 && isGreBetween(inner, batch.view, this.#local, this.#remote)) {
      this.#counters.drop("loop");
      return true;
    }
    if (inner.protocol === 0 && !this.#tap) {
      this.#counters.drop("protocol");
      return true;
    }
    const fd = inner.dontFragment ? underlay.unfragmentedFd : underlay.fd;
    if (fd !== this.#fd) {
      if (this.#to > 0) {
        // What waits is for the other socket and goes first; if it cannot, this packet has no place to wait.
        const slot = this.#to;
        if (!this.flush()) {
          this.#counters.drop("unsent");
          return false;
        }
        this.#move(slot, length);
      }
      this.#fd = fd;
    }
    this.#finish(length);
    return true;
  }

  #move(slot: number, length: number): void {
    const from = slot * SLOT + FRAME_AT;
    this.#batch.memory.copyWithin(FRAME_AT, from, from + length);
  }

  #finish(length: number): void {
    const batch = this.#batch;
    const inner = this.#inner;
    const slot = this.#to;
    const start = slot * SLOT + FRAME_AT;
    writeGre(this.#gre, batch.view, this.#tap ? PROTOCOL.teb : inner.protocol, start, start + length);
    batch.setLength(slot, length + this.#gre.headerLength);
    const ttl = this.#ttl > 0 ? this.#ttl : inner.protocol === 0 ? DEFAULT_TTL : inner.ttl;
    const tos = outerTos(this.#tos, inner.tos);
    if (ttl === this.#ttl && tos === this.#plainTos) {
      batch.setControlLength(slot, 0);
    } else {
      batch.control.setInt32(2 * slot * CONTROL + 16, Math.max(ttl, 1), true);
      batch.control.setInt32((2 * slot + 1) * CONTROL + 16, tos, true);
      batch.setControlLength(slot, 2 * CONTROL);
    }
    this.#lengths[slot] = length;
    this.#to = slot + 1;
  }

  /** Sends what waits: false when the socket took only a part. */
  flush(): boolean {
    let retried = false;
    while (this.#from < this.#to) {
      const sent = this.#batch.send(this.#fd, this.#from, this.#to);
      if (sent > 0) {
        for (let slot = this.#from; slot < this.#from + sent; slot++) {
          this.#counters.sentBytes += this.#lengths[slot]!;
        }
        this.#counters.sentPackets += sent;
        this.#from += sent;
        retried = false;
      } else if (sent === -EAGAIN) {
        return false;
      } else if (sent !== -EINTR) {
        // The first error may be an ICMP message about a packet of long ago, told at this opportunity.
        if (retried) {
          this.#counters.drop(reasonOf(-sent));
          this.#from++;
        }
        retried = !retried;
      }
    }
    this.#from = 0;
    this.#to = 0;
    return true;
  }

  /** Forgets what waits: the sockets are gone. */
  reset(): void {
    this.#counters.drop("no-underlay", this.#to - this.#from);
    this.#from = 0;
    this.#to = 0;
    this.#fd = -1;
  }

  /** The descriptor that is to be watched for room while {@link blocked}. */
  get fd(): number {
    return this.#fd;
  }

  /** Leads the far end to our sequence numbers: see {@link leadingNumbers}. Only when nothing waits. */
  lead(underlay: Underlay, mac: Uint8Array): void {
    if (!this.#gre.sequence || this.blocked) return;
    const next = this.#gre.nextSent;
    const { view, memory } = this.#batch;
    this.#fd = underlay.fd;
    for (const number of leadingNumbers(next)) {
      const slot = this.#to++;
      const start = slot * SLOT + FRAME_AT;
      const length = this.#tap ? LEAST_FRAME : 0;
      memory.fill(0, start, start + length);
      if (this.#tap) {
        memory.set(mac, start);
        memory.set(mac, start + 6);
        view.setUint16(start + 12, EXPERIMENTAL);
      }
      this.#gre.nextSent = number;
      writeGre(this.#gre, view, this.#tap ? PROTOCOL.teb : PROTOCOL.keepalive, start, start + length);
      this.#batch.setLength(slot, length + this.#gre.headerLength);
      this.#batch.setControlLength(slot, 0);
      this.#lengths[slot] = length;
    }
    this.#gre.nextSent = next;
    if (!this.flush()) this.reset();
  }
}
