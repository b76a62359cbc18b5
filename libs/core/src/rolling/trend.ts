import { ValidationError } from '../errors/permanent.ts';
import { Decimal } from '../finance/decimal.ts';
import { Rational } from '../finance/rational.ts';

export const TrendDirection = { UP: 'UP', DOWN: 'DOWN', FLAT: 'FLAT' } as const;
export type TrendDirection = (typeof TrendDirection)[keyof typeof TrendDirection];

/** A value at a place on the time axis, counted in whole periods. */
export interface TrendPoint {
  readonly position: number;
  readonly value: Decimal;
}

export interface Trend {
  /** The change of the fitted line in one period, exact. */
  readonly slope: Rational;
  readonly direction: TrendDirection;
}

const ZERO = new Decimal(0);

/**
 * The line of least squares through the points, slope = (n Σxy - Σx Σy) / (n Σx² - (Σx)²), computed exactly; x is the
 * position, so a gap of two weeks counts as two weeks. Null for fewer than two positions: one point has no direction.
 *
 * The direction is FLAT while a period changes the line by no more than `flatWithin` times the size of the mean: '0.01'
 * calls 1 % a week flat. Default 0: flat is a slope of exactly zero.
 *
 * Source: ordinary least squares, simple linear regression (NIST/SEMATECH e-Handbook of Statistical Methods, 4.1.4.1).
 * Throws ValidationError for a position that is no whole number, a value that is not finite, a negative `flatWithin`.
 */
export function trendOf(points: readonly TrendPoint[], flatWithin: Decimal = ZERO): Trend | null {
  if (flatWithin.isNegative() || !flatWithin.isFinite()) {
    throw new ValidationError(
      `flat_within: ${flatWithin.toString()} is no tolerance; allowed are numbers from 0`,
    );
  }
  let [sumX, sumXX] = [0n, 0n];
  let [sumY, sumXY] = [Rational.of(0n), Rational.of(0n)];
  for (const { position, value } of points) {
    const x = wholePosition(position);
    const y = Rational.fromDecimal(value);
    sumX += x;
    sumXX += x * x;
    sumY = sumY.plus(y);
    sumXY = sumXY.plus(y.times(Rational.of(x)));
  }
  const n = BigInt(points.length);
  const spread = n * sumXX - sumX * sumX;
  if (spread === 0n) return null;

  const slope = Rational.of(n).times(sumXY).minus(Rational.of(sumX).times(sumY)).over(Rational.of(spread));
  const mean = sumY.over(Rational.of(n));
  const tolerance = mean.abs().times(Rational.fromDecimal(flatWithin));
  return { slope, direction: directionOf(slope, tolerance) };
}

function directionOf(slope: Rational, tolerance: Rational): TrendDirection {
  if (slope.abs().compare(tolerance) <= 0) return TrendDirection.FLAT;
  return slope.isPositive ? TrendDirection.UP : TrendDirection.DOWN;
}

function wholePosition(position: number): bigint {
  if (Number.isSafeInteger(position)) return BigInt(position);
  throw new ValidationError(`position: ${position} is not a place in a window; allowed are whole numbers`);
}
