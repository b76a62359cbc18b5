/**
 * What waits and what runs, lane by lane, and which runs have stood still for too long.
 *
 * Lanes are found by skipping through the index of waiting runs, and of each only so many are looked at: a backlog of
 * millions costs what one of thousands does. What is counted no further says so.
 */
import { sql } from 'kysely';
import type { RunKind, RunStatus } from '@spine/core';
import type { Db } from '../sql/kysely.ts';

/** Waiting runs of one lane that are looked at, the ones due for a hint first. */
export const BACKLOG_LIMIT = 10_000;

/** Lanes that are looked at, in the order of their names. */
const LANE_LIMIT = 200;

const RUNNING_LIMIT = 100_000;

export interface LaneBacklog {
  readonly lane: string;
  /** Pending and queued runs, counted up to {@link BACKLOG_LIMIT}. */
  readonly waiting: number;
  readonly waitingIsCapped: boolean;
  /** Of the waiting ones, those that could start now. */
  readonly due: number;
  /** Since when the longest waiting of those counted has been due; null for none. */
  readonly oldestDueAt: Date | null;
  readonly running: number;
}

export interface Backlog {
  /** The database's clock. */
  readonly now: Date;
  readonly lanes: readonly LaneBacklog[];
}

/** Why a run counts as stale. */
export type StaleReason = 'waiting' | 'lease_expired' | 'deadline_passed';

export interface StaleRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly status: RunStatus;
  readonly reason: StaleReason;
  /** Due, or without a lease, or out of time, since then. */
  readonly since: Date;
}

/** The lanes that have waiting runs: one step through the index a lane. */
const WAITING_LANES = sql`RECURSIVE found AS (
    (SELECT lane FROM runs WHERE status IN ('pending', 'queued') ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT r.lane FROM runs r WHERE r.status IN ('pending', 'queued') AND r.lane > found.lane ORDER BY r.lane LIMIT 1)
    FROM found WHERE found.lane IS NOT NULL
  ), waiting_lanes AS (SELECT lane FROM found WHERE lane IS NOT NULL LIMIT ${sql.lit(LANE_LIMIT)})`;

interface BacklogRow {
  now: Date;
  lane: string | null;
  waiting: number;
  due: number;
  oldest_due_at: Date | null;
  running: number;
}

/** The backlog of every lane that has runs waiting or running, by name. */
export async function laneBacklog(db: Db, limit = BACKLOG_LIMIT): Promise<Backlog> {
  const { rows } = await sql<BacklogRow>`
    WITH ${WAITING_LANES}, waiting AS (
      SELECT l.lane, c.* FROM waiting_lanes l CROSS JOIN LATERAL (
        SELECT count(*)::int AS waiting, count(*) FILTER (WHERE available_at <= now())::int AS due,
          min(available_at) FILTER (WHERE available_at <= now()) AS oldest_due_at
        FROM (
          SELECT r.available_at FROM runs r WHERE r.status IN ('pending', 'queued') AND r.lane = l.lane
          ORDER BY r.dispatch_after LIMIT ${limit + 1}::integer
        ) w
      ) c
    ), running AS (
      SELECT lane, count(*)::int AS running FROM (
        SELECT lane FROM runs WHERE status = 'running'
        ORDER BY LEAST(lease_expires_at, deadline_at) LIMIT ${RUNNING_LIMIT}::integer
      ) r GROUP BY lane
    )
    SELECT t.now, b.* FROM (SELECT now() AS now) t LEFT JOIN (
      SELECT lane, COALESCE(waiting, 0) AS waiting, COALESCE(due, 0) AS due, oldest_due_at, COALESCE(running, 0) AS running
      FROM waiting FULL JOIN running USING (lane)
    ) b ON true ORDER BY b.lane`.execute(db);
  return {
    now: rows[0]?.now ?? new Date(0),
    lanes: rows.flatMap(({ now: _, lane, ...row }) =>
      lane === null
        ? []
        : [
            {
              lane,
              waiting: Math.min(row.waiting, limit),
              waitingIsCapped: row.waiting > limit,
              due: Math.min(row.due, limit),
              oldestDueAt: row.oldest_due_at,
              running: row.running,
            },
          ],
    ),
  };
}

interface StaleRow {
  id: string;
  kind: RunKind;
  name: string;
  lane: string;
  status: RunStatus;
  reason: StaleReason;
  since: Date;
}

/**
 * Runs that have been due, or have held an expired lease or a passed deadline, for longer than `olderThanMs`, the longest
 * first, at most `limit`. The latter are what a reaper takes within seconds: they show that none is at work. Runs of
 * paused lanes wait on purpose and are left out.
 */
export async function staleRuns(db: Db, olderThanMs: number, limit: number): Promise<StaleRun[]> {
  const { rows } = await sql<StaleRow>`
    WITH ${WAITING_LANES}, p AS (
      SELECT now() - ${olderThanMs}::bigint * interval '1 millisecond' AS before
    ), s AS (
      SELECT w.id, w.kind, w.name, w.lane, w.status, 'waiting' AS reason, w.available_at AS since
      FROM p CROSS JOIN waiting_lanes l CROSS JOIN LATERAL (
        SELECT r.id, r.kind, r.name, r.lane, r.status, r.available_at FROM runs r
        WHERE r.status IN ('pending', 'queued') AND r.lane = l.lane
        ORDER BY r.dispatch_after LIMIT ${BACKLOG_LIMIT}::integer
      ) w
      WHERE w.available_at < p.before AND l.lane <> ALL (ARRAY(SELECT lane FROM lanes WHERE paused_at IS NOT NULL))
      UNION ALL
      SELECT r.id, r.kind, r.name, r.lane, r.status,
        CASE WHEN r.lease_expires_at <= r.deadline_at THEN 'lease_expired' ELSE 'deadline_passed' END,
        LEAST(r.lease_expires_at, r.deadline_at)
      FROM runs r WHERE r.status = 'running' AND LEAST(r.lease_expires_at, r.deadline_at) < (SELECT before FROM p)
    )
    SELECT * FROM s ORDER BY since LIMIT ${limit}::integer`.execute(db);
  return rows.map(({ id, ...row }) => ({ runId: id, ...row }));
}
