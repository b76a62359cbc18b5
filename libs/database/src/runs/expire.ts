/**
 * Ends waiting runs whose time is over: not started by `expires_at`, or not done by `run_deadline_at`.
 *
 * 1. Checked again inside the UPDATE: a run that was claimed in between goes on. 2. A running run whose deadline is over
 * is the worker's and then the reaper's. 3. What has expired without a start is nobody's failure and no dead letter.
 */
import type { RunStatus } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';

const OVER = 'LEAST(CASE WHEN r.started_at IS NULL THEN r.expires_at END, r.run_deadline_at)';
const WAITING = `r.status IN ('pending', 'queued', 'paused')`;

export const EXPIRE_SQL = `WITH x AS (
  SELECT r.id, COALESCE(r.run_deadline_at <= now(), false) AS late FROM runs r
  WHERE ${WAITING} AND ${OVER} IS NOT NULL AND ${OVER} <= now()
  ORDER BY ${OVER} LIMIT $1 FOR UPDATE SKIP LOCKED
), u AS (
  UPDATE runs r SET status = CASE WHEN x.late AND r.dead_letter THEN 'dead_lettered' ELSE 'timed_out' END,
    epoch = r.epoch + 1, completed_at = now(), dispatch_after = NULL,
    error = CASE WHEN x.late THEN jsonb_build_object(
        'message', 'the run was not done by its deadline', 'type', 'TimeoutError', 'category', 'TIMEOUT',
        'retryable', false)
      ELSE jsonb_build_object(
        'message', 'the run had not started when its time to live was over', 'type', 'ExpiredError',
        'category', 'TIMEOUT', 'retryable', false) END
  FROM x WHERE r.id = x.id AND ${WAITING} AND ${OVER} <= now()
  RETURNING r.id, r.epoch, r.status, r.kind, r.name, r.lane, r.params, r.error, r.attempt, r.crash_count, r.correlation_id
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source)
  SELECT id, epoch, status, true, jsonb_build_object('error', error), 'reaper' FROM u
), d AS (
  INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, correlation_id)
  SELECT id, kind, name, lane, params, error, error->>'category', attempt, crash_count, correlation_id
  FROM u WHERE status = 'dead_lettered'
)
SELECT id, status FROM u`;

export interface ExpiredRun {
  readonly runId: string;
  readonly status: RunStatus;
}

/** Ends up to `limit` waiting runs whose time is over. Any number of instances may run at once. */
export async function expireRuns(db: Queryable, limit = 500): Promise<ExpiredRun[]> {
  const { rows } = await db.query<{ id: string; status: RunStatus }>({
    name: 'spine_expire',
    text: EXPIRE_SQL,
    values: [limit],
  });
  return rows.map((row) => ({ runId: row.id, status: row.status }));
}
