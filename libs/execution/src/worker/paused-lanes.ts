/**
 * The lanes a worker knows to be paused: it fetches no hint from them. The claim's own guard is what holds; this only
 * spares the queue hints that would be fetched for nothing.
 */
import { pausedLanes } from '@spine/database';
import type { Queryable } from '@spine/database';

export class PausedLanes {
  readonly #db: Queryable;
  #paused: ReadonlySet<string> = new Set();
  #changed: (() => void)[] = [];

  constructor(db: Queryable) {
    this.#db = db;
  }

  has(lane: string): boolean {
    return this.#paused.has(lane);
  }

  /** Reads the table again; keeps what it knew when Postgres cannot be asked. */
  async refresh(): Promise<void> {
    const lanes = await pausedLanes(this.#db);
    this.#paused = new Set(lanes.map(({ lane }) => lane));
    const waiting = this.#changed;
    this.#changed = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves with the next refresh or when `signal` is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#changed.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
