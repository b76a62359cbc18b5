import { PRIORITIES, priorityRank } from '@spine/core';
import type { Priority } from '@spine/core';

/** What waits, the most urgent first and in order within one priority. */
export class PriorityQueue<T> {
  readonly #ranks: Set<T>[] = PRIORITIES.map(() => new Set<T>());

  get size(): number {
    return this.#ranks.reduce((sum, rank) => sum + rank.size, 0);
  }

  push(item: T, priority: Priority): void {
    this.#ranks[priorityRank(priority)]?.add(item);
  }

  /** Takes the first out. */
  shift(): T | undefined {
    for (const rank of this.#ranks) {
      for (const item of rank) {
        rank.delete(item);
        return item;
      }
    }
    return undefined;
  }

  remove(item: T): void {
    for (const rank of this.#ranks) rank.delete(item);
  }
}
