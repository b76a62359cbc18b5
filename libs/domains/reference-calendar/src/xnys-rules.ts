/**
 * The New York Stock Exchange from 1990 to 2035, by its Rule 7.2 and its published closings.
 *
 * 1. A holiday on a Saturday is kept on the Friday before, one on a Sunday on the Monday after. New Year's Day on a
 *    Saturday is not kept at all: the Friday ends a month and a year, and the exchange stays open on it.
 * 2. Half days and special closings that no rule gives are listed one by one.
 * 3. Halts and late openings that nobody had announced (storms, power cuts, circuit breakers) are no part of a calendar.
 */
import { addDays, DayOfWeek, dayOfWeek, parsePlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { dateOf, lastWeekday, nthWeekday, yearOf } from './dates.ts';
import { easterSunday } from './easter.ts';
import type { ClosedDay, ExchangeHours, ExchangeYear, HalfDay, LocalTime } from './model.ts';

export const XNYS = 'XNYS';
export const XNYS_FIRST_YEAR = 1990;
/** Rules change: the exchange announces its holidays two to three years ahead. */
export const XNYS_LAST_YEAR = 2035;

export const XNYS_HOURS: ExchangeHours = {
  timeZone: 'America/New_York',
  opensAt: '09:30',
  closesAt: '16:00',
};

const SPECIAL_CLOSINGS: Readonly<Record<string, string>> = {
  '1994-04-27': 'Day of mourning for President Nixon',
  '2001-09-11': 'Attacks of September 11',
  '2001-09-12': 'Attacks of September 11',
  '2001-09-13': 'Attacks of September 11',
  '2001-09-14': 'Attacks of September 11',
  '2004-06-11': 'Day of mourning for President Reagan',
  '2007-01-02': 'Day of mourning for President Ford',
  '2012-10-29': 'Hurricane Sandy',
  '2012-10-30': 'Hurricane Sandy',
  '2018-12-05': 'Day of mourning for President George H. W. Bush',
  '2025-01-09': 'Day of mourning for President Carter',
};

/** Announced half days that come by no rule; all closed at 13:00. */
const SINGLE_HALF_DAYS: Readonly<Record<string, string>> = {
  '1997-12-26': 'Day after Christmas',
  '1999-12-31': "New Year's Eve of 1999",
  '2003-12-26': 'Day after Christmas',
};

/** Until 1992 half days ended at two. */
const FIRST_YEAR_OF_ONE_O_CLOCK = 1993;
const FIRST_BLACK_FRIDAY = 1992;
const FIRST_JULY_HALF_DAY = 1995;
/** With the fourth on a Thursday the half day was the Friday after, and from this year on is the Wednesday before. */
const FIRST_WEDNESDAY_JULY_3 = 2013;

/** The rules' view of a year. @throws RangeError outside the years of this file; calendars check before they ask. */
export function xnysYear(year: number): ExchangeYear {
  if (!Number.isInteger(year) || year < XNYS_FIRST_YEAR || year > XNYS_LAST_YEAR) {
    throw new RangeError(`${year} is not a year from ${XNYS_FIRST_YEAR} to ${XNYS_LAST_YEAR}`);
  }
  const closedDays = [...holidays(year), ...specialClosings(year)].sort(byDate);
  const closed = new Set(closedDays.map(({ date }) => date));
  const halfDays = halfDayCandidates(year)
    .filter(({ date }) => !closed.has(date) && dayOfWeek(date) <= DayOfWeek.FRIDAY)
    .sort(byDate);
  return { exchangeCode: XNYS, year, closedDays, halfDays };
}

function holidays(year: number): ClosedDay[] {
  const { MONDAY, THURSDAY } = DayOfWeek;
  const kept: (readonly [string, PlainDate | null])[] = [
    ["New Year's Day", newYear(year)],
    ['Martin Luther King Jr. Day', year < 1998 ? null : nthWeekday(year, 1, MONDAY, 3)],
    ["Presidents' Day", nthWeekday(year, 2, MONDAY, 3)],
    ['Good Friday', addDays(easterSunday(year), -2)],
    ['Memorial Day', lastWeekday(year, 5, MONDAY)],
    ['Juneteenth', year < 2022 ? null : observed(dateOf(year, 6, 19))],
    ['Independence Day', observed(dateOf(year, 7, 4))],
    ['Labor Day', nthWeekday(year, 9, MONDAY, 1)],
    ['Thanksgiving Day', nthWeekday(year, 11, THURSDAY, 4)],
    ['Christmas Day', observed(dateOf(year, 12, 25))],
  ];
  return kept.flatMap(([name, date]) => (date === null ? [] : [{ date, name, kind: 'holiday' }]));
}

function newYear(year: number): PlainDate | null {
  const date = dateOf(year, 1, 1);
  return dayOfWeek(date) === DayOfWeek.SATURDAY ? null : observed(date);
}

function observed(date: PlainDate): PlainDate {
  const day = dayOfWeek(date);
  if (day === DayOfWeek.SATURDAY) return addDays(date, -1);
  return day === DayOfWeek.SUNDAY ? addDays(date, 1) : date;
}

function specialClosings(year: number): ClosedDay[] {
  return listed(SPECIAL_CLOSINGS, year).map((day) => ({ ...day, kind: 'special_closing' }));
}

/** Some may turn out to be closed or on a weekend. */
function halfDayCandidates(year: number): HalfDay[] {
  const usual: LocalTime = year < FIRST_YEAR_OF_ONE_O_CLOCK ? '14:00' : '13:00';
  const days: HalfDay[] = [{ date: dateOf(year, 12, 24), name: 'Christmas Eve', closesAt: usual }];
  if (year >= FIRST_BLACK_FRIDAY) {
    const date = addDays(nthWeekday(year, 11, DayOfWeek.THURSDAY, 4), 1);
    days.push({ date, name: 'Day after Thanksgiving', closesAt: usual });
  }
  if (year >= FIRST_JULY_HALF_DAY) days.push({ ...julyHalfDay(year), closesAt: usual });
  for (const day of listed(SINGLE_HALF_DAYS, year)) days.push({ ...day, closesAt: '13:00' });
  return days;
}

function julyHalfDay(year: number): Pick<HalfDay, 'date' | 'name'> {
  const fourthIsThursday = dayOfWeek(dateOf(year, 7, 4)) === DayOfWeek.THURSDAY;
  return fourthIsThursday && year < FIRST_WEDNESDAY_JULY_3
    ? { date: dateOf(year, 7, 5), name: 'Day after Independence Day' }
    : { date: dateOf(year, 7, 3), name: 'Day before Independence Day' };
}

function listed(days: Readonly<Record<string, string>>, year: number): { date: PlainDate; name: string }[] {
  return Object.entries(days)
    .map(([date, name]) => ({ date: parsePlainDate(date), name }))
    .filter(({ date }) => yearOf(date) === year);
}

function byDate(a: { readonly date: PlainDate }, b: { readonly date: PlainDate }): number {
  return a.date < b.date ? -1 : 1;
}
