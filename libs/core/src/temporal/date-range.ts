import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';
import {
  addDays,
  comparePlainDates,
  DayOfWeek,
  dayOfWeek,
  daysBetween,
  isPlainDate,
  parsePlainDate,
  type PlainDate,
} from './plain-date.ts';

/**
 * The days from `start` to `end`, both included; never empty. Immutable. Compare with `equals` and
 * `DateRange.compare`; as text it is '2025-12-01..2025-12-31', so `toString()` serves as a key.
 */
export class DateRange {
  readonly start: PlainDate;
  readonly end: PlainDate;

  private constructor(start: PlainDate, end: PlainDate) {
    this.start = start;
    this.end = end;
    Object.freeze(this);
  }

  /** Throws ValidationError naming `field` when the end is before the start. */
  static of(start: PlainDate, end: PlainDate, field = 'range'): DateRange {
    if (start <= end) return new DateRange(start, end);
    throw new ValidationError(
      `${field}: ${start}..${end} ends before it starts; allowed is an end on or after the start`,
      { issues: [{ field, code: 'empty_range', message: 'must not end before it starts' }] },
    );
  }

  /** 'YYYY-MM-DD..YYYY-MM-DD', or one date for one day. Throws ValidationError naming `field`. */
  static parse(text: string, field = 'range'): DateRange {
    const [start, end = start, more] = text.split('..', 3);
    if (more === undefined && isPlainDate(start) && isPlainDate(end)) return DateRange.of(start, end, field);
    throw new ValidationError(
      `${field}: ${JSON.stringify(truncateText(text, 40))} is not a range of dates; ` +
        'allowed are YYYY-MM-DD..YYYY-MM-DD and single dates',
      { issues: [{ field, code: 'invalid_range', message: 'must be YYYY-MM-DD..YYYY-MM-DD' }] },
    );
  }

  /** The calendar month of 'YYYY-MM'. Throws ValidationError naming `field`. */
  static month(text: string, field = 'month'): DateRange {
    const start = parsePlainDate(`${text}-01`, field);
    return new DateRange(start, lastOfMonth(start));
  }

  /** -1, 0 or 1, for sorting: by start, then by end. */
  static compare(a: DateRange, b: DateRange): -1 | 0 | 1 {
    return a.start === b.start ? comparePlainDates(a.end, b.end) : comparePlainDates(a.start, b.start);
  }

  /**
   * The fewest ranges that cover the same days, in order: what overlaps or meets without a day between becomes one.
   */
  static merge(ranges: Iterable<DateRange>): readonly DateRange[] {
    const merged: DateRange[] = [];
    for (const range of [...ranges].sort(DateRange.compare)) {
      const last = merged.at(-1);
      if (last === undefined || !last.#reaches(range)) merged.push(range);
      else if (range.end > last.end) merged[merged.length - 1] = new DateRange(last.start, range.end);
    }
    return merged;
  }

  /** Days in the range; at least 1. */
  get length(): number {
    return daysBetween(this.start, this.end) + 1;
  }

  /** Every day, oldest first. */
  *days(): Generator<PlainDate, void, undefined> {
    for (let day = this.start; ; day = addDays(day, 1)) {
      yield day;
      // The last day of the calendar has no next one to step to.
      if (day === this.end) return;
    }
  }

  contains(day: PlainDate): boolean {
    return this.start <= day && day <= this.end;
  }

  /** Whether every day of `other` is in this range. */
  covers(other: DateRange): boolean {
    return this.start <= other.start && other.end <= this.end;
  }

  /** Whether the two share a day. */
  overlaps(other: DateRange): boolean {
    return this.start <= other.end && other.start <= this.end;
  }

  /** Whether the two share no day but have none between them. */
  isAdjacentTo(other: DateRange): boolean {
    return isDayBefore(this.end, other.start) || isDayBefore(other.end, this.start);
  }

  /** The days in both; null when there are none. */
  intersect(other: DateRange): DateRange | null {
    if (!this.overlaps(other)) return null;
    return new DateRange(later(this.start, other.start), earlier(this.end, other.end));
  }

  /** What is left without the days of `other`: none, one or two ranges, in order. */
  subtract(other: DateRange): readonly DateRange[] {
    if (!this.overlaps(other)) return [this];
    const left: DateRange[] = [];
    if (this.start < other.start) left.push(new DateRange(this.start, addDays(other.start, -1)));
    if (other.end < this.end) left.push(new DateRange(addDays(other.end, 1), this.end));
    return left;
  }

  /** Cut behind every Friday, so that each part belongs to one `WeekEnding`; the first and last may be short. */
  splitByWeek(): readonly DateRange[] {
    return this.#split((day) => stepWithin(day, (DayOfWeek.FRIDAY - dayOfWeek(day) + 7) % 7));
  }

  /** Cut behind the last day of every month; the first and last part may be short. */
  splitByMonth(): readonly DateRange[] {
    return this.#split(lastOfMonth);
  }

  /** Cut into parts of `days` days; the last may be short. Throws ValidationError unless `days` is from 1 on. */
  splitByDays(days: number): readonly DateRange[] {
    if (!(Number.isSafeInteger(days) && days >= 1)) {
      throw new ValidationError(`days: ${days} is not a length; allowed are whole numbers from 1 on`);
    }
    return this.#split((day) => stepWithin(day, days - 1));
  }

  equals(other: DateRange): boolean {
    return this.start === other.start && this.end === other.end;
  }

  toString(): string {
    return `${this.start}..${this.end}`;
  }

  toJSON(): { readonly start: PlainDate; readonly end: PlainDate } {
    return { start: this.start, end: this.end };
  }

  /** `lastOf` gives the last day of the part that a day begins. */
  #split(lastOf: (day: PlainDate) => PlainDate): readonly DateRange[] {
    const parts: DateRange[] = [];
    for (let day = this.start; ; day = addDays(day, 1)) {
      const last = earlier(lastOf(day), this.end);
      parts.push(new DateRange(day, last));
      if (last === this.end) return parts;
      day = last;
    }
  }

  /** Whether `later`, which does not start earlier, overlaps this range or follows it without a day between. */
  #reaches(later: DateRange): boolean {
    return this.overlaps(later) || this.isAdjacentTo(later);
  }
}

const LAST_DAY = parsePlainDate('9999-12-31');

/** `days` later, or the last day of the calendar where that is earlier. */
function stepWithin(day: PlainDate, days: number): PlainDate {
  return daysBetween(day, LAST_DAY) <= days ? LAST_DAY : addDays(day, days);
}

function lastOfMonth(day: PlainDate): PlainDate {
  const month = day.slice(0, 8);
  for (const last of ['31', '30', '29']) if (isPlainDate(month + last)) return parsePlainDate(month + last);
  return parsePlainDate(`${month}28`);
}

function isDayBefore(day: PlainDate, next: PlainDate): boolean {
  return daysBetween(day, next) === 1;
}

function earlier(a: PlainDate, b: PlainDate): PlainDate {
  return a < b ? a : b;
}

function later(a: PlainDate, b: PlainDate): PlainDate {
  return a > b ? a : b;
}
