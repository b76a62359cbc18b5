/** Checks that several calculations share. */
import { QualityCategory, qualityFail, qualityPass, sumsTo } from '@spine/core';
import type { Decimal, QualityCheck } from '@spine/core';

interface Ranked {
  readonly rank: number;
}

interface Shared {
  readonly share: Decimal;
}

/** FAIL unless the shares sum to exactly 1. */
export function sharesSumToOne<C>(rows: (context: C) => readonly Shared[]): QualityCheck<C> {
  return sumsTo({
    name: 'shares_sum_to_one',
    expected: 1,
    values: (context) => rows(context).map(({ share }) => share),
  });
}

/** FAIL unless the ranks are 1 to n, each once. */
export function ranksConsecutive<C>(rows: (context: C) => readonly Ranked[]): QualityCheck<C> {
  return {
    name: 'ranks_consecutive',
    category: QualityCategory.INTEGRITY,
    check: (context) => {
      const ranks = rows(context)
        .map(({ rank }) => rank)
        .sort((a, b) => a - b);
      const wrong = ranks.findIndex((rank, index) => rank !== index + 1);
      if (wrong === -1) return qualityPass(`${ranks.length} ranks, 1 to ${ranks.length}`);
      return qualityFail(
        `rank ${wrong + 1} is missing or taken twice`,
        String(ranks[wrong]),
        String(wrong + 1),
      );
    },
  };
}
