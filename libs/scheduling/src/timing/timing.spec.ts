import { Temporal } from 'temporal-polyfill';
import fc from 'fast-check';
import { addDays, parsePlainDate, ValidationError } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { checkTiming } from './check-timing.ts';
import type { TimingInput } from './check-timing.ts';
import { parseCron } from './cron.ts';
import { jitterMs } from './jitter.ts';
import { fireTimes } from './next-fire.ts';
import type { TradingCalendar } from './trading-calendar.ts';
import { localDate } from './zone.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

/** Weekdays without two holidays. */
const exchange: TradingCalendar = {
  exchange: 'TEST',
  isTradingDay: (date) =>
    ![0, 6].includes(new Date(`${date}T00:00:00Z`).getUTCDay()) &&
    !['2026-01-30', '2026-01-01'].includes(date),
};
const calendars = new Map([['TEST', exchange]]);

const times = (input: TimingInput, after: string, count: number): string[] =>
  fireTimes(checkTiming(input, NOW, calendars).timing, new Date(after), count, calendars).map((time) =>
    time.toISOString(),
  );

const cron = (expression: string, timezone: string, after: string, count: number): string[] =>
  times({ scheduleType: 'cron', cronExpression: expression, timezone }, after, count);

const issuesOf = (input: TimingInput): string[] => {
  try {
    checkTiming(input, NOW, calendars);
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.issues.map(({ field, code }) => `${field} ${code}`);
  }
};

const date = (text: string): PlainDate => parsePlainDate(text);

describe('cron', () => {
  it.each([
    ['0 0 L * *', ['2026-01-31T00:00:00.000Z', '2026-02-28T00:00:00.000Z']],
    ['0 0 15W * *', ['2026-01-15T00:00:00.000Z', '2026-02-16T00:00:00.000Z']],
    ['0 0 LW * *', ['2026-01-30T00:00:00.000Z', '2026-02-27T00:00:00.000Z']],
    ['0 0 * * 5#2', ['2026-01-09T00:00:00.000Z', '2026-02-13T00:00:00.000Z']],
    ['0 0 * * FRIL', ['2026-01-30T00:00:00.000Z', '2026-02-27T00:00:00.000Z']],
    ['30 0 8 * * MON-FRI', ['2026-01-01T08:00:30.000Z', '2026-01-02T08:00:30.000Z']],
    ['@monthly', ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']],
    ['0 0 29 2 *', ['2028-02-29T00:00:00.000Z', '2032-02-29T00:00:00.000Z']],
  ])('%s', (expression, expected) => {
    expect(cron(expression, 'UTC', NOW.toISOString(), 2)).toEqual(expected);
  });

  it('fires once right after a gap', () => {
    expect(cron('30 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00.000Z',
      '2026-03-09T06:30:00.000Z',
    ]);
  });

  it('fires once after a gap that swallows all times of a step', () => {
    expect(cron('*/20 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00.000Z',
      '2026-03-09T06:00:00.000Z',
    ]);
  });

  it('fires once in a fold, the first time', () => {
    expect(cron('30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00.000Z',
      '2026-11-02T06:30:00.000Z',
    ]);
    expect(cron('*/30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 3)).toEqual([
      '2026-11-01T05:00:00.000Z',
      '2026-11-01T05:30:00.000Z',
      '2026-11-02T06:00:00.000Z',
    ]);
  });

  it('counts elapsed time where the hours are not given as numbers', () => {
    const around = cron('*/30 * * * *', 'America/New_York', '2026-11-01T04:40:00Z', 6);
    const gaps = around.slice(1).map((time, index) => Date.parse(time) - Date.parse(around[index] ?? ''));
    expect(gaps).toEqual(Array.from({ length: 5 }, () => 1_800_000));
  });

  it('of minutes alone fires at every moment that shows one of them, whatever the clocks do', () => {
    const zones = ['America/New_York', 'Europe/Berlin', 'Asia/Tehran', 'Asia/Kolkata', 'Africa/Casablanca'];
    const minuteOf = (at: number, zone: string): number =>
      Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).minute;
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2020, 0) }),
        (zone, minutes, from) => {
          const start = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(zone);
          const change = start.getTimeZoneTransition('next')?.epochMilliseconds ?? from;
          // Three hours before a change of clocks to three hours after it.
          const first = Math.floor(change / 60_000) * 60_000 - 180 * 60_000;
          const moments = Array.from({ length: 360 }, (_, index) => first + index * 60_000);
          const expected = moments.filter((at) => minutes.includes(minuteOf(at, zone)));
          const rule = parseCron(`${minutes.join(',')} * * * *`, zone);
          const found: number[] = [];
          for (
            let at = rule.next(new Date(first - 1));
            at !== null && at.getTime() < first + 360 * 60_000;
            at = rule.next(at)
          )
            found.push(at.getTime());
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of a fixed time of day fires exactly once a day, at that time or right after the gap', () => {
    const zones = [
      'America/New_York',
      'Europe/Berlin',
      'Australia/Lord_Howe',
      'America/Sao_Paulo',
      'Asia/Tehran',
      'UTC',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 2010, max: 2030 }),
        (zone, hour, minute, year) => {
          const rule = parseCron(`${minute} ${hour} * * *`, zone);
          let day = date(`${year}-01-01`);
          let fired = new Date(`${year - 1}-12-30T00:00:00Z`);
          while (localDate(fired, zone) < day) fired = rule.next(fired) ?? fired;
          for (let count = 0; count < 366; count += 1) {
            expect(localDate(fired, zone)).toBe(day);
            const local = Temporal.PlainDateTime.from(`${day}T00:00`).with({ hour, minute });
            const meant = local.toZonedDateTime(zone, { disambiguation: 'earlier' });
            const exists = meant.toPlainDateTime().equals(local);
            const expected = exists ? meant : meant.getTimeZoneTransition('next');
            expect(fired.getTime()).toBe(expected?.epochMilliseconds);
            const following = rule.next(fired);
            if (following === null) throw new Error('a daily time has no end');
            fired = following;
            day = addDays(day, 1);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it.each([
    ['0 0 31 2 *', 'never_fires'],
    ['0 0 30 2 *', 'never_fires'],
    ['61 * * * *', 'invalid_cron'],
    ['* * *', 'invalid_cron'],
    ['0 0 1 1 * * 2027', 'invalid_cron'],
    ['? * * * *', 'invalid_cron'],
    ['@reboot', 'invalid_cron'],
    ['@fortnightly', 'invalid_cron'],
    ['2027-01-01T00:00:00', 'invalid_cron'],
    ['*/0 * * * *', 'invalid_cron'],
    ['5-1 * * * *', 'invalid_cron'],
    ['', 'invalid_cron'],
  ])('%j is refused: %s', (expression, code) => {
    expect(issuesOf({ scheduleType: 'cron', cronExpression: expression })).toEqual([
      `cron_expression ${code}`,
    ]);
  });
});

describe('intervals', () => {
  it('count from their start, however late they are looked at', () => {
    const startsAt = new Date('2026-01-01T00:00:07Z');
    expect(
      times({ scheduleType: 'interval', intervalSeconds: 60, startsAt }, '2026-01-01T10:00:30Z', 2),
    ).toEqual(['2026-01-01T10:01:07.000Z', '2026-01-01T10:02:07.000Z']);
    expect(
      times({ scheduleType: 'interval', intervalSeconds: 60, startsAt }, '2025-01-01T00:00:00Z', 1),
    ).toEqual(['2026-01-01T00:00:07.000Z']);
  });
});

describe('calendar rules', () => {
  const rule = (period: 'day' | 'week' | 'month' | 'quarter', nth: number): TimingInput => ({
    scheduleType: 'calendar',
    timezone: 'America/New_York',
    calendarRule: { exchange: 'TEST', period, nth, at: '16:30' },
  });

  it.each([
    ['month', -1, ['2026-01-29T21:30:00.000Z', '2026-02-27T21:30:00.000Z', '2026-03-31T20:30:00.000Z']],
    ['month', 1, ['2026-01-02T21:30:00.000Z', '2026-02-02T21:30:00.000Z', '2026-03-02T21:30:00.000Z']],
    ['week', -1, ['2026-01-02T21:30:00.000Z', '2026-01-09T21:30:00.000Z', '2026-01-16T21:30:00.000Z']],
    ['quarter', -2, ['2026-03-30T20:30:00.000Z', '2026-06-29T20:30:00.000Z', '2026-09-29T20:30:00.000Z']],
    ['day', 1, ['2026-01-02T21:30:00.000Z', '2026-01-05T21:30:00.000Z', '2026-01-06T21:30:00.000Z']],
  ] as const)('day %2$i of each %1$s', (period, nth, expected) => {
    expect(times(rule(period, nth), '2026-01-01T12:00:00Z', 3)).toEqual(expected);
  });
});

describe('windows and exclusions', () => {
  const daily: TimingInput = { scheduleType: 'cron', cronExpression: '0 8 * * *', timezone: 'Europe/Berlin' };

  it('bound the times; the start may fire, the end does not', () => {
    const startsAt = new Date('2026-02-01T07:00:00Z');
    const endsAt = new Date('2026-02-03T07:00:00Z');
    expect(times({ ...daily, startsAt, endsAt }, '2026-01-01T00:00:00Z', 9)).toEqual([
      '2026-02-01T07:00:00.000Z',
      '2026-02-02T07:00:00.000Z',
    ]);
  });

  it('leave out days as the zone counts them', () => {
    const exclusions = [{ from: date('2026-01-02'), to: date('2026-01-04') }, { from: date('2026-01-06') }];
    expect(times({ ...daily, exclusions }, '2026-01-01T00:00:00Z', 3)).toEqual([
      '2026-01-01T07:00:00.000Z',
      '2026-01-05T07:00:00.000Z',
      '2026-01-07T07:00:00.000Z',
    ]);
  });

  it('step over a year of excluded seconds', () => {
    const exclusions = [{ from: date('2026-01-01'), to: date('2026-12-31') }];
    expect(
      times({ scheduleType: 'cron', cronExpression: '* * * * * *', exclusions }, '2026-01-01T00:00:00Z', 1),
    ).toEqual(['2027-01-01T00:00:00.000Z']);
  });

  it('end where the calendar does, and are refused beyond it', () => {
    const ending: TradingCalendar = {
      exchange: 'TEST',
      isTradingDay: (day) => {
        if (day > '2026-03-31') throw new ValidationError(`date: ${day} is outside the calendar`);
        return exchange.isTradingDay(day);
      },
    };
    const known = new Map([['TEST', ending]]);
    const rule = { exchange: 'TEST', period: 'month', nth: 1, at: '08:00' } as const;
    const { timing } = checkTiming({ scheduleType: 'calendar', calendarRule: rule }, NOW, known);
    const found = fireTimes(timing, NOW, 9, known).map((time) => time.toISOString());
    expect(found).toEqual(['2026-01-02', '2026-02-02', '2026-03-02'].map((day) => `${day}T08:00:00.000Z`));
    expect(() => fireTimes(timing, new Date('2026-04-01T00:00:00Z'), 1, known)).toThrowError(
      'calendar_rule: date: 2026-04-01 is outside the calendar',
    );
  });

  it('end where an exclusion has no end', () => {
    const exclusions = [{ from: date('2026-01-03'), to: date('9999-12-31') }];
    expect(times({ ...daily, exclusions }, '2026-01-01T00:00:00Z', 9)).toEqual([
      '2026-01-01T07:00:00.000Z',
      '2026-01-02T07:00:00.000Z',
    ]);
    expect(times({ ...daily, exclusions }, '2026-01-04T00:00:00Z', 9)).toEqual([]);
  });
});

describe('what cannot be a schedule is refused field by field', () => {
  it.each<[TimingInput, string[]]>([
    [{ scheduleType: 'cron' }, ['cron_expression required']],
    [{ scheduleType: 'interval', intervalSeconds: 0 }, ['interval_seconds out_of_range']],
    [{ scheduleType: 'interval', intervalSeconds: 1.5 }, ['interval_seconds out_of_range']],
    [{ scheduleType: 'date', runAt: new Date('2025-12-31T00:00:00Z') }, ['run_at in_the_past']],
    [
      { scheduleType: 'cron', cronExpression: '0 8 * * *', timezone: 'Mars/Olympus' },
      ['timezone unknown_timezone'],
    ],
    [
      { scheduleType: 'cron', cronExpression: '0 8 * * *', timezone: '+02:00' },
      ['timezone unknown_timezone'],
    ],
    [
      { scheduleType: 'cron', cronExpression: '0 8 * * *', intervalSeconds: 5 },
      ['interval_seconds not_allowed'],
    ],
    [
      {
        scheduleType: 'cron',
        cronExpression: 'x',
        startsAt: new Date('2026-02-02T00:00:00Z'),
        endsAt: new Date('2026-02-01T00:00:00Z'),
      },
      ['cron_expression invalid_cron', 'ends_at before_start'],
    ],
    [
      { scheduleType: 'cron', cronExpression: '0 8 * * *', endsAt: new Date('2026-01-01T07:00:00Z') },
      ['cron_expression never_fires'],
    ],
    [
      { scheduleType: 'calendar', calendarRule: { exchange: 'XXXX', period: 'month', nth: -1, at: '16:30' } },
      ['calendar_rule.exchange unknown_calendar'],
    ],
    [
      { scheduleType: 'calendar', calendarRule: { exchange: 'TEST', period: 'week', nth: 8, at: '16:30' } },
      ['calendar_rule.nth out_of_range'],
    ],
    [
      { scheduleType: 'calendar', calendarRule: { exchange: 'TEST', period: 'week', nth: 1, at: '24:00' } },
      ['calendar_rule.at invalid_time'],
    ],
    [
      {
        scheduleType: 'cron',
        cronExpression: '0 8 * * *',
        exclusions: [{ from: date('2026-02-02'), to: date('2026-02-01') }],
      },
      ['exclusions[0].to before_start'],
    ],
  ])('%j', (input, expected) => {
    expect(issuesOf(input)).toEqual(expected);
  });
});

describe('jitter', () => {
  it('is the same each time, within its bound, and spreads schedules', () => {
    const delays = Array.from({ length: 200 }, (_, index) => jitterMs(`schedule-${index}`, NOW, 60));
    expect(delays).toEqual(Array.from({ length: 200 }, (_, index) => jitterMs(`schedule-${index}`, NOW, 60)));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(60_000);
    expect(new Set(delays).size).toBeGreaterThan(150);
    expect(jitterMs('schedule-1', NOW, 0)).toBe(0);
  });
});
