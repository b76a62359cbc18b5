/** Queries, bodies and answers of the expected schedule endpoints. */
import { z } from 'zod';
import { CADENCES, isStorableText } from '@spine/core';
import type { ExpectedSchedule } from '@spine/core';
import type { StoredExpectedSchedule } from '@spine/database';
import { offsetPaging } from '../http/paging.ts';
import { flag, text } from '../http/query-values.ts';
import { ledgerName, templateBody } from './partition-key.schemas.ts';

export const scheduleListQuery = z.strictObject({
  domain: text(200).optional(),
  active: flag.optional(),
  ...offsetPaging,
});
export type ScheduleListQuery = z.infer<typeof scheduleListQuery>;

const MAX_HOURS = 8_784;
const hours = z.int().min(0).max(MAX_HOURS);

const fields = {
  cadence: z.enum(CADENCES).describe('weekdays: Monday to Friday; weekly: weeks that end on a Friday.'),
  partition_template: templateBody,
  required_stages: z
    .array(ledgerName)
    .min(1)
    .max(100)
    .describe('Manifest stages that a complete partition has reached.'),
  expected_delay_hours: hours.describe(
    'After the end of the period, in UTC, until its data should be there.',
  ),
  preliminary_hours: hours.describe('After that, while figures may still change.'),
  active: z.boolean(),
  description: z.string().max(2_000).nullable(),
};

export const scheduleBody = z
  .strictObject({
    ...fields,
    preliminary_hours: fields.preliminary_hours.default(0),
    active: fields.active.default(true),
    description: fields.description
      .refine((value) => value === null || isStorableText(value), 'must be storable text')
      .default(null),
  })
  .meta({ id: 'ExpectedScheduleRequest' });
export type ScheduleBody = z.infer<typeof scheduleBody>;

export const expectedScheduleJson = z
  .object({
    domain: z.string(),
    workflow: z.string(),
    ...fields,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'ExpectedSchedule', description: 'What should exist, and when.' });
export type ExpectedScheduleJson = z.infer<typeof expectedScheduleJson>;

export function scheduleFromJson(domain: string, workflow: string, body: ScheduleBody): ExpectedSchedule {
  return {
    domain,
    workflow,
    cadence: body.cadence,
    partitionTemplate: body.partition_template,
    requiredStages: body.required_stages,
    expectedDelayHours: body.expected_delay_hours,
    preliminaryHours: body.preliminary_hours,
    active: body.active,
    description: body.description,
  };
}

export function toExpectedScheduleJson(schedule: StoredExpectedSchedule): ExpectedScheduleJson {
  return {
    domain: schedule.domain,
    workflow: schedule.workflow,
    cadence: schedule.cadence,
    partition_template: Object.fromEntries(
      Object.entries(schedule.partitionTemplate).map(([field, value]) => [
        field,
        typeof value === 'object' ? [...value] : value,
      ]),
    ),
    required_stages: [...schedule.requiredStages],
    expected_delay_hours: schedule.expectedDelayHours,
    preliminary_hours: schedule.preliminaryHours,
    active: schedule.active,
    description: schedule.description,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  };
}
