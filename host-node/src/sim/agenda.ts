// What is going to happen in a simulated world, in virtual time and in order: a binary heap of
// plain values, so that a world is copied by copying the list. Entries of one instant happen in the
// order in which they were made.

export interface Entry<What> {
  readonly dueMs: number;
  /** Number of the entry, which decides between equals. */
  readonly order: number;
  readonly what: What;
}

const isBefore = (a: Entry<unknown>, b: Entry<unknown>): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

export class Agenda<What> {
  private heap: Entry<What>[] = [];
  private order = 0;

  add(dueMs: number, what: What): void {
    const { heap } = this;
    const entry = { dueMs, order: this.order++, what };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** When the next entry is due; Infinity when there is none. */
  get nextMs(): number {
    return this.heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  take(): Entry<What> {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(entry: Entry<What>): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }

  /** Takes out what answers true; the rest stays in its order. */
  drop(isGone: (what: What) => boolean): void {
    const kept = this.heap.filter(({ what }) => !isGone(what));
    this.heap = kept.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** In the order in which they will happen. */
  list(): Entry<What>[] {
    return this.heap.toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  copy(): Agenda<What> {
    const copy = new Agenda<What>();
    copy.heap = this.heap.slice();
    copy.order = this.order;
    return copy;
  }
}
