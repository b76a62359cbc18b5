/** The JSON of backfills: the one place where their camelCase becomes snake_case. */
import { z } from 'zod';
import {
  BACKFILL_PARTITION_STATUSES,
  BACKFILL_REASONS,
  BACKFILL_RUN_KINDS,
  BACKFILL_STATUSES,
  PRIORITIES,
} from '@spine/core';
import type { BackfillPartitionStatus } from '@spine/core';
import type { Backfill, BackfillPartition } from '@spine/database';

const instant = z.iso.datetime();
const partitionKey = z.record(z.string(), z.unknown());

const partitionErrorJson = z
  .object({ type: z.string(), message: z.string(), category: z.string(), retryable: z.boolean() })
  .meta({ id: 'BackfillPartitionError' });

export const backfillJson = z
  .object({
    backfill_id: z.string(),
    domain: z.string(),
    source: z.string(),
    reason: z.enum(BACKFILL_REASONS),
    status: z.enum(BACKFILL_STATUSES),
    run: z.object({
      kind: z.enum(BACKFILL_RUN_KINDS),
      name: z.string(),
      params: z.record(z.string(), z.unknown()),
      lane: z.string(),
      priority: z.enum(PRIORITIES),
      max_retries: z.int().nullable(),
      timeout_seconds: z.number().nullable(),
    }),
    concurrency: z.int(),
    max_attempts: z.int(),
    total: z.int(),
    completed: z.int(),
    failed: z.int(),
    progress_pct: z.number().describe('Partitions that are done, rounded down to two decimals.'),
    checkpoint: z.unknown(),
    note: z.string().nullable(),
    created_by: z.string(),
    created_at: instant,
    started_at: instant.nullable(),
    completed_at: instant.nullable(),
    updated_at: instant,
  })
  .meta({ id: 'Backfill' });
export type BackfillJson = z.infer<typeof backfillJson>;

export const backfillPartitionJson = z
  .object({
    ordinal: z.int().describe('Its place in the plan, from 0.'),
    partition_key: partitionKey,
    status: z.enum(BACKFILL_PARTITION_STATUSES),
    attempts: z.int().describe('Runs it has had.'),
    failures: z.int().describe('Failed ones since the plan was started or resumed.'),
    run_id: z.string().nullable().describe('The last one.'),
    error: partitionErrorJson.nullable(),
    updated_at: instant,
  })
  .meta({ id: 'BackfillPartition' });
export type BackfillPartitionJson = z.infer<typeof backfillPartitionJson>;

export const backfillDetailJson = backfillJson
  .extend({
    partitions: z.object({
      pending: z.int(),
      running: z.int(),
      cancelling: z.int(),
      done: z.int(),
      failed: z.int(),
    }),
    failed_keys: z
      .array(z.object({ partition_key: partitionKey, error: partitionErrorJson.nullable() }))
      .describe('The first 100; all of them are in the list of partitions.'),
  })
  .meta({ id: 'BackfillDetail' });
export type BackfillDetailJson = z.infer<typeof backfillDetailJson>;

function at(instantOf: Date | null): string | null {
  return instantOf === null ? null : instantOf.toISOString();
}

export function toBackfillJson(plan: Backfill): BackfillJson {
  return {
    backfill_id: plan.backfillId,
    domain: plan.domain,
    source: plan.source,
    reason: plan.reason,
    status: plan.status,
    run: {
      kind: plan.runKind,
      name: plan.runName,
      params: plan.params,
      lane: plan.lane,
      priority: plan.priority,
      max_retries: plan.maxRetries,
      timeout_seconds: plan.timeoutMs === null ? null : plan.timeoutMs / 1_000,
    },
    concurrency: plan.concurrency,
    max_attempts: plan.maxAttempts,
    total: plan.total,
    completed: plan.completed,
    failed: plan.failed,
    progress_pct: plan.progressPct,
    checkpoint: plan.checkpoint,
    note: plan.note,
    created_by: plan.createdBy,
    created_at: plan.createdAt.toISOString(),
    started_at: at(plan.startedAt),
    completed_at: at(plan.completedAt),
    updated_at: plan.updatedAt.toISOString(),
  };
}

export function toBackfillPartitionJson(partition: BackfillPartition): BackfillPartitionJson {
  return {
    ordinal: partition.ordinal,
    partition_key: partition.partitionKey,
    status: partition.status,
    attempts: partition.attempts,
    failures: partition.failures,
    run_id: partition.runId,
    error: partition.error,
    updated_at: partition.updatedAt.toISOString(),
  };
}

export function toBackfillDetailJson(
  plan: Backfill,
  counts: Readonly<Record<BackfillPartitionStatus, number>>,
  failed: readonly BackfillPartition[],
): BackfillDetailJson {
  return {
    ...toBackfillJson(plan),
    partitions: {
      pending: counts.PENDING,
      running: counts.RUNNING,
      cancelling: counts.CANCELLING,
      done: counts.DONE,
      failed: counts.FAILED,
    },
    failed_keys: failed.map(({ partitionKey: partition_key, error }) => ({ partition_key, error })),
  };
}
