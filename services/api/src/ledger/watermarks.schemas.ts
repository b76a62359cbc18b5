/** Queries and answers of the watermark endpoints. */
import { z } from 'zod';
import { CADENCES, isPlainDate, WATERMARK_KINDS } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { Watermark } from '@spine/database';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { once, text } from '../http/query-values.ts';
import { keysetCursor, templateQuery } from './partition-key.schemas.ts';

/** A calendar date in a query or a body. */
export const plainDate = z
  .string()
  .refine((value): value is PlainDate => isPlainDate(value), 'must be a calendar date as YYYY-MM-DD');

export const watermarkListQuery = z.strictObject({
  domain: text(200).optional(),
  source: text(200).optional().describe('Needs `domain`.'),
  ...cursorPaging,
  cursor: keysetCursor,
});
export type WatermarkListQuery = z.infer<typeof watermarkListQuery>;

export const watermarkJson = z
  .object({
    domain: z.string(),
    source: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    kind: z.enum(WATERMARK_KINDS),
    high_water: z.string().describe('In the one spelling of its kind.'),
    metadata: z.record(z.string(), z.unknown()),
    run_id: z.string().nullable(),
    batch_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Watermark', description: 'How far a partition of a source was read.' });

export function toWatermarkJson(watermark: Watermark): z.infer<typeof watermarkJson> {
  return {
    domain: watermark.domain,
    source: watermark.source,
    partition_key: watermark.partitionKey,
    kind: watermark.kind,
    high_water: watermark.highWater,
    metadata: watermark.metadata,
    run_id: watermark.runId,
    batch_id: watermark.batchId,
    created_at: watermark.createdAt.toISOString(),
    updated_at: watermark.updatedAt.toISOString(),
  };
}

/** What is expected: by a schedule that is stored, or by a cadence and a template. */
const expectation = {
  workflow: text(200).optional().describe('An expected schedule of the domain.'),
  cadence: once(z.enum(CADENCES)).optional().describe('Instead of a workflow, with `template`.'),
  template: templateQuery.optional().describe('JSON of a partition template, with `cadence`.'),
  from: once(plainDate).describe('The first day a period may end on.'),
  to: once(plainDate).describe('The last one.'),
};

export const gapsQuery = z.strictObject({
  domain: text(200),
  ...expectation,
  source: text(200).optional().describe('Gaps are partitions without a watermark of this source.'),
  stage: text(200).optional().describe('Gaps are partitions without a manifest row of this stage.'),
  ...offsetPaging,
});
export type GapsQuery = z.infer<typeof gapsQuery>;

export const gapJson = z
  .object({
    partition_key: z.record(z.string(), z.unknown()),
    period_end: z.iso.date(),
    expected_at: z.iso.datetime(),
    is_late: z.boolean().describe('It should be there by now.'),
  })
  .meta({ id: 'Gap', description: 'A partition that is expected and not there.' });
