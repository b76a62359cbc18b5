import { runFacts } from '@spine/database';
import type { Queryable, RunEvent } from '@spine/database';
import type { RunFacts } from './filter.ts';

const MAX_KNOWN = 20_000;

/** What runs are, for filters that ask: looked up once, remembered for the runs seen last. */
export class RunFactsCache {
  readonly #db: Queryable;
  readonly #known = new Map<string, RunFacts>();

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Of the runs of these events; those that are gone are missing. */
  async of(events: readonly RunEvent[]): Promise<ReadonlyMap<string, RunFacts>> {
    const unknown = [...new Set(events.map(({ runId }) => runId))].filter((id) => !this.#known.has(id));
    if (unknown.length > 0) {
      for (const [runId, facts] of await runFacts(this.#db, unknown)) this.#known.set(runId, facts);
    }
    const found = new Map<string, RunFacts>();
    for (const { runId } of events) {
      const facts = this.#known.get(runId);
      if (facts !== undefined) found.set(runId, facts);
    }
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return found;
  }
}
