/** What is left lying when a process that should take it up is not at work. Each is counted up to {@link COUNTED}. */
import type { Queryable } from '../sql/pool.ts';
import { HOLD_COUNTS } from '../gates/facts.ts';

/** Rows counted, at the most. */
export const COUNTED = 10_000;

export interface LostRun {
  readonly runId: string;
  /** Since when its lease or its deadline is over. */
  readonly since: Date;
}

/**
 * Runs whose lease or deadline has been over for longer than `olderThanMs`, the longest first, at most `limit`. A reaper
 * takes them within seconds.
 */
export async function lostRuns(db: Queryable, olderThanMs: number, limit: number): Promise<LostRun[]> {
  const { rows } = await db.query<{ id: string; since: Date }>({
    text: `SELECT id, LEAST(lease_expires_at, deadline_at) AS since FROM runs
WHERE status = 'running' AND LEAST(lease_expires_at, deadline_at) < now() - $1::bigint * interval '1 millisecond'
ORDER BY LEAST(lease_expires_at, deadline_at) LIMIT $2`,
    values: [olderThanMs, limit],
  });
  return rows.map(({ id: runId, since }) => ({ runId, since }));
}

export interface OverdueWorkflows {
  /** Events that have been due for the period. */
  readonly events: number;
  /** Workflow runs they are for. */
  readonly workflows: number;
  /** Since when the oldest has been due; null for none. */
  readonly oldestDueAt: Date | null;
}

/** Events of workflows that nobody has taken up for `olderThanMs`: each worker's driver does so at once. */
export async function overdueWorkflows(db: Queryable, olderThanMs: number): Promise<OverdueWorkflows> {
  const { rows } = await db.query<{ events: number; workflows: number; oldest: Date | null }>({
    text: `SELECT count(*)::int AS events, count(DISTINCT i.workflow_run_id)::int AS workflows, min(i.due_at) AS oldest FROM (
  SELECT workflow_run_id, due_at FROM workflow_inbox WHERE due_at < now() - $1::bigint * interval '1 millisecond'
  ORDER BY due_at LIMIT ${COUNTED}
) i`,
    values: [olderThanMs],
  });
  const [row] = rows;
  return { events: row?.events ?? 0, workflows: row?.workflows ?? 0, oldestDueAt: row?.oldest ?? null };
}

export interface LeftHolds {
  readonly holds: number;
  /** The first 5 keys. */
  readonly keys: readonly string[];
}

/**
 * Places under concurrency keys whose attempt is over, taken longer than `olderThanMs` ago. They count for nothing; the
 * scheduler's sweep removes them within minutes. Of the places, the first {@link COUNTED} by key are looked at.
 */
export async function leftHolds(db: Queryable, olderThanMs: number): Promise<LeftHolds> {
  const { rows } = await db.query<{ holds: number; keys: string[] | null }>({
    text: `SELECT count(*)::int AS holds, (array_agg(DISTINCT l.key))[1:5] AS keys FROM (
  SELECT h.key, ${HOLD_COUNTS} AS counts FROM concurrency_holds h
  WHERE h.claimed_at < now() - $1::bigint * interval '1 millisecond' ORDER BY h.key, h.run_id LIMIT ${COUNTED}
) l WHERE NOT l.counts`,
    values: [olderThanMs],
  });
  return { holds: rows[0]?.holds ?? 0, keys: rows[0]?.keys ?? [] };
}
