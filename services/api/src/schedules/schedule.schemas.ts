/** Bodies, queries and answers of the schedule endpoints. */
import { z } from 'zod';
import { parsePlainDate } from '@spine/core';
import { workSpecJson } from '@spine/execution';
import {
  CALENDAR_PERIODS,
  MAX_BACKFILL,
  MAX_EXCLUSIONS,
  MAX_INTERVAL_SECONDS,
  MAX_PREVIEW,
  MISFIRE_POLICIES,
  OVERLAP_POLICIES,
  SCHEDULE_LIMITS,
  SCHEDULE_TYPES,
  TEMPLATE_VALUES,
} from '@spine/scheduling';
import type { ScheduleInput, TimingInput } from '@spine/scheduling';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { instant, once, text } from '../http/query-values.ts';
import { storable, TARGET_TYPES, targetFields, workFields, workOf } from './work-fields.ts';

const moment = z.iso.datetime({ offset: true }).describe('RFC 3339.');
const plainDate = z.iso.date();

const calendarRuleJson = z
  .strictObject({
    exchange: z.string().min(1).max(20).describe('e.g. XNYS.'),
    period: z.enum(CALENDAR_PERIODS),
    nth: z.int().describe('Trading day of the period; from its end when negative (-1 is the last).'),
    at: z.string().max(10).describe('HH:MM in the schedule’s zone.'),
  })
  .meta({ id: 'CalendarRule', description: 'A trading day of an exchange.' });

const timingFields = {
  schedule_type: z.enum(SCHEDULE_TYPES),
  cron_expression: z
    .string()
    .max(200)
    .optional()
    .describe('Five fields (minute first) or six (second first), L, W, #, or @hourly … @yearly.'),
  interval_seconds: z.number().optional().describe(`1 to ${MAX_INTERVAL_SECONDS}, counted from starts_at.`),
  run_at: moment.optional(),
  calendar_rule: calendarRuleJson.optional(),
  timezone: z.string().max(64).optional().describe('IANA name. Default UTC.'),
  starts_at: moment.optional().describe('Nothing fires before.'),
  ends_at: moment.optional().describe('Nothing fires from then on.'),
  exclusions: z
    .array(z.strictObject({ from: plainDate, to: plainDate.optional() }))
    .max(MAX_EXCLUSIONS)
    .optional()
    .describe('Days on which nothing fires, both included.'),
};

export const scheduleBody = z
  .strictObject({
    name: z
      .string()
      .regex(
        SCHEDULE_LIMITS.name,
        'must be a letter or digit, then at most 199 of letters, digits and " _.:/-"',
      ),
    description: storable(2_000).optional(),
    ...targetFields,
    ...workFields(`As of a work spec; texts may hold {{ name }} with one of ${TEMPLATE_VALUES.join(', ')}.`),
    ...timingFields,
    jitter_seconds: z.int().min(0).max(SCHEDULE_LIMITS.jitterSeconds).optional().describe('Default 0.'),
    misfire_policy: z.enum(MISFIRE_POLICIES).optional().describe('Default fire_once.'),
    misfire_grace_seconds: z
      .int()
      .min(0)
      .max(SCHEDULE_LIMITS.graceSeconds)
      .optional()
      .describe('Default 60.'),
    catch_up_limit: z.int().min(1).max(SCHEDULE_LIMITS.catchUp).optional().describe('Default 10.'),
    catch_up_spacing_seconds: z
      .int()
      .min(0)
      .max(SCHEDULE_LIMITS.spacingSeconds)
      .optional()
      .describe('Between the starts of runs that are made up for. Default 1.'),
    catch_up_lane: workSpecJson.shape.lane.describe('Of runs that are made up for. Default backfill.'),
    overlap_policy: z.enum(OVERLAP_POLICIES).optional().describe('Default skip.'),
    max_instances: z.int().min(1).max(SCHEDULE_LIMITS.instances).optional().describe('Default 1.'),
    paused: z.boolean().optional().describe('Create it without letting it fire. Default false.'),
  })
  .meta({ id: 'ScheduleRequest', description: 'When which run is to exist.' });
export type ScheduleBody = z.infer<typeof scheduleBody>;

export const previewBody = z
  .strictObject({
    ...timingFields,
    after: moment.optional().describe('Default now.'),
    count: z.int().min(1).max(MAX_PREVIEW).default(10),
  })
  .meta({ id: 'SchedulePreviewRequest' });
export type PreviewBody = z.infer<typeof previewBody>;

export const previewJson = z
  .object({ fire_times: z.array(z.iso.datetime()) })
  .meta({ id: 'SchedulePreview' });

export const backfillBody = z
  .strictObject({
    from: moment.describe('First moment of the range.'),
    to: moment.describe('First moment after it; not in the future.'),
    max_concurrency: z.int().min(1).max(100).optional().describe('Runs at the same time. Default 1.'),
    dry_run: z.boolean().optional().describe('Tell what would start. Default false.'),
  })
  .meta({ id: 'ScheduleBackfillRequest', description: `At most ${MAX_BACKFILL} occurrences.` });
export type BackfillBody = z.infer<typeof backfillBody>;

export const scheduleListQuery = z.strictObject({
  state: once(z.enum(['active', 'paused', 'completed'])).optional(),
  target_type: once(z.enum(TARGET_TYPES)).optional(),
  target_name: text(200).optional(),
  ...offsetPaging,
});
export type ScheduleListQuery = z.infer<typeof scheduleListQuery>;

export const scheduleRunListQuery = z.strictObject({
  status: once(z.enum(['FIRED', 'SKIPPED', 'MISSED'])).optional(),
  since: instant.optional().describe('Fire times at or after.'),
  until: instant.optional().describe('Fire times before.'),
  ...cursorPaging,
});
export type ScheduleRunListQuery = z.infer<typeof scheduleRunListQuery>;

export function timingInput(body: Omit<PreviewBody, 'after' | 'count'>): TimingInput {
  return {
    scheduleType: body.schedule_type,
    cronExpression: body.cron_expression,
    intervalSeconds: body.interval_seconds,
    runAt: dateOf(body.run_at),
    calendarRule: body.calendar_rule,
    timezone: body.timezone,
    startsAt: dateOf(body.starts_at),
    endsAt: dateOf(body.ends_at),
    exclusions: body.exclusions?.map(({ from, to }, index) => ({
      from: parsePlainDate(from, `exclusions[${index}].from`),
      to: to === undefined ? undefined : parsePlainDate(to, `exclusions[${index}].to`),
    })),
  };
}

export function scheduleInput(body: ScheduleBody): ScheduleInput {
  return {
    ...timingInput(body),
    name: body.name,
    description: body.description,
    work: workOf(body),
    jitterSeconds: body.jitter_seconds,
    misfirePolicy: body.misfire_policy,
    misfireGraceSeconds: body.misfire_grace_seconds,
    catchUpLimit: body.catch_up_limit,
    catchUpSpacingSeconds: body.catch_up_spacing_seconds,
    catchUpLane: body.catch_up_lane,
    overlapPolicy: body.overlap_policy,
    maxInstances: body.max_instances,
  };
}

function dateOf(value: string | undefined): Date | undefined {
  return value === undefined ? undefined : new Date(value);
}
