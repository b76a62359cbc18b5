import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import {
  addDays,
  comparePlainDates,
  DayOfWeek,
  dayOfWeek,
  daysBetween,
  isPlainDate,
  parsePlainDate,
  plainDateFromInstant,
} from './plain-date.ts';

/** Far enough from both ends of the calendar to move 200,000 days. */
const instant = fc.date({
  min: new Date('0600-01-01T00:00:00Z'),
  max: new Date('9400-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const date = instant.map(plainDateFromInstant);
const days = fc.integer({ min: -200_000, max: 200_000 });

describe('plain dates', () => {
  it.each(['2025-12-26', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])('accepts %s', (text) => {
    expect(parsePlainDate(text)).toBe(text);
  });

  it.each([
    '2025-02-30',
    '2025-02-29',
    '1900-02-29',
    '2025-04-31',
    '2025-13-01',
    '2025-00-10',
    '2025-01-00',
    '2025-01-32',
    '0000-01-01',
    '2025-1-1',
    '20250101',
    '+002025-01-01',
    '2025-01-01T00:00:00Z',
    ' 2025-01-01',
    '2025-01-01\n',
    '٢٠٢٥-٠١-٠١',
    '',
  ])('refuses %j, naming the field and the value', (text) => {
    expect(isPlainDate(text)).toBe(false);
    expect(() => parsePlainDate(text, 'as_of')).toThrow(ValidationError);
    expect(() => parsePlainDate(text, 'as_of')).toThrow(`as_of: ${JSON.stringify(text)} is not a date`);
  });

  it.each([null, undefined, 20250101, new Date()])('are text: %s is none', (value) => {
    expect(isPlainDate(value)).toBe(false);
  });

  it('takes the UTC date of an instant, on both sides of midnight and of 1970', () => {
    expect(plainDateFromInstant(new Date('2025-12-26T23:59:59.999Z'))).toBe('2025-12-26');
    expect(plainDateFromInstant(new Date('2025-12-26T23:30:00-05:00'))).toBe('2025-12-27');
    expect(plainDateFromInstant(new Date(-1))).toBe('1969-12-31');
    expect(plainDateFromInstant(new Date('0099-05-06T00:00:00Z'))).toBe('0099-05-06');
    expect(() => plainDateFromInstant(new Date(Number.NaN))).toThrow(ValidationError);
    expect(() => plainDateFromInstant(new Date('+010000-01-01T00:00:00Z'))).toThrow(ValidationError);
  });

  it('adds days over month, leap and year ends', () => {
    expect(addDays(parsePlainDate('2025-12-31'), 1)).toBe('2026-01-01');
    expect(addDays(parsePlainDate('2024-02-28'), 1)).toBe('2024-02-29');
    expect(addDays(parsePlainDate('2025-03-01'), -1)).toBe('2025-02-28');
  });

  it('refuses to leave the calendar or to move by part of a day', () => {
    expect(() => addDays(parsePlainDate('9999-12-31'), 1)).toThrow(ValidationError);
    expect(() => addDays(parsePlainDate('0001-01-01'), -1)).toThrow(ValidationError);
    expect(() => addDays(parsePlainDate('2025-01-01'), 1e15)).toThrow(ValidationError);
    for (const part of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => addDays(parsePlainDate('2025-01-01'), part)).toThrow(ValidationError);
    }
  });

  it('counts the week from Monday', () => {
    expect(dayOfWeek(parsePlainDate('2025-12-22'))).toBe(DayOfWeek.MONDAY);
    expect(dayOfWeek(parsePlainDate('2025-12-26'))).toBe(DayOfWeek.FRIDAY);
    expect(dayOfWeek(parsePlainDate('2025-12-28'))).toBe(DayOfWeek.SUNDAY);
    expect(dayOfWeek(parsePlainDate('1970-01-01'))).toBe(DayOfWeek.THURSDAY);
    expect(dayOfWeek(parsePlainDate('0001-01-01'))).toBe(DayOfWeek.MONDAY);
  });

  it('agrees with the calendar of the engine', () => {
    fc.assert(
      fc.property(date, (day) => {
        const utc = new Date(`${day}T12:00:00Z`);
        expect(dayOfWeek(day) % 7).toBe(utc.getUTCDay());
        expect(plainDateFromInstant(utc)).toBe(day);
        expect(isPlainDate(day)).toBe(true);
      }),
    );
  });

  it('measures the distance it moved, and sorts as text', () => {
    fc.assert(
      fc.property(date, days, (day, distance) => {
        const moved = addDays(day, distance);
        expect(daysBetween(day, moved)).toBe(distance);
        expect(addDays(moved, -distance)).toBe(day);
        expect(comparePlainDates(moved, day)).toBe(Math.sign(distance));
        expect(moved < day).toBe(distance < 0);
      }),
    );
  });
});
