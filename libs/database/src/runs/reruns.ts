/** Finding runs to do again, and making sure that of two bulk retries one does it. */
import { sql } from 'kysely';
import type { RunStatus } from '@spine/core';
import { plainArray } from '../sql/arrays.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { COUNT_LIMIT, filterRuns } from './query.ts';
import type { RunFilter } from './query.ts';

/** Endings a retry may follow, in the words of the index `runs_unsuccessful`. */
const UNSUCCESSFUL = sql<boolean>`status IN ('failed', 'cancelled', 'timed_out', 'dead_lettered')`;

const NEVER_RETRIED = sql<boolean>`NOT EXISTS (SELECT 1 FROM runs n WHERE n.retry_of_run_id = runs.id)`;

export interface RetryableRuns {
  /** Oldest first, at most the limit. */
  readonly runIds: readonly string[];
  /** Matching runs, counted up to {@link COUNT_LIMIT}. */
  readonly total: number;
  readonly totalIsCapped: boolean;
}

/**
 * Runs that match, ended in one of `statuses` and have not been retried. Asked for status by status, because the index of
 * failures is ordered by id within a status only.
 */
export async function findRetryable(
  db: Db,
  filter: Omit<RunFilter, 'status'>,
  statuses: readonly RunStatus[],
  limit: number,
): Promise<RetryableRuns> {
  const parts = await Promise.all(
    statuses.map(async (status) => {
      const matching = filterRuns(db, { ...filter, status: [status] })
        .select('id')
        .where(UNSUCCESSFUL)
        .where(NEVER_RETRIED);
      const [rows, counted] = await Promise.all([
        matching.orderBy('id').limit(limit).execute(),
        db
          .selectFrom(matching.limit(COUNT_LIMIT + 1).as('m'))
          .select(sql<number>`count(*)::int`.as('count'))
          .executeTakeFirstOrThrow(),
      ]);
      return { runIds: rows.map(({ id }) => id), count: counted.count };
    }),
  );
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  return {
    runIds: parts
      .flatMap(({ runIds }) => runIds)
      .sort()
      .slice(0, limit),
    total: Math.min(total, COUNT_LIMIT),
    totalIsCapped: total > COUNT_LIMIT,
  };
}

/**
 * Locks runs until the transaction ends, in the order of their ids, and answers with those that nobody has retried. A
 * second statement looks for retries, so that it sees what the holder of a lock waited for has committed.
 */
export async function lockUnretried(
  trx: DbTransaction,
  runIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const ids = plainArray(runIds);
  const locked = await sql<{ id: string }>`
    SELECT id FROM runs WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`.execute(trx);
  const { rows: retried } = await sql<{ id: string }>`
    SELECT retry_of_run_id AS id FROM runs WHERE retry_of_run_id = ANY(${ids}::uuid[])`.execute(trx);
  const done = new Set(retried.map(({ id }) => id));
  return new Set(locked.rows.map(({ id }) => id).filter((id) => !done.has(id)));
}
