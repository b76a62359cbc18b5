import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlainDate, addDays } from '../temporal/plain-date.ts';
import { CADENCES, periodNamed, periodsOf } from './cadence.ts';
import { checkExpectedSchedule, expectedPartitions, partitionsCoveredBy } from './expected-schedule.ts';
import type { ExpectedSchedule } from './expected-schedule.ts';

const day = (text: string) => parsePlainDate(text);

const WEEKLY: ExpectedSchedule = {
  domain: 'finra.otc_transparency',
  workflow: 'weekly',
  cadence: 'weekly',
  partitionTemplate: { week_ending: '{week_ending}', tier: ['OTC', 'NMS_TIER_1'] },
  requiredStages: ['INGESTED'],
  expectedDelayHours: 72,
  preliminaryHours: 24,
  active: true,
  description: null,
};

describe('the periods of a cadence', () => {
  it.each([
    ['daily', ['2025-12-26', '2025-12-27', '2025-12-28', '2025-12-29']],
    ['weekdays', ['2025-12-26', '2025-12-29']],
    ['weekly', ['2025-12-26']],
  ] as const)('%s are named by their days', (cadence, names) => {
    expect(periodsOf(cadence, day('2025-12-26'), day('2025-12-29')).map(({ name }) => name)).toEqual(names);
  });

  it('of months and quarters end with their last day, leap years included', () => {
    expect(periodsOf('monthly', day('2024-01-31'), day('2024-03-30'))).toEqual([
      { name: '2024-01', end: '2024-01-31' },
      { name: '2024-02', end: '2024-02-29' },
    ]);
    expect(periodsOf('quarterly', day('2025-01-01'), day('2026-03-31')).map(({ name }) => name)).toEqual([
      '2025-Q1',
      '2025-Q2',
      '2025-Q3',
      '2025-Q4',
      '2026-Q1',
    ]);
  });

  it.each(CADENCES)('%s have names that lead back to them, up to the last day there is', (cadence) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2_900_000 }),
        fc.integer({ min: 0, max: 400 }),
        (start, length) => {
          const from = addDays(day('2000-01-01'), start);
          const to = from > '9998-10-01' ? day('9999-12-31') : addDays(from, length);
          const periods = periodsOf(cadence, from, to);
          for (const period of periods) {
            expect(periodNamed(cadence, period.name, 'f')).toEqual(period);
            expect(period.end >= from && period.end <= to).toBe(true);
          }
          expect(new Set(periods.map(({ end }) => end)).size).toBe(periods.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    ['weekly', '2025-12-11', 'is a Thursday, not a Friday'],
    ['weekdays', '2025-12-13', 'must be a day from Monday to Friday'],
    ['monthly', '2025-13', 'must be a month as YYYY-MM'],
    ['quarterly', '2025-Q5', 'must be a quarter as YYYY-Q1 to YYYY-Q4'],
    ['daily', 'today', 'is not a date'],
  ] as const)('%s are not named %s', (cadence, name, message) => {
    expect(() => periodNamed(cadence, name, 'f')).toThrow(message);
  });

  it('are refused for a range that nobody means', () => {
    expect(() => periodsOf('daily', day('2025-01-02'), day('2025-01-01'))).toThrow(
      'to: given 2025-01-01; must not be before',
    );
    expect(() => periodsOf('daily', day('1000-01-01'), day('2025-01-01'))).toThrow('100 years after from');
  });
});

describe('an expected schedule', () => {
  it('has the partitions of its lists for every period, with the hours from the end of the period', () => {
    const expected = expectedPartitions(WEEKLY, day('2025-12-12'), day('2025-12-19'));
    expect(expected.map(({ partitionKey }) => partitionKey)).toEqual([
      { week_ending: '2025-12-12', tier: 'OTC' },
      { week_ending: '2025-12-12', tier: 'NMS_TIER_1' },
      { week_ending: '2025-12-19', tier: 'OTC' },
      { week_ending: '2025-12-19', tier: 'NMS_TIER_1' },
    ]);
    expect(expected[0]).toMatchObject({
      periodEnd: '2025-12-12',
      expectedAt: new Date('2025-12-16T00:00:00Z'),
      finalAt: new Date('2025-12-17T00:00:00Z'),
    });
  });

  it('leaves out periods that are not expected, and everything when it is not active', () => {
    const holidays = ['2025-12-25'];
    const daily = { ...WEEKLY, cadence: 'daily' as const, partitionTemplate: { date: '{date}' } };
    expect(
      expectedPartitions(daily, day('2025-12-24'), day('2025-12-26'), (end) => !holidays.includes(end)).map(
        ({ partitionKey }) => partitionKey,
      ),
    ).toEqual([{ date: '2025-12-24' }, { date: '2025-12-26' }]);
    expect(expectedPartitions({ ...WEEKLY, active: false }, day('2025-12-12'), day('2025-12-19'))).toEqual(
      [],
    );
  });

  it('covers by a part of a key what has that part', () => {
    const keys = (key: Readonly<Record<string, string>>) =>
      partitionsCoveredBy(WEEKLY, key).map(({ partitionKey }) => partitionKey['tier']);
    expect(keys({ week_ending: '2025-12-12' })).toEqual(['OTC', 'NMS_TIER_1']);
    expect(keys({ week_ending: '2025-12-12', tier: 'OTC' })).toEqual(['OTC']);
    expect(keys({ week_ending: '2025-12-12', tier: 'NMS_TIER_2' })).toEqual([]);
    expect(keys({ week_ending: '2025-12-12', toString: 'OTC' })).toEqual([]);
    expect(() => keys({ tier: 'OTC' })).toThrow(
      'partition_key: must have week_ending, which names the period',
    );
  });

  it.each([
    [{ partitionTemplate: {} }, 'partition_template', 'no_period'],
    [{ partitionTemplate: { a: '{week_ending}', b: '{week_ending}' } }, 'partition_template', 'no_period'],
    [
      { partitionTemplate: { w: '{week_ending}', d: '{date}' } },
      'partition_template.d',
      'unknown_placeholder',
    ],
    [
      { partitionTemplate: { w: '{week_ending}', d: ['{week_ending}'] } },
      'partition_template.d',
      'unknown_placeholder',
    ],
    [{ partitionTemplate: { w: '{week_ending}', t: [] } }, 'partition_template.t', 'invalid_list'],
    [{ partitionTemplate: { w: '{week_ending}', t: ['a', 'a'] } }, 'partition_template.t', 'invalid_list'],
    [
      { partitionTemplate: { w: '{week_ending}', 'T; DROP': 'x' } },
      'partition_template.T; DROP',
      'invalid_field',
    ],
    [
      { partitionTemplate: { w: '{week_ending}', t: Array.from({ length: 10_001 }, (_, n) => n) } },
      'partition_template',
      'too_large',
    ],
    [{ expectedDelayHours: -1 }, 'expected_delay_hours', 'out_of_range'],
    [{ preliminaryHours: 0.5 }, 'preliminary_hours', 'out_of_range'],
    [{ requiredStages: [] }, 'required_stages', 'invalid'],
    [{ requiredStages: ['A', 'A'] }, 'required_stages', 'invalid'],
  ] as const)('with %j is refused at %s', (change, field, code) => {
    const schedule = { ...WEEKLY, ...change };
    expect(checkExpectedSchedule(schedule)).toMatchObject([{ field, code }]);
    expect(() => expectedPartitions(schedule, day('2025-12-12'), day('2025-12-12'))).toThrow(field);
  });

  it('with more partitions than one answer holds asks for a shorter range', () => {
    const wide = {
      ...WEEKLY,
      cadence: 'daily' as const,
      partitionTemplate: { d: '{date}', n: Array.from({ length: 1_000 }, (_, n) => n) },
    };
    expect(() => expectedPartitions(wide, day('2025-01-01'), day('2025-12-31'))).toThrow(
      'ask for a shorter one',
    );
  });
});
