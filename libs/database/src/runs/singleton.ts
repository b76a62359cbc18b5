/**
 * Runs with a singleton key: of all with one key at most one is active and one waits, and the latest to come waits.
 *
 * 1. Submissions with one key are ordered by a transaction-level lock on it. 2. The one that waited is cancelled and
 * names its successor; the one that is active goes on. 3. Both limits are unique indexes, which know nothing of the
 * lock. 4. A known idempotency key changes nothing: what was superseded for it is rolled back.
 */
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { insertRuns } from './insert.ts';
import type { InsertInfo, InsertOutcome, NewRun } from './insert.ts';

const SUPERSEDE_SQL = `WITH u AS (
  UPDATE runs r SET status = 'cancelled', epoch = r.epoch + 1, completed_at = now(), dispatch_after = NULL
  WHERE r.singleton_key = $1 AND r.started_at IS NULL AND r.status IN ('pending', 'queued', 'paused') AND r.id <> $2::uuid
  RETURNING r.id, r.epoch, r.status
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source)
  SELECT id, epoch, 'cancelled', true,
    jsonb_build_object('reason', 'superseded by a later run with its singleton key', 'superseded_by', $2::uuid), $3
  FROM u
)
SELECT id FROM u`;

export interface SingletonOutcome {
  readonly outcome: InsertOutcome;
  /** The run that waited in its place and never starts; null if there was none. */
  readonly superseded: string | null;
}

/** Stores a run with a singleton key in place of the one that waited; changes nothing unless it is stored. */
export async function insertSingleton(db: Db, run: NewRun, info: InsertInfo): Promise<SingletonOutcome> {
  const trx = await db.startTransaction().execute();
  try {
    const stored = await insertSingletonIn(asQueryable(trx), run, info);
    if (stored.outcome.type === 'inserted') await trx.commit().execute();
    else await trx.rollback().execute();
    return stored;
  } catch (error) {
    if (!trx.isCommitted && !trx.isRolledBack) await trx.rollback().execute();
    throw error;
  }
}

/** The same inside a transaction, which must not be committed unless the run was inserted. */
export async function insertSingletonIn(
  on: Queryable,
  run: NewRun,
  info: InsertInfo,
): Promise<SingletonOutcome> {
  await on.query({
    text: `SELECT pg_advisory_xact_lock(hashtextextended('spine_singleton:' || $1, 0))`,
    values: [run.singletonKey],
  });
  // A statement of its own, whose snapshot is taken after the lock: whoever held it before has committed.
  const { rows } = await on.query<{ id: string }>({
    text: SUPERSEDE_SQL,
    values: [run.singletonKey, run.runId, run.triggerSource],
  });
  const [outcome = { type: 'fenced' as const }] = await insertRuns(on, [run], info);
  const superseded = outcome.type === 'inserted' ? (rows[0]?.id ?? null) : null;
  return { outcome, superseded };
}
