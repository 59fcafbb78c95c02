/**
 * From the underlay to the tunnel's device: a batch of packets comes with one call, each is judged, and written into
 * the device one by one (a device takes no more).
 *
 * @module
 */
import { EAGAIN, EBADFD, sendBytes, sendTo, SlotBatch, VNET_HEADER_LENGTH } from "../../../lib/libc/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";
import type { Counters } from "./counters.ts";
import type { TunnelDevice } from "./device.ts";
import { emptyInner, inheritMark, inspect, isGreBetween, packetEnd, payloadStart } from "./inner.ts";
import { unfinishedChecksum, writePlainHeader, writeUnfinishedHeader } from "./offload.ts";
import type { Progress } from "./outbound.ts";
import { isOverIpv6, isTap, type UserTunnelSettings } from "./settings.ts";
import type { Underlay } from "./underlay.ts";
import { type GreEnd, isGreIntact, isInSequence, PROTOCOL, readGre, REFUSED } from "./wire.ts";

const BATCH = 64;
/** Room in front of an IPv6 socket's packets, which come without their IP header. */
const PACKET_AT = 16;
/** The kernel hands over merged packets of up to 64 KiB. */
const SLOT = PACKET_AT + 65536;
/** One control message with an int: the traffic class. */
const CONTROL = 24;
const REASONS = {
  [REFUSED.truncated]: "truncated",
  [REFUSED.version]: "version",
  [REFUSED.flags]: "flags",
  [REFUSED.key]: "key",
  [REFUSED.checksum]: "checksum",
  [REFUSED.sequence]: "sequence",
} as const;
/** Pending errors of the socket that one turn passes over. */
const MAX_ERRORS = 8;

/** The receiving half of a tunnel's end. */
export class Inbound {
  readonly #batch: SlotBatch;
  readonly #inner = emptyInner();
  readonly #tap: boolean;
  readonly #six: boolean;
  readonly #local: Uint8Array;
  readonly #remote: Uint8Array;
  readonly #answersKeepalives: boolean;
  readonly #gre: GreEnd;
  readonly #counters: Counters;

  constructor(settings: UserTunnelSettings, gre: GreEnd, counters: Counters) {
    this.#tap = isTap(settings);
    this.#six = isOverIpv6(settings);
    this.#local = parseAddress(settings.local)!;
    this.#remote = parseAddress(settings.remote)!;
    this.#answersKeepalives = settings.answersKeepalives;
    this.#gre = gre;
    this.#counters = counters;
    this.#batch = new SlotBatch(BATCH, SLOT, this.#six ? CONTROL : 0);
    for (let slot = 0; slot < BATCH; slot++) this.#batch.place(slot, PACKET_AT, SLOT - PACKET_AT);
  }

  /** Moves one batch, at most. */
  pump(device: TunnelDevice, underlay: Underlay): Progress {
    for (let errors = 0; errors < MAX_ERRORS; errors++) {
      const count = this.#batch.receive(underlay.fd);
      if (count > 0) {
        for (let slot = 0; slot < count; slot++) {
          if (!this.#take(slot, device, underlay)) return "gone";
        }
        return count === BATCH ? "more" : "drained";
      }
      // Anything else is what ICMP told of our packets, and taken with that.
      if (count === -EAGAIN) break;
    }
    return "drained";
  }

  /** One packet. False when the device is gone. */
  #take(slot: number, device: TunnelDevice, underlay: Underlay): boolean {
    const { view } = this.#batch;
    let at = slot * SLOT + PACKET_AT;
    const end = at + this.#batch.receivedLength(slot);
    let tos = 0;
    if (this.#six) {
      if (this.#batch.controlLength(slot) >= 20) {
        tos = this.#batch.control.getInt32(slot * CONTROL + 16, true);
      }
    } else {
      tos = view.getUint8(at + 1);
      at += (view.getUint8(at) & 15) * 4;
    }
    const gre = this.#gre;
    const start = readGre(gre, view, at, end);
    if (start < 0) {
      this.#counters.drop(REASONS[start as keyof typeof REASONS]);
      return true;
    }
    const inner = this.#inner;
    inspect(inner, view, this.#tap, start, end);
    const field = unfinishedChecksum(inner, view, end);
    // An unfinished checksum inside was never on a wire: the kernel vouches for the one outside, which covers it.
    if (gre.checksum && field < 0 && !isGreIntact(view, at, end)) {
      this.#counters.drop("checksum");
      return true;
    }
    if (gre.sequence && !isInSequence(gre, view, start)) {
      this.#counters.drop("sequence");
      return true;
    }
    const protocol = view.getUint16(at + 2);
    if (protocol !== (this.#tap ? PROTOCOL.teb : inner.protocol) || start === end) {
      // The answer to a keepalive of ours, which has its own socket, and packets without content are no mistake.
      if (protocol !== PROTOCOL.keepalive && start !== end) this.#counters.drop("protocol");
      return true;
    }
    if (!this.#tap && inner.next === 47 && this.#answersKeepalives && this.#answerKeepalive(underlay, end)) {
      return true;
    }
    if (!inheritMark(inner, view, tos)) {
      this.#counters.drop("ecn");
      return true;
    }
    if (field < 0) writePlainHeader(view, start);
    else if (!writeUnfinishedHeader(inner, view, start, field, device.mtu)) {
      this.#counters.drop("device");
      return true;
    }
    return this.#deliver(device, start, end - start);
  }

  #deliver(device: TunnelDevice, start: number, length: number): boolean {
    const written = this.#batch.write(device.fd, start - VNET_HEADER_LENGTH, length + VNET_HEADER_LENGTH);
    if (written < 0) {
      this.#counters.drop("device");
      return written !== -EBADFD;
    }
    this.#counters.receivedPackets++;
    this.#counters.receivedBytes += length;
    return true;
  }

  /**
   * The GRE keepalive of routers: inside is a packet from us to the far end, to be sent as it is. Routers do that by
   * plain forwarding; Linux would refuse it as coming from one of its own addresses.
   */
  #answerKeepalive(underlay: Underlay, end: number): boolean {
    const inner = this.#inner;
    const { view, memory } = this.#batch;
    if (!isGreBetween(inner, view, this.#local, this.#remote)) return false;
    const start = payloadStart(inner, view);
    const stop = packetEnd(inner, view);
    if (stop > end || stop - start < 4 || inner.ttl <= 1) return false;
    let sent: number;
    if (this.#six) {
      sent = sendBytes(underlay.fd, memory.subarray(start, stop));
    } else {
      // Header and all, less one hop: what tells one keepalive from the next may be in its identification. The kernel
      // computes the header's checksum.
      view.setUint8(inner.at + 8, inner.ttl - 1);
      sent = sendTo(underlay.wholeFd, memory.subarray(inner.at, stop), underlay.remote);
    }
    if (sent > 0) this.#counters.keepalives++;
    return true;
  }
}
