import { ValidationError } from '../errors/permanent.ts';
import { Decimal, sumDecimals } from './decimal.ts';

export const Concentration = {
  UNCONCENTRATED: 'UNCONCENTRATED',
  MODERATE: 'MODERATE',
  HIGH: 'HIGH',
} as const;
export type Concentration = (typeof Concentration)[keyof typeof Concentration];

export interface Hhi {
  /** 0 to 1; 1 is a single holder, 1/n is n equal ones. */
  readonly index: Decimal;
  /** The same on the customary scale, 0 to 10,000. */
  readonly points: Decimal;
  readonly concentration: Concentration;
}

/**
 * The Herfindahl-Hirschman index: the sum of the squared market shares. Null for no shares at all.
 *
 * Source: U.S. Department of Justice and Federal Trade Commission, Merger Guidelines (2023), section 2.1 and its
 * footnotes: over 1,800 points a market is highly concentrated; from 1,000 on the Department calls it moderately so.
 *
 * Exact for shares of up to 24 places. Throws ValidationError for a share outside 0..1 and for shares that do not sum to exactly 1 (see `shares`): an
 * index over a part of a market would look less concentrated than the market is.
 */
export function hhi(marketShares: readonly Decimal[]): Hhi | null {
  if (marketShares.length === 0) return null;
  marketShares.forEach((share, index) => {
    if (share.gte(0) && share.lte(1)) return;
    throw new ValidationError(`shares[${index}]: ${share.toString()} is no share; allowed are 0 to 1`);
  });
  const sum = sumDecimals(marketShares);
  if (!sum.eq(1)) {
    throw new ValidationError(`shares: they sum to ${sum.toString()}; allowed is exactly 1`);
  }
  const index = marketShares.reduce((total, share) => total.plus(share.times(share)), new Decimal(0));
  const points = index.times(10_000);
  return { index, points, concentration: concentrationOf(points) };
}

/** What an index of `points` (0 to 10,000) is called. */
export function concentrationOf(points: Decimal): Concentration {
  if (points.gt(1_800)) return Concentration.HIGH;
  return points.gte(1_000) ? Concentration.MODERATE : Concentration.UNCONCENTRATED;
}
