/** Queries and answers of the endpoint of the manifest. */
import { z } from 'zod';
import type { ManifestFilter, ManifestRow } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { text } from '../http/query-values.ts';
import { needsDomain } from './needs-domain.ts';
import { keysetCursor, partitionKeyQuery } from './partition-key.schemas.ts';

export const manifestListQuery = z
  .strictObject({
    domain: text(200).optional(),
    stage: text(64).optional().describe('Needs `domain`.'),
    partition_key: partitionKeyQuery.optional().describe('JSON of a partition key. Needs `domain`.'),
    ...cursorPaging,
    cursor: keysetCursor,
  })
  .superRefine(needsDomain('stage', 'partition_key'));
export type ManifestListQuery = z.infer<typeof manifestListQuery>;

export function manifestFilter({ domain, stage, partition_key }: ManifestListQuery): ManifestFilter {
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(stage === undefined ? {} : { stage }),
    ...(partition_key === undefined ? {} : { partitionKey: partition_key }),
  };
}

export const manifestRowJson = z
  .object({
    domain: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    stage: z.string(),
    stage_rank: z.int().describe('Its place among the stages of the domain, as it was written.'),
    row_count: z.int().nullable(),
    metrics: z.record(z.string(), z.unknown()),
    run_id: z.string().describe('The run that reached the stage last.'),
    batch_id: z.string().nullable(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'ManifestRow', description: 'A stage that a partition has reached.' });
export type ManifestRowJson = z.infer<typeof manifestRowJson>;

export function toManifestRowJson(row: ManifestRow): ManifestRowJson {
  return {
    domain: row.domain,
    partition_key: row.partitionKey,
    stage: row.stage,
    stage_rank: row.stageRank,
    row_count: row.rowCount,
    metrics: row.metrics,
    run_id: row.runId,
    batch_id: row.batchId,
    updated_at: row.updatedAt.toISOString(),
  };
}
