import { ValidationError } from '../errors/permanent.ts';
import { Decimal, sumDecimals } from '../finance/decimal.ts';
import { Rational } from '../finance/rational.ts';
import type { PeriodValue } from './window.ts';
import { trendOf, type Trend } from './trend.ts';

export interface RollingStatistics {
  /** Exact. */
  readonly sum: Decimal;
  /** The mean of the periods that had data, rounded half-even to `places`. */
  readonly avg: Decimal;
  readonly min: Decimal;
  readonly max: Decimal;
  /** The middle value, or the mean of the two in the middle, rounded as the average. */
  readonly median: Decimal;
  /** Null for fewer than two periods with data. */
  readonly trend: Trend | null;
}

export interface StatisticsOptions {
  /** Digits after the point of `avg` and `median`, 0 to 40. Default 6. */
  readonly places?: number;
  /** Passed to `trendOf`. Default 0. */
  readonly flatWithin?: Decimal;
}

/**
 * An aggregate for `RollingWindow.compute`: what is usually asked of a series of amounts. Throws ValidationError for an
 * empty series and for values that are not finite.
 */
export function rollingStatistics<P>(
  present: readonly PeriodValue<P, Decimal>[],
  { places = 6, flatWithin }: StatisticsOptions = {},
): RollingStatistics {
  const sorted = ascending(present.map(({ value }) => value));
  const sum = sumDecimals(sorted);
  return {
    sum,
    avg: Rational.fromDecimal(sum)
      .over(Rational.of(BigInt(sorted.length)))
      .toDecimal(places),
    min: Decimal.min(...sorted),
    max: Decimal.max(...sorted),
    median: percentileOfSorted(sorted, HALF).toDecimal(places),
    trend: trendOf(present, flatWithin),
  };
}

/**
 * The `fraction` percentile (0 to 1) by linear interpolation between the closest ranks, exact; 0 is the smallest value,
 * 1 the largest, 1/2 the median. The same as Postgres' percentile_cont.
 *
 * Source: R. J. Hyndman, Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996),
 * definition 7.
 * Throws ValidationError for no values, one that is not finite, and a fraction outside 0 to 1.
 */
export function percentile(values: readonly Decimal[], fraction: Rational): Rational {
  if (fraction.compare(ZERO) < 0 || fraction.compare(Rational.ONE) > 0) {
    throw new ValidationError(`fraction: ${fraction.toString()} is no percentile; allowed are 0 to 1`);
  }
  return percentileOfSorted(ascending(values), fraction);
}

const ZERO = Rational.of(0n);
const HALF = Rational.of(1n, 2n);

function percentileOfSorted(sorted: readonly Decimal[], fraction: Rational): Rational {
  const rank = fraction.times(Rational.of(BigInt(sorted.length - 1)));
  const floor = rank.numerator / rank.denominator;
  const low = at(sorted, Number(floor));
  const beyond = rank.minus(Rational.of(floor));
  // At the last rank there is no next value, and nothing of it is asked for.
  const high = beyond.equals(ZERO) ? low : at(sorted, Number(floor) + 1);
  return low.plus(high.minus(low).times(beyond));
}

function at(sorted: readonly Decimal[], index: number): Rational {
  return Rational.fromDecimal(sorted[index] ?? new Decimal(Number.NaN));
}

function ascending(values: readonly Decimal[]): Decimal[] {
  const strange = values.findIndex((value) => !value.isFinite());
  if (strange >= 0 || values.length === 0) {
    throw new ValidationError(
      values.length === 0
        ? 'values: there are none; allowed are one or more'
        : `values[${strange}]: ${String(values[strange])} is no number; allowed are finite decimals`,
    );
  }
  return [...values].sort((a, b) => a.comparedTo(b));
}
