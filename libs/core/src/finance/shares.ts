import { invariant } from '../assert-never.ts';
import { ValidationError } from '../errors/permanent.ts';
import { checkedPlaces, Decimal } from './decimal.ts';

/**
 * Each part's share of the total, rounded to `places` digits so that the shares sum to exactly 1: the largest remainder
 * method (Hamilton's method of apportionment). Every share is rounded down; the units that are left go to the parts
 * with the largest remainders, among equals to the larger part, then to the earlier one. A share is therefore less than
 * one unit (10^-places) away from the exact one, and a part of zero has a share of zero.
 *
 * The result has the order of `parts`. Sort the parts by a key before calling where the result must not depend on the
 * order in which rows arrive. Null when the total is zero, for which no share is defined. Exact: integers of any size
 * decide, no rounding. Throws ValidationError for a part that is negative or not finite.
 */
export function shares(parts: readonly Decimal[], places = 10): Decimal[] | null {
  const units = 10n ** BigInt(checkedPlaces(places));
  const whole = asIntegers(parts);
  const total = whole.reduce((sum, part) => sum + part, 0n);
  if (total === 0n) return null;

  const floors = whole.map((part, index) => ({
    index,
    part,
    share: (part * units) / total,
    remainder: (part * units) % total,
  }));
  const left = units - floors.reduce((sum, { share }) => sum + share, 0n);
  const byClaim = floors.toSorted(
    (a, b) => compare(b.remainder, a.remainder) || compare(b.part, a.part) || a.index - b.index,
  );
  invariant(left < BigInt(parts.length), 'fewer units are left than there are parts');
  for (const each of byClaim.slice(0, Number(left))) each.share += 1n;
  return floors.map(({ share }) => new Decimal(`${share}e-${places}`));
}

/** The parts over their smallest common power of ten, which changes no share. */
function asIntegers(parts: readonly Decimal[]): bigint[] {
  const scale = parts.reduce((most, part, index) => Math.max(most, checkedPart(part, index)), 0);
  return parts.map((part) => {
    const fixed = part.toFixed(scale);
    return BigInt(fixed.replace('.', ''));
  });
}

/** The number of decimal places of a part that can have a share. */
function checkedPart(part: Decimal, index: number): number {
  if (part.isFinite() && part.gte(0)) return part.decimalPlaces();
  throw new ValidationError(
    `parts[${index}]: ${part.toString()} has no share of a total; allowed are finite numbers from 0 on`,
    {
      issues: [
        { field: `parts[${index}]`, code: 'negative_part', message: 'must be a finite number, 0 or more' },
      ],
    },
  );
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
