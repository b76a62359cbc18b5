/** Queries and answers of the work item endpoints. */
import { z } from 'zod';
import { PRIORITIES, WORK_ITEM_STATES } from '@spine/core';
import type { WorkItem } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { once, text } from '../http/query-values.ts';
import { partitionKeyQuery } from './partition-key.schemas.ts';

export const workItemListQuery = z.strictObject({
  domain: text(200).optional(),
  workflow: text(200).optional(),
  state: once(z.enum(WORK_ITEM_STATES)).optional(),
  partition_key: partitionKeyQuery.optional().describe('JSON of the partition’s key.'),
  ...cursorPaging,
});
export type WorkItemListQuery = z.infer<typeof workItemListQuery>;

const instant = z.iso.datetime();

export const workItemJson = z
  .object({
    work_item_id: z.string(),
    domain: z.string(),
    workflow: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    params: z.record(z.string(), z.unknown()),
    desired_at: instant,
    priority: z.enum(PRIORITIES),
    state: z.enum(WORK_ITEM_STATES),
    attempt_count: z.int(),
    max_attempts: z.int(),
    last_error: z.string().nullable(),
    last_error_at: instant.nullable(),
    next_attempt_at: instant.nullable(),
    latest_run_id: z.string().nullable(),
    locked_by: z.string().nullable(),
    locked_at: instant.nullable(),
    locked_until: instant.nullable(),
    completed_at: instant.nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'WorkItem', description: 'Desired work: that a workflow be done for a partition.' });

function at(instantOf: Date | null): string | null {
  return instantOf === null ? null : instantOf.toISOString();
}

export function toWorkItemJson(item: WorkItem): z.infer<typeof workItemJson> {
  return {
    work_item_id: item.workItemId,
    domain: item.domain,
    workflow: item.workflow,
    partition_key: item.partitionKey,
    params: item.params,
    desired_at: item.desiredAt.toISOString(),
    priority: item.priority,
    state: item.state,
    attempt_count: item.attemptCount,
    max_attempts: item.maxAttempts,
    last_error: item.lastError,
    last_error_at: at(item.lastErrorAt),
    next_attempt_at: at(item.nextAttemptAt),
    latest_run_id: item.latestRunId,
    locked_by: item.lockedBy,
    locked_at: at(item.lockedAt),
    locked_until: at(item.lockedUntil),
    completed_at: at(item.completedAt),
    created_at: item.createdAt.toISOString(),
    updated_at: item.updatedAt.toISOString(),
  };
}
