/** Dead letters: written by the settle and reap statements, read, replayed and resolved here. Never deleted. */
import { sql } from 'kysely';
import type { RunKind } from '@spine/core';
import type { StoredError } from '../runs/record.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export interface DeadLetter {
  readonly deadLetterId: string;
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly params: unknown;
  readonly error: StoredError;
  readonly errorCategory: string;
  readonly attempts: number;
  readonly crashCount: number;
  readonly correlationId: string | null;
  readonly createdAt: Date;
  readonly resolvedAt: Date | null;
  readonly resolution: 'replayed' | 'resolved' | null;
  readonly resolvedBy: string | null;
  readonly note: string | null;
  readonly replayRunId: string | null;
}

export interface DeadLetterFilter {
  readonly kind?: RunKind;
  /** Handler name, without its kind. */
  readonly name?: string;
  readonly errorCategory?: string;
  readonly since?: Date;
  /** True: only resolved; false: only pending. */
  readonly resolved?: boolean;
}

export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  readonly total: number;
  readonly hasMore: boolean;
}

function filtered(db: Db, filter: DeadLetterFilter) {
  let query = db.selectFrom('dead_letters');
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.errorCategory !== undefined) query = query.where('error_category', '=', filter.errorCategory);
  if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since);
  if (filter.resolved === true) query = query.where('resolved_at', 'is not', null);
  if (filter.resolved === false) query = query.where('resolved_at', 'is', null);
  return query;
}

type Row = Awaited<ReturnType<typeof selectRows>>[number];

function selectRows(db: Db | DbTransaction, id: string) {
  return db.selectFrom('dead_letters').selectAll().where('id', '=', id).execute();
}

function toDeadLetter(row: Row): DeadLetter {
  return {
    deadLetterId: row.id,
    runId: row.run_id,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    params: row.params,
    error: row.error,
    errorCategory: row.error_category,
    attempts: row.attempts,
    crashCount: row.crash_count,
    correlationId: row.correlation_id,
    createdAt: row.created_at,
    resolvedAt: row.resolved_at,
    resolution: row.resolution,
    resolvedBy: row.resolved_by,
    note: row.note,
    replayRunId: row.replay_run_id,
  };
}

/** Dead letters that match, newest first. */
export async function listDeadLetters(
  db: Db,
  filter: DeadLetterFilter,
  page: { readonly limit: number; readonly offset: number },
): Promise<DeadLetterPage> {
  const [rows, { count }] = await Promise.all([
    filtered(db, filter)
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(page.limit + 1)
      .offset(page.offset)
      .execute(),
    filtered(db, filter)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow(),
  ]);
  return {
    deadLetters: rows.slice(0, page.limit).map(toDeadLetter),
    total: Number(count),
    hasMore: rows.length > page.limit,
  };
}

export async function getDeadLetter(db: Db | DbTransaction, id: string): Promise<DeadLetter | null> {
  const row = (await selectRows(db, id))[0];
  return row === undefined ? null : toDeadLetter(row);
}

export type Resolution =
  | { readonly type: 'resolved'; readonly by: string; readonly note: string | null }
  | {
      readonly type: 'replayed';
      readonly by: string;
      readonly note: string | null;
      readonly replayRunId: string;
    };

/**
 * Closes a pending dead letter. Answers null when there is no such dead letter or it is closed already: of two
 * concurrent replays one wins, and the other's transaction must not commit its run.
 */
export async function closeDeadLetter(
  db: Db | DbTransaction,
  id: string,
  resolution: Resolution,
): Promise<DeadLetter | null> {
  const row = await db
    .updateTable('dead_letters')
    .set({
      resolved_at: sql<Date>`now()`,
      resolution: resolution.type,
      resolved_by: resolution.by,
      note: resolution.note,
      replay_run_id: resolution.type === 'replayed' ? resolution.replayRunId : null,
    })
    .where('id', '=', id)
    .where('resolved_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toDeadLetter(row);
}
