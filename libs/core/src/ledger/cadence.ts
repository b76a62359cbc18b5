/** Periods of the calendar that data comes in. */
import { ValidationError } from '../errors/permanent.ts';
import { addDays, dayOfWeek, DayOfWeek, isPlainDate, parsePlainDate } from '../temporal/plain-date.ts';
import type { PlainDate } from '../temporal/plain-date.ts';
import { WeekEnding } from '../temporal/week-ending.ts';

/** `weekdays` are Monday to Friday; weeks end on Fridays. */
export const CADENCES = ['daily', 'weekdays', 'weekly', 'monthly', 'quarterly'] as const;
export type Cadence = (typeof CADENCES)[number];

/** What stands for a period's name in a partition template. */
export const CADENCE_PLACEHOLDERS: Readonly<Record<Cadence, string>> = {
  daily: '{date}',
  weekdays: '{date}',
  weekly: '{week_ending}',
  monthly: '{month}',
  quarterly: '{quarter}',
};

export interface Period {
  /** `2025-12-12` of a day or a week, `2025-12` of a month, `2025-Q4` of a quarter. */
  readonly name: string;
  readonly end: PlainDate;
}

/** Where a range that nobody can mean is refused: 100 years. */
const MAX_DAYS = 36_525;

/**
 * The periods that end from `from` to `to`, both included, oldest first.
 * @throws ValidationError for a range that is reversed or longer than 100 years.
 */
export function periodsOf(cadence: Cadence, from: PlainDate, to: PlainDate): Period[] {
  const last = addDaysWithin(from, MAX_DAYS);
  if (to < from || to > last) {
    const message =
      to < from
        ? `must not be before from, which is ${from}`
        : `must not be after ${last}, 100 years after from`;
    throw new ValidationError(`to: given ${to}; ${message}`, {
      issues: [{ field: 'to', code: 'invalid_range', message }],
    });
  }
  const periods: Period[] = [];
  for (let end = firstEnd(cadence, from); end !== null && end <= to; end = firstEnd(cadence, after(end))) {
    periods.push({ name: nameOf(cadence, end), end });
  }
  return periods;
}

/**
 * The period of that name.
 * @throws ValidationError naming `field` for anything else, such as a Thursday as the end of a week.
 */
export function periodNamed(cadence: Cadence, name: string, field: string): Period {
  switch (cadence) {
    case 'daily':
      return { name, end: parsePlainDate(name, field) };
    case 'weekdays': {
      const end = parsePlainDate(name, field);
      if (isWeekday(end)) return { name, end };
      throw unknownPeriod(field, name, 'a day from Monday to Friday as YYYY-MM-DD');
    }
    case 'weekly':
      return { name, end: WeekEnding.parse(name, field).date };
    case 'monthly': {
      const first = /^\d{4}-\d{2}$/.test(name) ? `${name}-01` : '';
      if (isPlainDate(first)) return { name, end: monthEnd(first) };
      throw unknownPeriod(field, name, 'a month as YYYY-MM');
    }
    case 'quarterly': {
      const [, year, quarter] = /^(\d{4})-Q([1-4])$/.exec(name) ?? [];
      const first = `${year}-${String(Number(quarter) * 3).padStart(2, '0')}-01`;
      if (isPlainDate(first)) return { name, end: monthEnd(first) };
      throw unknownPeriod(field, name, 'a quarter as YYYY-Q1 to YYYY-Q4');
    }
  }
}

function unknownPeriod(field: string, name: string, allowed: string): ValidationError {
  return new ValidationError(`${field}: ${JSON.stringify(name)} must be ${allowed}`, {
    issues: [{ field, code: 'invalid_period', message: `must be ${allowed}` }],
  });
}

function isWeekday(date: PlainDate): boolean {
  return dayOfWeek(date) <= DayOfWeek.FRIDAY;
}

/** The next day, or null after the last one of the calendar. */
function after(date: PlainDate): PlainDate | null {
  return date === '9999-12-31' ? null : addDays(date, 1);
}

function addDaysWithin(date: PlainDate, days: number): PlainDate {
  return date > '9899-12-31' ? parsePlainDate('9999-12-31') : addDays(date, days);
}

function monthEnd(date: PlainDate): PlainDate {
  const year = Number(date.slice(0, 4));
  const month = Number(date.slice(5, 7));
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return parsePlainDate(`${date.slice(0, 8)}${days}`);
}

/** The first end of a period on or after `date`. */
function firstEnd(cadence: Cadence, date: PlainDate | null): PlainDate | null {
  if (date === null) return null;
  switch (cadence) {
    case 'daily':
      return date;
    case 'weekdays':
      return isWeekday(date) ? date : firstEnd(cadence, after(date));
    case 'weekly':
      return date > '9999-12-24' && dayOfWeek(date) !== DayOfWeek.FRIDAY
        ? firstEnd(cadence, after(date))
        : WeekEnding.fromAnyDate(date).date;
    case 'monthly':
      return monthEnd(date);
    case 'quarterly': {
      const end = monthEnd(date);
      return Number(end.slice(5, 7)) % 3 === 0 ? end : firstEnd(cadence, after(end));
    }
  }
}

function nameOf(cadence: Cadence, end: PlainDate): string {
  switch (cadence) {
    case 'daily':
    case 'weekdays':
    case 'weekly':
      return end;
    case 'monthly':
      return end.slice(0, 7);
    case 'quarterly':
      return `${end.slice(0, 4)}-Q${Number(end.slice(5, 7)) / 3}`;
  }
}
