/**
 * What the scheduler does so that no run is ever forgotten. Every non-terminal run is waiting (the relay keeps
 * hinting it) or running (its lease or deadline ends in the reaper); neither reads the queue.
 *
 * 1. The reaper checks again inside its UPDATE. Without that it would resurrect runs that finished in between.
 * 2. Both find their rows by state with SKIP LOCKED, never by "id greater than the last seen": late commits would
 *    be skipped for ever. Any number of instances may run at once.
 */
import type { Priority, RunKind, RunStatus } from '@spine/core';
import { priorityOf } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';
import { PAUSED_LANES } from './claim.ts';
import { HINT_GRACE } from './insert-sql.ts';

/** A run is poison after this many lost leases, whatever its attempts allow. */
export const CRASH_LIMIT = 3;

/** The holder of a run settles a time-out itself; the reaper acts only this long after. */
const REAP_GRACE = "interval '2 seconds'";

const OVERDUE = `LEAST(r.lease_expires_at, r.deadline_at) < now() - ${REAP_GRACE}`;

export const REAP_SQL = `WITH x AS (
  SELECT r.id, r.lease_owner, r.attempt, r.max_attempts, r.crash_count, r.timeout_ms,
    COALESCE(r.run_deadline_at <= now(), false) AS over, r.lease_expires_at < now() - ${REAP_GRACE} AS crashed
  FROM runs r WHERE r.status = 'running' AND ${OVERDUE}
  ORDER BY LEAST(r.lease_expires_at, r.deadline_at) LIMIT $1 FOR UPDATE SKIP LOCKED
), v AS (
  SELECT id, crashed, over OR attempt >= max_attempts OR crash_count + crashed::int >= ${CRASH_LIMIT} AS spent,
    CASE WHEN crashed THEN jsonb_build_object(
        'message', format('the lease of worker %s ran out (%s of ${CRASH_LIMIT})', lease_owner, crash_count + 1),
        'type', 'LeaseExpiredError', 'category', 'INTERNAL', 'retryable', true)
      WHEN over THEN jsonb_build_object(
        'message', 'the run was not done by its deadline',
        'type', 'TimeoutError', 'category', 'TIMEOUT', 'retryable', false)
      ELSE jsonb_build_object(
        'message', format('the attempt exceeded its time-out of %s ms', timeout_ms),
        'type', 'TimeoutError', 'category', 'TIMEOUT', 'retryable', true) END AS error
  FROM x
), u AS (
  UPDATE runs r SET epoch = r.epoch + 1, crash_count = r.crash_count + v.crashed::int,
    lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL,
    status = CASE WHEN NOT v.spent THEN 'queued' WHEN r.dead_letter THEN 'dead_lettered'
      WHEN v.crashed THEN 'failed' ELSE 'timed_out' END,
    error = v.error,
    available_at = CASE WHEN v.spent THEN r.available_at WHEN v.crashed THEN now()
      ELSE now() + r.retry_delay_ms * interval '1 millisecond' END,
    dispatch_after = CASE WHEN v.spent THEN NULL WHEN v.crashed THEN now()
      ELSE now() + r.retry_delay_ms * interval '1 millisecond' END,
    completed_at = CASE WHEN v.spent THEN now() END
  FROM v WHERE r.id = v.id AND r.status = 'running' AND ${OVERDUE}
  RETURNING r.id, r.epoch, r.status, r.kind, r.name, r.lane, r.params, r.error, r.attempt, r.crash_count,
    r.correlation_id, v.crashed, v.spent
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source)
  SELECT id, epoch, CASE WHEN spent THEN status WHEN crashed THEN 'lease_expired' ELSE 'retry_scheduled' END,
    spent, jsonb_build_object('error', error, 'crash_count', crash_count), 'reaper' FROM u
), d AS (
  INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, correlation_id)
  SELECT id, kind, name, lane, params, error, error->>'category', attempt, crash_count, correlation_id
  FROM u WHERE status = 'dead_lettered'
)
SELECT id, status, crashed FROM u`;

export interface ReapedRun {
  readonly runId: string;
  readonly status: RunStatus;
  /** True for a lost lease, false for an exceeded time-out. */
  readonly crashed: boolean;
}

/** Takes runs whose lease or deadline is over from their workers: queued again, or settled when the budget is spent. */
export async function reapRuns(db: Queryable, limit = 500): Promise<ReapedRun[]> {
  const { rows } = await db.query<{ id: string; status: RunStatus; crashed: boolean }>({
    name: 'spine_reap',
    text: REAP_SQL,
    values: [limit],
  });
  return rows.map((row) => ({ runId: row.id, status: row.status, crashed: row.crashed }));
}

/**
 * The pause between two hints of one run doubles from 15 s to 60 s: under a long backlog every further hint of a
 * run that is queued anyway would only make the backlog longer.
 *
 * Lane by lane, found by skipping through the index: a paused lane costs nothing, and one with a long backlog does not
 * keep the others waiting. An array instead of a join: planned for any limit, a join with x reads the whole table.
 */
export const RELAY_SQL = `WITH RECURSIVE l AS (
  (SELECT lane FROM runs WHERE status IN ('pending', 'queued') ORDER BY lane LIMIT 1)
  UNION ALL
  SELECT (SELECT r.lane FROM runs r WHERE r.status IN ('pending', 'queued') AND r.lane > l.lane ORDER BY r.lane LIMIT 1)
  FROM l WHERE l.lane IS NOT NULL
), x AS (
  SELECT d.id FROM l CROSS JOIN LATERAL (
    SELECT r.id FROM runs r
    WHERE r.status IN ('pending', 'queued') AND r.lane = l.lane AND r.dispatch_after <= now()
    ORDER BY r.dispatch_after LIMIT $1 FOR UPDATE SKIP LOCKED
  ) d
  WHERE l.lane <> ALL (${PAUSED_LANES})
)
UPDATE runs r SET status = 'queued', dispatch_no = r.dispatch_no + 1,
  dispatch_after = now() + ${HINT_GRACE} * power(2, LEAST(r.dispatch_no, 2))
WHERE r.id = ANY (ARRAY(SELECT id FROM x)) AND r.status || '' IN ('pending', 'queued')
RETURNING r.id, r.kind, r.name, r.lane, r.priority, r.gates IS NOT NULL AS gated, r.crash_count`;

export interface DueRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly priority: Priority;
  /** Whether it has gates, see gates/. */
  readonly gated: boolean;
}

/** A run that no hint has reached. */
export interface UnreachedRun extends DueRun {
  /** Workers it has lost. */
  readonly crashCount: number;
}

/** Takes waiting runs that are due for a hint, up to `limit` of every lane, and marks when the next would be due. */
export async function takeDueForHint(db: Queryable, limit = 500): Promise<UnreachedRun[]> {
  const { rows } = await db.query<{
    id: string;
    kind: RunKind;
    name: string;
    lane: string;
    priority: number;
    gated: boolean;
    crash_count: number;
  }>({
    name: 'spine_relay',
    text: RELAY_SQL,
    values: [limit],
  });
  return rows.map((row) => ({
    runId: row.id,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    priority: priorityOf(row.priority),
    gated: row.gated,
    crashCount: row.crash_count,
  }));
}

/** Makes runs due for dispatch at once: their hints could not be sent, so the workers' poll must see them. */
export async function markUnhinted(db: Queryable, runIds: readonly string[]): Promise<void> {
  await db.query({
    name: 'spine_mark_unhinted',
    text: `UPDATE runs SET dispatch_after = LEAST(dispatch_after, GREATEST(available_at, now()))
WHERE id = ANY($1::uuid[]) AND status || '' IN ('pending', 'queued')`,
    values: [runIds],
  });
}
