import { truncateText } from '../text.ts';

/**
 * Why a JSON number literal cannot be kept as a JavaScript number, or null when it can. Refused are literals
 * that overflow (1e400), vanish (1e-400), or whose magnitude is 2^53 or more and that would be written back
 * as another number (9007199254740993 comes back as ...992). Fractions below that are rounded to the nearest
 * double as everywhere in JSON.
 */
export function numberProblem(literal: string): string | null {
  const value = Number(literal);
  const shown = truncateText(literal, 40);
  if (!Number.isFinite(value)) return `${shown} is too large for a JSON number; send it as text`;
  if (value === 0) {
    return decimalOf(literal).digits === ''
      ? null
      : `${shown} is too small for a JSON number; send it as text`;
  }
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return null;
  const sent = decimalOf(literal);
  const kept = decimalOf(String(value));
  if (sent.digits === kept.digits && sent.exponent === kept.exponent) return null;
  return `${shown} cannot be kept exactly by a JSON number; send it as text`;
}

/** `digits` x 10^`exponent`, without leading or trailing zeros and without the sign; zero has no digits. */
function decimalOf(literal: string): { digits: string; exponent: number } {
  const unsigned = literal.startsWith('-') ? literal.slice(1) : literal;
  const exponentAt = unsigned.search(/[eE]/);
  const mantissa = exponentAt < 0 ? unsigned : unsigned.slice(0, exponentAt);
  const point = mantissa.indexOf('.');
  const all = point < 0 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  // Loops, not /0+$/: that pattern takes quadratic time on a long run of zeros inside the digits.
  let start = 0;
  while (start < all.length && all.charCodeAt(start) === 48) start += 1;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === 48) end -= 1;
  const written = exponentAt < 0 ? 0 : Number(unsigned.slice(exponentAt + 1));
  const fraction = point < 0 ? 0 : mantissa.length - point - 1;
  return { digits: all.slice(start, end), exponent: written - fraction + (all.length - end) };
}
