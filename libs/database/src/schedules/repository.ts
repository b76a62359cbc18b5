/** Schedules as clients see and change them. Who decides about occurrences is `fire.ts`. */
import { sql } from 'kysely';
import { newId } from '@spine/core';
import type { RunKind } from '@spine/core';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { orNameTaken } from '../sql/name-taken.ts';
import type { NameTaken } from '../sql/name-taken.ts';
import { definitionColumns, toScheduleRecord } from './record.ts';
import type { ScheduleDefinition, ScheduleRecord, ScheduleState } from './record.ts';

const NAME_INDEX = 'schedules_name';

export interface NewSchedule {
  readonly definition: ScheduleDefinition;
  /** Null for one that is created paused. */
  readonly nextFireAt: Date | null;
  readonly createdBy: string;
}

export type ScheduleWrite =
  | { readonly type: 'written'; readonly schedule: ScheduleRecord }
  | NameTaken
  /** There are as many frequent schedules as may be. */
  | { readonly type: 'over_quota'; readonly quota: number }
  | { readonly type: 'not_found' }
  /** Another has changed it since it was read. */
  | { readonly type: 'stale'; readonly schedule: ScheduleRecord };

/** Serialises those who would make one more frequent schedule: two at once must not both find the last place free. */
const QUOTA_LOCK = 'spine.schedules.frequent';

/** The database's time, which alone says what is past. */
export async function databaseNow(db: Db | DbTransaction): Promise<Date> {
  const { rows } = await asQueryable(db).query<{ now: Date }>({ text: 'SELECT now()', values: [] });
  const [row] = rows;
  if (row === undefined) throw new RangeError('SELECT now() answered nothing');
  return row.now;
}

export async function createSchedule(
  db: Db,
  { definition, nextFireAt, createdBy }: NewSchedule,
  frequentQuota: number,
): Promise<ScheduleWrite> {
  return orNameTaken(definition.name, NAME_INDEX, () =>
    db.transaction().execute(async (trx) => {
      if (definition.frequent && nextFireAt !== null && !(await placeIsFree(trx, frequentQuota, null)))
        return { type: 'over_quota', quota: frequentQuota };
      const row = await trx
        .insertInto('schedules')
        .values({
          ...definitionColumns(definition),
          schedule_id: newId(),
          state: nextFireAt === null ? 'paused' : 'active',
          next_fire_at: nextFireAt,
          created_by: createdBy,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return { type: 'written', schedule: toScheduleRecord(row) };
    }),
  );
}

/** What is written instead of what is there, at the version that was read. */
export interface ScheduleChange {
  readonly scheduleId: string;
  readonly version: number;
  readonly definition: ScheduleDefinition;
  /** The first occurrence to come; null for one that is paused or has none left. */
  readonly nextFireAt: Date | null;
  readonly state: Exclude<ScheduleState, 'deleted'>;
}

export async function changeSchedule(
  db: Db,
  change: ScheduleChange,
  frequentQuota: number,
): Promise<ScheduleWrite> {
  const { scheduleId, version, definition, nextFireAt, state } = change;
  return orNameTaken(definition.name, NAME_INDEX, () =>
    db.transaction().execute(async (trx) => {
      // Only what fires takes a place: pausing is never refused.
      if (definition.frequent && state === 'active' && !(await placeIsFree(trx, frequentQuota, scheduleId)))
        return { type: 'over_quota', quota: frequentQuota };
      const row = await trx
        .updateTable('schedules')
        .set({
          ...definitionColumns(definition),
          state,
          paused_reason: null,
          next_fire_at: nextFireAt,
          version: sql<number>`version + 1`,
          updated_at: sql<Date>`now()`,
        })
        .where('schedule_id', '=', scheduleId)
        .where('version', '=', version)
        .where('state', '<>', 'deleted')
        .returningAll()
        .executeTakeFirst();
      if (row !== undefined) return { type: 'written', schedule: toScheduleRecord(row) };
      const there = await getSchedule(trx, scheduleId);
      return there === null ? { type: 'not_found' } : { type: 'stale', schedule: there };
    }),
  );
}

/** Deletes it: it fires no more, gives its name back, and its history stays. Null when there is none (any more). */
export async function deleteSchedule(db: Db, scheduleId: string): Promise<ScheduleRecord | null> {
  const row = await db
    .updateTable('schedules')
    .set({
      state: 'deleted',
      paused_reason: null,
      next_fire_at: null,
      version: sql<number>`version + 1`,
      updated_at: sql<Date>`now()`,
    })
    .where('schedule_id', '=', scheduleId)
    .where('state', '<>', 'deleted')
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : toScheduleRecord(row);
}

/** Null for none, and for one that was deleted. */
export async function getSchedule(
  db: Db | DbTransaction,
  scheduleId: string,
): Promise<ScheduleRecord | null> {
  const row = await db
    .selectFrom('schedules')
    .selectAll()
    .where('schedule_id', '=', scheduleId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst();
  return row === undefined ? null : toScheduleRecord(row);
}

export interface ScheduleFilter {
  readonly state?: Exclude<ScheduleState, 'deleted'> | undefined;
  readonly targetKind?: RunKind | undefined;
  readonly targetName?: string | undefined;
}

export interface SchedulePage {
  readonly schedules: readonly ScheduleRecord[];
  readonly total: number;
  readonly hasMore: boolean;
}

/** Schedules by name. */
export async function listSchedules(
  db: Db,
  { state, targetKind, targetName }: ScheduleFilter,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<SchedulePage> {
  let matching = db.selectFrom('schedules').where('state', '<>', 'deleted');
  if (state !== undefined) matching = matching.where('state', '=', state);
  if (targetKind !== undefined) matching = matching.where('target_kind', '=', targetKind);
  if (targetName !== undefined) matching = matching.where('target_name', '=', targetName);
  const rows = await matching
    .selectAll()
    .orderBy('name')
    .limit(limit + 1)
    .offset(offset)
    .execute();
  const { total } = await matching
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return { schedules: rows.slice(0, limit).map(toScheduleRecord), total, hasMore: rows.length > limit };
}

async function placeIsFree(trx: DbTransaction, quota: number, except: string | null): Promise<boolean> {
  const on = asQueryable(trx);
  await on.query({ text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', values: [QUOTA_LOCK] });
  const { rows } = await on.query<{ taken: number }>({
    text: `SELECT count(*)::integer AS taken FROM schedules
WHERE frequent AND state = 'active' AND schedule_id IS DISTINCT FROM $1::uuid`,
    values: [except],
  });
  return (rows[0]?.taken ?? 0) < quota;
}
