/** A symbol's volume over six weeks. */
import { RollingWindow, rollingStatistics, TrendDirection, trendOf } from '@spine/core';
import type { Decimal, PeriodValue, WeekEnding } from '@spine/core';
import type { CalcVersion } from './calc-versions.ts';
import { AVERAGE_PLACES } from './symbol-summary.ts';

/** Weeks of the window. */
export const ROLLING_WEEKS = 6;

export const ROLLING_WINDOW = new RollingWindow<WeekEnding>({
  size: ROLLING_WEEKS,
  stepBack: (week) => week.previous(),
});

/** What a symbol traded in one week. */
export interface WeekVolume {
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
}

export interface RollingVolume {
  /** Weeks of the window in which the symbol was traded. A week without it is a gap, not a zero. */
  readonly weeksPresent: number;
  /** Whether those are all. */
  readonly isComplete: boolean;
  /** Over the weeks present, rounded half-even to 6 places. */
  readonly avgShares: Decimal;
  readonly minShares: Decimal;
  readonly maxShares: Decimal;
  readonly avgTrades: Decimal;
  /** FLAT for a single week. */
  readonly trend: TrendDirection;
}

type Weeks = readonly PeriodValue<WeekEnding, Decimal>[];

/** How each version tells the trend. A version that was released never changes. */
const TRENDS: Readonly<Record<string, (weeks: Weeks) => TrendDirection>> = {
  // The last week against the first one there is.
  v1: (weeks) => {
    const [first, last] = [weeks[0]?.value, weeks.at(-1)?.value];
    if (first === undefined || last === undefined || first.eq(last)) return TrendDirection.FLAT;
    return last.gt(first) ? TrendDirection.UP : TrendDirection.DOWN;
  },
  // The direction of the line of least squares through all of them.
  v2: (weeks) => trendOf(weeks)?.direction ?? TrendDirection.FLAT,
};

/** The versions that this code computes. */
export const ROLLING_VERSIONS: readonly string[] = Object.keys(TRENDS);

/** The window that ends with `week`; null for a symbol in none of its weeks. */
export function rollingVolume(
  week: WeekEnding,
  volumes: ReadonlyMap<string, WeekVolume>,
  version: CalcVersion,
): RollingVolume | null {
  const trend = TRENDS[version];
  if (trend === undefined) throw new RangeError(`rolling ${version} is not a version`);
  const { aggregates, periodsPresent, isComplete } = ROLLING_WINDOW.compute(
    week,
    ({ date }) => volumes.get(date),
    (present) => {
      const shares = present.map((each) => ({ ...each, value: each.value.totalShares }));
      const trades = present.map((each) => ({ ...each, value: each.value.totalTrades }));
      const { avg, min, max } = rollingStatistics(shares, { places: AVERAGE_PLACES });
      return {
        avgShares: avg,
        minShares: min,
        maxShares: max,
        avgTrades: rollingStatistics(trades, { places: AVERAGE_PLACES }).avg,
        trend: trend(shares),
      };
    },
  );
  return aggregates === null ? null : { ...aggregates, weeksPresent: periodsPresent, isComplete };
}
