/**
 * The process that moves a tunnel's packets so far, as its successor sees it.
 *
 * @module
 */
import {
  callAbstract,
  closeFd,
  EAGAIN,
  EINTR,
  Epoll,
  killProcess,
  monotonicNs,
  peerCredentials,
  receiveWithDescriptors,
  sendWithDescriptors,
  SIGKILL,
} from "../../../lib/libc/mod.ts";
import { getLink, NETLINK_ROUTE, NetlinkConnection } from "../../../lib/netlink/mod.ts";
import { isTrusted } from "./door.ts";
import { decodeInheritance, GIVEN, HEARD, type Inheritance, KNOCK, readMark, TAKEN } from "./inheritance.ts";

/** How long one that is well may take to answer: it does nothing else that takes long. */
const ANSWER_MS = 2000;
/** How long a daemon that is about to end may take until it lets go. */
const PATIENCE_MS = 3000;
/** How long one may take to end after all was taken from it. */
const END_MS = 1000;

/** What it leaves. The descriptors are copies, ours to close. */
export interface Bequest {
  readonly inheritance: Inheritance;
  readonly device: number;
  /** Those of its sockets, in its order; none = they were not open. */
  readonly sockets: readonly number[];
}

/** A process that moves the packets of a device. */
export class Predecessor {
  readonly #name: string;
  readonly #fd: number;
  readonly #pid: number;

  private constructor(name: string, fd: number) {
    this.#name = name;
    this.#fd = fd;
    this.#pid = peerCredentials(fd)?.pid ?? 0;
  }

  /** That of the device of this name; null when there is none. Throws SyscallError when there is no netlink. */
  static find(name: string): Predecessor | null {
    const connection = new NetlinkConnection(NETLINK_ROUTE);
    const address = (() => {
      try {
        return readMark(getLink(connection, name)?.alias ?? null);
      } finally {
        connection.close();
      }
    })();
    if (address === null) return null;
    const fd = callAbstract(address, `call the process that moves the packets of ${name}`);
    if (fd < 0) return null;
    if (isTrusted(fd)) return new Predecessor(name, fd);
    closeFd(fd);
    return null;
  }

  /**
   * Asks for all it has, and waits until it lets go. Null when it has ended instead, its device with it: one that hangs
   * is killed, and one of another version ends. Throws Error when it goes on working for another daemon.
   */
  inherit(): Bequest | null {
    sendWithDescriptors(this.#fd, KNOCK, []);
    const heard = this.#receive(ANSWER_MS);
    if (heard === "late" && this.#pid > 0) killProcess(this.#pid, SIGKILL);
    if (heard === "late" || heard?.text !== HEARD) return this.#over();
    const message = this.#receive(PATIENCE_MS);
    if (message === "late") {
      closeFd(this.#fd);
      throw new Error(
        `Cannot create tunnel ${this.#name}: process ${this.#pid} moves its packets for another daemon`,
      );
    }
    if (message === null) return this.#over();
    const inheritance = decodeInheritance(message.text);
    const [device, ...sockets] = message.descriptors;
    if (inheritance !== null && device !== undefined) return { inheritance, device, sockets };
    for (const fd of message.descriptors) closeFd(fd);
    return this.dismiss();
  }

  /** All it had is ours from here on. Throws Error when it has thought better of it, because we took too long. */
  take(): void {
    sendWithDescriptors(this.#fd, TAKEN, []);
    const message = this.#receive(END_MS);
    closeFd(this.#fd);
    if (message !== null && message !== "late" && message.text === GIVEN) return;
    throw new Error(`Cannot create tunnel ${this.#name}: process ${this.#pid} does not let go of it`);
  }

  /** What it left is of no use: waits until it has ended, and the device with it. */
  dismiss(): null {
    sendWithDescriptors(this.#fd, TAKEN, []);
    return this.#over();
  }

  /** We cannot go on: it does. */
  refuse(): void {
    closeFd(this.#fd);
  }

  #over(): null {
    for (let rest = this.#receive(END_MS); rest !== null && rest !== "late";) rest = this.#receive(END_MS);
    closeFd(this.#fd);
    return null;
  }

  /** The next message, null at its end, "late" when none came in time. */
  #receive(limitMs: number) {
    const until = monotonicNs() + limitMs * 1e6;
    const epoll = new Epoll();
    try {
      epoll.add(this.#fd);
      for (;;) {
        const restMs = Math.ceil((until - monotonicNs()) / 1e6);
        if (restMs <= 0) return "late";
        epoll.wait(restMs);
        const message = receiveWithDescriptors(this.#fd);
        if (message === -EAGAIN || message === -EINTR) continue;
        return typeof message === "number" ? null : message;
      }
    } finally {
      epoll.close();
    }
  }
}
