/** Dead letters of work that the engine did not settle itself. */
import { sql } from 'kysely';
import type { RunKind, RunStatus } from '@spine/core';
import type { StoredError } from '../runs/record.ts';
import { jsonb } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { getDeadLettersOfRuns, toDeadLetter } from './repository.ts';
import type { DeadLetter, DeadLetterRow } from './repository.ts';

export interface NewDeadLetter {
  /** The run that failed, or any unused id for work that has no run. */
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  /** Must be storable JSON. */
  readonly params: unknown;
  readonly error: StoredError;
  readonly attempts: number;
  readonly crashCount: number;
  readonly correlationId: string | null;
}

export type AddDeadLetterOutcome =
  | { readonly type: 'added'; readonly deadLetter: DeadLetter }
  /** The run has a dead letter already. */
  | { readonly type: 'existing'; readonly deadLetter: DeadLetter }
  /** The run has not ended, or has succeeded: replaying it would do its work twice. */
  | { readonly type: 'not_failed'; readonly status: RunStatus };

/** Stores a dead letter, unless its run has one or may still succeed. Terminal is absorbing, so the check cannot age. */
export async function addDeadLetter(
  db: Db | DbTransaction,
  letter: NewDeadLetter,
): Promise<AddDeadLetterOutcome> {
  const { rows } = await sql<DeadLetterRow>`
    INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, correlation_id)
    SELECT ${letter.runId}::uuid, ${letter.kind}, ${letter.name}, ${letter.lane}, ${jsonb(letter.params)},
      ${jsonb(letter.error)}, ${letter.error.category}, ${letter.attempts}::integer, ${letter.crashCount}::integer,
      ${letter.correlationId}
    WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = ${letter.runId}::uuid
      AND r.status || '' NOT IN ('failed', 'timed_out', 'cancelled', 'dead_lettered'))
    ON CONFLICT (run_id) DO NOTHING
    RETURNING *`.execute(db);
  const row = rows[0];
  if (row !== undefined) return { type: 'added', deadLetter: toDeadLetter(row) };
  const [existing] = await getDeadLettersOfRuns(db, [letter.runId]);
  if (existing !== undefined) return { type: 'existing', deadLetter: existing };
  const { status } = await db
    .selectFrom('runs')
    .select('status')
    .where('id', '=', letter.runId)
    .executeTakeFirstOrThrow();
  return { type: 'not_failed', status };
}
