/** Lists of runs, counted no more often than it tells anybody something. */
import { LRUCache } from 'lru-cache';
import { canonicalJson } from '@spine/core';
import { listRuns } from '@spine/database';
import type { Db, Queryable, RunFilter, RunListPage, RunPageRequest, RunTotal } from '@spine/database';

/** Up to so many runs are counted anew for each page. */
export const EXACT_TOTAL = 1_000;
/** How old a larger number may be. */
const TOTAL_MAX_AGE_MS = 10_000;
const FILTERS = 500;

/**
 * Remembers how many runs a filter matches where they are many: counting them is most of what a page costs, and the answer is
 * nearly the same the next time.
 */
export class RunLists {
  readonly #totals = new LRUCache<string, RunTotal>({ max: FILTERS, ttl: TOTAL_MAX_AGE_MS });

  /** @param hot connections that plan a statement once */
  async list(db: Db, hot: Queryable, filter: RunFilter, page: RunPageRequest): Promise<RunListPage> {
    const key = canonicalJson({
      ...filter,
      since: filter.since?.toISOString(),
      until: filter.until?.toISOString(),
    });
    const known = this.#totals.get(key);
    const found = await listRuns(db, filter, page, { hot, ...(known === undefined ? {} : { total: known }) });
    const { total, totalIsCapped } = found;
    if (known === undefined && total > EXACT_TOTAL) this.#totals.set(key, { total, totalIsCapped });
    return found;
  }
}
