import { ValidationError } from '../errors/permanent.ts';
import type { Brand } from '../ids.ts';
import { truncateText } from '../text.ts';

/**
 * A calendar date without time or zone, as 'YYYY-MM-DD' from 0001-01-01 to 9999-12-31. Plain text order is
 * date order, and JSON and SQL take it as it is.
 */
export type PlainDate = Brand<string, 'PlainDate'>;

/** Days of the week as ISO 8601 counts them: Monday is 1, Sunday is 7. */
export const DayOfWeek = {
  MONDAY: 1,
  TUESDAY: 2,
  WEDNESDAY: 3,
  THURSDAY: 4,
  FRIDAY: 5,
  SATURDAY: 6,
  SUNDAY: 7,
} as const;
export type DayOfWeek = (typeof DayOfWeek)[keyof typeof DayOfWeek];

const SHAPE = /^\d{4}-\d{2}-\d{2}$/;
const MILLISECONDS_A_DAY = 86_400_000;

/** Whether `value` is a real calendar date in the form 'YYYY-MM-DD'. */
export function isPlainDate(value: unknown): value is PlainDate {
  if (typeof value !== 'string' || !SHAPE.test(value)) return false;
  // By hand, not by way of a Date: files have millions of dates.
  const [year, month, day] = [Number(value.slice(0, 4)), Number(value.slice(5, 7)), Number(value.slice(8))];
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The date in `text`. Throws ValidationError naming `field`, the value and what is allowed. */
export function parsePlainDate(text: string, field = 'date'): PlainDate {
  if (isPlainDate(text)) return text;
  const message =
    `${JSON.stringify(truncateText(String(text), 40))} is not a date; ` +
    'allowed are calendar dates as YYYY-MM-DD from 0001-01-01 to 9999-12-31';
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'invalid_date', message }] });
}

/** The UTC date at `instant`. Throws ValidationError for an invalid Date or one outside the years 1 to 9999. */
export function plainDateFromInstant(instant: Date): PlainDate {
  return fromEpochDay(Math.floor(instant.getTime() / MILLISECONDS_A_DAY));
}

/** `date` moved by whole days, back when negative. Throws ValidationError outside the years 1 to 9999. */
export function addDays(date: PlainDate, days: number): PlainDate {
  if (!Number.isInteger(days)) {
    throw new ValidationError(`days: ${days} is not a whole number; allowed are integers`);
  }
  return fromEpochDay(epochDay(date) + days);
}

/** Days from `from` to `to`; negative when `to` is earlier. */
export function daysBetween(from: PlainDate, to: PlainDate): number {
  return epochDay(to) - epochDay(from);
}

export function dayOfWeek(date: PlainDate): DayOfWeek {
  // 1970-01-01 was a Thursday; the double remainder keeps dates before it positive.
  return (((((epochDay(date) + 3) % 7) + 7) % 7) + 1) as DayOfWeek;
}

/** -1, 0 or 1, for sorting: earlier dates first. */
export function comparePlainDates(a: PlainDate, b: PlainDate): -1 | 0 | 1 {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function epochDay(date: PlainDate): number {
  return Date.parse(`${date}T00:00:00Z`) / MILLISECONDS_A_DAY;
}

function fromEpochDay(day: number): PlainDate {
  const instant = new Date(day * MILLISECONDS_A_DAY);
  const year = instant.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) {
    throw new ValidationError('date: the date is outside the calendar; allowed are the years 1 to 9999');
  }
  return instant.toISOString().slice(0, 10) as PlainDate;
}
