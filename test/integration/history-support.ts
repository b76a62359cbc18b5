/** Runs of the past, as they lie in the ledger: written by the owner of the tables, because no statement makes them. */
import type { Pool } from '@spine/database';

export interface PastRuns {
  readonly count?: number;
  /** Minutes before now that they were submitted. Default 60. */
  readonly minutesAgo?: number;
  readonly status?: 'completed' | 'failed' | 'cancelled' | 'timed_out' | 'dead_lettered';
  /** From the submission to the start, and from the start to the end. */
  readonly waitMs?: number;
  readonly durationMs?: number;
  readonly name?: string;
  readonly lane?: string;
  readonly attempt?: number;
  readonly crashCount?: number;
  readonly idempotencyKey?: string;
  readonly retryOfRunId?: string;
  readonly tag?: string;
  /** Default true: a `submitted` and a terminal event each. */
  readonly events?: boolean;
}

/** An id of that time: its prefix says when, the rest is random. */
const idAt = (instant: string): string =>
  `overlay(gen_random_uuid()::text placing left(spine_run_id_at(${instant})::text, 14) || '7' from 1 for 15)::uuid`;

/** Stores finished runs, a millisecond apart, and answers with their ids, oldest first. */
export async function addPastRuns(admin: Pick<Pool, 'query'>, past: PastRuns = {}): Promise<string[]> {
  const { status = 'completed', waitMs = 100, durationMs = 1_000 } = past;
  const { rows } = await admin.query<{ id: string }>({
    text: `WITH r AS (
      INSERT INTO runs (id, kind, name, lane, priority, status, params, error, idempotency_key, spec_hash, retry_of_run_id,
        trigger_source, metadata, tags, max_attempts, retry_delay_ms, timeout_ms, dead_letter, attempt, crash_count, epoch,
        available_at, created_at, started_at, completed_at)
      SELECT ${idAt('t.at')}, 'task', $2, $3, 2, $4, '{}', CASE WHEN $4 IN ('completed', 'cancelled') THEN NULL ELSE $14::jsonb END,
        $5, CASE WHEN $5::text IS NULL THEN NULL ELSE 'hash' END, $6::uuid, 'api', '{}',
        CASE WHEN $7::text IS NULL THEN '{}' ELSE ARRAY[$7] END, 100, 0, 1000, true, $8::integer, $9::integer, 2,
        t.at, t.at, t.at + $10::integer * interval '1 ms', t.at + ($10::integer + $11::integer) * interval '1 ms'
      FROM (SELECT now() - $12::float8 * interval '1 minute' + n * interval '1 ms' AS at
        FROM generate_series(1, $1::integer) n) t
      RETURNING id, status, created_at, completed_at
    ), e AS (
      INSERT INTO run_events (run_id, epoch, event_type, terminal, source, timestamp)
      SELECT id, 0, 'submitted', false, 'api', created_at FROM r WHERE $13::boolean
      UNION ALL SELECT id, 1, status, true, 'worker:test', completed_at FROM r WHERE $13::boolean
    ), d AS (
      INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, created_at)
      SELECT id, 'task', $2, $3, '{}', $14::jsonb, $14::jsonb->>'category', $8::integer, $9::integer, completed_at
      FROM r WHERE status = 'dead_lettered'
    )
    SELECT id FROM r ORDER BY id`,
    values: [
      past.count ?? 1,
      past.name ?? 'echo',
      past.lane ?? 'default',
      status,
      past.idempotencyKey ?? null,
      past.retryOfRunId ?? null,
      past.tag ?? null,
      past.attempt ?? 1,
      past.crashCount ?? 0,
      waitMs,
      durationMs,
      past.minutesAgo ?? 60,
      past.events ?? true,
      JSON.stringify({ message: 'it broke', type: 'Error', category: 'SOURCE', retryable: false }),
    ],
  });
  return rows.map(({ id }) => id);
}

export const DAY_MINUTES = 24 * 60;

/** Marks the dead letters of runs as resolved that many minutes ago. */
export async function resolvePast(
  admin: Pick<Pool, 'query'>,
  runIds: readonly string[],
  minutesAgo: number,
): Promise<void> {
  await admin.query(
    `UPDATE dead_letters SET resolved_at = now() - $2::float8 * interval '1 minute', resolution = 'resolved',
       resolved_by = 'test' WHERE run_id = ANY($1::uuid[])`,
    [runIds, minutesAgo],
  );
}
