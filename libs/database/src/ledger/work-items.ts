/**
 * Work items: desired work, claimed by whoever does it.
 *
 * 1. An item is held by one at a time: a claim takes rows that no other claim holds (SKIP LOCKED), raises the attempt and
 *    sets a lock that ends by itself. A holder that died is followed by the next claimer once its lock is over.
 * 2. Every write of a holder carries its attempt; one whose item somebody else has claimed meanwhile is refused (`lost`).
 * 3. An item whose last attempt's lock is over fails at the next claim: a crash uses an attempt up, so none goes on for
 *    ever.
 * 4. The database's clock alone decides what is due and what is over.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import {
  afterWorkItemFailure,
  newId,
  priorityOf,
  priorityRank,
  toStorableText,
  truncateText,
} from '@spine/core';
import type { Priority, WorkItemRetry, WorkItemState } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

type On = Db | DbTransaction;

export interface NewWorkItem {
  readonly domain: string;
  readonly workflow: string;
  readonly partitionKey: PartitionKey;
  /** Default `{}`. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Not before this instant. Default now. */
  readonly desiredAt?: Date;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** 1 to 1,000. Default 3. */
  readonly maxAttempts?: number;
}

export interface WorkItem {
  readonly workItemId: string;
  readonly domain: string;
  readonly workflow: string;
  readonly partitionKey: PartitionKey;
  readonly params: Readonly<Record<string, unknown>>;
  readonly desiredAt: Date;
  readonly priority: Priority;
  readonly state: WorkItemState;
  /** Claims so far; the fence of whoever holds it. */
  readonly attemptCount: number;
  readonly maxAttempts: number;
  readonly lastError: string | null;
  readonly lastErrorAt: Date | null;
  readonly nextAttemptAt: Date | null;
  readonly latestRunId: string | null;
  readonly lockedBy: string | null;
  readonly lockedAt: Date | null;
  readonly lockedUntil: Date | null;
  readonly completedAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ClaimWorkOptions {
  readonly domain: string;
  readonly workflow: string;
  /** Who claims, for people. */
  readonly lockedBy: string;
  /** Items at the most, 1 to 1,000. */
  readonly limit: number;
  /** How long an item is held without word. Default 15 minutes. */
  readonly lockMs?: number;
}

/** Names a claim: the item, and the attempt at which it is held. */
export interface WorkItemHold {
  readonly workItemId: string;
  readonly attempt: number;
}

/** What became of a holder's write; `lost` when it does not hold the item at that attempt any more. */
export type HeldOutcome = { readonly type: 'written'; readonly item: WorkItem } | { readonly type: 'lost' };

const LOCK_MS = 900_000;
const MAX_ERROR = 4_000;

export function toWorkItem(row: Selectable<Database['work_items']>): WorkItem {
  return {
    workItemId: row.id,
    domain: row.domain,
    workflow: row.workflow,
    partitionKey: partitionKeyOf(row.partition_key),
    params: row.params as Readonly<Record<string, unknown>>,
    desiredAt: row.desired_at,
    priority: priorityOf(row.priority),
    state: row.state,
    attemptCount: row.attempt_count,
    maxAttempts: row.max_attempts,
    lastError: row.last_error,
    lastErrorAt: row.last_error_at,
    nextAttemptAt: row.next_attempt_at,
    latestRunId: row.latest_run_id,
    lockedBy: row.locked_by,
    lockedAt: row.locked_at,
    lockedUntil: row.locked_until,
    completedAt: row.completed_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/**
 * Wishes work. An item that is there already for the same domain, workflow and partition is left as it is.
 * Answers with how many are new.
 */
export async function addWorkItems(db: On, items: readonly NewWorkItem[]): Promise<number> {
  let added = 0;
  // A statement takes 65,535 parameters.
  for (let from = 0; from < items.length; from += 1_000) {
    const rows = await db
      .insertInto('work_items')
      .values(
        items.slice(from, from + 1_000).map((item) => ({
          id: newId(),
          domain: item.domain,
          workflow: item.workflow,
          partition_key: partitionKeyText(item.partitionKey),
          params: JSON.stringify(item.params ?? {}),
          desired_at: item.desiredAt ?? sql<Date>`now()`,
          priority: priorityRank(item.priority ?? 'normal'),
          max_attempts: item.maxAttempts ?? 3,
        })),
      )
      .onConflict((conflict) => conflict.columns(['domain', 'workflow', 'partition_key']).doNothing())
      .returning('id')
      .execute();
    added += rows.length;
  }
  return added;
}

/** Due items, most urgent priority first, then longest due; each is held by the caller until its lock is over. */
export async function claimWorkItems(db: On, options: ClaimWorkOptions): Promise<WorkItem[]> {
  const { domain, workflow, lockedBy, limit, lockMs = LOCK_MS } = options;
  await failCrashed(db, domain, workflow);
  // Asked for priority by priority, so that the index gives the due ones in order, whatever waits for later.
  const { rows } = await sql<Selectable<Database['work_items']>>`
    WITH c AS (
      SELECT due.id FROM generate_series(0, 4) AS p(priority) CROSS JOIN LATERAL (
        SELECT w.id, w.due_at FROM work_items w
        WHERE w.domain = ${domain} AND w.workflow = ${workflow} AND w.priority = p.priority
          AND w.state IN ('PENDING', 'RETRY_WAIT', 'RUNNING') AND w.due_at <= now() AND w.attempt_count < w.max_attempts
        ORDER BY w.due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ) due ORDER BY p.priority, due.due_at LIMIT ${limit}
    )
    UPDATE work_items w SET state = 'RUNNING', attempt_count = w.attempt_count + 1, locked_by = ${toStorableText(lockedBy)},
      locked_at = now(), locked_until = now() + ${lockMs} * interval '1 millisecond', next_attempt_at = NULL, updated_at = now()
    FROM c WHERE w.id = c.id RETURNING w.*`.execute(db);
  const rank = ({ priority, desired_at }: { priority: number; desired_at: Date }) =>
    priority * 1e15 + desired_at.getTime();
  return rows.sort((a, b) => rank(a) - rank(b)).map(toWorkItem);
}

/** Ends items whose holder of the last attempt has gone. */
async function failCrashed(db: On, domain: string, workflow: string): Promise<void> {
  await sql`
    UPDATE work_items w SET state = 'FAILED', completed_at = now(), updated_at = now(), locked_by = NULL, locked_at = NULL,
      locked_until = NULL, last_error = 'the lock of ' || w.locked_by || ' was over: it gave no word', last_error_at = now()
    FROM (
      SELECT id FROM work_items
      WHERE domain = ${domain} AND workflow = ${workflow} AND state = 'RUNNING' AND due_at <= now()
        AND attempt_count >= max_attempts LIMIT 100 FOR UPDATE SKIP LOCKED
    ) c WHERE w.id = c.id`.execute(db);
}

async function held(rows: Promise<{ rows: Selectable<Database['work_items']>[] }>): Promise<HeldOutcome> {
  const [row] = (await rows).rows;
  return row === undefined ? { type: 'lost' } : { type: 'written', item: toWorkItem(row) };
}

/** Holds an item for another `lockMs`, and notes the run that does it. */
export function extendWorkItem(
  db: On,
  { workItemId, attempt }: WorkItemHold,
  { lockMs = LOCK_MS, runId = null }: { readonly lockMs?: number; readonly runId?: string | null } = {},
): Promise<HeldOutcome> {
  return held(
    sql<Selectable<Database['work_items']>>`
      UPDATE work_items SET locked_until = now() + ${lockMs} * interval '1 millisecond',
        latest_run_id = COALESCE(${runId}::uuid, latest_run_id), updated_at = now()
      WHERE id = ${workItemId} AND state = 'RUNNING' AND attempt_count = ${attempt} RETURNING *`.execute(db),
  );
}

/** The work is done. */
export function completeWorkItem(
  db: On,
  { workItemId, attempt }: WorkItemHold,
  runId: string | null = null,
): Promise<HeldOutcome> {
  return held(
    sql<Selectable<Database['work_items']>>`
      UPDATE work_items SET state = 'COMPLETE', completed_at = now(), locked_by = NULL, locked_at = NULL,
        locked_until = NULL, latest_run_id = COALESCE(${runId}::uuid, latest_run_id), updated_at = now()
      WHERE id = ${workItemId} AND state = 'RUNNING' AND attempt_count = ${attempt} RETURNING *`.execute(db),
  );
}

export interface WorkItemError {
  /** For people; kept up to 4,000 characters. */
  readonly message: string;
  /** Default true. */
  readonly retryable?: boolean;
  readonly runId?: string | null;
  readonly retry?: WorkItemRetry;
}

/** The attempt failed: the item waits for its next one, or fails when there is none. */
export async function failWorkItem(db: On, hold: WorkItemHold, error: WorkItemError): Promise<HeldOutcome> {
  const { workItemId, attempt } = hold;
  const item = await getWorkItem(db, workItemId);
  if (item === null) return { type: 'lost' };
  const next = afterWorkItemFailure(
    { attempt, maxAttempts: item.maxAttempts, retryable: error.retryable ?? true },
    error.retry,
  );
  const delayMs = next.state === 'RETRY_WAIT' ? next.delayMs : null;
  const message = toStorableText(truncateText(error.message, MAX_ERROR));
  return held(
    sql<Selectable<Database['work_items']>>`
      UPDATE work_items SET state = ${next.state}, last_error = ${message}, last_error_at = now(),
        next_attempt_at = now() + ${delayMs}::double precision * interval '1 millisecond',
        completed_at = CASE WHEN ${delayMs === null} THEN now() END, locked_by = NULL, locked_at = NULL,
        locked_until = NULL, latest_run_id = COALESCE(${error.runId ?? null}::uuid, latest_run_id), updated_at = now()
      WHERE id = ${workItemId} AND state = 'RUNNING' AND attempt_count = ${attempt} RETURNING *`.execute(db),
  );
}

export type CancelWorkOutcome =
  /** Its holder, where it had one, is refused from now on. */
  | { readonly type: 'cancelled'; readonly item: WorkItem }
  | { readonly type: 'over'; readonly item: WorkItem }
  | { readonly type: 'not_found' };

/** Takes a wish back that is not over. */
export async function cancelWorkItem(db: On, workItemId: string): Promise<CancelWorkOutcome> {
  const { rows } = await sql<Selectable<Database['work_items']>>`
    UPDATE work_items SET state = 'CANCELLED', completed_at = now(), next_attempt_at = NULL, locked_by = NULL,
      locked_at = NULL, locked_until = NULL, updated_at = now()
    WHERE id = ${workItemId} AND state IN ('PENDING', 'RUNNING', 'RETRY_WAIT') RETURNING *`.execute(db);
  const [row] = rows;
  if (row !== undefined) return { type: 'cancelled', item: toWorkItem(row) };
  const item = await getWorkItem(db, workItemId);
  return item === null ? { type: 'not_found' } : { type: 'over', item };
}

export async function getWorkItem(db: On, workItemId: string): Promise<WorkItem | null> {
  const row = await db.selectFrom('work_items').selectAll().where('id', '=', workItemId).executeTakeFirst();
  return row === undefined ? null : toWorkItem(row);
}
