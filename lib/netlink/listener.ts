/**
 * Hearing from the kernel: a socket in multicast groups, for an epoll loop.
 *
 * @module
 */
import { alloc, EAGAIN, ENOBUFS, SyscallError } from "../libc/mod.ts";
import { type NetlinkMessage, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, parseMessages } from "./codec.ts";
import { type NetlinkTransport, SocketTransport } from "./transport.ts";

const RECEIVE_BUFFER = 64 << 10;
const MAX_DATAGRAMS = 4096;

/**
 * How a drain ended: `drained` = nothing is left; `more` = the bound was reached and the descriptor stays readable;
 * `overrun` = the kernel dropped events, so that what is known must be read anew by a dump.
 */
export type DrainResult = "drained" | "more" | "overrun";

/** A socket that hears events. Never blocks. */
export class NetlinkListener {
  /** For epoll; -1 with an injected transport. */
  readonly fd: number;
  readonly #transport: NetlinkTransport;
  readonly #buffer = alloc(RECEIVE_BUFFER);

  /**
   * @param protocol NETLINK_ROUTE or NETLINK_GENERIC, in the calling thread's namespace; or a transport (tests).
   * @param groups Group numbers (RTNLGRP_LINK…). Throws SyscallError.
   */
  constructor(protocol: number | NetlinkTransport, groups: readonly number[] = []) {
    if (typeof protocol === "number") {
      const socket = new SocketTransport(protocol, groups);
      this.#transport = socket;
      this.fd = socket.fd;
    } else {
      this.#transport = protocol;
      this.fd = -1;
    }
  }

  /**
   * Hands every waiting event to `handler`, whose message is valid during the call only.
   *
   * @throws SyscallError when the socket itself fails.
   */
  drain(handler: (message: NetlinkMessage) => void): DrainResult {
    let overrun = false;
    for (let count = 0; count < MAX_DATAGRAMS; count++) {
      const size = this.#transport.receive(this.#buffer, 0);
      if (size === -EAGAIN) return overrun ? "overrun" : "drained";
      if (size === -ENOBUFS) {
        overrun = true;
        continue;
      }
      if (size < 0) throw new SyscallError("recvfrom", -size, "read netlink events");
      const parsed = parseMessages(this.#buffer.subarray(0, Math.min(size, this.#buffer.length)));
      // An event that was cut or makes no sense is as good as lost.
      if (!parsed.ok || size > this.#buffer.length) overrun = true;
      for (const message of parsed.messages) {
        if (message.type === NLMSG_NOOP || message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          continue;
        }
        handler(message);
      }
    }
    return overrun ? "overrun" : "more";
  }

  close(): void {
    this.#transport.close();
  }
}
