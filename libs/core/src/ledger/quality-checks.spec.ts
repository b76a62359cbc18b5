import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decimal } from '../finance/decimal.ts';
import {
  inSet,
  noNulls,
  nonNegative,
  nullRateBelow,
  rowCountAtLeast,
  sumsTo,
  unique,
} from './quality-checks.ts';
import type { ExactNumber } from './quality-checks.ts';
import { QualityRunner } from './quality.ts';
import type { QualityCheck } from './quality.ts';

/** What a runner stores of one check over `context`. */
async function found<C>(check: QualityCheck<C>, context: C) {
  const [outcome] = await new QualityRunner<C>().add(check).runAll(context);
  return outcome;
}

const same = <T>(values: T): T => values;

describe('rowCountAtLeast', () => {
  const check = rowCountAtLeast<number>({ name: 'rows', minimum: 2, count: same });
  it.each([
    [1, 'FAIL', '1 rows; at least 2 are expected'],
    [2, 'PASS', '2 rows'],
  ])('%i rows', async (count, status, message) => {
    expect(await found(check, count)).toMatchObject({
      status,
      message,
      actualValue: String(count),
      expectedValue: '>= 2',
      category: 'COMPLETENESS',
    });
  });
});

describe('nonNegative', () => {
  const check = nonNegative<readonly (ExactNumber | null)[]>({ name: 'shares', values: same });
  it.each<[readonly (ExactNumber | null)[], string]>([
    [[], 'PASS'],
    [['0', '-0', 0, 12n, '0.000000000000000000000000000001', null], 'PASS'],
    [['1', '-0.000000000000000000000000000001'], 'FAIL'],
    [[new Decimal('-1')], 'FAIL'],
    // A float has been rounded already, and a text that is no number is not skipped.
    [[0.5], 'FAIL'],
    [['NaN'], 'FAIL'],
    [[new Decimal(Number.NaN)], 'FAIL'],
    [['many'], 'FAIL'],
  ])('%s is %s', async (values, status) => {
    expect(await found(check, values)).toMatchObject({ status, category: 'BUSINESS_RULE' });
  });

  it('quotes the first ones', async () => {
    expect(await found(check, ['-1', '-2', '-3', '-4', '5'])).toMatchObject({
      message: '4 of 5 values are not zero or more: -1, -2, -3, …',
      actualValue: '4',
    });
  });
});

describe('noNulls', () => {
  const check = noNulls<readonly unknown[]>({ name: 'nulls', values: same });
  it('finds null and undefined, and nothing else', async () => {
    expect(await found(check, [0, '', false])).toMatchObject({ status: 'PASS' });
    expect(await found(check, [0, null, undefined])).toMatchObject({
      status: 'FAIL',
      message: '2 of 3 values are null',
    });
  });
});

describe('sumsTo', () => {
  const check = (tolerance?: string) =>
    sumsTo<readonly (ExactNumber | null)[]>({
      name: 'sum',
      expected: '1',
      values: same,
      ...(tolerance === undefined ? {} : { tolerance }),
    });

  it.each<[readonly (ExactNumber | null)[], string | undefined, string]>([
    // 0.1 + 0.2 + 0.7 is not 1 in floats.
    [['0.1', '0.2', '0.7'], undefined, 'PASS'],
    [['0.333333', '0.333333', '0.333333'], undefined, 'FAIL'],
    [['0.333333', '0.333333', '0.333333'], '0.000001', 'PASS'],
    [['0.333333', '0.333333', '0.333333'], '0.0000009', 'FAIL'],
    [['1.000001'], '0.000001', 'PASS'],
    [[], undefined, 'FAIL'],
    [['1', null], undefined, 'FAIL'],
    [['one'], undefined, 'FAIL'],
  ])('%s within %s is %s', async (values, tolerance, status) => {
    expect(await found(check(tolerance), values)).toMatchObject({ status, category: 'INTEGRITY' });
  });

  it('tells sum and expectation digit by digit, also of the context', async () => {
    const total = sumsTo<{ parts: readonly string[]; total: string }>({
      name: 'total',
      expected: ({ total: of }) => of,
      tolerance: '0.5',
      values: ({ parts }) => parts,
    });
    expect(await found(total, { parts: ['90071992547409930.1', '0.2'], total: '90071992547409931' })).toEqual(
      {
        checkName: 'total',
        category: 'INTEGRITY',
        status: 'FAIL',
        message: '2 values sum to 90071992547409930.3; expected is 90071992547409931 ± 0.5',
        actualValue: '90071992547409930.3',
        expectedValue: '90071992547409931 ± 0.5',
      },
    );
  });

  it('is exact for any split of a whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt(0n, 10n ** 17n), { minLength: 1, maxLength: 20 }),
        async (parts) => {
          const whole = parts.reduce((sum, part) => sum + part, 0n);
          const exactly = sumsTo<readonly bigint[]>({ name: 'sum', expected: whole, values: same });
          const off = sumsTo<readonly bigint[]>({ name: 'sum', expected: whole + 1n, values: same });
          expect(await found(exactly, parts)).toMatchObject({ status: 'PASS' });
          expect(await found(off, parts)).toMatchObject({ status: 'FAIL' });
        },
      ),
    );
  });
});

describe('nullRateBelow', () => {
  const check = nullRateBelow<readonly unknown[]>({ name: 'rate', warn: '0.1', fail: '0.25', values: same });
  const withNulls = (nulls: number, total: number) =>
    Array.from({ length: total }, (_, index) => (index < nulls ? null : 1));

  it.each([
    [0, 10, 'PASS'],
    [9, 100, 'PASS'],
    [1, 10, 'WARN'],
    [24, 100, 'WARN'],
    [1, 4, 'FAIL'],
    [4, 4, 'FAIL'],
    [0, 0, 'PASS'],
  ])('%i of %i is %s', async (nulls, total, status) => {
    expect(await found(check, withNulls(nulls, total))).toMatchObject({ status });
  });

  it('compares without dividing: a third is not 0.333', async () => {
    const third = nullRateBelow<readonly unknown[]>({
      name: 'r',
      warn: '0.3333333333',
      fail: '1',
      values: same,
    });
    const more = nullRateBelow<readonly unknown[]>({
      name: 'r',
      warn: '0.3333333334',
      fail: '1',
      values: same,
    });
    expect(await found(third, withNulls(1, 3))).toMatchObject({ status: 'WARN', actualValue: '0.333333' });
    expect(await found(more, withNulls(1, 3))).toMatchObject({ status: 'PASS' });
  });

  it('lets no null through where none is allowed, and takes none for nothing', async () => {
    const none = nullRateBelow<readonly unknown[]>({ name: 'r', warn: '0', fail: '0', values: same });
    expect(await found(none, withNulls(0, 5))).toMatchObject({ status: 'PASS' });
    expect(await found(none, withNulls(1, 5))).toMatchObject({ status: 'FAIL' });
  });

  it.each([
    ['0.3', '0.2'],
    ['-0.1', '0.2'],
    ['0.1', '1.1'],
    ['x', '1'],
  ])('refuses warn %s with fail %s', (warn, fail) => {
    expect(() => nullRateBelow({ name: 'r', warn, fail, values: () => [] })).toThrow(/^warn/);
  });
});

describe('unique', () => {
  const check = unique<readonly string[]>({ name: 'keys', keys: same });
  it('names the keys that are there more than once, once each', async () => {
    expect(await found(check, ['a', 'b'])).toMatchObject({ status: 'PASS' });
    expect(await found(check, ['a', 'b', 'a', 'a', 'b', 'c'])).toMatchObject({
      status: 'FAIL',
      message: '2 keys are there more than once: a, b',
      actualValue: '2',
    });
  });
});

describe('inSet', () => {
  const check = inSet<readonly string[]>({ name: 'tiers', allowed: ['OTC', 'NMS_TIER_1'], values: same });
  it('names what is not allowed', async () => {
    expect(await found(check, ['OTC', 'OTC'])).toMatchObject({ status: 'PASS' });
    expect(await found(check, ['OTC', 'otc', 'otc', 'GREY'])).toMatchObject({
      status: 'FAIL',
      message: 'not allowed: otc, GREY',
      expectedValue: 'OTC, NMS_TIER_1',
    });
  });
});

describe('the example of docs/ledger.md', () => {
  it('computes what the page says', async () => {
    const rows = [
      { venue: 'OTCN', share: '0.6', shares: '1200' },
      { venue: 'OTCX', share: '0.3999', shares: null },
    ];
    const runner = new QualityRunner<typeof rows>()
      .add(rowCountAtLeast({ name: 'rows', minimum: 1, count: (all) => all.length }))
      .add(sumsTo({ name: 'shares_sum', expected: '1', values: (all) => all.map((row) => row.share) }))
      .add(
        nullRateBelow({
          name: 'null_rate',
          warn: '0.1',
          fail: '0.6',
          values: (all) => all.map((row) => row.shares),
        }),
      );
    const outcomes = await runner.runAll(rows);
    expect(outcomes.map(({ checkName, status, message }) => `${checkName} ${status}: ${message}`)).toEqual([
      'rows PASS: 2 rows',
      'shares_sum FAIL: 2 values sum to 0.9999; expected is 1',
      'null_rate WARN: 1 of 2 values are null',
    ]);
    expect(() => runner.gate()).toThrow(
      'the quality gate failed on 1 check: shares_sum: 2 values sum to 0.9999; expected is 1',
    );
  });
});
