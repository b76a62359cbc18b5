/**
 * Due work that nobody could start: its lane or its handler is served by no live worker.
 *
 * Of each lane only the runs that are due for a hint first are looked at, so that a backlog of millions costs what one of
 * thousands does. Paused lanes wait on purpose and are left out.
 */
import type { RunKind } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';
import { LIVE_WORKER } from '../workers/repository.ts';
import { PAUSED_LANES } from './claim.ts';
import { servedBy } from './served-by.ts';

/** Waiting runs of one lane that are looked at. */
export const UNSERVED_LIMIT = 1_000;

export interface UnservedWork {
  readonly lane: string;
  readonly kind: RunKind;
  readonly name: string;
  /** Due runs of those that were looked at. */
  readonly due: number;
  /** Since when the longest waiting of them has been due. */
  readonly oldestDueAt: Date;
  /** Whether a live worker serves the lane, without knowing the handler. */
  readonly laneIsServed: boolean;
}

interface UnservedRow {
  lane: string;
  kind: RunKind;
  name: string;
  due: number;
  oldest_due_at: Date;
  lane_is_served: boolean;
}

const UNSERVED_SQL = `WITH RECURSIVE l AS (
  (SELECT lane FROM runs WHERE status IN ('pending', 'queued') ORDER BY lane LIMIT 1)
  UNION ALL
  SELECT (SELECT r.lane FROM runs r WHERE r.status IN ('pending', 'queued') AND r.lane > l.lane ORDER BY r.lane LIMIT 1)
  FROM l WHERE l.lane IS NOT NULL
), due AS (
  SELECT l.lane, d.kind, d.name, count(*)::int AS due, min(d.available_at) AS oldest_due_at FROM l CROSS JOIN LATERAL (
    SELECT r.kind, r.name, r.available_at FROM runs r
    WHERE r.status IN ('pending', 'queued') AND r.lane = l.lane ORDER BY r.dispatch_after LIMIT ${UNSERVED_LIMIT}
  ) d
  WHERE l.lane <> ALL (${PAUSED_LANES}) AND d.available_at < now() - $1::bigint * interval '1 millisecond'
  GROUP BY l.lane, d.kind, d.name
), live AS MATERIALIZED (SELECT lanes, handlers FROM workers WHERE ${LIVE_WORKER})
SELECT r.*, EXISTS (SELECT 1 FROM live k WHERE r.lane = ANY (k.lanes)) AS lane_is_served FROM due r
WHERE NOT EXISTS (SELECT 1 FROM live k WHERE r.lane = ANY (k.lanes) AND ${servedBy('k.handlers')})
ORDER BY r.oldest_due_at LIMIT $2`;

/** Work that has been due for longer than `olderThanMs`, by lane and handler, the longest first, at most `limit`. */
export async function unservedWork(
  db: Queryable,
  olderThanMs: number,
  limit: number,
): Promise<UnservedWork[]> {
  const { rows } = await db.query<UnservedRow>({ text: UNSERVED_SQL, values: [olderThanMs, limit] });
  return rows.map(({ oldest_due_at: oldestDueAt, lane_is_served: laneIsServed, ...row }) => ({
    ...row,
    oldestDueAt,
    laneIsServed,
  }));
}
