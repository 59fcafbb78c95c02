/**
 * The way to the kernel and back, one datagram at a time: a netlink socket, or in tests something that answers alike.
 *
 * @module
 */
import {
  AF_NETLINK,
  bindSocket,
  closeFd,
  EAGAIN,
  EINTR,
  Epoll,
  getIntOption,
  monotonicNs,
  MSG_DONTWAIT,
  MSG_TRUNC,
  openSocket,
  receiveFrom,
  sendTo,
  setBufferSize,
  setIntOption,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_RAW,
  sockaddrNl,
  SOL_SOCKET,
  viewOf,
} from "../libc/mod.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_GENERIC = 16;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** What the kernel charges a receive buffer for one error reply with a long text. */
const ERROR_REPLY_COST = 1280;
const BUFFER_SIZE = 4 << 20;

/** Carries datagrams to the kernel and back. Results are sizes in bytes, or negated errnos. */
export interface NetlinkTransport {
  /** Largest datagram that {@link send} takes, in bytes. */
  readonly sendLimit: number;
  /** How many requests of one datagram may fail before their replies overrun the receive buffer. */
  readonly replyLimit: number;
  /** Sends one datagram; the kernel has acted on it when this returns. */
  send(datagram: Uint8Array): number;
  /**
   * Takes the next datagram, waiting up to `timeoutMs` for it (0 = do not wait; -EAGAIN = none came). A result larger
   * than `buffer` means that the datagram was cut.
   */
  receive(buffer: Uint8Array, timeoutMs: number): number;
  close(): void;
}

/** A netlink socket of the calling thread's network namespace. Non-blocking; waiting is done in {@link receive}. */
export class SocketTransport implements NetlinkTransport {
  readonly fd: number;
  readonly sendLimit: number;
  readonly replyLimit: number;
  readonly #kernel = sockaddrNl();
  readonly #sender = sockaddrNl();
  readonly #senderView = viewOf(this.#sender);
  #epoll: Epoll | null = null;

  /**
   * @param protocol NETLINK_ROUTE, NETLINK_GENERIC…
   * @param groups Multicast groups to join, by number (RTNLGRP_…). Throws SyscallError.
   */
  constructor(protocol: number, groups: readonly number[] = []) {
    this.fd = openSocket(AF_NETLINK, SOCK_RAW, protocol, "open a netlink socket");
    try {
      setBufferSize(this.fd, "receive", BUFFER_SIZE);
      setBufferSize(this.fd, "send", BUFFER_SIZE);
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
        try {
          setIntOption(this.fd, SOL_NETLINK, option, 1, "set a netlink option");
        } catch {
          // Each is newer than the other (Linux 4.3, 4.12, 4.20); without them errors have no text and dumps are whole.
        }
      }
      bindSocket(this.fd, sockaddrNl(), "bind a netlink socket");
      for (const group of groups) {
        setIntOption(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, `join netlink group ${group}`);
      }
      // The kernel keeps 32 bytes of the send buffer for itself.
      this.sendLimit = getIntOption(this.fd, SOL_SOCKET, SO_SNDBUF, "read a netlink buffer's size") - 32;
      const room = getIntOption(this.fd, SOL_SOCKET, SO_RCVBUF, "read a netlink buffer's size");
      this.replyLimit = Math.max(1, Math.floor(room / ERROR_REPLY_COST));
    } catch (error) {
      closeFd(this.fd);
      throw error;
    }
  }

  send(datagram: Uint8Array): number {
    for (;;) {
      const sent = sendTo(this.fd, datagram, this.#kernel, MSG_DONTWAIT);
      if (sent !== -EINTR) return sent;
    }
  }

  receive(buffer: Uint8Array, timeoutMs: number): number {
    let deadlineNs = 0;
    for (;;) {
      const size = receiveFrom(this.fd, buffer, this.#sender, MSG_DONTWAIT | MSG_TRUNC);
      // Another process may write to this socket too: only the kernel has port 0.
      if (size >= 0 && this.#senderView.getUint32(4, true) === 0) return size;
      if (size < 0 && size !== -EAGAIN && size !== -EINTR) return size;
      if (size !== -EAGAIN) continue;
      if (timeoutMs <= 0) return -EAGAIN;
      // Rare: the kernel answers before sendto returns, so the answer is nearly always there.
      const nowNs = monotonicNs();
      deadlineNs ||= nowNs + timeoutMs * 1e6;
      if (nowNs >= deadlineNs) return -EAGAIN;
      this.#wait(Math.ceil((deadlineNs - nowNs) / 1e6));
    }
  }

  #wait(timeoutMs: number): void {
    if (this.#epoll === null) {
      this.#epoll = new Epoll();
      this.#epoll.add(this.fd);
    }
    this.#epoll.wait(timeoutMs);
  }

  close(): void {
    this.#epoll?.close();
    closeFd(this.fd);
  }
}
