/**
 * Trading-day arithmetic over the years of one exchange.
 *
 * 1. A day is answered for only inside the known years; every other one throws CalendarRangeError, also where only the
 *    answer lies outside.
 * 2. All questions are answered from one sorted list of trading days, so they cannot contradict each other.
 */
import { addDays, DayOfWeek, dayOfWeek, invariant, ValidationError } from '@spine/core';
import type { PlainDate, WeekEnding } from '@spine/core';
import { dateOf, lastOfMonth, yearOf } from './dates.ts';
import { CalendarRangeError } from './errors.ts';
import { instantOf } from './local-time.ts';
import type { ClosedDay, ExchangeHours, ExchangeYear, HalfDay, Session } from './model.ts';

export class ExchangeCalendar {
  readonly exchangeCode: string;
  readonly hours: ExchangeHours;
  /** First known day, a 1 January. */
  readonly from: PlainDate;
  /** Last known day, a 31 December. */
  readonly to: PlainDate;
  readonly #closed: ReadonlyMap<PlainDate, ClosedDay>;
  readonly #half: ReadonlyMap<PlainDate, HalfDay>;
  /** Ascending. */
  readonly #tradingDays: readonly PlainDate[];

  /**
   * @param years of one exchange, ascending, without a gap.
   * @throws ValidationError for years that are none, or not of one exchange, or not in a row.
   */
  constructor(years: readonly ExchangeYear[], hours: ExchangeHours) {
    const [first] = years;
    if (first === undefined) throw new ValidationError('years: a calendar needs at least one year');
    for (const [index, { exchangeCode, year }] of years.entries()) {
      if (exchangeCode === first.exchangeCode && year === first.year + index) continue;
      throw new ValidationError(
        `years[${index}]: ${exchangeCode} ${year} does not follow ${first.exchangeCode} ${first.year + index - 1}`,
      );
    }
    this.exchangeCode = first.exchangeCode;
    this.hours = hours;
    this.from = dateOf(first.year, 1, 1);
    this.to = dateOf(first.year + years.length - 1, 12, 31);
    this.#closed = byDate(years.flatMap((year) => year.closedDays));
    this.#half = byDate(years.flatMap((year) => year.halfDays));
    this.#tradingDays = this.#listTradingDays();
  }

  isTradingDay(date: PlainDate): boolean {
    this.#check(date);
    return this.#tradingDays[this.#countBefore(date)] === date;
  }

  /** The holiday or special closing on a date; null on trading days and ordinary weekends. */
  closedDay(date: PlainDate): ClosedDay | null {
    this.#check(date);
    return this.#closed.get(date) ?? null;
  }

  /** The half day a date is; null on all others. */
  halfDay(date: PlainDate): HalfDay | null {
    this.#check(date);
    return this.#half.get(date) ?? null;
  }

  /** The first trading day after `date`, whatever `date` is. */
  next(date: PlainDate): PlainDate {
    return this.add(date, 1);
  }

  /** The last trading day before `date`, whatever `date` is. */
  previous(date: PlainDate): PlainDate {
    return this.add(date, -1);
  }

  /**
   * The `n`th trading day after `date`, or before it when `n` is negative; `date` itself need not be one. With 0 it is
   * `date`, which must be a trading day.
   *
   * @throws ValidationError for an `n` that is not whole, and for 0 on a day without trading.
   */
  add(date: PlainDate, n: number): PlainDate {
    if (!Number.isInteger(n)) {
      throw new ValidationError(`n: ${n} is not a number of trading days; allowed are integers`);
    }
    this.#check(date);
    const before = this.#countBefore(date);
    const isTradingDay = this.#tradingDays[before] === date;
    if (n === 0 && !isTradingDay) {
      throw new ValidationError(`date: ${date} is not a trading day of ${this.exchangeCode}`, {
        issues: [{ field: 'date', code: 'not_a_trading_day', message: 'must be a trading day' }],
      });
    }
    const found = this.#tradingDays[n > 0 && !isTradingDay ? before + n - 1 : before + n];
    if (found !== undefined) return found;
    throw new CalendarRangeError(
      this.exchangeCode,
      addDays(n > 0 ? this.to : this.from, Math.sign(n)),
      this.from,
      this.to,
    );
  }

  /** How many trading days there are from `from` to `to`, both included. @throws ValidationError when `to` is earlier. */
  tradingDaysBetween(from: PlainDate, to: PlainDate): number {
    const [start, end] = this.#bounds(from, to);
    return end - start;
  }

  /** The trading days from `from` to `to`, both included, oldest first. @throws ValidationError when `to` is earlier. */
  tradingDays(from: PlainDate, to: PlainDate): readonly PlainDate[] {
    return this.#tradingDays.slice(...this.#bounds(from, to));
  }

  /** The trading days of the week that ends with a Friday, oldest first: five, as a rule. */
  tradingDaysOfWeek(week: WeekEnding): readonly PlainDate[] {
    // From Monday: the weekend before the first week of the calendar is not known and never traded.
    return this.tradingDays(addDays(week.date, DayOfWeek.MONDAY - DayOfWeek.FRIDAY), week.date);
  }

  /** Null for a week without trading. */
  lastTradingDayOfWeek(week: WeekEnding): PlainDate | null {
    return this.tradingDaysOfWeek(week).at(-1) ?? null;
  }

  /** @param month from 1 to 12. */
  lastTradingDayOfMonth(year: number, month: number): PlainDate {
    const first = dateOf(year, month, 1);
    const last = this.tradingDays(first, lastOfMonth(year, month)).at(-1);
    invariant(last !== undefined, `${this.exchangeCode} trades in every month`);
    return last;
  }

  /** When trading opens and closes on a date; null when there is none. */
  session(date: PlainDate): Session | null {
    if (!this.isTradingDay(date)) return null;
    const { timeZone, opensAt, closesAt } = this.hours;
    const half = this.#half.get(date);
    return {
      date,
      opensAt: instantOf(date, opensAt, timeZone),
      closesAt: instantOf(date, half?.closesAt ?? closesAt, timeZone),
      isHalfDay: half !== undefined,
    };
  }

  /** The sessions of the week that ends with a Friday, oldest first. */
  sessionsOfWeek(week: WeekEnding): readonly Session[] {
    return this.tradingDaysOfWeek(week).flatMap((date) => this.session(date) ?? []);
  }

  /** What is known of one year. */
  year(year: number): ExchangeYear {
    this.#check(dateOf(year, 1, 1));
    const isInYear = ({ date }: { readonly date: PlainDate }): boolean => yearOf(date) === year;
    return {
      exchangeCode: this.exchangeCode,
      year,
      closedDays: [...this.#closed.values()].filter(isInYear),
      halfDays: [...this.#half.values()].filter(isInYear),
    };
  }

  #listTradingDays(): PlainDate[] {
    const days: PlainDate[] = [];
    for (let date = this.from; ; date = addDays(date, 1)) {
      if (dayOfWeek(date) <= DayOfWeek.FRIDAY && !this.#closed.has(date)) days.push(date);
      if (date === this.to) return days;
    }
  }

  /** Trading days before `date`: also the index of the first one not before it. */
  #countBefore(date: PlainDate): number {
    let [low, high] = [0, this.#tradingDays.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const day = this.#tradingDays[middle];
      if (day !== undefined && day < date) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #bounds(from: PlainDate, to: PlainDate): [start: number, end: number] {
    this.#check(from, 'from');
    this.#check(to, 'to');
    if (to < from) {
      throw new ValidationError(`to: ${to} is before from, ${from}`, {
        issues: [{ field: 'to', code: 'before_from', message: `must not be before ${from}` }],
      });
    }
    const end = this.#countBefore(to);
    return [this.#countBefore(from), this.#tradingDays[end] === to ? end + 1 : end];
  }

  #check(date: PlainDate, field?: string): void {
    if (date >= this.from && date <= this.to) return;
    throw new CalendarRangeError(this.exchangeCode, date, this.from, this.to, field);
  }
}

function byDate<T extends { readonly date: PlainDate }>(days: readonly T[]): ReadonlyMap<PlainDate, T> {
  return new Map(days.map((day) => [day.date, day]));
}
