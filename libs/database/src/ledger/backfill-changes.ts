/** What people do to a backfill plan; each call takes the lock of the plan's row. See backfills.ts for what holds. */
import { sql } from 'kysely';
import { canMoveBackfill } from '@spine/core';
import type { BackfillStatus } from '@spine/core';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { toBackfill } from './backfills.ts';
import type { Backfill } from './backfills.ts';

type On = Db | DbTransaction;

/** What became of a wish to change a plan. */
export type BackfillChange =
  | { readonly type: 'changed'; readonly backfill: Backfill }
  /** Its state does not allow it. */
  | { readonly type: 'refused'; readonly status: BackfillStatus }
  | { readonly type: 'not_found' };

/** Limits of a plan that may change while it is not over. */
export interface BackfillLimits {
  /** Of runs submitted from now on; those that wait already are let in by the same number, as gates say. */
  readonly concurrency?: number;
  readonly maxAttempts?: number;
  readonly note?: string | null;
}

/** Locks the plan and lets `change` write, when `allowed` says that its state is right. */
async function locked(
  db: On,
  backfillId: string,
  allowed: (status: BackfillStatus) => boolean,
  change: (trx: On) => Promise<void>,
): Promise<BackfillChange> {
  return atomically(db, async (trx): Promise<BackfillChange> => {
    const before = await trx
      .selectFrom('backfills')
      .select('status')
      .where('id', '=', backfillId)
      .forUpdate()
      .executeTakeFirst();
    if (before === undefined) return { type: 'not_found' };
    if (!allowed(before.status)) return { type: 'refused', status: before.status };
    await change(trx);
    const after = await trx
      .selectFrom('backfills')
      .selectAll()
      .where('id', '=', backfillId)
      .executeTakeFirstOrThrow();
    return { type: 'changed', backfill: toBackfill(after) };
  });
}

/** Lets a planned backfill run: the pump submits its partitions. */
export function startBackfillPlan(db: On, backfillId: string): Promise<BackfillChange> {
  return locked(
    db,
    backfillId,
    (status) => status === 'PLANNED',
    async (trx) => {
      await sql`UPDATE backfills SET status = 'RUNNING', started_at = now(), updated_at = now()
        WHERE id = ${backfillId} AND status = 'PLANNED'`.execute(trx);
    },
  );
}

/** Goes on with a plan that failed or was cancelled: what is done stays done, what failed has all its attempts again. */
export function resumeBackfillPlan(db: On, backfillId: string): Promise<BackfillChange> {
  return locked(
    db,
    backfillId,
    (status) => status !== 'PLANNED' && canMoveBackfill(status, 'RUNNING'),
    async (trx) => {
      await sql`UPDATE backfill_partitions SET status = 'PENDING', failures = 0, updated_at = now()
        WHERE backfill_id = ${backfillId} AND (status = 'FAILED' OR (status = 'PENDING' AND failures > 0))`.execute(
        trx,
      );
      await sql`UPDATE backfills SET status = 'RUNNING', failed = 0, started_at = COALESCE(started_at, now()),
          completed_at = NULL, updated_at = now()
        WHERE id = ${backfillId} AND status IN ('FAILED', 'CANCELLED')`.execute(trx);
    },
  );
}

/**
 * Stops a plan: nothing more is submitted. Its open partitions are marked; cancelling their runs is up to the caller,
 * and the pump does it where the caller does not come to it.
 */
export function cancelBackfillRows(db: On, backfillId: string): Promise<BackfillChange> {
  return locked(
    db,
    backfillId,
    (status) => canMoveBackfill(status, 'CANCELLED'),
    async (trx) => {
      await sql`UPDATE backfill_partitions SET status = 'CANCELLING', updated_at = now()
        WHERE backfill_id = ${backfillId} AND status = 'RUNNING'`.execute(trx);
      await sql`UPDATE backfills SET status = 'CANCELLED', completed_at = now(), updated_at = now()
        WHERE id = ${backfillId} AND status IN ('PLANNED', 'RUNNING')`.execute(trx);
    },
  );
}

/** Notes where the work stands, in words of whoever does it, while the plan runs. */
export function checkpointBackfill(db: On, backfillId: string, checkpoint: unknown): Promise<BackfillChange> {
  return locked(
    db,
    backfillId,
    (status) => status === 'RUNNING',
    async (trx) => {
      await sql`UPDATE backfills SET checkpoint = ${JSON.stringify(checkpoint)}::jsonb, updated_at = now()
        WHERE id = ${backfillId} AND status = 'RUNNING'`.execute(trx);
    },
  );
}

/** Changes limits of a plan that is not complete. */
export function limitBackfill(db: On, backfillId: string, limits: BackfillLimits): Promise<BackfillChange> {
  const { concurrency = null, maxAttempts = null, note } = limits;
  return locked(
    db,
    backfillId,
    (status) => status !== 'COMPLETED',
    async (trx) => {
      await sql`UPDATE backfills SET concurrency = COALESCE(${concurrency}::integer, concurrency),
          max_attempts = COALESCE(${maxAttempts}::integer, max_attempts),
          note = CASE WHEN ${note === undefined} THEN note ELSE ${note ?? null}::text END, updated_at = now()
        WHERE id = ${backfillId}`.execute(trx);
    },
  );
}

/** Forgets a plan that has not started; one that has is part of the history. */
export function deleteBackfill(db: On, backfillId: string): Promise<BackfillChange> {
  return atomically(db, async (trx): Promise<BackfillChange> => {
    const row = await trx
      .selectFrom('backfills')
      .selectAll()
      .where('id', '=', backfillId)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) return { type: 'not_found' };
    if (row.status !== 'PLANNED') return { type: 'refused', status: row.status };
    await trx.deleteFrom('backfills').where('id', '=', backfillId).execute();
    return { type: 'changed', backfill: toBackfill(row) };
  });
}
