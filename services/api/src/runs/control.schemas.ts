/** Bodies and answers of the endpoints that stop and resume runs. */
import { z } from 'zod';
import { assertNever, RUN_STATUSES } from '@spine/core';
import { ACTIVE_STATUSES } from '@spine/database';
import type { RunFilter } from '@spine/database';
import { CANCEL_LIMIT } from '@spine/execution';
import type { CancelAllItem, CancelAllResult } from '@spine/execution';
import { bulkFilter, dryRun, toRunFilter } from './bulk-filter.ts';

const reason = z.string().max(1_000).optional().describe('Kept in the run’s history.');

export const pauseBody = z.strictObject({ reason }).optional().meta({ id: 'PauseRequest' });
export type PauseBody = z.infer<typeof pauseBody>;

export const pausedJson = z
  .object({ run_id: z.string(), status: z.literal('paused'), previous_status: z.enum(RUN_STATUSES) })
  .meta({ id: 'RunPaused' });

export const resumedJson = z
  .object({ run_id: z.string(), status: z.enum(['pending', 'queued']) })
  .meta({ id: 'RunResumed' });

const filter = bulkFilter(ACTIVE_STATUSES, ACTIVE_STATUSES).describe(
  'Which runs, of those that have not ended; {} for all.',
);

export const bulkCancelBody = z
  .strictObject({
    filter,
    dry_run: dryRun,
    limit: z
      .int()
      .min(1)
      .max(CANCEL_LIMIT)
      .default(CANCEL_LIMIT)
      .describe(`Runs handled, not counting what they have started. Default ${CANCEL_LIMIT}.`),
    reason,
  })
  .meta({ id: 'RunBulkCancelRequest' });
export type BulkCancelBody = z.infer<typeof bulkCancelBody>;

export function cancelFilter({ filter: given }: BulkCancelBody): RunFilter {
  return toRunFilter(given);
}

const itemJson = z.object({
  run_id: z.string(),
  outcome: z
    .enum(['cancelled', 'would_cancel', 'ended', 'gone'])
    .describe('ended: it was over before the cancel; gone: it was deleted.'),
  status: z.enum(RUN_STATUSES).nullable().describe('Before it was cancelled, or as it ended.'),
  descendants: z.int().describe('Runs it had started that were cancelled with it.'),
});

export const bulkCancelJson = z
  .object({
    dry_run: z.boolean(),
    matched: z.int().describe('Runs that matched, counted up to 10,000.'),
    matched_is_capped: z.boolean(),
    cancelled: z.int().describe('Of the items.'),
    descendants: z.int().describe('Cancelled with them.'),
    items: z.array(itemJson),
  })
  .meta({ id: 'RunsCancelled', description: 'Every run that was handled.' });
export type BulkCancelJson = z.infer<typeof bulkCancelJson>;

function toItemJson(item: CancelAllItem): z.infer<typeof itemJson> {
  const { runId: run_id, type: outcome } = item;
  switch (item.type) {
    case 'cancelled':
      return { run_id, outcome, status: item.from, descendants: item.descendants };
    case 'ended':
      return { run_id, outcome, status: item.status, descendants: 0 };
    case 'would_cancel':
    case 'gone':
      return { run_id, outcome, status: null, descendants: 0 };
    default:
      return assertNever(item);
  }
}

export function toBulkCancelJson(dryRun: boolean, result: CancelAllResult): BulkCancelJson {
  const items = result.items.map(toItemJson);
  return {
    dry_run: dryRun,
    matched: result.matched,
    matched_is_capped: result.matchedIsCapped,
    cancelled: items.filter(({ outcome }) => outcome === 'cancelled').length,
    descendants: items.reduce((sum, { descendants }) => sum + descendants, 0),
    items,
  };
}
