/** Dead letters: written by the settle and reap statements and by `add.ts`, read and closed here, purged by `purge.ts`. */
import { sql } from 'kysely';
import type { RunKind } from '@spine/core';
import type { StoredError } from '../runs/record.ts';
import { plainArray } from '../sql/arrays.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import type { Database } from '../sql/schema.ts';
import type { Selectable } from 'kysely';

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
  /** Of its run; written by a trigger (migration 0022). */
  readonly namespace: string | null;
}

export type DeadLetterRow = Selectable<Database['dead_letters']>;

/** The one place where a row becomes a dead letter. */
export function toDeadLetter(row: DeadLetterRow): DeadLetter {
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
    namespace: row.namespace,
  };
}

export async function getDeadLetter(db: Db | DbTransaction, id: string): Promise<DeadLetter | null> {
  const row = await db.selectFrom('dead_letters').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : toDeadLetter(row);
}

/** The namespace of a dead letter, null for none; undefined for an id without one. */
export async function deadLetterNamespace(db: Queryable, id: string): Promise<string | null | undefined> {
  const { rows } = await db.query<{ namespace: string | null }>({
    name: 'spine_dead_letter_namespace',
    text: 'SELECT namespace FROM dead_letters WHERE id = $1::uuid',
    values: [id],
  });
  return rows[0]?.namespace;
}

/** The dead letters of runs; a run has one at the most. */
export async function getDeadLettersOfRuns(
  db: Db | DbTransaction,
  runIds: readonly string[],
): Promise<DeadLetter[]> {
  const { rows } = await sql<DeadLetterRow>`
    SELECT * FROM dead_letters WHERE run_id = ANY(${plainArray(runIds)}::uuid[])`.execute(db);
  return rows.map(toDeadLetter);
}

/** What closes a dead letter. Who and why are the same for all that one call closes. */
export interface Closing {
  readonly deadLetterId: string;
  /** The run that does its work again; null: it is closed without one. */
  readonly replayRunId: string | null;
}

/**
 * Closes pending dead letters and answers with those that were pending. Of two calls for one letter, one gets it, and
 * the other's transaction must not commit what it meant to do with it.
 *
 * Locked in the order of their ids, so that two calls for many letters cannot lock each other out.
 */
export async function closeDeadLetters(
  db: Db | DbTransaction,
  closings: readonly Closing[],
  by: string,
  note: string | null,
): Promise<DeadLetter[]> {
  if (closings.length === 0) return [];
  const { rows } = await sql<DeadLetterRow>`
    WITH i AS (
      SELECT * FROM unnest(${plainArray(closings.map((each) => each.deadLetterId))}::uuid[],
        ${plainArray(closings.map((each) => each.replayRunId))}::uuid[]) AS t(id, replay_run_id)
    ), l AS MATERIALIZED (
      SELECT d.id FROM dead_letters d WHERE d.id IN (SELECT id FROM i) AND d.resolved_at IS NULL
      ORDER BY d.id FOR UPDATE
    )
    UPDATE dead_letters d SET resolved_at = now(), resolved_by = ${by}, note = ${note},
      resolution = CASE WHEN i.replay_run_id IS NULL THEN 'resolved' ELSE 'replayed' END,
      replay_run_id = i.replay_run_id
    FROM i WHERE d.id = i.id AND d.id IN (SELECT id FROM l)
    RETURNING d.*`.execute(db);
  return rows.map(toDeadLetter);
}
