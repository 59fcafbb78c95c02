/**
 * The engine's deadlines: which of many is the next, in logarithmic time and without garbage.
 *
 * @module
 */

/** Nanoseconds of the monotonic clock. */
export type MonotonicNs = number;
/** A span of time in nanoseconds. */
export type Ns = number;

/** Something with a deadline. `position` belongs to the queue; -1 = it is in none. */
export interface Deadline {
  due: MonotonicNs;
  position: number;
}

/** A binary heap in which each entry knows its place, so that moving a deadline needs no search. */
export class DeadlineQueue<T extends Deadline> {
  readonly #heap: T[] = [];

  /** Sets an entry's deadline; Infinity takes it out. */
  set(entry: T, due: MonotonicNs): void {
    if (due === entry.due && (entry.position >= 0 || due === Infinity)) return;
    const before = entry.due;
    entry.due = due;
    if (due === Infinity) return this.#remove(entry);
    if (entry.position < 0) {
      entry.position = this.#heap.length;
      this.#heap.push(entry);
      return this.#up(entry);
    }
    if (due < before) this.#up(entry);
    else this.#down(entry);
  }

  /** The entry that is due first, or null. */
  first(): T | null {
    return this.#heap[0] ?? null;
  }

  /** When the first entry is due; Infinity when there is none. */
  nextDue(): MonotonicNs {
    return this.#heap[0]?.due ?? Infinity;
  }

  #remove(entry: T): void {
    const at = entry.position;
    if (at < 0) return;
    entry.position = -1;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#place(last, at);
    this.#up(last);
    this.#down(last);
  }

  #place(entry: T, at: number): void {
    this.#heap[at] = entry;
    entry.position = at;
  }

  #up(entry: T): void {
    let at = entry.position;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent]!;
      if (above.due <= entry.due) break;
      this.#place(above, at);
      at = parent;
    }
    this.#place(entry, at);
  }

  #down(entry: T): void {
    let at = entry.position;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.due < this.#heap[child]!.due) child++;
      const below = this.#heap[child]!;
      if (below.due >= entry.due) break;
      this.#place(below, at);
      at = child;
    }
    this.#place(entry, at);
  }
}
