import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixedClock } from '../clock.ts';
import { ValidationError } from '../errors/permanent.ts';
import {
  addDays,
  DayOfWeek,
  dayOfWeek,
  daysBetween,
  parsePlainDate,
  plainDateFromInstant,
} from './plain-date.ts';
import { WeekEnding } from './week-ending.ts';

const date = fc
  .date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('2100-01-01T00:00:00Z'), noInvalidDate: true })
  .map(plainDateFromInstant);
const week = date.map((day) => WeekEnding.fromAnyDate(day));
const text = (weeks: Iterable<WeekEnding>): string[] => [...weeks].map(String);

describe('WeekEnding', () => {
  it('exists for Fridays', () => {
    expect(WeekEnding.parse('2025-12-26').date).toBe('2025-12-26');
    expect(WeekEnding.of(parsePlainDate('2025-12-26')).equals(WeekEnding.parse('2025-12-26'))).toBe(true);
  });

  it('refuses any other day, naming it and the Fridays around it', () => {
    expect(() => WeekEnding.parse('2025-12-25')).toThrow(ValidationError);
    expect(() => WeekEnding.parse('2025-12-25', 'params.week_ending')).toThrow(
      'params.week_ending: 2025-12-25 is a Thursday, not a Friday; the nearest Fridays are 2025-12-19 and 2025-12-26',
    );
    expect(() => WeekEnding.parse('2025-12-27')).toThrow(
      'a Saturday, not a Friday; the nearest Fridays are 2025-12-26 and 2026-01-02',
    );
    expect(() => WeekEnding.parse('2025-02-30')).toThrow('week_ending: "2025-02-30" is not a date');
  });

  it.each([
    ['2025-12-20', '2025-12-26'],
    ['2025-12-21', '2025-12-26'],
    ['2025-12-23', '2025-12-26'],
    ['2025-12-26', '2025-12-26'],
    ['2025-12-27', '2026-01-02'],
  ])('takes %s to the Friday %s on or after it', (day, friday) => {
    expect(WeekEnding.fromAnyDate(day).toString()).toBe(friday);
  });

  it.each([
    ['2025-12-15', '2025-12-12'],
    ['2025-12-12', '2025-12-05'],
    ['2025-12-13', '2025-12-12'],
    ['2026-01-01', '2025-12-26'],
  ])('published on %s means the week ending %s', (published, friday) => {
    expect(WeekEnding.fridayBefore(published).toString()).toBe(friday);
  });

  it('puts any date between two neighbouring Fridays', () => {
    fc.assert(
      fc.property(date, (day) => {
        const after = WeekEnding.fromAnyDate(day);
        const before = WeekEnding.fridayBefore(day);
        expect(dayOfWeek(after.date)).toBe(DayOfWeek.FRIDAY);
        expect(before.next().equals(after)).toBe(true);
        expect(daysBetween(day, after.date)).toBeGreaterThanOrEqual(0);
        expect(daysBetween(before.date, day)).toBeGreaterThan(0);
      }),
    );
  });

  it('reads today from the clock, in UTC', () => {
    expect(WeekEnding.today(new FixedClock('2025-12-26T23:59:59Z')).toString()).toBe('2025-12-26');
    expect(WeekEnding.today(new FixedClock('2025-12-27T00:00:00Z')).toString()).toBe('2026-01-02');
    expect(text(WeekEnding.lastN(3, new FixedClock('2025-12-23T00:00:00Z')))).toEqual([
      '2025-12-12',
      '2025-12-19',
      '2025-12-26',
    ]);
  });

  it('gives a window oldest first', () => {
    expect(text(WeekEnding.parse('2025-12-26').window(6))).toEqual([
      '2025-11-21',
      '2025-11-28',
      '2025-12-05',
      '2025-12-12',
      '2025-12-19',
      '2025-12-26',
    ]);
    fc.assert(
      fc.property(week, fc.integer({ min: 1, max: 120 }), (end, n) => {
        const window = end.window(n);
        expect(window).toHaveLength(n);
        expect(window[0]?.equals(end.previous(n - 1))).toBe(true);
        expect(window.at(-1)?.equals(end)).toBe(true);
      }),
    );
  });

  it('steps back and forth', () => {
    const start = WeekEnding.parse('2025-12-26');
    expect(
      [start.previous(), start.next(), start.previous(2), start.next(2), start.next(0)].map(String),
    ).toEqual(['2025-12-19', '2026-01-02', '2025-12-12', '2026-01-09', '2025-12-26']);
  });

  it('ranges over every week, both ends included', () => {
    const [start, end] = [WeekEnding.parse('2025-12-12'), WeekEnding.parse('2025-12-26')];
    expect(text(WeekEnding.range(start, end))).toEqual(['2025-12-12', '2025-12-19', '2025-12-26']);
    expect(text(WeekEnding.range(start, start))).toEqual(['2025-12-12']);
    expect(text(WeekEnding.range(end, start))).toEqual([]);
  });

  it('works up to the last Friday of the calendar', () => {
    const last = WeekEnding.fromAnyDate('9999-12-31');
    expect(last.toString()).toBe('9999-12-31');
    expect(text(last.window(2))).toEqual(['9999-12-24', '9999-12-31']);
    expect(() => last.next()).toThrow(ValidationError);
  });

  it.each([0.5, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %s weeks', (n) => {
    const start = WeekEnding.parse('2025-12-26');
    for (const step of [() => start.previous(n), () => start.next(n), () => start.window(n)]) {
      expect(step).toThrow(ValidationError);
    }
  });

  it('has no empty window', () => {
    expect(() => WeekEnding.parse('2025-12-26').window(0)).toThrow('n: 0 is not a number of weeks');
  });

  it('compares as its dates do', () => {
    fc.assert(
      fc.property(date, date, (a, b) => {
        const [left, right] = [WeekEnding.fromAnyDate(a), WeekEnding.fromAnyDate(b)];
        expect(WeekEnding.compare(left, right)).toBe(Math.sign(daysBetween(right.date, left.date)));
        expect(left.equals(right)).toBe(WeekEnding.compare(left, right) === 0);
      }),
    );
    const sorted = ['2026-01-02', '2025-12-19', '2025-12-26']
      .map((day) => WeekEnding.parse(day))
      .sort(WeekEnding.compare);
    expect(text(sorted)).toEqual(['2025-12-19', '2025-12-26', '2026-01-02']);
  });

  it('is before, after, and so many weeks away', () => {
    fc.assert(
      fc.property(week, fc.integer({ min: 0, max: 500 }), (start, n) => {
        const later = start.next(n);
        expect([start.weeksUntil(later), later.weeksUntil(start) + n]).toEqual([n, 0]);
        expect([start.isBefore(later), later.isAfter(start), start.isAfter(later)]).toEqual([
          n > 0,
          n > 0,
          false,
        ]);
      }),
    );
  });

  it('spans Saturday to Friday, and contains what fromAnyDate takes to it', () => {
    const christmas = WeekEnding.parse('2025-12-26');
    expect([christmas.days, christmas.weekdays].map(String)).toEqual([
      '2025-12-20..2025-12-26',
      '2025-12-22..2025-12-26',
    ]);
    fc.assert(
      fc.property(date, week, (day, other) => {
        const mine = WeekEnding.fromAnyDate(day);
        expect(mine.contains(day)).toBe(true);
        expect(other.contains(day)).toBe(other.equals(mine));
      }),
    );
  });

  it.each([
    ['2025-12-26', 2025, 52],
    ['2026-01-02', 2026, 1],
    ['2021-01-01', 2020, 53],
    ['2016-01-01', 2015, 53],
    ['2024-01-05', 2024, 1],
    ['2027-12-31', 2027, 52],
  ])('%s is in the ISO year %i, week %i', (friday, year, number) => {
    expect(WeekEnding.parse(friday).isoWeek).toEqual({ year, week: number });
  });

  it('numbers its weeks without a gap', () => {
    fc.assert(
      fc.property(week, (start) => {
        const [now, next] = [start.isoWeek, start.next().isoWeek];
        expect(
          next.week === now.week + 1 || (next.week === 1 && now.week >= 52 && next.year === now.year + 1),
        ).toBe(true);
      }),
    );
  });

  it('is its date in text and JSON, and cannot be changed', () => {
    const value = WeekEnding.fromAnyDate(addDays(parsePlainDate('2025-12-26'), -3));
    expect(`${value.toString()} ${JSON.stringify({ value })}`).toBe('2025-12-26 {"value":"2025-12-26"}');
    expect(Object.isFrozen(value)).toBe(true);
  });
});
