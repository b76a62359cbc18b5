/**
 * Virtual time. Things happen in the order of their time and, at one time, in the order they were scheduled in, so
 * that a simulation with one seed has one outcome.
 */
interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}

export class EventQueue {
  /** A binary heap, the next one first. */
  readonly #heap: Scheduled[] = [];
  #now = 0;
  #scheduled = 0;

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  after(milliseconds: number, happen: () => void): void {
    this.#scheduled += 1;
    const entry = { at: this.#now + milliseconds, order: this.#scheduled, happen };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  /** Lets everything happen that is due until then, what it leads to included. */
  runUntil(time: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= time; next = this.#heap[0]) {
      this.#removeFirst();
      this.#now = next.at;
      next.happen();
    }
    this.#now = time;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[index * 2 + 1];
      const right = heap[index * 2 + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !isBefore(child, last)) break;
      heap[index] = child;
      index = index * 2 + (isRight ? 2 : 1);
    }
    heap[index] = last;
  }
}
