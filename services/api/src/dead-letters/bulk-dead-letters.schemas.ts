/** Bodies and answers of the endpoints that work on many dead letters. */
import { z } from 'zod';
import { ERROR_CATEGORIES } from '@spine/core';
import { BULK_LIMIT } from '@spine/execution';
import type {
  BulkOptions,
  BulkReplayItem,
  BulkResolveItem,
  BulkResult,
  PendingFilter,
} from '@spine/execution';
import { instant, wholeNumber } from '../http/query-values.ts';
import { handlerFilter } from './dead-letter.schemas.ts';

const filter = z
  .strictObject({
    handler: z.string().min(1).max(220).optional().describe('With or without its kind: fail or task:fail.'),
    error_category: z.enum(ERROR_CATEGORIES).optional(),
    since: instant.optional().describe('Created at or after.'),
    until: instant.optional().describe('Created before.'),
  })
  .describe('Which pending dead letters; {} for all.');

export const bulkBody = z
  .strictObject({
    filter,
    dry_run: z.boolean().default(false).describe('True: changes nothing and tells what would happen.'),
    limit: z.int().min(1).max(BULK_LIMIT).default(BULK_LIMIT).describe(`Default ${BULK_LIMIT}.`),
    order: z
      .enum(['oldest_first', 'newest_first'])
      .default('oldest_first')
      .describe('Which come first when there are more than the limit, and in which order they run.'),
    note: z.string().max(2_000).optional().describe('Why, kept with every letter.'),
    resolved_by: z.string().min(1).max(200).optional().describe('Who decided. Default: the caller.'),
  })
  .meta({ id: 'DeadLetterBulkRequest' });
export type BulkBody = z.infer<typeof bulkBody>;

export function pendingFilter({
  filter: { handler, error_category, since, until },
}: BulkBody): PendingFilter {
  return {
    ...(handler === undefined ? {} : handlerFilter(handler)),
    ...(error_category === undefined ? {} : { errorCategory: error_category }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

/** @param caller who decides where the body names nobody. */
export function bulkOptions(body: BulkBody, caller: string): BulkOptions {
  const { dry_run, limit, order, note, resolved_by } = body;
  return { dryRun: dry_run, limit, order, note: note ?? null, by: resolved_by ?? caller };
}

const found = {
  dry_run: z.boolean(),
  matched: z.int().describe('Pending letters that matched, counted up to 10,000.'),
  matched_is_capped: z.boolean(),
};

export const bulkReplayJson = z
  .object({
    ...found,
    replayed: z.int(),
    items: z.array(
      z.object({
        dead_letter_id: z.string(),
        outcome: z
          .enum(['replayed', 'would_replay', 'params_gone', 'already_resolved'])
          .describe('params_gone: large params are not where they were kept; the letter is still pending.'),
        run_id: z.string().nullable().describe('The new run; null where there is none.'),
        retry_of_run_id: z.string().describe('The run that had failed.'),
      }),
    ),
  })
  .meta({ id: 'DeadLettersReplayed', description: 'Every letter that was handled, in order.' });

export const bulkResolveJson = z
  .object({
    ...found,
    resolved: z.int(),
    items: z.array(
      z.object({
        dead_letter_id: z.string(),
        outcome: z.enum(['resolved', 'would_resolve', 'already_resolved']),
      }),
    ),
  })
  .meta({ id: 'DeadLettersResolved', description: 'Every letter that was handled, in order.' });

function foundJson(dryRun: boolean, { matched, matchedIsCapped }: BulkResult<unknown>) {
  return { dry_run: dryRun, matched, matched_is_capped: matchedIsCapped };
}

export function toBulkReplayJson(
  dryRun: boolean,
  result: BulkResult<BulkReplayItem>,
): z.infer<typeof bulkReplayJson> {
  return {
    ...foundJson(dryRun, result),
    replayed: result.items.filter((item) => item.type === 'replayed').length,
    items: result.items.map((item) => ({
      dead_letter_id: item.deadLetter.deadLetterId,
      outcome: item.type,
      run_id: item.type === 'replayed' ? item.runId : null,
      retry_of_run_id: item.deadLetter.runId,
    })),
  };
}

export function toBulkResolveJson(
  dryRun: boolean,
  result: BulkResult<BulkResolveItem>,
): z.infer<typeof bulkResolveJson> {
  return {
    ...foundJson(dryRun, result),
    resolved: result.items.filter((item) => item.type === 'resolved').length,
    items: result.items.map((item) => ({
      dead_letter_id: item.deadLetter.deadLetterId,
      outcome: item.type,
    })),
  };
}

const MAX_DAYS = 36_500;

export const purgeBody = z
  .strictObject({
    older_than_days: z.int().min(1).max(MAX_DAYS).describe('Resolved longer ago than this.'),
    dry_run: z.boolean().default(false).describe('True: deletes nothing and tells how many it would delete.'),
  })
  .meta({ id: 'DeadLetterPurgeRequest' });
export type PurgeBody = z.infer<typeof purgeBody>;

export const purgedJson = z
  .object({ dry_run: z.boolean(), older_than_days: z.int(), deleted: z.int().describe('Or would be.') })
  .meta({ id: 'DeadLettersPurged' });

export const statsQuery = z.strictObject({
  closed_days: wholeNumber(1, 365)
    .default(30)
    .describe('Days that `resolved` and `replayed` cover. Default 30.'),
});
export type StatsQuery = z.infer<typeof statsQuery>;
