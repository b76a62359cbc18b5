import { liveCapacity } from '@spine/database';
import type { LiveCapacity, Queryable } from '@spine/database';

const NONE: LiveCapacity = { lanes: new Map(), handlers: new Set() };

/** What the live workers can do, asked at most once in a while; the last answer serves while the database is away. */
export class CapacityCache {
  readonly #db: Queryable;
  readonly #maxAgeMs: number;
  #value = NONE;
  #askedAt = -Infinity;
  #asking: Promise<LiveCapacity> | null = null;

  constructor(db: Queryable, maxAgeMs = 2_000) {
    this.#db = db;
    this.#maxAgeMs = maxAgeMs;
  }

  /** The last known answer, at once; a stale one starts a refresh in the background. */
  current(): LiveCapacity {
    if (performance.now() - this.#askedAt > this.#maxAgeMs) void this.refresh().catch(() => undefined);
    return this.#value;
  }

  /** An answer no older than the limit. */
  async fresh(): Promise<LiveCapacity> {
    return performance.now() - this.#askedAt <= this.#maxAgeMs ? this.#value : this.refresh();
  }

  async refresh(): Promise<LiveCapacity> {
    this.#asking ??= liveCapacity(this.#db)
      .then((value) => {
        this.#value = value;
        this.#askedAt = performance.now();
        return value;
      })
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }
}
