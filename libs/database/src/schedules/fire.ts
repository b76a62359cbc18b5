/**
 * Deciding what is due. All of it is meant for one transaction, which locks the schedules it looks at.
 *
 * 1. A schedule that another transaction decides is left out, not waited for.
 * 2. A decision is stored once for each occurrence and origin, and a run once for each occurrence whether its time came
 *    or it was backfilled, by unique indexes; whoever comes second gets nothing back and starts nothing.
 * 3. `next_fire_at` moves only from where it was read.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { toScheduleRecord } from './record.ts';
import type { ScheduleOrigin, ScheduleRecord, ScheduleRunStatus } from './record.ts';

export interface DueSchedules {
  /** The database's time, at which all of them are due. */
  readonly now: Date;
  readonly schedules: readonly ScheduleRecord[];
}

type DueRow = Parameters<typeof toScheduleRecord>[0] & { readonly at: Date };

/**
 * Rows of history refer to the schedule: a lock that kept them out would deadlock with whoever backfills the same
 * occurrence.
 */
export const DUE_SQL = `SELECT now() AS at, s.* FROM schedules s
WHERE next_fire_at <= now() ORDER BY next_fire_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED`;

/** Locks schedules that are due, the longest due first. */
export async function takeDueSchedules(on: Queryable, limit: number): Promise<DueSchedules | null> {
  const { rows } = await on.query<DueRow>({ name: 'spine_due_schedules', text: DUE_SQL, values: [limit] });
  const [first] = rows;
  return first === undefined ? null : { now: first.at, schedules: rows.map(toScheduleRecord) };
}

export interface ActiveScheduleRun {
  readonly scheduleId: string;
  readonly runId: string;
}

/**
 * Runs of these schedules that have not ended, oldest first; those of a backfill have a limit of their own and do not
 * count.
 */
export async function activeScheduleRuns(
  on: Queryable,
  scheduleIds: readonly string[],
): Promise<readonly ActiveScheduleRun[]> {
  if (scheduleIds.length === 0) return [];
  const { rows } = await on.query<{ schedule_id: string; run_id: string }>({
    text: `SELECT h.schedule_id, h.run_id FROM schedule_runs h JOIN runs r ON r.id = h.run_id
WHERE h.schedule_id = ANY($1::uuid[]) AND h.run_id IS NOT NULL AND h.run_status IS NULL
  AND h.origin <> 'backfill' AND r.status || '' IN ('pending', 'queued', 'running', 'paused')
ORDER BY h.schedule_id, h.schedule_run_id`,
    values: [scheduleIds],
  });
  return rows.map((row) => ({ scheduleId: row.schedule_id, runId: row.run_id }));
}

export interface NewScheduleRun {
  readonly scheduleId: string;
  readonly fireAt: Date;
  readonly throughAt: Date;
  readonly occurrences: number;
  readonly origin: ScheduleOrigin;
  readonly status: ScheduleRunStatus;
  readonly skipReason: string | null;
  readonly runId: string | null;
  readonly lateMs: number;
}

/** Stores decisions; answers which are new, by their place in `decisions`. */
export async function recordDecisions(
  on: Queryable,
  decisions: readonly NewScheduleRun[],
  decidedBy: string,
): Promise<ReadonlySet<number>> {
  if (decisions.length === 0) return new Set();
  const column = <T>(of: (each: NewScheduleRun) => T): T[] => decisions.map(of);
  const { rows } = await on.query<{ place: number }>({
    name: 'spine_record_decisions',
    text: `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::integer[], $5::text[], $6::text[], $7::text[],
    $8::uuid[], $9::bigint[]) WITH ORDINALITY
    AS t(schedule_id, fire_at, through_at, occurrences, origin, status, skip_reason, run_id, late_ms, place)
), h AS (
  INSERT INTO schedule_runs (schedule_id, fire_at, through_at, occurrences, origin, status, skip_reason, run_id, late_ms, decided_by)
  SELECT schedule_id, fire_at, through_at, occurrences, origin, status, skip_reason, run_id, late_ms, $10 FROM i
  ON CONFLICT DO NOTHING
  RETURNING schedule_id, fire_at, origin
)
SELECT i.place::integer FROM i JOIN h USING (schedule_id, fire_at, origin)`,
    values: [
      plainArray(column(({ scheduleId }) => scheduleId)),
      plainArray(column(({ fireAt }) => fireAt.toISOString())),
      plainArray(column(({ throughAt }) => throughAt.toISOString())),
      plainArray(column(({ occurrences }) => occurrences)),
      plainArray(column(({ origin }) => origin)),
      plainArray(column(({ status }) => status)),
      textArray(column(({ skipReason }) => skipReason)),
      plainArray(column(({ runId }) => runId)),
      plainArray(column(({ lateMs }) => lateMs)),
      decidedBy,
    ],
  });
  return new Set(rows.map(({ place }) => place - 1));
}

/** Characters of why a schedule is paused. */
const MAX_REASON = 1_000;

export interface ScheduleMove {
  readonly scheduleId: string;
  /** As it was read. */
  readonly from: Date;
  /** Null: it has no time left and is completed. */
  readonly to: Date | null;
  /** The newest occurrence that was decided. */
  readonly lastFireAt: Date | null;
  /** Why it is paused instead of completed when `to` is null; null to complete it. */
  readonly pausedReason: string | null;
}

/** Moves schedules on; answers with the ids of those that stood where they were read. */
export async function moveSchedules(
  on: Queryable,
  moves: readonly ScheduleMove[],
): Promise<ReadonlySet<string>> {
  const { rows } = await on.query<{ schedule_id: string }>({
    name: 'spine_move_schedules',
    text: `UPDATE schedules s SET next_fire_at = m.next, last_fire_at = COALESCE(m.last, s.last_fire_at),
  state = CASE WHEN m.next IS NOT NULL THEN s.state WHEN m.reason IS NULL THEN 'completed' ELSE 'paused' END,
  paused_reason = CASE WHEN m.next IS NULL THEN m.reason END
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::text[]) AS m(id, read, next, last, reason)
WHERE s.schedule_id = m.id AND s.next_fire_at = m.read
RETURNING s.schedule_id`,
    values: [
      plainArray(moves.map(({ scheduleId }) => scheduleId)),
      plainArray(moves.map(({ from }) => from.toISOString())),
      plainArray(moves.map(({ to }) => to?.toISOString() ?? null)),
      plainArray(moves.map(({ lastFireAt }) => lastFireAt?.toISOString() ?? null)),
      textArray(moves.map(({ pausedReason }) => pausedReason?.slice(0, MAX_REASON) ?? null)),
    ],
  });
  return new Set(rows.map((row) => row.schedule_id));
}

export interface BrokenSchedule {
  readonly scheduleId: string;
  /** Shown to whoever asks why it is paused. */
  readonly error: string;
}

/** Pauses schedules that cannot be decided about. */
export async function pauseBrokenSchedules(on: Queryable, broken: readonly BrokenSchedule[]): Promise<void> {
  if (broken.length === 0) return;
  await on.query({
    text: `UPDATE schedules s SET state = 'paused', next_fire_at = NULL, paused_reason = b.error, updated_at = now()
FROM unnest($1::uuid[], $2::text[]) AS b(id, error) WHERE s.schedule_id = b.id AND s.state = 'active'`,
    values: [
      plainArray(broken.map(({ scheduleId }) => scheduleId)),
      textArray(broken.map(({ error }) => error.slice(0, MAX_REASON))),
    ],
  });
}

/** Where a sweep through the open rows stands. */
export interface OpenCursor {
  readonly scheduleId: string;
  readonly scheduleRunId: number;
}

export interface ClosedBatch {
  readonly closed: number;
  /** Where the next call goes on; null at the end. */
  readonly next: OpenCursor | null;
}

const START: OpenCursor = { scheduleId: '00000000-0000-0000-0000-000000000000', scheduleRunId: 0 };

/** Adds to the history how runs ended, looking at up to `batch` of those not known to have ended. */
export async function closeEndedScheduleRuns(
  on: Queryable,
  batch: number,
  after: OpenCursor = START,
): Promise<ClosedBatch> {
  const { rows } = await on.query<{
    seen: number;
    closed: number;
    last_schedule: string | null;
    last_run: number | null;
  }>({
    name: 'spine_close_schedule_runs',
    text: `WITH o AS (
  SELECT schedule_id, schedule_run_id, run_id FROM schedule_runs
  WHERE run_id IS NOT NULL AND run_status IS NULL AND (schedule_id, schedule_run_id) > ($2::uuid, $3::bigint)
  ORDER BY schedule_id, schedule_run_id LIMIT $1
), u AS (
  UPDATE schedule_runs h SET run_status = COALESCE(r.status, 'purged'), ended_at = COALESCE(r.completed_at, now())
  FROM o LEFT JOIN runs r ON r.id = o.run_id
  WHERE h.schedule_run_id = o.schedule_run_id AND h.run_status IS NULL AND (r.id IS NULL OR r.completed_at IS NOT NULL)
  RETURNING 1
), l AS (SELECT schedule_id, schedule_run_id FROM o ORDER BY schedule_id DESC, schedule_run_id DESC LIMIT 1)
SELECT (SELECT count(*) FROM o)::integer AS seen, (SELECT count(*) FROM u)::integer AS closed,
  (SELECT schedule_id FROM l) AS last_schedule, (SELECT schedule_run_id FROM l) AS last_run`,
    values: [batch, after.scheduleId, after.scheduleRunId],
  });
  const [row] = rows;
  if (row === undefined) return { closed: 0, next: null };
  const { seen, closed, last_schedule: scheduleId, last_run: scheduleRunId } = row;
  const more = seen === batch && scheduleId !== null && scheduleRunId !== null;
  return { closed, next: more ? { scheduleId, scheduleRunId } : null };
}
