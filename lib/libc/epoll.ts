/**
 * epoll: the one place where the engine sleeps.
 *
 * @module
 */
import { alloc, viewOf } from "./memory.ts";
import { check, EINTR, resultOf } from "./errno.ts";
import { c } from "./symbols.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

export const EPOLLIN = 0x001;
export const EPOLLOUT = 0x004;

/** struct epoll_event is packed on x86-64 only: 12 bytes there, 16 elsewhere. */
const EVENT_SIZE = process.arch === "x64" ? 12 : 16;
const DATA_OFFSET = process.arch === "x64" ? 4 : 8;
const FIRST_CAPACITY = 64;

/** A set of descriptors, level-triggered. */
export class Epoll {
  readonly #fd: number;
  readonly #event = alloc(EVENT_SIZE);
  readonly #eventView = viewOf(this.#event);
  /** Room for an event of each descriptor: who was paused is told of all at once, not of the first few. */
  #ready = alloc(EVENT_SIZE * FIRST_CAPACITY);
  #readyView = viewOf(this.#ready);
  #capacity = FIRST_CAPACITY;
  #watched = 0;

  constructor() {
    this.#fd = check(c.epoll_create1(EPOLL_CLOEXEC), "epoll_create1", "create an epoll set");
  }

  /** The set's own descriptor: readable itself while one of its descriptors is ready. */
  get fd(): number {
    return this.#fd;
  }

  #control(operation: number, fd: number, events: number): void {
    this.#eventView.setUint32(0, events, true);
    this.#eventView.setInt32(DATA_OFFSET, fd, true);
    check(c.epoll_ctl(this.#fd, operation, fd, this.#event), "epoll_ctl", `watch descriptor ${fd}`);
  }

  /** Watches a descriptor for `events` ({@link EPOLLIN} by default). */
  add(fd: number, events: number = EPOLLIN): void {
    this.#control(EPOLL_CTL_ADD, fd, events);
    if (++this.#watched > this.#capacity) this.#grow();
  }

  /** The events that are being read stay where they are. */
  #grow(): void {
    this.#capacity *= 2;
    const larger = alloc(EVENT_SIZE * this.#capacity);
    larger.set(this.#ready);
    this.#ready = larger;
    this.#readyView = viewOf(larger);
  }

  /** Changes what a watched descriptor is watched for. */
  modify(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  /** Stops watching a descriptor that is still open. */
  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
    this.#watched--;
  }

  /**
   * Sleeps until a descriptor is ready and returns how many are; read them with {@link fdAt} and {@link eventsAt}.
   *
   * @param timeoutMs -1 = for ever.
   */
  wait(timeoutMs: number = -1): number {
    const count = resultOf(c.epoll_wait(this.#fd, this.#ready, this.#capacity, timeoutMs));
    if (count === -EINTR) return 0;
    return check(count, "epoll_wait", "wait for events");
  }

  /** The descriptor of the i-th ready event. */
  fdAt(index: number): number {
    return this.#readyView.getInt32(EVENT_SIZE * index + DATA_OFFSET, true);
  }

  /** The event bits of the i-th ready event. */
  eventsAt(index: number): number {
    return this.#readyView.getUint32(EVENT_SIZE * index, true);
  }

  close(): void {
    c.close(this.#fd);
  }
}
