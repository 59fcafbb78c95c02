/**
 * Where the successor of a process that moves a tunnel's packets knocks: the side of the one before.
 *
 * @module
 */
import {
  acceptCaller,
  closeFd,
  EAGAIN,
  Epoll,
  listenAbstract,
  peerCredentials,
  receiveWithDescriptors,
  sendWithDescriptors,
} from "../../../lib/libc/mod.ts";
import { getLink, NETLINK_ROUTE, NetlinkConnection, setLink } from "../../../lib/netlink/mod.ts";
import { GIVEN, HEARD, KNOCK, markText, TAKEN } from "./inheritance.ts";

/** How long a successor may take to take over. It has prepared everything by then. */
const TAKE_MS = 1000;

/** Whether the process at the other end may have what is ours: it is of our own user, or of root. */
export function isTrusted(fd: number): boolean {
  const uid = peerCredentials(fd)?.uid;
  return uid === 0 || uid !== undefined && uid === process.geteuid?.();
}

/** All that we have; or, from a successor whose words we do not understand, that we make room. */
export type Wanted = "inheritance" | "end";

/** The door of one device's process. */
export class Door {
  readonly #device: string;
  readonly #address: string;
  readonly #epoll: Epoll;
  readonly #listener: number;
  /** Who is here; -1 = nobody. */
  #caller = -1;
  #wanted: Wanted | null = null;

  /** Opens it, and marks the device with its address. Throws SyscallError. */
  constructor(device: string, epoll: Epoll) {
    this.#device = device;
    this.#epoll = epoll;
    // Not to be guessed: nobody else is to listen there before us.
    this.#address = `appliance-tunnel-${crypto.randomUUID()}`;
    this.#listener = listenAbstract(this.#address, `wait for the successor of ${device}`);
    this.#epoll.add(this.#listener);
    this.mark();
  }

  /** Writes the mark, if it is not there. Throws SyscallError. */
  mark(): void {
    const connection = new NetlinkConnection(NETLINK_ROUTE);
    try {
      const link = getLink(connection, this.#device);
      const alias = markText(this.#address);
      if (link !== null && link.alias !== alias) setLink(connection, link.index, { alias }, this.#device);
    } finally {
      connection.close();
    }
  }

  /** Whether a descriptor that is ready is one of the door's. */
  owns(fd: number): boolean {
    return fd === this.#listener || fd === this.#caller;
  }

  /** Sees to a descriptor of the door's that is ready. */
  attend(fd: number): void {
    if (fd === this.#listener) this.#welcome();
    else this.#listen();
  }

  /** What somebody waits for; null = nobody is here. */
  get wanted(): Wanted | null {
    return this.#wanted;
  }

  /**
   * Gives all there is to who knocked, and waits until it is taken. False when it is not: then it goes on being ours.
   */
  handOver(text: string, descriptors: readonly number[]): boolean {
    const taken = sendWithDescriptors(this.#caller, text, descriptors) > 0 && this.#isTaken();
    this.#dismiss();
    return taken;
  }

  close(): void {
    this.#dismiss();
    closeFd(this.#listener);
  }

  #welcome(): void {
    const caller = acceptCaller(this.#listener);
    if (caller < 0) return;
    // The last one that came is the one that lives.
    this.#dismiss();
    if (!isTrusted(caller)) return closeFd(caller);
    this.#caller = caller;
    this.#epoll.add(caller);
    this.#listen();
  }

  #listen(): void {
    const message = receiveWithDescriptors(this.#caller);
    if (message === -EAGAIN) return;
    if (message === null || typeof message === "number") return this.#dismiss();
    this.#wanted = message.text === KNOCK ? "inheritance" : "end";
    sendWithDescriptors(this.#caller, HEARD, []);
  }

  #isTaken(): boolean {
    const epoll = new Epoll();
    try {
      epoll.add(this.#caller);
      if (epoll.wait(TAKE_MS) === 0) return false;
    } finally {
      epoll.close();
    }
    const message = receiveWithDescriptors(this.#caller);
    if (message === null || typeof message === "number" || message.text !== TAKEN) return false;
    return sendWithDescriptors(this.#caller, GIVEN, []) > 0;
  }

  #dismiss(): void {
    this.#wanted = null;
    if (this.#caller < 0) return;
    this.#epoll.remove(this.#caller);
    closeFd(this.#caller);
    this.#caller = -1;
  }
}
