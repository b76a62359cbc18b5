import { Decimal as DecimalJs } from 'decimal.js';
import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';

const PRECISION = 50;

/**
 * The one configured decimal: 50 significant digits, ties rounded to the even neighbour (IEEE 754 roundTiesToEven),
 * text always in plain notation. Sums and products of amounts of up to 25 digits are exact; a division that does not
 * end is right to 50 digits. Never construct it from a number with a fraction: the float is wrong before it arrives.
 */
export const Decimal = DecimalJs.clone({
  precision: PRECISION,
  rounding: DecimalJs.ROUND_HALF_EVEN,
  toExpNeg: -9e15,
  toExpPos: 9e15,
  defaults: true,
});
export type Decimal = DecimalJs;

/** Most digits that `parseDecimal` takes, before and after the point together. */
export const MAX_DECIMAL_DIGITS = 40;

const PLAIN = /^[+-]?\d+(?:\.\d+)?$/;

/** Whether `parseDecimal` takes `text`. */
export function isDecimalText(text: unknown): text is string {
  if (typeof text !== 'string') return false;
  // The length first: the pattern must not walk a line of a gigabyte. 2 for a sign and a point.
  return text.length <= MAX_DECIMAL_DIGITS + 2 && PLAIN.test(text) && digitsOf(text) <= MAX_DECIMAL_DIGITS;
}

/**
 * The number written in `text`: an optional sign, digits, optionally a point and digits; at most 40 digits. No
 * exponent, spaces, separators or hexadecimals, which is also how Postgres writes `numeric`. Minus zero reads as zero.
 * Throws ValidationError naming `field`, the value and what is allowed.
 */
export function parseDecimal(text: string, field = 'value'): Decimal {
  if (isDecimalText(text)) return new Decimal(text).plus(0);
  throw new ValidationError(
    `${field}: ${JSON.stringify(truncateText(String(text), 60))} is not a decimal number; ` +
      `allowed are digits with an optional sign and fraction, at most ${MAX_DECIMAL_DIGITS} digits`,
    {
      issues: [
        {
          field,
          code: 'invalid_decimal',
          message: `must be a decimal number of at most ${MAX_DECIMAL_DIGITS} digits, without exponent`,
        },
      ],
    },
  );
}

/** `value` rounded half-even to `places` digits after the point, 0 to 40. */
export function roundDecimal(value: Decimal, places: number): Decimal {
  return value.toDecimalPlaces(checkedPlaces(places), Decimal.ROUND_HALF_EVEN);
}

/**
 * The exact sum; zero of nothing. Throws ValidationError for a term that is not finite, and where the digits from the
 * highest to the lowest place come near 50, so that an addition might have to round.
 */
export function sumDecimals(values: Iterable<Decimal>): Decimal {
  let sum = new Decimal(0);
  for (const value of values) {
    // An addition fills the places of both terms and may carry into one more.
    const digits = Math.max(sum.e, value.e) + 2 + Math.max(sum.decimalPlaces(), value.decimalPlaces());
    if (!value.isFinite() || digits > PRECISION) {
      throw new ValidationError(
        `sum: ${value.toString()} cannot be added exactly; allowed are finite terms whose sum has fewer than ` +
          `${PRECISION} digits`,
      );
    }
    sum = sum.plus(value);
  }
  return sum;
}

/** `places` when it is a whole number from 0 to 40; throws ValidationError otherwise. */
export function checkedPlaces(places: number): number {
  if (Number.isInteger(places) && places >= 0 && places <= MAX_DECIMAL_DIGITS) return places;
  throw new ValidationError(
    `places: ${places} is not a number of decimal places; allowed are whole numbers from 0 to ${MAX_DECIMAL_DIGITS}`,
  );
}

function digitsOf(text: string): number {
  let digits = text.length;
  if (text.startsWith('+') || text.startsWith('-')) digits -= 1;
  return text.includes('.') ? digits - 1 : digits;
}
