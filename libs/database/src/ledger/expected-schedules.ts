/** What should exist, and when: one schedule for each workflow of a domain. */
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { checkExpectedSchedule, ValidationError } from '@spine/core';
import type { ExpectedSchedule, PartitionTemplate } from '@spine/core';
import { jsonb } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage } from './pages.ts';

export interface StoredExpectedSchedule extends ExpectedSchedule {
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ExpectedScheduleFilter {
  readonly domain?: string;
  readonly active?: boolean;
}

export interface ExpectedSchedulePageRequest {
  readonly limit: number;
  readonly offset?: number;
}

function toSchedule(row: Selectable<Database['expected_schedules']>): StoredExpectedSchedule {
  return {
    domain: row.domain,
    workflow: row.workflow,
    cadence: row.cadence,
    partitionTemplate: row.partition_template as PartitionTemplate,
    requiredStages: row.required_stages,
    expectedDelayHours: row.expected_delay_hours,
    preliminaryHours: row.preliminary_hours,
    active: row.active,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/**
 * Stores a schedule, in the place of the one its domain and workflow had.
 * @throws ValidationError for one that `checkExpectedSchedule` objects to.
 */
export async function putExpectedSchedule(
  db: Db | DbTransaction,
  schedule: ExpectedSchedule,
): Promise<StoredExpectedSchedule> {
  const issues = checkExpectedSchedule(schedule);
  const [first] = issues;
  if (first !== undefined) throw new ValidationError(`${first.field}: ${first.message}`, { issues });
  const values = {
    cadence: schedule.cadence,
    partition_template: jsonb(schedule.partitionTemplate),
    required_stages: [...schedule.requiredStages],
    expected_delay_hours: schedule.expectedDelayHours,
    preliminary_hours: schedule.preliminaryHours,
    active: schedule.active,
    description: schedule.description,
  };
  const row = await db
    .insertInto('expected_schedules')
    .values({ domain: schedule.domain, workflow: schedule.workflow, ...values })
    .onConflict((conflict) =>
      conflict.columns(['domain', 'workflow']).doUpdateSet({ ...values, updated_at: sql<Date>`now()` }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
  return toSchedule(row);
}

export async function getExpectedSchedule(
  db: Db | DbTransaction,
  domain: string,
  workflow: string,
): Promise<StoredExpectedSchedule | null> {
  const row = await db
    .selectFrom('expected_schedules')
    .selectAll()
    .where('domain', '=', domain)
    .where('workflow', '=', workflow)
    .executeTakeFirst();
  return row === undefined ? null : toSchedule(row);
}

/** Whether there was one. */
export async function deleteExpectedSchedule(
  db: Db | DbTransaction,
  domain: string,
  workflow: string,
): Promise<boolean> {
  const rows = await db
    .deleteFrom('expected_schedules')
    .where('domain', '=', domain)
    .where('workflow', '=', workflow)
    .returning('domain')
    .execute();
  return rows.length > 0;
}

function filterSchedules(db: Db | DbTransaction, { domain, active }: ExpectedScheduleFilter) {
  let query = db.selectFrom('expected_schedules');
  if (domain !== undefined) query = query.where('domain', '=', domain);
  if (active !== undefined) query = query.where('active', '=', active);
  return query;
}

/** Schedules that match, by domain and workflow. */
export function listExpectedSchedules(
  db: Db | DbTransaction,
  filter: ExpectedScheduleFilter,
  page: ExpectedSchedulePageRequest,
): Promise<LedgerPage<StoredExpectedSchedule>> {
  const rows = filterSchedules(db, filter)
    .selectAll()
    .orderBy('domain')
    .orderBy('workflow')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0)
    .execute();
  const matching = filterSchedules(db, filter).select('domain').limit(COUNTED_ROWS);
  return ledgerPage(db, rows, matching, page.limit, toSchedule);
}
