import { comparePlainDates, type PlainDate } from '../temporal/plain-date.ts';
import type { AdjustmentFactor } from './adjustment-factor.ts';
import type { Decimal } from './decimal.ts';
import { Rational } from './rational.ts';

/**
 * The adjustments of one metric, oldest first. The caller decides which fields an adjustment concerns: a split changes
 * share counts, prices and earnings per share, and neither revenue nor market value.
 *
 * A factor says how many new units an old one is. **Quantities** (shares, volumes) are therefore multiplied: `adjust`.
 * **Per-unit values** (prices, earnings per share) are divided: `unadjust` takes an old price to the new basis.
 *
 * Immutable. Everything is exact: `unadjust(adjust(x))` is x for every x, and the order in which factors were added
 * changes nothing. Round once, at the end, with `toDecimal(places)`.
 */
export class AdjustmentChain {
  /** By effective date, those of one day in the order they were given. */
  readonly factors: readonly AdjustmentFactor[];

  constructor(factors: Iterable<AdjustmentFactor> = []) {
    this.factors = Object.freeze(
      [...factors].sort((a, b) => comparePlainDates(a.effectiveDate, b.effectiveDate)),
    );
    Object.freeze(this);
  }

  /** This chain and one factor more. */
  with(factor: AdjustmentFactor): AdjustmentChain {
    return new AdjustmentChain([...this.factors, factor]);
  }

  /** The product of all factors; 1 for none. */
  get compositeFactor(): Rational {
    return product(this.factors);
  }

  /** The product of the factors effective on or before `date`. */
  compositeAsOf(date: PlainDate): Rational {
    return product(this.factors.filter(({ effectiveDate }) => effectiveDate <= date));
  }

  /** `value` times the composite factor. */
  adjust(value: Rational | Decimal): Rational {
    return exact(value).times(this.compositeFactor);
  }

  /** `value` divided by the composite factor: the inverse of `adjust`. */
  unadjust(value: Rational | Decimal): Rational {
    return exact(value).over(this.compositeFactor);
  }

  /** As `adjust`, with only the factors effective on or before `date`: what was known to apply by then. */
  adjustAsOf(value: Rational | Decimal, date: PlainDate): Rational {
    return exact(value).times(this.compositeAsOf(date));
  }

  /** The inverse of `adjustAsOf`. */
  unadjustAsOf(value: Rational | Decimal, date: PlainDate): Rational {
    return exact(value).over(this.compositeAsOf(date));
  }

  /**
   * How many units of the day `to` one unit of the day `from` is: the product of the factors that became effective
   * after `from` and by `to`, or its inverse when `to` is the earlier day. Multiply a quantity observed on `from` by
   * it, divide a price.
   */
  factorBetween(from: PlainDate, to: PlainDate): Rational {
    return this.compositeAsOf(to).over(this.compositeAsOf(from));
  }
}

function product(factors: readonly AdjustmentFactor[]): Rational {
  return factors.reduce((composite, { factor }) => composite.times(factor), Rational.ONE);
}

function exact(value: Rational | Decimal): Rational {
  return value instanceof Rational ? value : Rational.fromDecimal(value);
}
