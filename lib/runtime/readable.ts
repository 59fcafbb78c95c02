/**
 * Hearing from the event loop that a descriptor has something to read, whatever kind of descriptor it is.
 *
 * @module
 */
import { Epoll } from "../libc/epoll.ts";
import { check } from "../libc/errno.ts";
import { closeFd } from "../libc/file.ts";
import { c } from "../libc/symbols.ts";

const F_DUPFD_CLOEXEC = 1030;
/** How often it is looked where the runtime does not take the descriptor. */
const POLL_MS = 20;

interface Adopted {
  unref(): void;
  terminate(): void;
}

/**
 * Descriptors that call a function while they are readable. Watching does not keep the event loop alive.
 *
 * The runtime waits for sockets only, but it adopts any descriptor as one. So the descriptors stand in an epoll set of
 * their own, which is readable while one of them is; a copy of its descriptor is given to the runtime, which tries to
 * read it as a socket, fails and closes the copy: that is what is heard, and a new copy takes its place.
 */
export class ReadableWatch {
  readonly #epoll = new Epoll();
  readonly #handlers = new Map<number, () => void>();
  #socket: Adopted | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #closed = false;

  /** Throws SyscallError when there are no more descriptors. */
  constructor() {
    this.#arm();
  }

  /** Calls `onReadable` as long as there is something to read: it is to read all there is. Throws SyscallError. */
  add(fd: number, onReadable: () => void): void {
    this.#epoll.add(fd);
    this.#handlers.set(fd, onReadable);
  }

  /** Stops watching; to be called before the descriptor is closed. */
  remove(fd: number): void {
    if (this.#handlers.delete(fd)) this.#epoll.remove(fd);
  }

  /** Stops watching all; the descriptors stay open. */
  close(): void {
    this.#closed = true;
    this.#handlers.clear();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#socket?.terminate();
    this.#epoll.close();
  }

  #arm(): void {
    this.#socket = null;
    const fd = check(c.fcntl(this.#epoll.fd, F_DUPFD_CLOEXEC, 0), "fcntl", "copy a descriptor");
    // Whichever of these comes first, and once only.
    let over = false;
    const ended = () => {
      if (over) return;
      over = true;
      this.#ready();
    };
    const open = (socket: Adopted) => {
      if (this.#closed) return socket.terminate();
      this.#socket = socket;
      socket.unref();
    };
    try {
      const options = { fd, socket: { open, data() {}, error: ended, close: ended } };
      Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>).catch(() => this.#poll());
    } catch {
      closeFd(fd);
      this.#poll();
    }
  }

  /** Calls the handlers of what is ready, and waits anew. */
  #ready(): void {
    if (this.#closed) return;
    try {
      this.#dispatch();
    } finally {
      if (!this.#closed) this.#arm();
    }
  }

  #dispatch(): void {
    const count = this.#epoll.wait(0);
    // Read before a handler runs: one may wait on this set again, or remove what stands behind it.
    const ready = Array.from({ length: count }, (_, index) => this.#epoll.fdAt(index));
    for (const fd of ready) {
      if (!this.#closed) this.#handlers.get(fd)?.();
    }
  }

  #poll(): void {
    if (this.#closed || this.#timer !== null) return;
    this.#timer = setInterval(() => this.#dispatch(), POLL_MS);
    this.#timer.unref();
  }
}
