/** Queries and bodies of the backfill endpoints. */
import { z } from 'zod';
import {
  BACKFILL_PARTITION_STATUSES,
  BACKFILL_REASONS,
  BACKFILL_RUN_KINDS,
  BACKFILL_STATUSES,
  CADENCES,
  isStorableText,
  PRIORITIES,
} from '@spine/core';
import type { PartitionKey } from '@spine/database';
import { MAX_BACKFILL_PARTITIONS } from '@spine/database';
import { BACKFILL_DEFAULTS, BACKFILL_LIMITS, LIMITS } from '@spine/execution';
import type { BackfillSpec } from '@spine/execution';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { once, text } from '../http/query-values.ts';
import { ledgerName, partitionKeyBody, templateBody } from './partition-key.schemas.ts';
import { plainDate } from './watermarks.schemas.ts';

export const backfillListQuery = z.strictObject({
  domain: text(200).optional(),
  status: once(z.enum(BACKFILL_STATUSES)).optional(),
  reason: once(z.enum(BACKFILL_REASONS)).optional(),
  ...cursorPaging,
});
export type BackfillListQuery = z.infer<typeof backfillListQuery>;

export const partitionListQuery = z.strictObject({
  status: once(z.enum(BACKFILL_PARTITION_STATUSES)).optional(),
  limit: offsetPaging.limit,
  cursor: cursorPaging.cursor,
});
export type PartitionListQuery = z.infer<typeof partitionListQuery>;

const note = z
  .string()
  .max(2_000)
  .refine(isStorableText, 'must not contain NUL characters or lone surrogates')
  .nullable()
  .describe('Why, for whoever reads it later.');

const concurrency = z
  .int()
  .min(1)
  .max(BACKFILL_LIMITS.concurrency)
  .describe(`Runs at the same time. Default ${BACKFILL_DEFAULTS.concurrency}.`);

const maxAttempts = z
  .int()
  .min(1)
  .max(BACKFILL_LIMITS.maxAttempts)
  .describe(`Runs a partition may fail. Default ${BACKFILL_DEFAULTS.maxAttempts}.`);

const runBody = z
  .strictObject({
    kind: z.enum(BACKFILL_RUN_KINDS),
    name: z.string().regex(LIMITS.name).describe('Handler name without its kind.'),
    params: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Beside the fields of the partition’s key, which every run has as params too.'),
    lane: z.string().regex(LIMITS.lane).optional().describe(`Default ${BACKFILL_DEFAULTS.lane}.`),
    priority: z.enum(PRIORITIES).optional().describe(`Default ${BACKFILL_DEFAULTS.priority}.`),
    max_retries: z.int().min(0).max(LIMITS.maxRetries).optional().describe('Of each run.'),
    timeout_seconds: z.number().min(0.001).max(LIMITS.timeoutSeconds).optional().describe('Of one attempt.'),
  })
  .meta({ id: 'BackfillRun', description: 'The run that each partition becomes.' });

const rangeBody = z
  .strictObject({
    workflow: ledgerName.optional().describe('An expected schedule of the domain.'),
    cadence: z.enum(CADENCES).optional().describe('Instead of a workflow, with `template`.'),
    template: templateBody.optional(),
    from: plainDate,
    to: plainDate,
    gaps_of_source: ledgerName.optional().describe('Only partitions without a watermark of this source.'),
    gaps_of_stage: ledgerName.optional().describe('Only partitions without a manifest row of this stage.'),
  })
  .meta({ id: 'BackfillRange', description: 'Partitions that are expected in a range of periods.' });

export const backfillBody = z
  .strictObject({
    domain: ledgerName,
    source: ledgerName,
    reason: z.enum(BACKFILL_REASONS),
    partition_keys: z
      .array(partitionKeyBody)
      .min(1)
      .max(MAX_BACKFILL_PARTITIONS)
      .optional()
      .describe('In the order they are done in; the same key twice counts once.'),
    range: rangeBody.optional().describe('Instead of partition_keys.'),
    run: runBody,
    concurrency: concurrency.optional(),
    max_attempts: maxAttempts.optional(),
    note: note.optional(),
    created_by: ledgerName.optional().describe('Default api.'),
  })
  .refine((body) => (body.partition_keys === undefined) !== (body.range === undefined), {
    path: ['partition_keys'],
    message: 'give either partition_keys or range',
  })
  .meta({ id: 'BackfillRequest' });
export type BackfillBody = z.infer<typeof backfillBody>;

export const backfillLimitsBody = z
  .strictObject({
    concurrency: concurrency.optional(),
    max_attempts: maxAttempts.optional(),
    note: note.optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), 'give at least one field')
  .meta({ id: 'BackfillLimits' });
export type BackfillLimitsBody = z.infer<typeof backfillLimitsBody>;

/** A validated body as a spec of these partitions. */
export function backfillSpec(body: BackfillBody, partitionKeys: readonly PartitionKey[]): BackfillSpec {
  const { run } = body;
  return {
    domain: body.domain,
    source: body.source,
    reason: body.reason,
    partitionKeys,
    run: {
      kind: run.kind,
      name: run.name,
      ...(run.params === undefined ? {} : { params: run.params }),
      ...(run.lane === undefined ? {} : { lane: run.lane }),
      ...(run.priority === undefined ? {} : { priority: run.priority }),
      ...(run.max_retries === undefined ? {} : { maxRetries: run.max_retries }),
      ...(run.timeout_seconds === undefined ? {} : { timeoutSeconds: run.timeout_seconds }),
    },
    ...(body.concurrency === undefined ? {} : { concurrency: body.concurrency }),
    ...(body.max_attempts === undefined ? {} : { maxAttempts: body.max_attempts }),
    ...(body.note === undefined ? {} : { note: body.note }),
    ...(body.created_by === undefined ? {} : { createdBy: body.created_by }),
  };
}
