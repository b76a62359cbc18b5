import fc from 'fast-check';
import { addDays, DayOfWeek, dayOfWeek, parsePlainDate, ValidationError, WeekEnding } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { CalendarRangeError } from './errors.ts';
import { ExchangeCalendar } from './exchange-calendar.ts';
import { xnys } from './xnys.ts';
import { XNYS_HOURS, xnysYear } from './xnys-rules.ts';

const calendar = xnys();
const day = parsePlainDate;
const friday = (text: string): WeekEnding => WeekEnding.parse(text);

describe('trading days', () => {
  // As the exchange itself counts them, for years of every kind.
  it.each([
    [1990, 253],
    [1992, 254],
    [1994, 252],
    [1996, 254],
    [2001, 248],
    [2006, 251],
    [2007, 251],
    [2008, 253],
    [2012, 250],
    [2018, 251],
    [2020, 253],
    [2021, 252],
    [2022, 251],
    [2023, 250],
    [2024, 252],
    [2025, 250],
    [2026, 251],
  ])('of %i are %i', (year, expected) => {
    const [from, to] = [day(`${year}-01-01`), day(`${year}-12-31`)];
    expect(calendar.tradingDaysBetween(from, to)).toBe(expected);
    expect(calendar.tradingDays(from, to)).toHaveLength(expected);
  });

  it('are counted with both ends', () => {
    expect(calendar.tradingDaysBetween(day('2025-12-22'), day('2025-12-26'))).toBe(4);
    expect(calendar.tradingDaysBetween(day('2025-12-26'), day('2025-12-26'))).toBe(1);
    expect(calendar.tradingDaysBetween(day('2025-12-25'), day('2025-12-25'))).toBe(0);
    expect(calendar.tradingDaysBetween(day('2025-12-29'), day('2026-01-02'))).toBe(4);
  });

  it('follow each other over weekends, holidays and the end of a year', () => {
    expect(calendar.next(day('2025-12-24'))).toBe('2025-12-26');
    expect(calendar.next(day('2025-12-31'))).toBe('2026-01-02');
    expect(calendar.previous(day('2001-09-17'))).toBe('2001-09-10');
    expect(calendar.previous(day('2025-01-10'))).toBe('2025-01-08');
    expect(calendar.next(day('2025-12-27'))).toBe('2025-12-29');
    expect(calendar.previous(day('2025-12-27'))).toBe('2025-12-26');
  });

  it('are added and taken away', () => {
    expect(calendar.add(day('2025-12-24'), 3)).toBe('2025-12-30');
    expect(calendar.add(day('2025-12-25'), 1)).toBe('2025-12-26');
    expect(calendar.add(day('2025-12-25'), -2)).toBe('2025-12-23');
    expect(calendar.add(day('2025-12-24'), 0)).toBe('2025-12-24');
    expect(() => calendar.add(day('2025-12-25'), 0)).toThrow('2025-12-25 is not a trading day of XNYS');
    expect(() => calendar.add(day('2025-12-24'), 1.5)).toThrow(ValidationError);
  });

  it('end weeks and months', () => {
    expect(calendar.tradingDaysOfWeek(friday('2025-04-18'))).toEqual([
      '2025-04-14',
      '2025-04-15',
      '2025-04-16',
      '2025-04-17',
    ]);
    expect(calendar.lastTradingDayOfWeek(friday('2025-04-18'))).toBe('2025-04-17');
    expect(calendar.lastTradingDayOfMonth(2025, 5)).toBe('2025-05-30');
    expect(calendar.lastTradingDayOfMonth(2021, 12)).toBe('2021-12-31');
    expect(calendar.lastTradingDayOfMonth(2002, 3)).toBe('2002-03-28');
    expect(calendar.tradingDaysOfWeek(friday('1990-01-05'))).toHaveLength(4);
  });

  it('have their reasons for being none', () => {
    expect(calendar.closedDay(day('2018-12-05'))).toMatchObject({ kind: 'special_closing' });
    expect(calendar.closedDay(day('2018-12-06'))).toBeNull();
    expect(calendar.closedDay(day('2018-12-08'))).toBeNull();
    expect(calendar.halfDay(day('2018-12-24'))).toMatchObject({ closesAt: '13:00' });
    expect(calendar.halfDay(day('2018-12-26'))).toBeNull();
  });
});

describe('sessions', () => {
  it('are instants, in summer and in winter and on half days', () => {
    const hours = (date: string): unknown => {
      const session = calendar.session(day(date));
      return session && [session.opensAt.toISOString(), session.closesAt.toISOString(), session.isHalfDay];
    };
    expect(hours('2025-07-02')).toEqual(['2025-07-02T13:30:00.000Z', '2025-07-02T20:00:00.000Z', false]);
    expect(hours('2025-12-15')).toEqual(['2025-12-15T14:30:00.000Z', '2025-12-15T21:00:00.000Z', false]);
    expect(hours('2025-11-28')).toEqual(['2025-11-28T14:30:00.000Z', '2025-11-28T18:00:00.000Z', true]);
    // The clocks changed on the Sunday between.
    expect(hours('2025-03-07')).toEqual(['2025-03-07T14:30:00.000Z', '2025-03-07T21:00:00.000Z', false]);
    expect(hours('2025-03-10')).toEqual(['2025-03-10T13:30:00.000Z', '2025-03-10T20:00:00.000Z', false]);
    expect(hours('2025-12-25')).toBeNull();
  });

  it('of a week are those of its trading days', () => {
    const week = calendar.sessionsOfWeek(friday('2025-11-28'));
    expect(week.map(({ date, isHalfDay }) => [date, isHalfDay])).toEqual([
      ['2025-11-24', false],
      ['2025-11-25', false],
      ['2025-11-26', false],
      ['2025-11-28', true],
    ]);
  });
});

describe('outside its years', () => {
  it.each([
    () => calendar.isTradingDay(day('1989-12-29')),
    () => calendar.isTradingDay(day('2036-01-02')),
    () => calendar.closedDay(day('2036-01-02')),
    () => calendar.halfDay(day('2036-01-02')),
    () => calendar.session(day('2036-01-02')),
    () => calendar.next(day('2035-12-31')),
    () => calendar.previous(day('1990-01-02')),
    () => calendar.previous(day('1990-01-01')),
    () => calendar.add(day('2000-01-03'), 10_000),
    () => calendar.add(day('2000-01-03'), -10_000),
    () => calendar.tradingDaysBetween(day('2035-12-01'), day('2036-01-02')),
    () => calendar.tradingDaysOfWeek(friday('2036-01-04')),
    () => calendar.lastTradingDayOfMonth(2036, 1),
    () => calendar.year(1989),
  ])('the calendar answers nothing: %s', (ask) => {
    expect(ask).toThrow(CalendarRangeError);
    expect(ask).toThrow('outside the calendar of XNYS; allowed are dates from 1990-01-01 to 2035-12-31');
  });

  it('names the field', () => {
    expect(() => calendar.tradingDaysBetween(day('2035-12-01'), day('2036-01-02'))).toThrow(
      expect.objectContaining({
        issues: [expect.objectContaining({ field: 'to', code: 'outside_calendar' })],
      }),
    );
  });

  it('refuses a range that ends before it begins', () => {
    expect(() => calendar.tradingDays(day('2025-12-26'), day('2025-12-24'))).toThrow(
      'to: 2025-12-24 is before from, 2025-12-26',
    );
  });
});

describe('years', () => {
  it('must be of one exchange, in a row, and some', () => {
    const of = (...years: number[]) => new ExchangeCalendar(years.map(xnysYear), XNYS_HOURS);
    expect(of(2024, 2025).to).toBe('2025-12-31');
    expect(() => of()).toThrow(ValidationError);
    expect(() => of(2024, 2026)).toThrow('years[1]: XNYS 2026 does not follow XNYS 2024');
    const other = { ...xnysYear(2025), exchangeCode: 'XLON' };
    expect(() => new ExchangeCalendar([xnysYear(2024), other], XNYS_HOURS)).toThrow(ValidationError);
  });

  it('come back as they were given', () => expect(calendar.year(2025)).toEqual(xnysYear(2025)));
});

describe('for any days', () => {
  const date = fc.integer({ min: 0, max: 366 * 45 }).map((days) => addDays(day('1990-03-01'), days));
  /** Counted a day at a time. */
  const walk = (from: PlainDate, to: PlainDate): PlainDate[] => {
    const found: PlainDate[] = [];
    for (let each = from; each <= to; each = addDays(each, 1)) {
      if (dayOfWeek(each) <= DayOfWeek.FRIDAY && calendar.closedDay(each) === null) found.push(each);
    }
    return found;
  };

  it('a range holds the days a walk finds', () => {
    fc.assert(
      fc.property(date, fc.nat({ max: 120 }), (from, days) => {
        const to = addDays(from, days);
        const expected = walk(from, to);
        expect(calendar.tradingDays(from, to)).toEqual(expected);
        expect(calendar.tradingDaysBetween(from, to)).toBe(expected.length);
      }),
    );
  });

  it('adding goes as far as counting says, and back', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: 1, max: 30 }), (from, n) => {
        const there = calendar.add(from, n);
        expect(calendar.isTradingDay(there)).toBe(true);
        expect(calendar.tradingDaysBetween(addDays(from, 1), there)).toBe(n);
        const back = calendar.add(there, -n);
        if (calendar.isTradingDay(from)) expect(back).toBe(from);
        else expect(back).toBe(calendar.previous(from));
        expect(calendar.next(back)).toBe(calendar.add(back, 1));
      }),
    );
  });
});
