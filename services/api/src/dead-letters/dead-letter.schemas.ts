import { z } from 'zod';
import { ERROR_CATEGORIES, RUN_KINDS } from '@spine/core';
import type { RunKind } from '@spine/core';
import type { DeadLetterFilter } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { flag, instant, once, text } from '../http/query-values.ts';

export const deadLetterListQuery = z.strictObject({
  handler: text(220).optional().describe('Handler name, with or without its kind: fail or task:fail.'),
  error_category: once(z.enum(ERROR_CATEGORIES)).optional(),
  since: instant.optional().describe('Created at or after.'),
  until: instant.optional().describe('Created before.'),
  resolved: flag.optional().describe('true: only resolved ones; false: only pending ones.'),
  ...cursorPaging,
});
export type DeadLetterListQuery = z.infer<typeof deadLetterListQuery>;

function isKind(text: string): text is RunKind {
  return RUN_KINDS.some((kind) => kind === text);
}

/** `kind:name` or a name alone. Names hold no colon. */
export function handlerFilter(handler: string): Pick<DeadLetterFilter, 'kind' | 'name'> {
  const [kind = '', name] = handler.split(':', 2);
  return name !== undefined && isKind(kind) ? { kind, name } : { name: handler };
}

export function deadLetterFilter(query: DeadLetterListQuery): DeadLetterFilter {
  const { handler, error_category, since, until, resolved } = query;
  return {
    ...(handler === undefined ? {} : handlerFilter(handler)),
    ...(error_category === undefined ? {} : { errorCategory: error_category }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(resolved === undefined ? {} : { resolved }),
  };
}

/** Who decided, where nobody says. */
export const DEFAULT_BY = 'api';

export const resolveBody = z
  .strictObject({
    note: z.string().max(2_000).optional().describe('Why, for whoever reads it later.'),
    resolved_by: z.string().min(1).max(200).optional().describe('Who decided. Default api.'),
  })
  .optional()
  .meta({ id: 'ResolveRequest' });
export type ResolveBody = z.infer<typeof resolveBody>;

export const replayedJson = z
  .object({
    run_id: z.string().describe('The new run.'),
    dead_letter_id: z.string(),
    retry_of_run_id: z.string().describe('The run that had failed.'),
  })
  .meta({ id: 'DeadLetterReplayed' });
