import { addDays, dayOfWeek } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { parseCron } from './cron.ts';
import type { CalendarPeriod, CalendarRule } from './timing.ts';
import type { TradingCalendar } from './trading-calendar.ts';
import { localDate } from './zone.ts';

/** Periods looked through: a year may have no 60th trading day of a quarter, but some quarter of ten years does or none. */
const MAX_PERIODS = 60;

/** The instant at which a clock in `timeZone` shows `at` (HH:MM) on `date`; right after the gap when it never does. */
export function instantOf(date: PlainDate, at: string, timeZone: string): Date {
  const [hour, minute] = at.split(':');
  const [, month, day] = date.split('-');
  const rule = parseCron(`${Number(minute)} ${Number(hour)} ${Number(day)} ${Number(month)} *`, timeZone);
  // The day before in any zone: the offsets of zones are less than a day.
  const found = rule.next(new Date(Date.parse(`${date}T00:00:00Z`) - 86_400_000));
  if (found === null) throw new RangeError(`${date} ${at} does not exist in ${timeZone}`);
  return found;
}

/** The first time of the rule after `after`, exclusively; null when no period in sight has such a day. */
export function nextOfCalendar(
  rule: CalendarRule,
  timeZone: string,
  after: Date,
  calendar: TradingCalendar,
): Date | null {
  let period = periodOf(localDate(after, timeZone), rule.period);
  for (let tried = 0; tried < MAX_PERIODS; tried += 1) {
    const date = nthTradingDay(period, rule.nth, calendar);
    if (date !== null) {
      const at = instantOf(date, rule.at, timeZone);
      if (at > after) return at;
    }
    period = periodOf(addDays(period.to, 1), rule.period);
  }
  return null;
}

interface Days {
  readonly from: PlainDate;
  readonly to: PlainDate;
}

function nthTradingDay({ from, to }: Days, nth: number, calendar: TradingCalendar): PlainDate | null {
  let left = Math.abs(nth);
  const step = nth > 0 ? 1 : -1;
  for (let date = nth > 0 ? from : to; date >= from && date <= to; date = addDays(date, step)) {
    if (calendar.isTradingDay(date)) left -= 1;
    if (left === 0) return date;
  }
  return null;
}

function periodOf(date: PlainDate, period: CalendarPeriod): Days {
  switch (period) {
    case 'day':
      return { from: date, to: date };
    case 'week': {
      const monday = addDays(date, 1 - dayOfWeek(date));
      return { from: monday, to: addDays(monday, 6) };
    }
    case 'month':
      return months(date, 1);
    case 'quarter':
      return months(date, 3);
    case 'year':
      return months(date, 12);
  }
}

/** The span of `count` months, counted from January, that `date` lies in. */
function months(date: PlainDate, count: number): Days {
  const year = Number(date.slice(0, 4));
  const first = Math.floor((Number(date.slice(5, 7)) - 1) / count) * count;
  return { from: dateOf(year, first), to: addDays(dateOf(year, first + count), -1) };
}

function dateOf(year: number, monthIndex: number): PlainDate {
  return localDate(new Date(Date.UTC(year, monthIndex, 1)), 'UTC');
}
