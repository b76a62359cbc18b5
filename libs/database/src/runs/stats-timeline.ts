/** Runs over time: how many were submitted and how many ended, bucket by bucket, empty ones too. */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Db } from '../sql/kysely.ts';
import { runsOfWindow } from './stats.ts';

/** Runs counted for a timeline, at the most. */
export const TIMELINE_LIMIT = 300_000;

/** Runs that ended in the window are found when they were submitted at most this many hours before it. */
export const TIMELINE_LOOKBACK_HOURS = 24;

export interface TimelineBucket {
  /** A multiple of the bucket's width since 1970, UTC. */
  readonly start: Date;
  readonly submitted: number;
  readonly completed: number;
  /** Ended as failed, timed_out or dead_lettered. */
  readonly failed: number;
  readonly cancelled: number;
  /** False: reading stopped before this bucket was counted to its beginning; its counts are too low. */
  readonly isComplete: boolean;
}

export interface Timeline {
  readonly hours: number;
  readonly bucketMinutes: number;
  /** Oldest first. The first begins at or before the window, the last is the one under way. */
  readonly buckets: readonly TimelineBucket[];
}

interface BucketRow {
  start: Date;
  submitted: number;
  completed: number;
  failed: number;
  cancelled: number;
  is_complete: boolean;
}

const TIMES = sql`status, created_at, completed_at`;

/** The last `hours` hours in buckets of `bucketMinutes` minutes. */
export async function runTimeline(
  db: Db,
  hours: number,
  bucketMinutes: number,
  limit = TIMELINE_LIMIT,
  namespace?: string,
): Promise<Timeline> {
  // One bucket more: the first begins before the window does.
  const read = hours + TIMELINE_LOOKBACK_HOURS + Math.ceil(bucketMinutes / 60);
  const width = sql`${bucketMinutes}::integer * interval '1 minute'`;
  const bucketOf = (time: RawBuilder<unknown>): RawBuilder<unknown> =>
    sql`date_bin(${width}, ${time}, timestamptz 'epoch')`;
  const { rows } = await sql<BucketRow>`
    WITH w AS MATERIALIZED (${runsOfWindow(TIMES, read, limit, namespace)}), p AS (
      SELECT CASE WHEN count(*) >= ${limit}::integer THEN min(created_at) ELSE '-infinity' END AS counted_since FROM w
    ), b AS (
      SELECT generate_series(${bucketOf(sql`now() - ${hours}::integer * interval '1 hour'`)}, now(), ${width}) AS start
    ), submitted AS (
      SELECT ${bucketOf(sql`created_at`)} AS start, count(*)::int AS submitted FROM w GROUP BY start
    ), ended AS (
      SELECT ${bucketOf(sql`completed_at`)} AS start, count(*) FILTER (WHERE status = 'completed')::int AS completed,
        count(*) FILTER (WHERE status IN ('failed', 'timed_out', 'dead_lettered'))::int AS failed,
        count(*) FILTER (WHERE status = 'cancelled')::int AS cancelled
      FROM w WHERE completed_at IS NOT NULL GROUP BY start
    )
    SELECT b.start, COALESCE(submitted, 0) AS submitted, COALESCE(completed, 0) AS completed,
      COALESCE(failed, 0) AS failed, COALESCE(cancelled, 0) AS cancelled, b.start >= p.counted_since AS is_complete
    FROM b CROSS JOIN p LEFT JOIN submitted USING (start) LEFT JOIN ended USING (start) ORDER BY b.start`.execute(
    db,
  );
  return {
    hours,
    bucketMinutes,
    buckets: rows.map(({ is_complete, ...counts }) => ({ ...counts, isComplete: is_complete })),
  };
}
