/**
 * Postgres: cores that statements queue for, and one log that commits wait for.
 *
 * A commit that comes while a flush is under way waits for the next one and shares it with all that came meanwhile.
 */
import type { EventQueue } from './event-queue.ts';
import type { Costs, StatementCost } from './parameters.ts';
import { Station } from './station.ts';

export type StatementKind = 'insert' | 'exchange' | 'heartbeat' | 'poll' | 'control' | 'relay';

export interface StatementPart {
  readonly cost: StatementCost;
  readonly items: number;
}

export interface StatementCount {
  statements: number;
  items: number;
  /** CPU milliseconds. */
  cpu: number;
}

export class Database {
  readonly #events: EventQueue;
  readonly #costs: Costs;
  readonly #cores: Station;
  readonly #counts = new Map<StatementKind, StatementCount>();
  #unflushed: { readonly bytes: number; readonly done: () => void }[] = [];
  #flushing = false;
  #flushed = 0;

  constructor(events: EventQueue, costs: Costs, cores: number) {
    this.#events = events;
    this.#costs = costs;
    this.#cores = new Station(events, cores);
  }

  /** Flushes of the log so far. */
  get flushes(): number {
    return this.#flushed;
  }

  countOf(kind: StatementKind): Readonly<StatementCount> {
    return this.#counts.get(kind) ?? { statements: 0, items: 0, cpu: 0 };
  }

  resetCounts(): void {
    this.#counts.clear();
    this.#flushed = 0;
  }

  /** `done` is called when the answer has reached the sender. */
  execute(kind: StatementKind, parts: readonly StatementPart[], done: () => void): void {
    const cpu = sum(parts, ({ cost, items }) => cost.once + cost.each * items);
    const bytes = sum(parts, ({ cost, items }) => cost.log * items);
    const count = this.#counts.get(kind) ?? { statements: 0, items: 0, cpu: 0 };
    count.statements += 1;
    count.items += sum(parts, ({ items }) => items);
    count.cpu += cpu;
    this.#counts.set(kind, count);
    const answer = (): void => this.#events.after(this.#costs.network, done);
    this.#events.after(this.#costs.network, () => {
      this.#cores.work(cpu, () => {
        if (bytes === 0) answer();
        else this.#commit(bytes, answer);
      });
    });
  }

  #commit(bytes: number, done: () => void): void {
    this.#unflushed.push({ bytes, done });
    if (!this.#flushing) this.#flush();
  }

  #flush(): void {
    const together = this.#unflushed;
    this.#unflushed = [];
    this.#flushing = true;
    this.#flushed += 1;
    const { once, eachKiB } = this.#costs.flush;
    this.#events.after(once + (eachKiB * sum(together, ({ bytes }) => bytes)) / 1024, () => {
      for (const { done } of together) done();
      if (this.#unflushed.length > 0) this.#flush();
      else this.#flushing = false;
    });
  }
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
