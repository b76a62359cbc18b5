import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';
import { checkedPlaces, Decimal, isDecimalText, parseDecimal } from './decimal.ts';

const TWO_PARTS = /^([^:/]+)[:/]([^:/]+)$/;

/**
 * An exact fraction of integers of any size, in lowest terms with a positive denominator: a third stays a third, so
 * what was divided by 3 and multiplied by 3 is what it was. Immutable; compare with `equals` and `compare`.
 */
export class Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;

  static readonly ONE = Rational.of(1n);

  private constructor(numerator: bigint, denominator: bigint) {
    this.numerator = numerator;
    this.denominator = denominator;
    Object.freeze(this);
  }

  /** Throws ValidationError for a denominator of zero. */
  static of(numerator: bigint, denominator = 1n): Rational {
    if (denominator === 0n) {
      throw new ValidationError('denominator: 0 divides nothing; allowed are all other whole numbers');
    }
    const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
    return new Rational(numerator / divisor, denominator / divisor);
  }

  /** The exact value of a finite decimal. Throws ValidationError for infinities and NaN. */
  static fromDecimal(value: Decimal): Rational {
    if (!value.isFinite()) {
      throw new ValidationError(`value: ${value.toString()} is no number; allowed are finite decimals`);
    }
    const places = value.decimalPlaces();
    return Rational.of(BigInt(value.toFixed(places).replace('.', '')), 10n ** BigInt(places));
  }

  /**
   * 'a', 'a:b' or 'a/b' with decimals as `parseDecimal` takes them: '2', '0.5', '3:2', '1/3'. Throws ValidationError
   * naming `field`.
   */
  static parse(text: string, field = 'ratio'): Rational {
    // The length first: two decimals of 42 characters and the sign between them.
    const parts = text.length <= 85 ? (TWO_PARTS.exec(text)?.slice(1) ?? [text]) : [];
    const [over, under = '1'] = parts;
    if (!isDecimalText(over) || !isDecimalText(under) || parseDecimal(under).isZero()) {
      throw new ValidationError(
        `${field}: ${JSON.stringify(truncateText(text, 60))} is not a ratio; ` +
          "allowed are decimals such as '0.5', and two of them as '3:2' or '1/3', the second not zero",
        { issues: [{ field, code: 'invalid_ratio', message: "must be a decimal or two as '3:2'" }] },
      );
    }
    return Rational.fromDecimal(parseDecimal(over)).over(Rational.fromDecimal(parseDecimal(under)));
  }

  times(other: Rational): Rational {
    return Rational.of(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  /** Throws ValidationError when `other` is zero. */
  over(other: Rational): Rational {
    return Rational.of(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  plus(other: Rational): Rational {
    return Rational.of(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }

  minus(other: Rational): Rational {
    return this.plus(Rational.of(-other.numerator, other.denominator));
  }

  abs(): Rational {
    return this.numerator < 0n ? new Rational(-this.numerator, this.denominator) : this;
  }

  /** -1, 0 or 1. */
  compare(other: Rational): -1 | 0 | 1 {
    const difference = this.numerator * other.denominator - other.numerator * this.denominator;
    if (difference === 0n) return 0;
    return difference < 0n ? -1 : 1;
  }

  equals(other: Rational): boolean {
    return this.compare(other) === 0;
  }

  get isPositive(): boolean {
    return this.numerator > 0n;
  }

  /** Rounded half-even to `places` digits after the point, 0 to 40: the one place where precision is given up. */
  toDecimal(places: number): Decimal {
    const scaled = this.numerator * 10n ** BigInt(checkedPlaces(places));
    const sign = scaled < 0n ? -1n : 1n;
    const size = scaled * sign;
    const floor = size / this.denominator;
    const twice = (size % this.denominator) * 2n;
    const up = twice > this.denominator || (twice === this.denominator && floor % 2n === 1n);
    return new Decimal(`${sign * (floor + (up ? 1n : 0n))}e-${places}`).plus(0);
  }

  /** 'n/d', or 'n' when the denominator is 1; `parse` reads both back. */
  toString(): string {
    return this.denominator === 1n ? this.numerator.toString() : `${this.numerator}/${this.denominator}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/**
 * `numerator / denominator` rounded half-even to `places` digits; null where the denominator is zero. Rounded once, of the
 * exact fraction: a quotient of 50 digits that is rounded again can fall on the wrong side of a tie.
 */
export function ratio(numerator: Decimal, denominator: Decimal, places: number): Decimal | null {
  checkedPlaces(places);
  if (denominator.isZero()) return null;
  return Rational.fromDecimal(numerator).over(Rational.fromDecimal(denominator)).toDecimal(places);
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
