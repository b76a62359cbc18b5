import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { DateRange } from './date-range.ts';
import { addDays, parsePlainDate, type PlainDate } from './plain-date.ts';
import { WeekEnding } from './week-ending.ts';

const FIRST = parsePlainDate('2024-01-15');
const date = fc.integer({ min: 0, max: 120 }).map((days) => addDays(FIRST, days));
const range = fc
  .tuple(date, fc.integer({ min: 0, max: 50 }))
  .map(([start, days]) => DateRange.of(start, addDays(start, days)));
/** Days so few that ranges often begin or end together. */
const close = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4 }))
  .map(([start, days]) => DateRange.of(addDays(FIRST, start), addDays(FIRST, start + days)));
const daysOf = (ranges: Iterable<DateRange>): PlainDate[] => [...ranges].flatMap((each) => [...each.days()]);
const text = (ranges: Iterable<DateRange>): string[] => [...ranges].map(String);

describe('DateRange', () => {
  it('is read from text, and back', () => {
    const december = DateRange.parse('2025-12-01..2025-12-31');
    expect([december.start, december.end, december.length]).toEqual(['2025-12-01', '2025-12-31', 31]);
    expect(december.toString()).toBe('2025-12-01..2025-12-31');
    expect(JSON.stringify(december)).toBe('{"start":"2025-12-01","end":"2025-12-31"}');
    expect(DateRange.parse('2025-12-26').length).toBe(1);
    expect(DateRange.month('2024-02').toString()).toBe('2024-02-01..2024-02-29');
    expect(DateRange.month('2025-12').equals(december)).toBe(true);
    expect(Object.isFrozen(december)).toBe(true);
  });

  it.each([
    '',
    '..',
    '2025-12-01..',
    '..2025-12-01',
    '2025-12-01...2025-12-02',
    '2025-12-01..2025-12-02..2025-12-03',
  ])('refuses %j, naming the field', (wrong) => {
    expect(() => DateRange.parse(wrong, 'params.range')).toThrow(ValidationError);
    expect(() => DateRange.parse(wrong, 'params.range')).toThrow(/^params\.range: .* is not a range/);
  });

  it('refuses an end before the start, and days that are none', () => {
    expect(() => DateRange.parse('2025-12-02..2025-12-01')).toThrow('ends before it starts');
    expect(() => DateRange.parse('2025-02-30..2025-03-01')).toThrow(ValidationError);
    expect(() => DateRange.month('2025-13')).toThrow(ValidationError);
  });

  it('has each of its days once, in order', () => {
    fc.assert(
      fc.property(range, date, (some, day) => {
        const days = [...some.days()];
        expect(days).toHaveLength(some.length);
        expect(days).toEqual([...new Set(days)].sort());
        expect(some.contains(day)).toBe(days.includes(day));
      }),
    );
  });

  it('intersects and subtracts as sets of days do', () => {
    fc.assert(
      fc.property(close, close, (a, b) => {
        const other = new Set(b.days());
        const both = a.intersect(b);
        expect(daysOf(both === null ? [] : [both])).toEqual([...a.days()].filter((day) => other.has(day)));
        expect(daysOf(a.subtract(b))).toEqual([...a.days()].filter((day) => !other.has(day)));
        expect(a.overlaps(b)).toBe(both !== null);
        expect(a.covers(b)).toBe(both?.equals(b) ?? false);
      }),
    );
  });

  it('merges to the fewest ranges of the same days', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(range, close), { maxLength: 8 }), (ranges) => {
        const merged = DateRange.merge(ranges);
        expect(daysOf(merged)).toEqual([...new Set(daysOf(ranges))].sort());
        merged.forEach((each, index) => {
          const next = merged[index + 1];
          if (next !== undefined) expect(addDays(each.end, 1) < next.start).toBe(true);
        });
        expect(text(DateRange.merge(merged))).toEqual(text(merged));
      }),
    );
    const met = ['2025-12-03..2025-12-04', '2025-12-01..2025-12-02', '2025-12-06'].map((each) =>
      DateRange.parse(each),
    );
    expect(text(DateRange.merge(met))).toEqual(['2025-12-01..2025-12-04', '2025-12-06..2025-12-06']);
    expect(met[0]?.isAdjacentTo(DateRange.parse('2025-12-05'))).toBe(true);
    expect(met[0]?.isAdjacentTo(DateRange.parse('2025-12-06'))).toBe(false);
  });

  it('splits without losing a day, into weeks, months and lengths', () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 60 }), (some, days) => {
        const all = [...some.days()];
        for (const parts of [some.splitByWeek(), some.splitByMonth(), some.splitByDays(days)]) {
          expect(daysOf(parts)).toEqual(all);
        }
        for (const part of some.splitByWeek()) {
          expect(WeekEnding.fromAnyDate(part.start).equals(WeekEnding.fromAnyDate(part.end))).toBe(true);
        }
        for (const part of some.splitByMonth()) expect(part.start.slice(0, 7)).toBe(part.end.slice(0, 7));
        expect(some.splitByDays(days)).toHaveLength(Math.ceil(some.length / days));
      }),
    );
    expect(text(DateRange.parse('2025-12-18..2026-01-02').splitByWeek())).toEqual([
      '2025-12-18..2025-12-19',
      '2025-12-20..2025-12-26',
      '2025-12-27..2026-01-02',
    ]);
    expect(text(DateRange.parse('2024-01-31..2024-03-01').splitByMonth())).toEqual([
      '2024-01-31..2024-01-31',
      '2024-02-01..2024-02-29',
      '2024-03-01..2024-03-01',
    ]);
    expect(() => DateRange.parse('2025-12-18').splitByDays(0)).toThrow(ValidationError);
  });

  it('works up to the last day of the calendar', () => {
    const last = DateRange.parse('9999-12-25..9999-12-31');
    expect([...last.days()]).toHaveLength(7);
    expect(text(last.splitByWeek())).toEqual(['9999-12-25..9999-12-31']);
    expect(text(last.splitByDays(5))).toEqual(['9999-12-25..9999-12-29', '9999-12-30..9999-12-31']);
    expect(last.isAdjacentTo(last)).toBe(false);
    expect(text(DateRange.merge([last, last]))).toEqual([last.toString()]);
  });
});
