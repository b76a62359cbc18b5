/**
 * Backfill plans: rows and their states. The partitions are in backfill-partitions.ts.
 *
 * 1. Whoever changes a plan or its partitions holds the lock of the plan's row, so its counts are those of its partitions.
 * 2. Every change of state is guarded by the state it leaves; a trigger refuses what a guard would miss.
 * 3. A plan that is not RUNNING submits nothing: cancel takes the lock, and what was submitted before is known by then.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import {
  backfillProgressPct,
  distinctPartitions,
  newId,
  priorityOf,
  priorityRank,
  ValidationError,
} from '@spine/core';
import type { BackfillReason, BackfillRunKind, BackfillStatus, Priority } from '@spine/core';
import { textArray } from '../sql/arrays.ts';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage } from './pages.ts';

/** Partitions of one plan, at the most. */
export const MAX_BACKFILL_PARTITIONS = 100_000;
/** UTF-16 units of a partition's key as text. */
const MAX_KEY_LENGTH = 1_000;

export interface NewBackfill {
  readonly domain: string;
  readonly source: string;
  readonly reason: BackfillReason;
  /** In the order they are done in; the same key twice counts once. */
  readonly partitionKeys: readonly PartitionKey[];
  readonly runKind: BackfillRunKind;
  readonly runName: string;
  /** Beside the fields of the partition's key, which every run has as params too. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly lane: string;
  readonly priority: Priority;
  /** Runs at the same time, 1 to 1,000. */
  readonly concurrency: number;
  /** Runs a partition may fail before it counts as failed, 1 to 100. */
  readonly maxAttempts: number;
  /** Of each run; null for the handler's own. */
  readonly maxRetries: number | null;
  /** Of one attempt of a run; null for the default. */
  readonly timeoutMs: number | null;
  readonly note: string | null;
  readonly createdBy: string;
}

export interface Backfill extends Omit<NewBackfill, 'partitionKeys'> {
  readonly backfillId: string;
  readonly status: BackfillStatus;
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** See `backfillProgressPct`. */
  readonly progressPct: number;
  readonly checkpoint: unknown;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly updatedAt: Date;
}

export function toBackfill(row: Selectable<Database['backfills']>): Backfill {
  return {
    backfillId: row.id,
    domain: row.domain,
    source: row.source,
    reason: row.reason,
    status: row.status,
    runKind: row.run_kind,
    runName: row.run_name,
    params: row.params as Readonly<Record<string, unknown>>,
    lane: row.lane,
    priority: priorityOf(row.priority),
    concurrency: row.concurrency,
    maxAttempts: row.max_attempts,
    maxRetries: row.max_retries,
    timeoutMs: row.timeout_ms,
    total: row.total,
    completed: row.completed,
    failed: row.failed,
    progressPct: backfillProgressPct(row),
    checkpoint: row.checkpoint,
    note: row.note,
    createdBy: row.created_by,
    createdAt: row.created_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    updatedAt: row.updated_at,
  };
}

function partitionTexts(keys: readonly PartitionKey[]): readonly string[] {
  const texts = distinctPartitions(keys.map(partitionKeyText));
  const refuse = (code: string, message: string): never => {
    throw new ValidationError(`partition_keys: ${message}`, {
      issues: [{ field: 'partition_keys', code, message }],
    });
  };
  if (texts.length > MAX_BACKFILL_PARTITIONS) {
    refuse('too_many', `given ${texts.length} partitions; at most ${MAX_BACKFILL_PARTITIONS} are allowed`);
  }
  if (texts.some((text) => text.length > MAX_KEY_LENGTH)) {
    refuse('too_long', `a key has more than ${MAX_KEY_LENGTH} characters`);
  }
  return texts;
}

/**
 * Stores a plan with its partitions, all of it or nothing.
 * @throws ValidationError without partitions, and for more than {@link MAX_BACKFILL_PARTITIONS}.
 */
export async function createBackfill(db: Db | DbTransaction, plan: NewBackfill): Promise<Backfill> {
  const texts = partitionTexts(plan.partitionKeys);
  return atomically(db, async (trx) => {
    const row = await trx
      .insertInto('backfills')
      .values({
        id: newId(),
        domain: plan.domain,
        source: plan.source,
        reason: plan.reason,
        run_kind: plan.runKind,
        run_name: plan.runName,
        params: JSON.stringify(plan.params),
        lane: plan.lane,
        priority: priorityRank(plan.priority),
        concurrency: plan.concurrency,
        max_attempts: plan.maxAttempts,
        max_retries: plan.maxRetries,
        timeout_ms: plan.timeoutMs,
        total: texts.length,
        note: plan.note,
        created_by: plan.createdBy,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await sql`INSERT INTO backfill_partitions (backfill_id, ordinal, partition_key)
      SELECT ${row.id}, n - 1, key FROM unnest(${textArray(texts)}::text[]) WITH ORDINALITY AS t(key, n)`.execute(
      trx,
    );
    return toBackfill(row);
  });
}

export async function getBackfill(db: Db | DbTransaction, backfillId: string): Promise<Backfill | null> {
  const row = await db.selectFrom('backfills').selectAll().where('id', '=', backfillId).executeTakeFirst();
  return row === undefined ? null : toBackfill(row);
}

export interface BackfillFilter {
  readonly domain?: string;
  readonly status?: BackfillStatus;
  readonly reason?: BackfillReason;
}

export interface BackfillPageRequest {
  readonly limit: number;
  /** Default 0. */
  readonly offset?: number;
  /** The id of the last one seen: only older ones follow. */
  readonly before?: string;
}

function filterBackfills(db: Db | DbTransaction, { domain, status, reason }: BackfillFilter) {
  let query = db.selectFrom('backfills');
  if (domain !== undefined) query = query.where('domain', '=', domain);
  if (status !== undefined) query = query.where('status', '=', status);
  if (reason !== undefined) query = query.where('reason', '=', reason);
  return query;
}

/** Plans that match, newest first. */
export function listBackfills(
  db: Db | DbTransaction,
  filter: BackfillFilter,
  page: BackfillPageRequest,
): Promise<LedgerPage<Backfill>> {
  let query = filterBackfills(db, filter)
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  const matching = filterBackfills(db, filter).select('id').limit(COUNTED_ROWS);
  return ledgerPage(db, query.execute(), matching, page.limit, toBackfill);
}
