import { ValidationError } from '../errors/permanent.ts';
import type { JsonObject } from '../json/json-value.ts';
import { parsePlainDate, type PlainDate } from '../temporal/plain-date.ts';
import type { Decimal } from './decimal.ts';
import { Rational } from './rational.ts';

/** Why a metric changed its unit. */
export const AdjustmentMethod = {
  SPLIT: 'SPLIT',
  REVERSE_SPLIT: 'REVERSE_SPLIT',
  STOCK_DIVIDEND: 'STOCK_DIVIDEND',
  DIVIDEND: 'DIVIDEND',
  SPECIAL_DIVIDEND: 'SPECIAL_DIVIDEND',
  SPINOFF: 'SPINOFF',
  RIGHTS: 'RIGHTS',
  MERGER: 'MERGER',
  REDENOMINATION: 'REDENOMINATION',
  OTHER: 'OTHER',
} as const;
export type AdjustmentMethod = (typeof AdjustmentMethod)[keyof typeof AdjustmentMethod];

/** From `effectiveDate` on, one old unit is `factor` new ones. Immutable. */
export interface AdjustmentFactor {
  /** The first day in the new unit (the ex-date). */
  readonly effectiveDate: PlainDate;
  /** More than zero: 2 for a 2-for-1 split, 1/10 for a 1-for-10 reverse split. */
  readonly factor: Rational;
  readonly method: AdjustmentMethod;
  readonly description: string;
  /** Where the factor comes from: vendor, announcement, the prices it was computed of. */
  readonly metadata: JsonObject;
}

export interface NewAdjustmentFactor {
  /** 'YYYY-MM-DD'. */
  readonly effectiveDate: string;
  /** As a ratio, or as text: '4', '0.1', '3:2'. */
  readonly factor: Rational | string;
  readonly method: AdjustmentMethod;
  /** Default ''. */
  readonly description?: string;
  /** Default {}. */
  readonly metadata?: JsonObject;
}

/** Throws ValidationError for what is no date, and for a factor that is no ratio or not more than zero. */
export function adjustmentFactor(given: NewAdjustmentFactor): AdjustmentFactor {
  const factor = typeof given.factor === 'string' ? Rational.parse(given.factor, 'factor') : given.factor;
  return Object.freeze({
    effectiveDate: parsePlainDate(given.effectiveDate, 'effective_date'),
    factor: positive(factor, 'factor'),
    method: given.method,
    description: given.description ?? '',
    metadata: Object.freeze({ ...given.metadata }),
  });
}

/**
 * A split that gives `newShares` for `oldShares`: new / old. 4 for 1 gives 4, 1 for 10 (a reverse split) gives 1/10, a
 * stock dividend of 5 % is 105 for 100. Throws ValidationError unless both are more than zero.
 */
export function splitFactor(newShares: Decimal, oldShares: Decimal): Rational {
  return positive(Rational.fromDecimal(newShares), 'new_shares').over(
    positive(Rational.fromDecimal(oldShares), 'old_shares'),
  );
}

/**
 * What leaves a share on its ex-date, a cash dividend or the value of a spun-off share: P / (P - D), with P the last
 * close before the ex-date. Prices before it are divided by this, which is to multiply them by 1 - D / P.
 *
 * Source: Yahoo Finance Help, "What is the adjusted close?": historical prices are multiplied by 1 - dividend / close of
 * the day before the ex-date.
 * Throws ValidationError unless P is more than zero and D from 0 to less than P.
 */
export function distributionFactor(closeBefore: Decimal, distributed: Decimal): Rational {
  const close = positive(Rational.fromDecimal(closeBefore), 'close_before');
  const left = close.minus(Rational.fromDecimal(distributed));
  if (distributed.isNegative() || !left.isPositive) {
    throw new ValidationError(
      `distributed: ${distributed.toString()} cannot leave a share of ${closeBefore.toString()}; ` +
        'allowed are amounts from 0 to less than the close before',
    );
  }
  return close.over(left);
}

/**
 * A rights issue of `newShares` for `oldShares` at a subscription price: P / T, where T is the theoretical ex-rights
 * price (old × P + new × S) / (old + new).
 *
 * Source: IAS 33 Earnings per Share, paragraph A2 (fair value before exercise over theoretical ex-rights fair value).
 * Throws ValidationError unless all four are more than zero (the subscription price may be zero: a bonus issue).
 */
export function rightsFactor(rights: {
  readonly closeBefore: Decimal;
  readonly subscriptionPrice: Decimal;
  readonly newShares: Decimal;
  readonly oldShares: Decimal;
}): Rational {
  const close = positive(Rational.fromDecimal(rights.closeBefore), 'close_before');
  const fresh = positive(Rational.fromDecimal(rights.newShares), 'new_shares');
  const old = positive(Rational.fromDecimal(rights.oldShares), 'old_shares');
  const price = Rational.fromDecimal(rights.subscriptionPrice);
  if (!rights.subscriptionPrice.isZero()) positive(price, 'subscription_price');
  const exRights = old.times(close).plus(fresh.times(price)).over(old.plus(fresh));
  return close.over(exRights);
}

function positive(value: Rational, field: string): Rational {
  if (value.isPositive) return value;
  throw new ValidationError(`${field}: ${value.toString()} is not allowed; allowed is more than 0`, {
    issues: [{ field, code: 'not_positive', message: 'must be more than 0' }],
  });
}
