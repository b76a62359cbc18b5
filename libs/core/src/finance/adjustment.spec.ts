import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { parsePlainDate, plainDateFromInstant } from '../temporal/plain-date.ts';
import { AdjustmentChain } from './adjustment-chain.ts';
import {
  adjustmentFactor,
  AdjustmentMethod,
  distributionFactor,
  rightsFactor,
  splitFactor,
  type AdjustmentFactor,
} from './adjustment-factor.ts';
import { Decimal, parseDecimal } from './decimal.ts';
import { Rational } from './rational.ts';

const rational = fc
  .record({
    numerator: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    denominator: fc.bigInt({ min: 1n, max: 10n ** 12n }),
  })
  .map(({ numerator, denominator }) => Rational.of(numerator, denominator));
const positive = rational.filter(({ isPositive }) => isPositive);
const date = fc
  .date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2000-03-01T00:00:00Z'), noInvalidDate: true })
  .map(plainDateFromInstant);
const factors: fc.Arbitrary<AdjustmentFactor[]> = fc.array(
  fc
    .record({ effectiveDate: date, factor: positive })
    .map((given) => adjustmentFactor({ ...given, method: AdjustmentMethod.OTHER })),
  { maxLength: 8 },
);

function split(effectiveDate: string, factor: string): AdjustmentFactor {
  return adjustmentFactor({ effectiveDate, factor, method: AdjustmentMethod.SPLIT });
}

describe('Rational', () => {
  it.each([
    ['4', '4'],
    ['3:2', '3/2'],
    ['1/3', '1/3'],
    ['2/6', '1/3'],
    ['0.25', '1/4'],
    ['-1.5:3', '-1/2'],
    ['1:-2', '-1/2'],
    ['0/5', '0'],
  ])('reads %s as %s', (text, shown) => {
    expect(`${Rational.parse(text).toString()} ${JSON.stringify(Rational.parse(text))}`).toBe(
      `${shown} "${shown}"`,
    );
  });

  it.each(['', ':', '1:', '1:0', '1/0.00', '1:2:3', '1e2', 'a', '1 : 2', '1'.repeat(200)])(
    'refuses %j',
    (text) => {
      expect(() => Rational.parse(text, 'factor')).toThrow(ValidationError);
      expect(() => Rational.parse(text, 'factor')).toThrow(/^factor: /);
    },
  );

  it('is a field: what was done can be undone', () => {
    fc.assert(
      fc.property(rational, positive, (a, b) => {
        expect(a.times(b).over(b).equals(a)).toBe(true);
        expect(a.plus(b).minus(b).equals(a)).toBe(true);
        expect(Rational.parse(a.toString()).equals(a)).toBe(true);
        expect(a.compare(a.plus(b))).toBe(-1);
      }),
    );
  });

  it('rounds half-even, as decimals do', () => {
    fc.assert(
      fc.property(rational, fc.integer({ min: 0, max: 12 }), (value, places) => {
        const quotient = new Decimal(value.numerator.toString()).div(value.denominator.toString());
        expect(value.toDecimal(places).toString()).toBe(quotient.toDecimalPlaces(places).plus(0).toString());
      }),
    );
    expect(
      ['1/2', '3/2', '5/2', '-1/2', '-3/2'].map((text) => Rational.parse(text).toDecimal(0).toNumber()),
    ).toEqual([0, 2, 2, 0, -2]);
    expect(() => Rational.ONE.toDecimal(41)).toThrow(ValidationError);
  });

  it('has no zero denominator and no infinity', () => {
    expect(() => Rational.of(1n, 0n)).toThrow(ValidationError);
    expect(() => Rational.ONE.over(Rational.of(0n))).toThrow(ValidationError);
    expect(() => Rational.fromDecimal(new Decimal(Infinity))).toThrow(ValidationError);
  });
});

describe('AdjustmentChain', () => {
  const chain = new AdjustmentChain([split('2025-09-01', '4'), split('2025-06-15', '2')]);

  it('multiplies its factors, oldest first', () => {
    expect(chain.factors.map(({ effectiveDate }) => effectiveDate)).toEqual(['2025-06-15', '2025-09-01']);
    expect(chain.compositeFactor.toString()).toBe('8');
    expect(chain.adjust(parseDecimal('100')).toString()).toBe('800');
    expect(chain.unadjust(parseDecimal('800')).toString()).toBe('100');
    expect(new AdjustmentChain().compositeFactor.equals(Rational.ONE)).toBe(true);
  });

  it('applies only what is effective by a day, that day included', () => {
    const asOf = (day: string): string =>
      chain.adjustAsOf(parseDecimal('100'), parsePlainDate(day)).toString();
    expect(['2025-06-14', '2025-06-15', '2025-08-31', '2025-09-01'].map(asOf)).toEqual([
      '100',
      '200',
      '200',
      '800',
    ]);
    expect(chain.unadjustAsOf(parseDecimal('100'), parsePlainDate('2025-06-15')).toString()).toBe('50');
  });

  it('takes a price from the basis of its day to the basis of another', () => {
    const [before, between, after] = ['2025-06-01', '2025-07-01', '2025-10-01'].map((day) =>
      parsePlainDate(day),
    );
    if (before === undefined || between === undefined || after === undefined) throw new Error('three days');
    const factor = chain.factorBetween(before, after);
    expect(Rational.fromDecimal(parseDecimal('700')).over(factor).toDecimal(2).toString()).toBe('87.5');
    expect(chain.factorBetween(between, after).toString()).toBe('4');
    expect(chain.factorBetween(after, between).toString()).toBe('1/4');
    expect(chain.factorBetween(after, after).toString()).toBe('1');
  });

  it('undoes exactly what it did, thirds and sevenths included', () => {
    fc.assert(
      fc.property(factors, rational, date, (given, value, day) => {
        const any = new AdjustmentChain(given);
        expect(any.unadjust(any.adjust(value)).equals(value)).toBe(true);
        expect(any.adjust(any.unadjust(value)).equals(value)).toBe(true);
        expect(any.unadjustAsOf(any.adjustAsOf(value, day), day).equals(value)).toBe(true);
      }),
    );
    const third = new AdjustmentChain([split('2025-01-01', '3')]);
    expect(third.adjust(third.unadjust(parseDecimal('100'))).toString()).toBe('100');
  });

  it('does not depend on the order in which factors were added', () => {
    fc.assert(
      fc.property(factors, date, (given, day) => {
        const forth = new AdjustmentChain(given);
        const back = given.reduceRight((any, factor) => any.with(factor), new AdjustmentChain());
        expect(back.compositeFactor.equals(forth.compositeFactor)).toBe(true);
        expect(back.compositeAsOf(day).equals(forth.compositeAsOf(day))).toBe(true);
      }),
    );
  });

  it('composes over days: from a to c is from a to b and from b to c', () => {
    fc.assert(
      fc.property(factors, date, date, date, (given, a, b, c) => {
        const any = new AdjustmentChain(given);
        expect(any.factorBetween(a, b).times(any.factorBetween(b, c)).equals(any.factorBetween(a, c))).toBe(
          true,
        );
      }),
    );
  });

  it('cannot be changed', () => {
    expect(chain.with(split('2026-01-01', '2')).factors).toHaveLength(3);
    expect(chain.factors).toHaveLength(2);
    const [first] = chain.factors;
    expect([chain, chain.factors, first].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it.each(['0', '-2', '0/3'])('refuses a factor of %s', (factor) => {
    expect(() => split('2025-01-01', factor)).toThrow('allowed is more than 0');
  });

  it('refuses a day that is none', () => {
    expect(() => split('2025-02-30', '2')).toThrow('effective_date: "2025-02-30" is not a date');
  });
});

describe('factors of corporate actions', () => {
  it('are new shares over old ones for splits, either way', () => {
    expect(splitFactor(parseDecimal('4'), parseDecimal('1')).toString()).toBe('4');
    expect(splitFactor(parseDecimal('1'), parseDecimal('10')).toString()).toBe('1/10');
    expect(splitFactor(parseDecimal('105'), parseDecimal('100')).toString()).toBe('21/20');
    expect(() => splitFactor(parseDecimal('0'), parseDecimal('1'))).toThrow('new_shares');
  });

  it('take what was distributed out of the prices before', () => {
    const factor = distributionFactor(parseDecimal('50'), parseDecimal('2.5'));
    expect(factor.toString()).toBe('20/19');
    expect(Rational.fromDecimal(parseDecimal('50')).over(factor).toString()).toBe('95/2');
    // The example of the source: 0.08 of 24.96 multiplies earlier prices by 0.9968.
    const small = distributionFactor(parseDecimal('24.96'), parseDecimal('0.08'));
    expect(Rational.ONE.over(small).toDecimal(4).toString()).toBe('0.9968');
    for (const [close, distributed] of [
      ['50', '50'],
      ['50', '-1'],
      ['0', '0'],
    ] as const) {
      expect(() => distributionFactor(parseDecimal(close), parseDecimal(distributed))).toThrow(
        ValidationError,
      );
    }
  });

  it('compute the example of IAS 33: 1 for 5 at 5 with a price of 11 gives 11 / 10', () => {
    const rights = {
      closeBefore: parseDecimal('11'),
      subscriptionPrice: parseDecimal('5'),
      newShares: parseDecimal('1'),
      oldShares: parseDecimal('5'),
    };
    expect(rightsFactor(rights).toString()).toBe('11/10');
    // Given away, rights are a split; at the market price they change nothing.
    expect(rightsFactor({ ...rights, subscriptionPrice: parseDecimal('0') }).toString()).toBe('6/5');
    expect(rightsFactor({ ...rights, subscriptionPrice: parseDecimal('11') }).toString()).toBe('1');
    expect(() => rightsFactor({ ...rights, subscriptionPrice: parseDecimal('-1') })).toThrow(
      'subscription_price',
    );
  });
});
