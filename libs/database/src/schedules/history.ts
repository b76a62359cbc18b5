/** The history of schedules as clients read it. Who writes it is `fire.ts`. */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';
import { toScheduleRunRecord } from './record.ts';
import type { ScheduleRunRecord, ScheduleRunStatus } from './record.ts';

/** Whether there is such a schedule, or was before it was deleted. */
export async function wasScheduled(db: Db, scheduleId: string): Promise<boolean> {
  const row = await db
    .selectFrom('schedules')
    .select('schedule_id')
    .where('schedule_id', '=', scheduleId)
    .executeTakeFirst();
  return row !== undefined;
}

export interface ScheduleRunFilter {
  readonly scheduleId: string;
  readonly status?: ScheduleRunStatus | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Where a page of history ends. */
export interface HistoryPosition {
  readonly fireAt: Date;
  readonly origin: ScheduleRunRecord['origin'];
}

/** What became of a schedule's occurrences, newest first. */
export async function listScheduleRuns(
  db: Db,
  { scheduleId, status, since, until }: ScheduleRunFilter,
  { limit, before }: { readonly limit: number; readonly before?: HistoryPosition | undefined },
): Promise<{ readonly runs: readonly ScheduleRunRecord[]; readonly hasMore: boolean }> {
  let matching = db.selectFrom('schedule_runs').selectAll().where('schedule_id', '=', scheduleId);
  if (status !== undefined) matching = matching.where('status', '=', status);
  if (since !== undefined) matching = matching.where('fire_at', '>=', since);
  if (until !== undefined) matching = matching.where('fire_at', '<', until);
  if (before !== undefined)
    matching = matching.where(sql<boolean>`(fire_at, origin) < (${before.fireAt}, ${before.origin})`);
  const rows = await matching
    .orderBy('fire_at', 'desc')
    .orderBy('origin', 'desc')
    .limit(limit + 1)
    .execute();
  return { runs: rows.slice(0, limit).map(toScheduleRunRecord), hasMore: rows.length > limit };
}

/** The times of a range, as milliseconds, at which a run of the schedule was started, whoever asked for it. */
export async function firedTimes(
  db: Db,
  scheduleId: string,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<ReadonlySet<number>> {
  const rows = await db
    .selectFrom('schedule_runs')
    .select('fire_at')
    .where('schedule_id', '=', scheduleId)
    .where('fire_at', '>=', from)
    .where('fire_at', '<', to)
    .where('status', '=', 'FIRED')
    .execute();
  return new Set(rows.map(({ fire_at: at }) => at.getTime()));
}
