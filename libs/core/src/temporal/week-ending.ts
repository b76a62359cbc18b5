import type { Clock } from '../clock.ts';
import { ValidationError } from '../errors/permanent.ts';
import { DateRange } from './date-range.ts';
import {
  addDays,
  comparePlainDates,
  DayOfWeek,
  dayOfWeek,
  daysBetween,
  parsePlainDate,
  plainDateFromInstant,
  type PlainDate,
} from './plain-date.ts';

const DAY_NAMES = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

/**
 * The Friday that names a trading week. Only Fridays exist as values, so no code has to ask whether a
 * "week ending" is one; any other date must be converted on purpose with `fromAnyDate` or `fridayBefore`.
 *
 * Immutable. Compare with `equals` and `WeekEnding.compare`, never with `===`; as text it is 'YYYY-MM-DD', so
 * `toString()` serves as a key. Every function that takes a date throws ValidationError when it is not one.
 */
export class WeekEnding {
  readonly date: PlainDate;

  private constructor(date: PlainDate) {
    this.date = date;
    Object.freeze(this);
  }

  /** The week of a Friday. Any other day is refused with a message that names the Fridays around it. */
  static of(date: PlainDate, field = 'week_ending'): WeekEnding {
    const day = dayOfWeek(date);
    if (day === DayOfWeek.FRIDAY) return new WeekEnding(date);
    const after = fridayOnOrAfter(date);
    const before = addDays(after, -7);
    const message = `${date} is a ${DAY_NAMES[day - 1]}, not a Friday; the nearest Fridays are ${before} and ${after}`;
    throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'not_a_friday', message }] });
  }

  /** The week of a Friday given as 'YYYY-MM-DD'. */
  static parse(text: string, field = 'week_ending'): WeekEnding {
    return WeekEnding.of(parsePlainDate(text, field), field);
  }

  /** The Friday on or after `date`: 2025-12-23 gives 2025-12-26. Saturday and Sunday belong to the next week. */
  static fromAnyDate(date: PlainDate | string): WeekEnding {
    return new WeekEnding(fridayOnOrAfter(parsePlainDate(date)));
  }

  /**
   * The Friday strictly before `date`. FINRA publishes a week after it has ended: the file of Monday
   * 2025-12-15 is about the week ending 2025-12-12, and one published on a Friday is about the week before.
   */
  static fridayBefore(date: PlainDate | string): WeekEnding {
    return new WeekEnding(addDays(fridayOnOrAfter(parsePlainDate(date)), -7));
  }

  /** The week the clock's UTC date falls in; its Friday may still be ahead. */
  static today(clock: Clock): WeekEnding {
    return WeekEnding.fromAnyDate(plainDateFromInstant(clock.now()));
  }

  /** Every week from `start` to `end`, both included, oldest first; nothing when `start` is later. */
  static *range(start: WeekEnding, end: WeekEnding): Generator<WeekEnding, void, undefined> {
    for (let date = start.date; date <= end.date; date = addDays(date, 7)) {
      yield new WeekEnding(date);
      // The last Friday of the calendar has no next one to step to.
      if (date === end.date) return;
    }
  }

  /** The last `n` weeks up to the current one, oldest first. */
  static lastN(n: number, clock: Clock): readonly WeekEnding[] {
    return WeekEnding.today(clock).window(n);
  }

  /** -1, 0 or 1, for sorting: earlier weeks first. */
  static compare(a: WeekEnding, b: WeekEnding): -1 | 0 | 1 {
    return comparePlainDates(a.date, b.date);
  }

  /** `n` weeks earlier; `n` is a whole number from 0 on. */
  previous(n = 1): WeekEnding {
    return new WeekEnding(addDays(this.date, -7 * weeks(n, 0)));
  }

  /** `n` weeks later; `n` is a whole number from 0 on. */
  next(n = 1): WeekEnding {
    return new WeekEnding(addDays(this.date, 7 * weeks(n, 0)));
  }

  /** The `n` weeks that end with this one, oldest first; `n` is a whole number from 1 on. */
  window(n: number): readonly WeekEnding[] {
    return [...WeekEnding.range(this.previous(weeks(n, 1) - 1), this)];
  }

  isBefore(other: WeekEnding): boolean {
    return this.date < other.date;
  }

  isAfter(other: WeekEnding): boolean {
    return this.date > other.date;
  }

  /** Weeks from this one to `other`; negative when `other` is earlier. */
  weeksUntil(other: WeekEnding): number {
    return daysBetween(this.date, other.date) / 7;
  }

  /** The seven days that `fromAnyDate` takes to this week: Saturday to Friday. */
  get days(): DateRange {
    return DateRange.of(addDays(this.date, -6), this.date);
  }

  /** Monday to Friday. Which of them were trading days is for an exchange calendar to say. */
  get weekdays(): DateRange {
    return DateRange.of(addDays(this.date, -4), this.date);
  }

  /** Whether `fromAnyDate(date)` is this week. */
  contains(date: PlainDate): boolean {
    return this.days.contains(date);
  }

  /**
   * The ISO 8601 year and week (1 to 53) of the Friday. They name Monday to Sunday, so the Saturday and Sunday in
   * `days` have the number before.
   */
  get isoWeek(): { readonly year: number; readonly week: number } {
    // A week belongs to the year of its Thursday.
    const thursday = addDays(this.date, -1);
    const firstOfYear = parsePlainDate(`${thursday.slice(0, 4)}-01-01`);
    return {
      year: Number(thursday.slice(0, 4)),
      week: Math.floor(daysBetween(firstOfYear, thursday) / 7) + 1,
    };
  }

  equals(other: WeekEnding): boolean {
    return this.date === other.date;
  }

  toString(): string {
    return this.date;
  }

  toJSON(): string {
    return this.date;
  }
}

function fridayOnOrAfter(date: PlainDate): PlainDate {
  return addDays(date, (DayOfWeek.FRIDAY - dayOfWeek(date) + 7) % 7);
}

function weeks(n: number, least: number): number {
  if (Number.isInteger(n) && n >= least) return n;
  throw new ValidationError(`n: ${n} is not a number of weeks; allowed are whole numbers from ${least} on`);
}
