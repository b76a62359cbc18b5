/** Finding runs that have not ended, by the indexes that know them: the history beside them is not read. */
import { sql } from 'kysely';
import type { RunStatus } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { COUNT_LIMIT, filterRuns } from './query.ts';
import type { RunFilter } from './query.ts';

export type ActiveStatus = Extract<RunStatus, 'pending' | 'queued' | 'running' | 'paused'>;
export const ACTIVE_STATUSES: readonly ActiveStatus[] = ['pending', 'queued', 'running', 'paused'];

export interface ActiveRuns {
  /** By id, at most the limit; which ones, when there are more, is not defined. */
  readonly runIds: readonly string[];
  /** Matching runs, counted up to {@link COUNT_LIMIT}. */
  readonly total: number;
  readonly totalIsCapped: boolean;
}

/** What each partial index covers, in its own words: `runs_dispatch`, `runs_overdue`, `runs_paused`. */
const INDEXED: readonly (readonly ActiveStatus[])[] = [['pending', 'queued'], ['running'], ['paused']];

/** Runs in one of `statuses` that match. */
export async function findActive(
  db: Db,
  filter: Omit<RunFilter, 'status'>,
  statuses: readonly ActiveStatus[],
  limit: number,
): Promise<ActiveRuns> {
  const parts = INDEXED.filter((covered) => covered.some((status) => statuses.includes(status)));
  const found = await db.transaction().execute(async (trx) => {
    // Statistics from when most runs were waiting would have the whole history read to find the few that still do.
    await sql`SET LOCAL enable_seqscan = off`.execute(trx);
    const ids: string[] = [];
    for (const covered of parts) ids.push(...(await idsOf(trx, filter, covered, statuses)));
    return ids;
  });
  return {
    runIds: found.slice(0, limit).sort(),
    total: Math.min(found.length, COUNT_LIMIT),
    totalIsCapped: found.length > COUNT_LIMIT,
  };
}

async function idsOf(
  trx: DbTransaction,
  filter: Omit<RunFilter, 'status'>,
  covered: readonly ActiveStatus[],
  wanted: readonly ActiveStatus[],
): Promise<string[]> {
  const words = sql.join(covered.map((status) => sql.lit(status)));
  const rows = await filterRuns(trx, {
    ...filter,
    status: wanted.filter((status) => covered.includes(status)),
  })
    .select('id')
    .where(sql<boolean>`status IN (${words})`)
    .limit(COUNT_LIMIT + 1)
    .execute();
  return rows.map(({ id }) => id);
}
