/** A past: finished runs with their events, written by set-based SQL as the engine would have left them. */
import type { Pool } from '@spine/database';

/** Rows of one statement: few enough to see progress and to keep the log short of a checkpoint. */
const STEP = 100_000;

/**
 * Ids as the engine makes them: the instant, then random. The runs are spread over the last 30 days and are older
 * than anything submitted afterwards.
 */
const PAST_SQL = `WITH i AS (
  SELECT now() - interval '1 hour' - (n::float8 / $3::bigint) * interval '30 days' AS at, n
  FROM generate_series($1::bigint, $2::bigint) AS n
), r AS (
  INSERT INTO runs (id, kind, name, lane, priority, status, params, metadata, tags, trigger_source, max_attempts,
    retry_delay_ms, timeout_ms, dead_letter, attempt, epoch, finished_epoch, available_at, created_at, started_at,
    completed_at, error)
  SELECT overlay(overlay(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || md5(n::text) PLACING '7' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::varchar(32)::uuid,
    'task', 'noop', 'default', 2, CASE WHEN n % 100 > 0 THEN 'completed' ELSE 'failed' END, '{}', '{}', '{}', 'api', 4,
    5000, 3600000, true, 1, 1, 1, at, at, at, at + interval '1 second',
    CASE WHEN n % 100 > 0 THEN NULL ELSE '{"message": "an old failure", "type": "Error", "category": "INTERNAL"}'::jsonb END
  FROM i RETURNING id, status, created_at
)
INSERT INTO run_events (run_id, epoch, event_type, terminal, source, timestamp)
SELECT r.id, e.epoch, COALESCE(e.type, r.status), e.type IS NULL, e.source, r.created_at
FROM r CROSS JOIN (VALUES (0, 'submitted', 'api'), (1, 'started', 'worker:past'), (1, NULL, 'worker:past'))
  AS e(epoch, type, source)`;

/** Fills the tables with `runs` finished runs and brings their statistics up to date. */
export async function writePast(
  pool: Pool,
  runs: number,
  onProgress: (written: number) => void,
): Promise<void> {
  for (let from = 1; from <= runs; from += STEP) {
    const to = Math.min(runs, from + STEP - 1);
    await pool.query(PAST_SQL, [from, to, runs]);
    onProgress(to);
  }
  await pool.query('VACUUM ANALYZE runs, run_events');
  await pool.query('CHECKPOINT');
}
