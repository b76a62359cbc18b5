/**
 * The partitions of backfill plans, and the statements the pump is made of. All of them but the lists expect the lock of
 * the plan's row, which {@link lockBackfill} takes.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { BackfillCounts, BackfillPartitionStatus, RunStatus } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { StoredError } from '../runs/record.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { toBackfill } from './backfills.ts';
import type { Backfill } from './backfills.ts';
import { partitionKeyOf } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

type On = Db | DbTransaction;

/** Why a partition failed, or failed last. */
export interface PartitionError {
  readonly type: string;
  readonly message: string;
  readonly category: string;
  readonly retryable: boolean;
}

export interface BackfillPartition {
  /** Its place in the plan, from 0. */
  readonly ordinal: number;
  readonly partitionKey: PartitionKey;
  readonly status: BackfillPartitionStatus;
  /** Runs it has had. */
  readonly attempts: number;
  /** Failed ones since the plan was started or resumed. */
  readonly failures: number;
  /** The last one. */
  readonly runId: string | null;
  readonly error: PartitionError | null;
  readonly updatedAt: Date;
}

function toPartition(row: Selectable<Database['backfill_partitions']>): BackfillPartition {
  return {
    ordinal: row.ordinal,
    partitionKey: partitionKeyOf(row.partition_key),
    status: row.status,
    attempts: row.attempts,
    failures: row.failures,
    runId: row.run_id,
    error: row.error as PartitionError | null,
    updatedAt: row.updated_at,
  };
}

export interface PartitionPageRequest {
  readonly limit: number;
  /** The ordinal of the last one seen. */
  readonly after?: number;
  readonly status?: BackfillPartitionStatus;
}

/** Partitions of a plan in their order, one more than `limit` where there is more. */
export async function listBackfillPartitions(
  db: On,
  backfillId: string,
  { limit, after, status }: PartitionPageRequest,
): Promise<BackfillPartition[]> {
  let query = db
    .selectFrom('backfill_partitions')
    .selectAll()
    .where('backfill_id', '=', backfillId)
    .orderBy('ordinal')
    .limit(limit);
  if (after !== undefined) query = query.where('ordinal', '>', after);
  if (status !== undefined) query = query.where('status', '=', status);
  return (await query.execute()).map(toPartition);
}

/** How many partitions of a plan are in each state; states with none are 0. */
export async function countBackfillPartitions(
  db: On,
  backfillId: string,
): Promise<Readonly<Record<BackfillPartitionStatus, number>>> {
  const { rows } = await sql<{ status: BackfillPartitionStatus; count: number }>`
    SELECT status, count(*)::int AS count FROM backfill_partitions WHERE backfill_id = ${backfillId}
    GROUP BY status`.execute(db);
  const counts = { PENDING: 0, RUNNING: 0, CANCELLING: 0, DONE: 0, FAILED: 0 };
  for (const { status, count } of rows) counts[status] = count;
  return counts;
}

/** Plans with something to do: those that run, and those that were cancelled while runs of theirs were open. */
export async function activeBackfills(db: On): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM backfills WHERE status = 'RUNNING'
    UNION SELECT backfill_id FROM backfill_partitions WHERE status IN ('RUNNING', 'CANCELLING')
    ORDER BY id`.execute(db);
  return rows.map(({ id }) => id);
}

/** The plan under its lock; null when somebody else has the lock, or it is gone. */
export async function lockBackfill(trx: On, backfillId: string): Promise<Backfill | null> {
  const row = await trx
    .selectFrom('backfills')
    .selectAll()
    .where('id', '=', backfillId)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row === undefined ? null : toBackfill(row);
}

/** An open partition, and its run as it is now. */
export interface OpenPartition {
  readonly ordinal: number;
  readonly status: 'RUNNING' | 'CANCELLING';
  readonly failures: number;
  readonly runId: string;
  /** Null: its row was deleted. */
  readonly runStatus: RunStatus | null;
  readonly runError: StoredError | null;
}

/** The open partitions of a plan with their runs, by key: it costs what is open. */
export async function openPartitions(trx: On, backfillId: string): Promise<OpenPartition[]> {
  const { rows } = await sql<{
    ordinal: number;
    status: 'RUNNING' | 'CANCELLING';
    failures: number;
    run_id: string;
    run_status: RunStatus | null;
    run_error: StoredError | null;
  }>`
    SELECT p.ordinal, p.status, p.failures, p.run_id, r.status AS run_status, r.error AS run_error
    FROM backfill_partitions p LEFT JOIN runs r ON r.id = p.run_id
    WHERE p.backfill_id = ${backfillId} AND p.status IN ('RUNNING', 'CANCELLING')`.execute(trx);
  return rows.map((row) => ({
    ordinal: row.ordinal,
    status: row.status,
    failures: row.failures,
    runId: row.run_id,
    runStatus: row.run_status,
    runError: row.run_error,
  }));
}

export interface SettledPartition {
  readonly ordinal: number;
  /** The run that was looked at; another one by now is none of this verdict's business. */
  readonly runId: string;
  readonly status: BackfillPartitionStatus;
  readonly failures: number;
  /** Null for one that is done. */
  readonly error: PartitionError | null;
}

/** Writes what became of open partitions, and counts them into their plan. Answers with the plan's counts. */
export async function settlePartitions(
  trx: On,
  backfillId: string,
  settled: readonly SettledPartition[],
): Promise<BackfillCounts> {
  const { rows } = await sql<{ total: number; completed: number; failed: number }>`
    WITH s AS (
      SELECT * FROM unnest(${plainArray(settled.map(({ ordinal }) => ordinal))}::integer[],
        ${plainArray(settled.map(({ runId }) => runId))}::uuid[],
        ${plainArray(settled.map(({ status }) => status))}::text[],
        ${plainArray(settled.map(({ failures }) => failures))}::integer[],
        ${textArray(settled.map(({ error }) => (error === null ? null : JSON.stringify(error))))}::text[]
      ) AS t(ordinal, run_id, status, failures, error)
    ), u AS (
      UPDATE backfill_partitions p SET status = s.status, failures = s.failures, error = s.error::jsonb,
        updated_at = now()
      FROM s WHERE p.backfill_id = ${backfillId} AND p.ordinal = s.ordinal AND p.run_id = s.run_id
        AND p.status IN ('RUNNING', 'CANCELLING')
      RETURNING p.status
    )
    UPDATE backfills b SET updated_at = now(),
      completed = b.completed + (SELECT count(*) FROM u WHERE status = 'DONE'),
      failed = b.failed + (SELECT count(*) FROM u WHERE status = 'FAILED')
    WHERE b.id = ${backfillId} RETURNING b.total, b.completed, b.failed`.execute(trx);
  return rows[0] ?? { total: 0, completed: 0, failed: 0 };
}

/** The next partitions of a plan that wait, in their order. */
export function pendingPartitions(trx: On, backfillId: string, limit: number): Promise<BackfillPartition[]> {
  return listBackfillPartitions(trx, backfillId, { limit, status: 'PENDING' });
}

/** Marks partitions as having a run, which the same transaction has stored. Each must be waiting. */
export async function markSubmitted(
  trx: On,
  backfillId: string,
  submitted: readonly { readonly ordinal: number; readonly runId: string }[],
): Promise<number> {
  const { rows } = await sql<{ ordinal: number }>`
    UPDATE backfill_partitions p SET status = 'RUNNING', attempts = p.attempts + 1, run_id = s.run_id, updated_at = now()
    FROM unnest(${plainArray(submitted.map(({ ordinal }) => ordinal))}::integer[],
      ${plainArray(submitted.map(({ runId }) => runId))}::uuid[]) AS s(ordinal, run_id)
    WHERE p.backfill_id = ${backfillId} AND p.ordinal = s.ordinal AND p.status = 'PENDING'
    RETURNING p.ordinal`.execute(trx);
  return rows.length;
}

/** Marks waiting partitions that no run can be made for as failed, and counts them. */
export async function failPending(
  trx: On,
  backfillId: string,
  failed: readonly { readonly ordinal: number; readonly error: PartitionError }[],
): Promise<void> {
  await sql`WITH u AS (
      UPDATE backfill_partitions p SET status = 'FAILED', error = s.error::jsonb, attempts = p.attempts + 1,
        failures = p.failures + 1, updated_at = now()
      FROM unnest(${plainArray(failed.map(({ ordinal }) => ordinal))}::integer[],
        ${textArray(failed.map(({ error }) => JSON.stringify(error)))}::text[]) AS s(ordinal, error)
      WHERE p.backfill_id = ${backfillId} AND p.ordinal = s.ordinal AND p.status = 'PENDING'
      RETURNING 1
    )
    UPDATE backfills SET failed = failed + (SELECT count(*) FROM u), updated_at = now()
    WHERE id = ${backfillId}`.execute(trx);
}

/** Ends a running plan. Nothing happens when it does not run, or its counts say otherwise. */
export async function endBackfill(
  trx: On,
  backfillId: string,
  status: 'COMPLETED' | 'FAILED',
): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    UPDATE backfills b SET status = ${status}, completed_at = now(), updated_at = now()
    WHERE b.id = ${backfillId} AND b.status = 'RUNNING' AND b.completed + b.failed = b.total
      AND NOT EXISTS (SELECT 1 FROM backfill_partitions p
        WHERE p.backfill_id = b.id AND p.status IN ('PENDING', 'RUNNING', 'CANCELLING'))
    RETURNING b.id`.execute(trx);
  return rows.length > 0;
}
