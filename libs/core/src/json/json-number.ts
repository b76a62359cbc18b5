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
    return significantDigits(literal) === ''
      ? null
      : `${shown} is too small for a JSON number; send it as text`;
  }
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return null;
  // Rounding never moves a number by a power of ten, so equal digits are equal numbers.
  if (significantDigits(literal) === significantDigits(String(value))) return null;
  return `${shown} cannot be kept exactly by a JSON number; send it as text`;
}

/** The digits without sign, point, exponent and the zeros on either side; '' for zero. */
function significantDigits(literal: string): string {
  const unsigned = literal.startsWith('-') ? literal.slice(1) : literal;
  const exponentAt = unsigned.search(/[eE]/);
  const digits = (exponentAt < 0 ? unsigned : unsigned.slice(0, exponentAt)).replace('.', '');
  // Loops, not /0+$/: that pattern takes quadratic time on a long run of zeros inside the digits.
  let start = 0;
  while (start < digits.length && digits.charCodeAt(start) === 48) start += 1;
  let end = digits.length;
  while (end > start && digits.charCodeAt(end - 1) === 48) end -= 1;
  return digits.slice(start, end);
}
