/** Schedules and their history as the API tells them. */
import { z } from 'zod';
import { RUN_KINDS, RUN_STATUSES } from '@spine/core';
import type { ScheduleRecord, ScheduleRunRecord } from '@spine/database';
import { CALENDAR_PERIODS, MISFIRE_POLICIES, OVERLAP_POLICIES, SCHEDULE_TYPES } from '@spine/scheduling';

const moment = z.iso.datetime();

export const scheduleJson = z
  .object({
    schedule_id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    state: z.enum(['active', 'paused', 'completed', 'deleted']),
    paused_reason: z.string().nullable().describe('Why the scheduler itself has paused it.'),
    target_type: z.enum(RUN_KINDS),
    target_name: z.string(),
    work: z.record(z.string(), z.unknown()).describe('The spec of its runs.'),
    schedule_type: z.enum(SCHEDULE_TYPES),
    cron_expression: z.string().nullable(),
    interval_seconds: z.int().nullable(),
    run_at: moment.nullable(),
    calendar_rule: z
      .object({ exchange: z.string(), period: z.enum(CALENDAR_PERIODS), nth: z.int(), at: z.string() })
      .nullable(),
    timezone: z.string(),
    starts_at: moment.nullable(),
    ends_at: moment.nullable(),
    exclusions: z.array(z.object({ from: z.string(), to: z.string() })),
    jitter_seconds: z.int(),
    misfire_policy: z.enum(MISFIRE_POLICIES),
    misfire_grace_seconds: z.int(),
    catch_up_limit: z.int(),
    catch_up_spacing_seconds: z.int(),
    catch_up_lane: z.string(),
    overlap_policy: z.enum(OVERLAP_POLICIES),
    max_instances: z.int(),
    next_fire_at: moment.nullable(),
    last_fire_at: moment.nullable(),
    version: z.int().describe('Also the ETag; send it as If-Match with a change.'),
    created_by: z.string(),
    created_at: moment,
    updated_at: moment,
  })
  .meta({ id: 'Schedule' });
export type ScheduleJson = z.infer<typeof scheduleJson>;

export function toScheduleJson(schedule: ScheduleRecord): ScheduleJson {
  return {
    schedule_id: schedule.scheduleId,
    name: schedule.name,
    description: schedule.description,
    state: schedule.state,
    paused_reason: schedule.pausedReason,
    target_type: schedule.targetKind,
    target_name: schedule.targetName,
    work: schedule.work,
    schedule_type: schedule.scheduleType,
    cron_expression: schedule.cronExpression,
    interval_seconds: schedule.intervalSeconds,
    run_at: iso(schedule.runAt),
    calendar_rule: schedule.calendarRule,
    timezone: schedule.timezone,
    starts_at: iso(schedule.startsAt),
    ends_at: iso(schedule.endsAt),
    exclusions: schedule.exclusions.map(({ from, to }) => ({ from, to })),
    jitter_seconds: schedule.jitterSeconds,
    misfire_policy: schedule.misfirePolicy,
    misfire_grace_seconds: schedule.misfireGraceSeconds,
    catch_up_limit: schedule.catchUpLimit,
    catch_up_spacing_seconds: schedule.catchUpSpacingSeconds,
    catch_up_lane: schedule.catchUpLane,
    overlap_policy: schedule.overlapPolicy,
    max_instances: schedule.maxInstances,
    next_fire_at: iso(schedule.nextFireAt),
    last_fire_at: iso(schedule.lastFireAt),
    version: schedule.version,
    created_by: schedule.createdBy,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  };
}

export const scheduleRunJson = z
  .object({
    schedule_run_id: z.string(),
    schedule_id: z.string(),
    fire_at: moment,
    through_at: moment.describe('The last of the occurrences it stands for.'),
    occurrences: z.int(),
    origin: z.enum(['schedule', 'manual', 'backfill']),
    status: z.enum(['FIRED', 'SKIPPED', 'MISSED']),
    skip_reason: z.string().nullable(),
    run_id: z.string().nullable(),
    run_status: z
      .enum([...RUN_STATUSES, 'purged'])
      .nullable()
      .describe('How the run ended; null while it has not.'),
    late_ms: z.int().describe('How late it was decided.'),
    decided_by: z.string(),
    decided_at: moment,
    ended_at: moment.nullable(),
  })
  .meta({ id: 'ScheduleRun', description: 'What became of an occurrence.' });
export type ScheduleRunJson = z.infer<typeof scheduleRunJson>;

export function toScheduleRunJson(run: ScheduleRunRecord): ScheduleRunJson {
  return {
    schedule_run_id: String(run.scheduleRunId),
    schedule_id: run.scheduleId,
    fire_at: run.fireAt.toISOString(),
    through_at: run.throughAt.toISOString(),
    occurrences: run.occurrences,
    origin: run.origin,
    status: run.status,
    skip_reason: run.skipReason,
    run_id: run.runId,
    run_status: run.runStatus,
    late_ms: run.lateMs,
    decided_by: run.decidedBy,
    decided_at: run.decidedAt.toISOString(),
    ended_at: iso(run.endedAt),
  };
}

export const triggeredJson = z
  .object({ schedule_id: z.string(), run_id: z.string(), fire_at: moment })
  .meta({ id: 'ScheduleTriggered' });

export const scheduleBackfillJson = z
  .object({
    schedule_id: z.string(),
    occurrences: z.int().describe('Of the range.'),
    already_fired: z.int(),
    dry_run: z.boolean(),
    started: z.array(z.object({ fire_at: moment, run_id: z.string().nullable() })),
  })
  .meta({ id: 'ScheduleBackfill' });

function iso(value: Date | null): string | null {
  return value === null ? null : value.toISOString();
}
