/** Deleting old runs. What may go is decided by `spine_purge_runs` (migration 0007), which alone may delete. */
import { COUNT_LIMIT } from './query.ts';
import type { Queryable } from '../sql/pool.ts';

/** Runs one call looks at, at the most. */
export const MAX_PURGE_BATCH = 5_000;

/** Where a sweep begins: smaller than every run's id. */
export const FIRST_RUN_ID = '00000000-0000-0000-0000-000000000000';

export interface PurgeRequest {
  /** Runs that ended longer ago than this many days are deleted. At least 1. */
  readonly olderThanDays: number;
  /** The call looks at runs from after this id on. */
  readonly afterRunId: string;
  /** How many runs the call looks at, 1 to {@link MAX_PURGE_BATCH}. */
  readonly batch: number;
}

/** Rows deleted, by what they were. Payloads in a folder are removed by the sweep of payloads, once their run is gone. */
export interface PurgeCounts {
  readonly runs: number;
  readonly events: number;
  readonly logs: number;
  readonly payloads: number;
  readonly deadLetters: number;
}

export interface PurgedBatch extends PurgeCounts {
  /** Where the next call continues; null when there is nothing old further on. */
  readonly lastRunId: string | null;
}

interface PurgedRow {
  last_id: string | null;
  deleted_runs: number;
  deleted_events: number;
  deleted_logs: number;
  deleted_payloads: number;
  deleted_dead_letters: number;
}

/**
 * Deletes, of the next runs by id, those that ended long enough ago, with what belongs to them.
 *
 * @throws the driver's error (22023) for a period under a day or a batch that is not allowed; then nothing was deleted.
 */
export async function purgeRuns(db: Queryable, request: PurgeRequest): Promise<PurgedBatch> {
  const { rows } = await db.query<PurgedRow>({
    name: 'spine_purge_runs',
    text: `SELECT last_id, deleted_runs, deleted_events, deleted_logs, deleted_payloads, deleted_dead_letters
FROM spine_purge_runs($1::integer * interval '1 day', $2::uuid, $3::integer)`,
    values: [request.olderThanDays, request.afterRunId, request.batch],
  });
  const row = rows[0];
  return {
    lastRunId: row?.last_id ?? null,
    runs: row?.deleted_runs ?? 0,
    events: row?.deleted_events ?? 0,
    logs: row?.deleted_logs ?? 0,
    payloads: row?.deleted_payloads ?? 0,
    deadLetters: row?.deleted_dead_letters ?? 0,
  };
}

export interface PurgeableRuns {
  /** Runs that a purge would delete now, counted up to 10,000. */
  readonly eligible: number;
  readonly eligibleIsCapped: boolean;
  /** Of the oldest run there is, whether it would go or not; null for none. */
  readonly oldest: Date | null;
}

/** What {@link purgeRuns} would delete. Asks the same questions as `spine_purge_runs` (migration 0007), which decides. */
export async function purgeableRuns(db: Queryable, olderThanDays: number): Promise<PurgeableRuns> {
  const { rows } = await db.query<{ eligible: number; oldest: Date | null }>({
    text: `SELECT (SELECT count(*)::int FROM (
    SELECT 1 FROM runs r
    WHERE r.id < spine_run_id_at(c.cutoff + interval '10 minutes') AND r.completed_at < c.cutoff
      AND (SELECT true FROM dead_letters l
        WHERE l.run_id = r.id AND (l.resolved_at IS NULL OR l.resolved_at >= c.cutoff)) IS NULL
    ORDER BY r.id LIMIT ${COUNT_LIMIT + 1}
  ) e) AS eligible, (SELECT created_at FROM runs ORDER BY id LIMIT 1) AS oldest
FROM (SELECT now() - $1::integer * interval '1 day' AS cutoff) c`,
    values: [olderThanDays],
  });
  const eligible = rows[0]?.eligible ?? 0;
  return {
    eligible: Math.min(eligible, COUNT_LIMIT),
    eligibleIsCapped: eligible > COUNT_LIMIT,
    oldest: rows[0]?.oldest ?? null,
  };
}
