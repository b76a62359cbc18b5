/** Lists of runs, counted no more often than it tells anybody something. */
import { LRUCache } from 'lru-cache';
import { canonicalJson } from '@spine/core';
import { COUNT_LIMIT, listRuns } from '@spine/database';
import type { Db, RunFilter, RunListPage, RunPageRequest } from '@spine/database';

/** How long more than 10,000 runs are taken to be more than 10,000. */
const MANY_FOR_MS = 10_000;
const FILTERS = 500;

/**
 * Remembers which filters match more runs than are counted. Counting so far is most of what a page costs, and the answer is the
 * same the next time: runs do not go by thousands in seconds. What is counted to the end is counted anew for each page.
 */
export class RunLists {
  readonly #many = new LRUCache<string, true>({ max: FILTERS, ttl: MANY_FOR_MS });

  async list(db: Db, filter: RunFilter, page: RunPageRequest): Promise<RunListPage> {
    const key = canonicalJson({
      ...filter,
      since: filter.since?.toISOString(),
      until: filter.until?.toISOString(),
    });
    const isManyKnown = this.#many.get(key) === true;
    const found = await listRuns(db, filter, page, isManyKnown);
    if (!isManyKnown && found.totalIsCapped && found.total >= COUNT_LIMIT) this.#many.set(key, true);
    return found;
  }
}
