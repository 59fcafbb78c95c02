/**
 * recvmsg on raw IPv6 sockets: datagrams with what the kernel tells beside them.
 *
 * @module
 */
import { resultOf } from "./errno.ts";
import { addressOf, alloc, viewOf } from "./memory.ts";
import { alignedControl, CMSGHDR, IOVEC, MSGHDR } from "./msghdr.ts";
import { IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_PKTINFO, MSG_DONTWAIT } from "./socket.ts";
import { c } from "./symbols.ts";

const SOCKADDR_IN6 = 28;
const CONTROL_SIZE = 256;

/** Where an IPv6 datagram came from and went to. The arrays are reused by the next call. */
export interface Ipv6Arrival {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly hopLimit: number;
  readonly ifindex: number;
}

/**
 * Receives from raw IPv6 sockets, whose header the kernel keeps: source, destination, hop limit and interface come
 * beside the payload. The socket needs IPV6_RECVPKTINFO and IPV6_RECVHOPLIMIT.
 */
export class Ipv6Receiver {
  /** The payload of the last datagram, from its first byte. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly #header = alloc(MSGHDR.size);
  readonly #headerView = viewOf(this.#header);
  readonly #name = alloc(SOCKADDR_IN6);
  readonly #vector = alloc(IOVEC.size);
  readonly #control = alloc(CONTROL_SIZE);
  readonly #controlView = viewOf(this.#control);
  readonly #arrival: { source: Uint8Array; destination: Uint8Array; hopLimit: number; ifindex: number };

  constructor(size: number) {
    this.buffer = alloc(size);
    const vectorView = viewOf(this.#vector);
    vectorView.setBigUint64(IOVEC.base, BigInt(addressOf(this.buffer)), true);
    vectorView.setBigUint64(IOVEC.length, BigInt(size), true);
    const view = this.#headerView;
    view.setBigUint64(MSGHDR.name, BigInt(addressOf(this.#name)), true);
    view.setBigUint64(MSGHDR.vectors, BigInt(addressOf(this.#vector)), true);
    view.setBigUint64(MSGHDR.vectorCount, 1n, true);
    view.setBigUint64(MSGHDR.control, BigInt(addressOf(this.#control)), true);
    this.#arrival = { source: this.#name.subarray(8, 24), destination: alloc(16), hopLimit: -1, ifindex: 0 };
  }

  /** Bytes received, or the negated errno; then {@link arrival} tells the rest. */
  receive(fd: number): number {
    this.#headerView.setUint32(MSGHDR.nameLength, SOCKADDR_IN6, true);
    this.#headerView.setBigUint64(MSGHDR.controlLength, BigInt(CONTROL_SIZE), true);
    const length = resultOf(c.recvmsg(fd, this.#header, MSG_DONTWAIT));
    if (length >= 0) this.#readControl();
    return length;
  }

  get arrival(): Ipv6Arrival {
    return this.#arrival;
  }

  #readControl(): void {
    const arrival = this.#arrival;
    arrival.hopLimit = -1;
    arrival.ifindex = 0;
    const total = Math.min(this.#headerView.getUint32(MSGHDR.controlLength, true), CONTROL_SIZE);
    for (let at = 0; at + CMSGHDR.size <= total;) {
      const length = this.#controlView.getUint32(at + CMSGHDR.length, true);
      if (length < CMSGHDR.size || at + length > total) return;
      const level = this.#controlView.getInt32(at + CMSGHDR.level, true);
      const type = this.#controlView.getInt32(at + CMSGHDR.type, true);
      const data = at + CMSGHDR.size;
      if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO && length >= CMSGHDR.size + 20) {
        arrival.destination.set(this.#control.subarray(data, data + 16));
        arrival.ifindex = this.#controlView.getInt32(data + 16, true);
      } else if (level === IPPROTO_IPV6 && type === IPV6_HOPLIMIT && length >= CMSGHDR.size + 4) {
        arrival.hopLimit = this.#controlView.getInt32(data, true);
      }
      at += alignedControl(length);
    }
  }
}
