/** Bodies and answers of the endpoints that work on many runs. */
import { z } from 'zod';
import type { RunStatus } from '@spine/core';
import type { RunFilter } from '@spine/database';
import { DEFAULT_RETRIED, RETRY_LIMIT } from '@spine/execution';
import type { RetryAllItem, RetryAllResult } from '@spine/execution';
import { bulkFilter, dryRun, toRunFilter } from './bulk-filter.ts';

const RETRYABLE = [
  'failed',
  'timed_out',
  'dead_lettered',
  'cancelled',
] as const satisfies readonly RunStatus[];

const filter = bulkFilter(RETRYABLE, DEFAULT_RETRIED).describe(
  'Which runs, of those that nobody has retried; {} for all.',
);

export const bulkRetryBody = z
  .strictObject({
    filter,
    dry_run: dryRun,
    limit: z
      .int()
      .min(1)
      .max(RETRY_LIMIT)
      .default(RETRY_LIMIT)
      .describe(`The oldest first. Default ${RETRY_LIMIT}.`),
    requested_by: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Kept with the dead letters this closes. Default: the caller.'),
  })
  .meta({ id: 'RunBulkRetryRequest' });
export type BulkRetryBody = z.infer<typeof bulkRetryBody>;

export function retryFilter({ filter: given }: BulkRetryBody): RunFilter {
  return toRunFilter(given);
}

const itemJson = z.object({
  retry_of_run_id: z.string().describe('The run that had ended.'),
  outcome: z
    .enum(['retried', 'would_retry', 'skipped'])
    .describe(
      'skipped: somebody else retried it, closed its dead letter or deleted it, or its params are gone.',
    ),
  run_id: z.string().nullable().describe('The new run; null where there is none.'),
});

export const bulkRetryJson = z
  .object({
    dry_run: z.boolean(),
    matched: z.int().describe('Runs that matched, counted up to 10,000.'),
    matched_is_capped: z.boolean(),
    retried: z.int(),
    items: z.array(itemJson),
  })
  .meta({ id: 'RunsRetried', description: 'Every run that was handled, oldest first.' });

function toItemJson(item: RetryAllItem): z.infer<typeof itemJson> {
  return {
    retry_of_run_id: item.runId,
    outcome: item.type,
    run_id: item.type === 'retried' ? item.newRunId : null,
  };
}

export function toBulkRetryJson(dryRun: boolean, result: RetryAllResult): z.infer<typeof bulkRetryJson> {
  return {
    dry_run: dryRun,
    matched: result.matched,
    matched_is_capped: result.matchedIsCapped,
    retried: result.items.filter((item) => item.type === 'retried').length,
    items: result.items.map(toItemJson),
  };
}
