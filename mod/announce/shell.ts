/**
 * Announcements on the wire: one packet socket that sends on any interface and receives nothing.
 *
 * @module
 */
import { AF_PACKET, alloc, closeFd, openSocket, sendTo, SOCK_RAW, sockaddrLl } from "../../lib/libc/mod.ts";
import {
  BROADCAST_MAC,
  encodeGratuitousArpInto,
  encodeUnsolicitedAdvertisementInto,
  ETHER_TYPE,
  GRATUITOUS_ARP_LENGTH,
  UNSOLICITED_ADVERTISEMENT_LENGTH,
} from "../../lib/packet/mod.ts";
import type { Target } from "./model.ts";

const MAC_LENGTH = 6;
const DESTINATION_MAC_OFFSET = 0;

/** Sends gratuitous ARPs and unsolicited neighbour advertisements. */
export class AnnounceSocket {
  readonly #fd = openSocket(AF_PACKET, SOCK_RAW, 0, "open the socket for gratuitous ARP");
  readonly #arp = alloc(GRATUITOUS_ARP_LENGTH);
  readonly #advertisement = alloc(UNSOLICITED_ADVERTISEMENT_LENGTH);
  readonly #sockaddrs = new Map<number, Uint8Array>();

  /**
   * Announces one address.
   *
   * @param mac The interface's own; anything but six bytes (tunnels, loopback) has nobody to tell.
   * @param router Whether this machine forwards, for IPv6.
   * @returns Whether a packet left; 0 or the negated errno.
   */
  send(target: Target, mac: Uint8Array, router: boolean): { readonly sent: boolean; readonly errno: number } {
    if (mac.length !== MAC_LENGTH || mac.every((byte) => byte === 0)) return { sent: false, errno: 0 };
    const frame = target.address.length === 4 ? this.#arp : this.#advertisement;
    if (target.address.length === 4) {
      // A request would be answered by the master before us, and draw the virtual MAC address back to its switch port.
      encodeGratuitousArpInto(frame, 0, target.address, mac, target.virtual ? "reply" : "request");
    } else encodeUnsolicitedAdvertisementInto(frame, 0, target.address, mac, router);
    const result = sendTo(this.#fd, frame, this.#sockaddr(target.ifindex, frame));
    return { sent: result >= 0, errno: result < 0 ? -result : 0 };
  }

  #sockaddr(ifindex: number, frame: Uint8Array): Uint8Array {
    const key = frame === this.#arp ? ifindex : -ifindex;
    let sockaddr = this.#sockaddrs.get(key);
    if (sockaddr === undefined) {
      const destination = frame === this.#arp
        ? BROADCAST_MAC
        : frame.subarray(DESTINATION_MAC_OFFSET, DESTINATION_MAC_OFFSET + MAC_LENGTH);
      sockaddr = sockaddrLl(ifindex, frame === this.#arp ? ETHER_TYPE.arp : ETHER_TYPE.ipv6, destination);
      this.#sockaddrs.set(key, sockaddr);
    }
    return sockaddr;
  }

  close(): void {
    closeFd(this.#fd);
  }
}
