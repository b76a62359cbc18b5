/** The JSON of dead letter statistics: the one place where their camelCase becomes snake_case. */
import { z } from 'zod';
import { RUN_KINDS } from '@spine/core';
import type { DeadLetterCounts } from '@spine/database';
import type { DeadLetterStats } from './stats.ts';

const counts = {
  pending: z.int().describe('Waiting for somebody.'),
  resolved: z.int().describe('Closed without a replay in the last `closed_days` days.'),
  replayed: z.int().describe('Closed by a replay in the last `closed_days` days.'),
  oldest_pending_at: z.iso.datetime().nullable(),
};

export const deadLetterStatsJson = z
  .object({
    closed_days: z.int().describe('Days that `resolved` and `replayed` cover; `pending` covers all.'),
    ...counts,
    by_handler: z.array(z.object({ handler: z.string().describe('kind:name'), ...counts })),
    by_category: z.array(z.object({ error_category: z.string(), ...counts })),
    groups: z
      .array(z.object({ kind: z.enum(RUN_KINDS), name: z.string(), error_category: z.string(), ...counts }))
      .describe('By both.'),
  })
  .meta({ id: 'DeadLetterStats', description: 'How many dead letters there are, most pending first.' });

export type DeadLetterStatsJson = z.infer<typeof deadLetterStatsJson>;

function countsJson({ pending, resolved, replayed, oldestPendingAt }: DeadLetterCounts) {
  return {
    pending,
    resolved,
    replayed,
    oldest_pending_at: oldestPendingAt === null ? null : oldestPendingAt.toISOString(),
  };
}

export function toDeadLetterStatsJson(stats: DeadLetterStats): DeadLetterStatsJson {
  return {
    closed_days: stats.closedDays,
    ...countsJson(stats),
    by_handler: stats.byHandler.map((each) => ({ handler: each.handler, ...countsJson(each) })),
    by_category: stats.byCategory.map((each) => ({
      error_category: each.errorCategory,
      ...countsJson(each),
    })),
    groups: stats.groups.map((each) => ({
      kind: each.kind,
      name: each.name,
      error_category: each.errorCategory,
      ...countsJson(each),
    })),
  };
}
