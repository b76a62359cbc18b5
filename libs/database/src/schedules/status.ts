/** What the scheduling of a database looks like from outside. */
import type { Queryable } from '../sql/pool.ts';

export interface SchedulingLag {
  /** The database's time. */
  readonly now: Date;
  /** Due, and nobody has decided for {@link LATE_AFTER_SECONDS}; counted up to 10,000. */
  readonly late: number;
  /** The longest due of all; null when nothing is. */
  readonly oldestDueAt: Date | null;
}

export interface SchedulingStatus extends SchedulingLag {
  readonly active: number;
  readonly paused: number;
  /** The latest decision, of whichever process. */
  readonly lastDecidedAt: Date | null;
  readonly lastDecidedBy: string | null;
}

/** A tick is made every second; what is due for longer has not been seen by any. */
export const LATE_AFTER_SECONDS = 5;

interface LagRow {
  now: Date;
  late: number;
  oldest: Date | null;
}

interface StatusRow extends LagRow {
  active: number;
  paused: number;
  decided_at: Date | null;
  decided_by: string | null;
}

const LAG = `now() AS now,
  (SELECT count(*) FROM (SELECT 1 FROM schedules WHERE next_fire_at < now() - interval '${LATE_AFTER_SECONDS} seconds' LIMIT 10000) l)::integer AS late,
  (SELECT next_fire_at FROM schedules WHERE next_fire_at <= now() ORDER BY next_fire_at LIMIT 1) AS oldest`;

export const LAG_SQL = `SELECT ${LAG}`;

export const STATUS_SQL = `SELECT ${LAG},
  (SELECT count(*) FROM schedules WHERE next_fire_at IS NOT NULL)::integer AS active,
  (SELECT count(*) FROM schedules WHERE state = 'paused')::integer AS paused,
  d.decided_at, d.decided_by
FROM (SELECT 1) one LEFT JOIN LATERAL (
  SELECT decided_at, decided_by FROM schedule_runs ORDER BY schedule_run_id DESC LIMIT 1
) d ON true`;

/** What every scheduler asks every few seconds: costs what is due, however many schedules there are. */
export async function schedulingLag(db: Queryable): Promise<SchedulingLag> {
  const { rows } = await db.query<LagRow>({ name: 'spine_scheduling_lag', text: LAG_SQL, values: [] });
  const [row] = rows;
  if (row === undefined) throw new RangeError('the lag of the schedules was not answered');
  return { now: row.now, late: row.late, oldestDueAt: row.oldest };
}

/** Counts all schedules. */
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
