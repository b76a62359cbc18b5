/** Dates that holidays are made of. */
import { addDays, dayOfWeek, parsePlainDate } from '@spine/core';
import type { DayOfWeek, PlainDate } from '@spine/core';

/** `month` and `day` count from 1. */
export function dateOf(year: number, month: number, day: number): PlainDate {
  const [monthText, dayText] = [month, day].map((part) => String(part).padStart(2, '0'));
  return parsePlainDate(`${String(year).padStart(4, '0')}-${monthText}-${dayText}`);
}

/** The `n`th (from 1 on) of a weekday in a month. */
export function nthWeekday(year: number, month: number, weekday: DayOfWeek, n: number): PlainDate {
  const first = dateOf(year, month, 1);
  return addDays(first, ((weekday - dayOfWeek(first) + 7) % 7) + 7 * (n - 1));
}

/** The last of a weekday in a month. */
export function lastWeekday(year: number, month: number, weekday: DayOfWeek): PlainDate {
  const last = lastOfMonth(year, month);
  return addDays(last, -((dayOfWeek(last) - weekday + 7) % 7));
}

export function lastOfMonth(year: number, month: number): PlainDate {
  return addDays(month === 12 ? dateOf(year + 1, 1, 1) : dateOf(year, month + 1, 1), -1);
}

export function yearOf(date: PlainDate): number {
  return Number(date.slice(0, 4));
}
