/** What the scheduling of a database looks like from outside. */
import type { Queryable } from '../sql/pool.ts';

export interface SchedulingStatus {
  /** The database's time. */
  readonly now: Date;
  readonly active: number;
  readonly paused: number;
  /** Due, and nobody has decided for {@link LATE_AFTER_SECONDS}; counted up to 10,000. */
  readonly late: number;
  /** The longest due of all; null when nothing is. */
  readonly oldestDueAt: Date | null;
  /** The latest decision, of whichever process. */
  readonly lastDecidedAt: Date | null;
  readonly lastDecidedBy: string | null;
}

/** A tick is made every second; what is due for longer has not been seen by any. */
export const LATE_AFTER_SECONDS = 5;

interface StatusRow {
  now: Date;
  active: number;
  paused: number;
  late: number;
  oldest: Date | null;
  decided_at: Date | null;
  decided_by: string | null;
}

export const STATUS_SQL = `SELECT now() AS now,
  (SELECT count(*) FROM schedules WHERE next_fire_at IS NOT NULL)::integer AS active,
  (SELECT count(*) FROM schedules WHERE state = 'paused')::integer AS paused,
  (SELECT count(*) FROM (SELECT 1 FROM schedules WHERE next_fire_at < now() - interval '${LATE_AFTER_SECONDS} seconds' LIMIT 10000) l)::integer AS late,
  (SELECT next_fire_at FROM schedules WHERE next_fire_at <= now() ORDER BY next_fire_at LIMIT 1) AS oldest,
  d.decided_at, d.decided_by
FROM (SELECT 1) one LEFT JOIN LATERAL (
  SELECT decided_at, decided_by FROM schedule_runs ORDER BY schedule_run_id DESC LIMIT 1
) d ON true`;

export async function schedulingStatus(db: Queryable): Promise<SchedulingStatus> {
  const { rows } = await db.query<StatusRow>({ text: STATUS_SQL, values: [] });
  const [row] = rows;
  if (row === undefined) throw new RangeError('the status of the schedules was not answered');
  return {
    now: row.now,
    active: row.active,
    paused: row.paused,
    late: row.late,
    oldestDueAt: row.oldest,
    lastDecidedAt: row.decided_at,
    lastDecidedBy: row.decided_by,
  };
}
