/** Queries and answers of the endpoint of quality results. */
import { z } from 'zod';
import { CHECK_NAME, QUALITY_CATEGORIES, QUALITY_STATUSES } from '@spine/core';
import type { QualityFilter, StoredQualityResult } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { instant, once, text } from '../http/query-values.ts';
import { partitionKeyQuery } from './partition-key.schemas.ts';
import { needsDomain } from './needs-domain.ts';

export const qualityListQuery = z
  .strictObject({
    domain: text(200).optional(),
    partition_key: partitionKeyQuery.optional().describe('JSON of a partition key. Needs `domain`.'),
    run_id: once(z.uuid()).optional(),
    status: once(z.enum(QUALITY_STATUSES)).optional(),
    check_name: once(z.string().regex(CHECK_NAME)).optional().describe('Needs `domain`.'),
    since: instant.optional().describe('Stored at or after.'),
    until: instant.optional().describe('Stored before.'),
    ...cursorPaging,
  })
  .superRefine(needsDomain('partition_key', 'check_name'));
export type QualityListQuery = z.infer<typeof qualityListQuery>;

export function qualityFilter(query: QualityListQuery): QualityFilter {
  const { domain, partition_key, run_id, status, check_name, since, until } = query;
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(partition_key === undefined ? {} : { partitionKey: partition_key }),
    ...(run_id === undefined ? {} : { runId: run_id }),
    ...(status === undefined ? {} : { status }),
    ...(check_name === undefined ? {} : { checkName: check_name }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export const qualityResultJson = z
  .object({
    result_id: z.string(),
    domain: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    stage: z.string().nullable(),
    check_name: z.string(),
    category: z.enum(QUALITY_CATEGORIES),
    status: z.enum(QUALITY_STATUSES),
    message: z.string(),
    actual_value: z.string().nullable().describe('As text, digit by digit.'),
    expected_value: z.string().nullable(),
    run_id: z.string(),
    batch_id: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'QualityResult', description: 'What one check found in one partition.' });
export type QualityResultJson = z.infer<typeof qualityResultJson>;

export function toQualityResultJson(result: StoredQualityResult): QualityResultJson {
  return {
    result_id: result.resultId,
    domain: result.domain,
    partition_key: result.partitionKey,
    stage: result.stage,
    check_name: result.checkName,
    category: result.category,
    status: result.status,
    message: result.message,
    actual_value: result.actualValue,
    expected_value: result.expectedValue,
    run_id: result.runId,
    batch_id: result.batchId,
    created_at: result.createdAt.toISOString(),
  };
}
