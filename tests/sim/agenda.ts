/**
 * What is to happen at which moment.
 *
 * @module
 */
import type { Ns } from "../../mod/vrrp/timers.ts";

interface Appointment {
  readonly at: Ns;
  readonly order: number;
  readonly act: () => void;
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Appointments in the order of their times; those of one moment in the order in which they were made. */
export class Agenda {
  readonly #heap: Appointment[] = [];
  #order = 0;

  /** When the next appointment is; Infinity = there is none. */
  nextAt(): Ns {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: Ns, act: () => void): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, act };
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(entry, heap[above]!)) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = entry;
  }

  /** Takes the next appointment out and keeps it. */
  keepNext(): void {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let place = 0;
      for (;;) {
        let below = 2 * place + 1;
        if (below >= heap.length) break;
        if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
        if (!isBefore(heap[below]!, last)) break;
        heap[place] = heap[below]!;
        place = below;
      }
      heap[place] = last;
    }
    first.act();
  }
}
