import { handlerKey } from '@spine/core';
import type { DeadLetterCounts, DeadLetterGroup } from '@spine/database';

export interface DeadLetterStats extends DeadLetterCounts {
  /** Days back that `resolved` and `replayed` cover; `pending` covers all. */
  readonly closedDays: number;
  /** By handler key (`kind:name`), most pending first. */
  readonly byHandler: readonly (DeadLetterCounts & { readonly handler: string })[];
  readonly byCategory: readonly (DeadLetterCounts & { readonly errorCategory: string })[];
  /** By both. */
  readonly groups: readonly DeadLetterGroup[];
}

const NONE: DeadLetterCounts = { pending: 0, resolved: 0, replayed: 0, oldestPendingAt: null };

function older(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a <= b ? a : b;
}

function add(a: DeadLetterCounts, b: DeadLetterCounts): DeadLetterCounts {
  return {
    pending: a.pending + b.pending,
    resolved: a.resolved + b.resolved,
    replayed: a.replayed + b.replayed,
    oldestPendingAt: older(a.oldestPendingAt, b.oldestPendingAt),
  };
}

function sumBy(groups: readonly DeadLetterGroup[], keyOf: (group: DeadLetterGroup) => string) {
  const sums = new Map<string, DeadLetterCounts>();
  for (const group of groups) sums.set(keyOf(group), add(sums.get(keyOf(group)) ?? NONE, group));
  return [...sums].sort(([, a], [, b]) => b.pending - a.pending);
}

/** Adds up groups by handler and by category. */
export function deadLetterStats(closedDays: number, groups: readonly DeadLetterGroup[]): DeadLetterStats {
  return {
    ...groups.reduce<DeadLetterCounts>(add, NONE),
    closedDays,
    byHandler: sumBy(groups, ({ kind, name }) => handlerKey(kind, name)).map(([handler, counts]) => ({
      handler,
      ...counts,
    })),
    byCategory: sumBy(groups, (group) => group.errorCategory).map(([errorCategory, counts]) => ({
      errorCategory,
      ...counts,
    })),
    groups,
  };
}
