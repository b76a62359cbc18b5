import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { Concentration, concentrationOf, hhi } from './concentration.ts';
import { Decimal, parseDecimal, sumDecimals } from './decimal.ts';
import { consecutiveRanks, denseRanks } from './rank.ts';
import { shares } from './shares.ts';

const decimals = (...texts: readonly string[]): Decimal[] => texts.map((text) => parseDecimal(text));
const texts = (values: readonly Decimal[] | null): string[] | undefined => values?.map(String);

const part = fc
  .record({ digits: fc.bigInt({ min: 0n, max: 10n ** 24n }), places: fc.integer({ min: 0, max: 6 }) })
  .map(({ digits, places }) => new Decimal(`${digits}e-${places}`));
const parts = fc.array(part, { minLength: 1, maxLength: 30 });
const places = fc.integer({ min: 0, max: 20 });

describe('shares', () => {
  it('gives the units that rounding down leaves to the largest remainders', () => {
    expect(texts(shares(decimals('1', '1', '1'), 2))).toEqual(['0.34', '0.33', '0.33']);
    // Of ten units: 4.7, 1.6, 1.58, 1.2, 0.61 and 0.31; rounded down 7, and the 3 left go to .7, .61 and .6.
    const votes = decimals('47000', '16000', '15800', '12000', '6100', '3100');
    expect(texts(shares(votes, 1))).toEqual(['0.5', '0.2', '0.1', '0.1', '0.1', '0']);
    expect(texts(shares(decimals('2', '1'), 4))).toEqual(['0.6667', '0.3333']);
  });

  it('decides between equal remainders by the larger part, then by the place in the list', () => {
    // 2.5 of 10, 2.5 of 10 and 5 of 10 in tenths: the first of the two equal ones gets the unit.
    expect(texts(shares(decimals('25', '25', '50'), 1))).toEqual(['0.3', '0.2', '0.5']);
    // 0.5 and 1.5 of 2 units: both remainders are a half.
    expect(texts(shares(decimals('1', '3'), 0))).toEqual(['0', '1']);
    expect(texts(shares(decimals('0.05', '0.15', '0.80'), 1))).toEqual(['0', '0.2', '0.8']);
  });

  it('has no share of a total of zero, and none of a negative part', () => {
    expect(shares([])).toBeNull();
    expect(shares(decimals('0', '0.00'))).toBeNull();
    expect(() => shares(decimals('5', '-1'))).toThrow('parts[1]: -1 has no share');
    expect(() => shares([new Decimal(Number.NaN)])).toThrow(ValidationError);
  });

  it('sums to exactly 1, each less than a unit away from the exact share', () => {
    fc.assert(
      fc.property(parts, places, (given, digits) => {
        const result = shares(given, digits);
        const total = sumDecimals(given);
        expect(result === null).toBe(total.isZero());
        if (result === null) return;
        expect(sumDecimals(result).toString()).toBe('1');
        const unit = new Decimal(10).pow(-digits);
        result.forEach((share, index) => {
          const mine = given[index] ?? new Decimal(0);
          expect(share.minus(mine.div(total)).abs().lt(unit)).toBe(true);
          if (mine.isZero()) expect(share.isZero()).toBe(true);
        });
      }),
    );
  });

  it('never gives a larger part the smaller share', () => {
    fc.assert(
      fc.property(parts, places, (given, digits) => {
        const pairs = given.map((value, index) => ({ value, share: shares(given, digits)?.[index] }));
        pairs.sort((a, b) => a.value.comparedTo(b.value));
        pairs.forEach(({ value, share }, index) => {
          const next = pairs[index + 1];
          if (share === undefined || next?.share === undefined || next.value.eq(value)) return;
          expect(share.lte(next.share)).toBe(true);
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe('hhi', () => {
  it('is 1 for one holder and 1/n for n equal ones', () => {
    expect(hhi(decimals('1'))).toMatchObject({ concentration: 'HIGH' });
    expect(hhi(decimals('1'))?.points.toString()).toBe('10000');
    const four = hhi(decimals('0.25', '0.25', '0.25', '0.25'));
    expect([four?.index.toString(), four?.points.toString()]).toEqual(['0.25', '2500']);
    expect(hhi([])).toBeNull();
  });

  it('computes the example of the guidelines: 30, 30, 20 and 20 percent give 2,600 points', () => {
    expect(hhi(decimals('0.3', '0.3', '0.2', '0.2'))?.points.toString()).toBe('2600');
  });

  it('refuses shares that do not make a whole market', () => {
    expect(() => hhi(decimals('0.5', '0.4999999999'))).toThrow('they sum to 0.9999999999');
    expect(() => hhi(decimals('1.5', '-0.5'))).toThrow('shares[0]: 1.5 is no share');
  });

  it('lies between 1/n and 1 for whatever was shared', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const whole = shares(given, 10);
        if (whole === null) return;
        const index = hhi(whole)?.index ?? new Decimal(2);
        expect(index.lte(1)).toBe(true);
        expect(index.gte(new Decimal(1).div(given.length).minus('1e-40'))).toBe(true);
      }),
    );
  });

  it('names the bounds of concentration', () => {
    const named = ['999.99', '1000', '1800', '1800.01'].map((points) =>
      concentrationOf(parseDecimal(points)),
    );
    expect(named).toEqual([
      Concentration.UNCONCENTRATED,
      Concentration.MODERATE,
      Concentration.MODERATE,
      Concentration.HIGH,
    ]);
  });
});

describe('ranks', () => {
  const descending = (a: number, b: number): number => b - a;

  it('are dense or consecutive', () => {
    expect(denseRanks([20, 30, 10, 20], descending)).toEqual([2, 1, 3, 2]);
    expect(consecutiveRanks([20, 30, 10, 20], descending)).toEqual([2, 1, 4, 3]);
    expect([denseRanks([], descending), consecutiveRanks([], descending)]).toEqual([[], []]);
  });

  it('leave no gap and follow the order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 }), (items) => {
        const dense = denseRanks(items, descending);
        expect(dense).toEqual(items.map((item) => new Set(items.filter((other) => other > item)).size + 1));
        const consecutive = consecutiveRanks(items, descending);
        expect(consecutive.toSorted((a, b) => a - b)).toEqual(items.map((_, index) => index + 1));
      }),
    );
  });
});
