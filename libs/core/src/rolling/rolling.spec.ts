import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { Decimal, parseDecimal } from '../finance/decimal.ts';
import { Rational } from '../finance/rational.ts';
import { WeekEnding } from '../temporal/week-ending.ts';
import { percentile, rollingStatistics } from './statistics.ts';
import { trendOf } from './trend.ts';
import { RollingWindow } from './window.ts';

const weeks = new RollingWindow<WeekEnding>({ size: 6, stepBack: (week) => week.previous() });
const asOf = WeekEnding.parse('2025-12-26');

function series(values: Readonly<Record<string, string>>): (week: WeekEnding) => Decimal | null {
  return (week) => {
    const text = values[week.toString()];
    return text === undefined ? null : parseDecimal(text);
  };
}

const FULL = {
  '2025-11-21': '100',
  '2025-11-28': '110',
  '2025-12-05': '90',
  '2025-12-12': '120',
  '2025-12-19': '100',
  '2025-12-26': '140',
};

describe('RollingWindow', () => {
  it('ends with the period asked for, oldest first', () => {
    expect(weeks.periods(asOf).map(String)).toEqual(Object.keys(FULL));
    const one = new RollingWindow<number>({ size: 1, stepBack: (n) => n - 1 });
    expect(one.periods(7)).toEqual([7]);
    const longest = new RollingWindow<number>({ size: 10_000, stepBack: (n) => n - 1 });
    expect([longest.periods(0).length, Object.isFrozen(longest)]).toEqual([10_000, true]);
  });

  it('says that a full window is complete', () => {
    const result = weeks.compute(asOf, series(FULL), (present) => rollingStatistics(present));
    expect(result).toMatchObject({ periodsPresent: 6, periodsTotal: 6, isComplete: true, missing: [] });
    const { sum, avg, min, max, median, trend } = result.aggregates ?? expect.fail('no aggregates');
    expect([sum, avg, min, max, median].map(String)).toEqual(['660', '110', '90', '140', '105']);
    // x 0..5: 6 × 1750 - 15 × 660 = 600 over 6 × 55 - 225 = 105.
    expect([trend?.slope.toString(), trend?.direction]).toEqual(['40/7', 'UP']);
  });

  it('names the gaps, and aggregates what is there', () => {
    const { '2025-11-28': _gap, '2025-12-26': _last, ...rest } = FULL;
    const result = weeks.compute(asOf, series(rest), (present) => rollingStatistics(present));
    expect(result).toMatchObject({ periodsPresent: 4, periodsTotal: 6, isComplete: false });
    expect(result.missing.map(String)).toEqual(['2025-11-28', '2025-12-26']);
    expect(result.aggregates?.avg.toString()).toBe('102.5');
  });

  it('takes zero for data and nothing for a gap', () => {
    const result = weeks.compute(asOf, series({ '2025-12-26': '0' }), (present) => present.length);
    expect([result.periodsPresent, result.aggregates]).toEqual([1, 1]);
    const empty = weeks.compute(asOf, series({}), () => expect.fail('there is nothing to aggregate'));
    expect(empty).toMatchObject({ aggregates: null, periodsPresent: 0, isComplete: false });
  });

  it('does not take a failure for a gap', async () => {
    const broken = (): never => {
      throw new Error('the table is away');
    };
    expect(() => weeks.compute(asOf, broken, () => 0)).toThrow('the table is away');
    await expect(
      weeks.computeAsync(
        asOf,
        () => Promise.reject(new Error('away')),
        () => 0,
      ),
    ).rejects.toThrow('away');
  });

  it('waits for data one period at a time, with the same result', async () => {
    const asked: string[] = [];
    let open = 0;
    const fetch = async (week: WeekEnding): Promise<Decimal | null> => {
      open += 1;
      expect(open).toBe(1);
      asked.push(week.toString());
      await Promise.resolve();
      open -= 1;
      return series(FULL)(week);
    };
    const result = await weeks.computeAsync(asOf, fetch, (present) => rollingStatistics(present));
    expect(asked).toEqual(Object.keys(FULL));
    expect(result).toEqual(weeks.compute(asOf, series(FULL), (present) => rollingStatistics(present)));
  });

  it('counts every period once, present or missing', () => {
    const cells = fc.array(fc.option(fc.integer()), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(cells, (values) => {
        const window = new RollingWindow<number>({ size: values.length, stepBack: (n) => n - 1 });
        const result = window.compute(
          values.length - 1,
          (index) => values[index],
          (present) => present.map(({ position, period, value }) => [position, period, value]),
        );
        expect(result.periodsPresent + result.missing.length).toBe(values.length);
        expect(result.isComplete).toBe(!values.includes(null));
        const expected = values.flatMap((value, index) => (value === null ? [] : [[index, index, value]]));
        expect(result.aggregates ?? []).toEqual(expected);
      }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN, 10_001])('has no size of %s', (size) => {
    expect(() => new RollingWindow<number>({ size, stepBack: (n) => n - 1 })).toThrow(ValidationError);
  });
});

const amount = fc
  .record({
    digits: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    places: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ digits, places }) => new Decimal(`${digits}e-${places}`));
const amounts = fc.array(amount, { minLength: 2, maxLength: 30 });
const points = (values: readonly Decimal[]) => values.map((value, position) => ({ position, value }));

describe('trendOf', () => {
  const direction = (texts: readonly string[], flatWithin = '0') =>
    trendOf(points(texts.map((text) => parseDecimal(text))), parseDecimal(flatWithin))?.direction;

  it('is up, down or flat', () => {
    expect(direction(['1', '2', '3'])).toBe('UP');
    expect(direction(['0.3', '0.2', '0.1'])).toBe('DOWN');
    expect(direction(['5', '5', '5'])).toBe('FLAT');
    expect(direction(['1', '2', '1'])).toBe('FLAT');
    // 0.1 + 0.2 against 0.3: floats would see a slope.
    expect(trendOf(points([parseDecimal('0.1').plus('0.2'), parseDecimal('0.3')]))?.direction).toBe('FLAT');
  });

  it('calls a small change flat where it is told to, the bound included', () => {
    expect(direction(['100', '101'], '0.00995')).toBe('UP');
    expect(direction(['99.5', '100.5'], '0.01')).toBe('FLAT');
    expect(direction(['-99.5', '-100.5'], '0.01')).toBe('FLAT');
    expect(direction(['-99.5', '-100.6'], '0.01')).toBe('DOWN');
    expect(() => direction(['1', '2'], '-0.1')).toThrow('flat_within');
  });

  it('counts gaps as time: two steps over four weeks are half the slope', () => {
    const gapped = [0, 2, 4].map((position) => ({ position, value: new Decimal(position) }));
    expect(trendOf(gapped)?.slope.toString()).toBe('1');
    const dense = [0, 1, 2].map((position) => ({ position, value: new Decimal(position * 2) }));
    expect(trendOf(dense)?.slope.toString()).toBe('2');
  });

  it('needs two positions', () => {
    expect(trendOf([])).toBeNull();
    expect(trendOf(points([new Decimal(1)]))).toBeNull();
    expect(() => trendOf([{ position: 0.5, value: new Decimal(1) }])).toThrow(ValidationError);
    expect(() => trendOf(points([new Decimal(1), new Decimal(Number.NaN)]))).toThrow(ValidationError);
  });

  it('finds the slope of a line, and turns with the series', () => {
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 2, max: 20 }), (start, step, n) => {
        const line = Array.from({ length: n }, (_, index) => start.plus(step.times(index)));
        expect(trendOf(points(line))?.slope.equals(Rational.fromDecimal(step))).toBe(true);
      }),
    );
    fc.assert(
      fc.property(amounts, (values) => {
        const forth = trendOf(points(values))?.slope ?? Rational.ONE;
        const back = trendOf(points(values.toReversed()))?.slope ?? Rational.ONE;
        expect(forth.plus(back).toString()).toBe('0');
      }),
    );
  });
});

describe('percentile', () => {
  const values = ['15', '20', '35', '40', '50'].map((text) => parseDecimal(text));

  it.each([
    ['0', '15'],
    ['0.4', '29'],
    ['1/2', '35'],
    ['0.9', '46'],
    ['1', '50'],
  ])('%s of five values is %s', (fraction, expected) => {
    expect(percentile(values, Rational.parse(fraction)).toString()).toBe(expected);
    expect(percentile(values.toReversed(), Rational.parse(fraction)).toString()).toBe(expected);
  });

  it('refuses what has none', () => {
    expect(() => percentile([], Rational.ONE)).toThrow('there are none');
    expect(() => percentile(values, Rational.parse('1.01'))).toThrow('fraction: 101/100');
    expect(() => percentile(values, Rational.parse('-0.01'))).toThrow(ValidationError);
    expect(() => percentile([new Decimal(Number.NaN)], Rational.ONE)).toThrow('values[0]');
  });

  it('grows with its fraction, between the smallest and the largest', () => {
    const fraction = fc.integer({ min: 0, max: 100 }).map((n) => Rational.of(BigInt(n), 100n));
    fc.assert(
      fc.property(amounts, fraction, fraction, (given, a, b) => {
        const [low, high] = a.compare(b) <= 0 ? [a, b] : [b, a];
        expect(percentile(given, low).compare(percentile(given, high))).toBeLessThanOrEqual(0);
        expect(
          percentile(given, Rational.of(0n))
            .toDecimal(10)
            .eq(Decimal.min(...given)),
        ).toBe(true);
        expect(
          percentile(given, Rational.ONE)
            .toDecimal(10)
            .eq(Decimal.max(...given)),
        ).toBe(true);
      }),
    );
  });
});

describe('rollingStatistics', () => {
  it('rounds the average half-even to the places asked for, and keeps the sum exact', () => {
    const present = ['0.1', '0.2', '0.2'].map((text, position) => ({
      period: position,
      position,
      value: parseDecimal(text),
    }));
    const { sum, avg, median } = rollingStatistics(present, { places: 3 });
    expect([sum, avg, median].map(String)).toEqual(['0.5', '0.167', '0.2']);
  });

  it('has no answer for nothing', () => {
    expect(() => rollingStatistics([])).toThrow('there are none');
  });
});
