/** Which runs a bulk action is about: the filter of GET /runs as a JSON body, over the states the action is for. */
import { z } from 'zod';
import { RUN_KINDS } from '@spine/core';
import type { RunStatus } from '@spine/core';
import type { RunFilter } from '@spine/database';
import { LIMITS } from '@spine/execution';
import { instant } from '../http/query-values.ts';
import { BATCH_FILTER, runFilter, sayTheSame, WORKFLOW_FILTER } from './run.schemas.ts';

/** @param defaults what holds where the body names no status. */
export function bulkFilter<const S extends RunStatus>(
  statuses: readonly S[],
  defaults: readonly RunStatus[],
) {
  const fields = z.strictObject({
    kind: z.enum(RUN_KINDS).optional(),
    status: z
      .array(z.enum(statuses))
      .min(1)
      .max(statuses.length)
      .optional()
      .describe(`Default ${defaults.join(', ')}.`),
    name: z.string().min(1).max(200).optional().describe('Handler name without its kind.'),
    lane: z.string().regex(LIMITS.lane).optional(),
    workflow: z.string().min(1).max(200).optional().describe(WORKFLOW_FILTER),
    correlation_id: z.string().min(1).max(LIMITS.keyLength).optional(),
    batch_id: z.string().min(1).max(LIMITS.keyLength).optional().describe(BATCH_FILTER),
    parent_run_id: z.uuid().optional(),
    tag: z.string().min(1).max(LIMITS.tagLength).optional(),
    since: instant.optional().describe('Created at or after.'),
    until: instant.optional().describe('Created before.'),
  });
  return fields.superRefine((given, ctx) => sayTheSame({ ...given, status: undefined }, ctx));
}

export type BulkFilter = z.infer<ReturnType<typeof bulkFilter<RunStatus>>>;

export function toRunFilter(given: BulkFilter): RunFilter {
  return runFilter({ ...given, status: given.status === undefined ? undefined : [...new Set(given.status)] });
}

export const dryRun = z
  .boolean()
  .default(false)
  .describe('True: changes nothing and tells what would happen.');
