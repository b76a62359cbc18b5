import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DayOfWeek, dayOfWeek, parsePlainDate } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { easterSunday } from './easter.ts';
import { XNYS_FIRST_YEAR, XNYS_LAST_YEAR, xnysYear } from './xnys-rules.ts';

const YEARS = Array.from(
  { length: XNYS_LAST_YEAR - XNYS_FIRST_YEAR + 1 },
  (_, index) => XNYS_FIRST_YEAR + index,
);
const fixtures = join(import.meta.dirname, '../fixtures');

interface GivenFile {
  readonly year: number;
  readonly holidays: readonly { readonly date: string; readonly name: string }[];
}

describe('Easter Sunday', () => {
  // From the tables of the U.S. Census Bureau and the Book of Common Prayer: early, late, and the computus' exceptions.
  it.each([
    '1818-03-22',
    '1943-04-25',
    '1954-04-18',
    '1981-04-19',
    '1990-04-15',
    '2000-04-23',
    '2008-03-23',
    '2011-04-24',
    '2025-04-20',
    '2026-04-05',
    '2035-03-25',
    '2049-04-18',
    '2076-04-19',
  ])('is %s', (date) => {
    expect(easterSunday(Number(date.slice(0, 4)))).toBe(date);
  });
});

describe('the rules of XNYS', () => {
  const files = readdirSync(fixtures).filter((name) => name.startsWith('holidays_xnys_'));

  it('are checked against files', () => expect(files).toHaveLength(2));

  it.each(files)('say the holidays of %s', (name) => {
    const given = JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as GivenFile;
    const holidays = xnysYear(given.year).closedDays.filter(({ kind }) => kind === 'holiday');
    expect(holidays.map(({ date, name: title }) => [date, title])).toEqual(
      given.holidays.map(({ date, name: title }) => [date, title.replace(' (observed)', '')]),
    );
  });

  it.each([
    [2010, '2010-12-31', "New Year's Day 2011 is a Saturday: not kept on the Friday before"],
    [2011, '2011-01-03', 'nor on the Monday after'],
    [2021, '2021-12-31', 'the same in 2022'],
    [1997, '1997-01-20', 'no Martin Luther King Jr. Day before 1998'],
    [2021, '2021-06-18', 'no Juneteenth before 2022'],
    [2013, '2013-11-05', 'no election days'],
    [2025, '2025-10-13', 'no Columbus Day'],
    [2025, '2025-11-11', 'no Veterans Day'],
  ])('in %i keep %s open: %s', (year, date) => {
    expect(xnysYear(year).closedDays.map((day) => day.date)).not.toContain(date);
  });

  it.each([
    ['1998-01-19', 'Martin Luther King Jr. Day', 'holiday'],
    ['2017-01-02', "New Year's Day", 'holiday'],
    ['2022-06-20', 'Juneteenth', 'holiday'],
    ['2027-06-18', 'Juneteenth', 'holiday'],
    ['2020-07-03', 'Independence Day', 'holiday'],
    ['2021-07-05', 'Independence Day', 'holiday'],
    ['1993-12-24', 'Christmas Day', 'holiday'],
    ['2022-12-26', 'Christmas Day', 'holiday'],
    ['2008-03-21', 'Good Friday', 'holiday'],
    ['1994-04-27', 'Day of mourning for President Nixon', 'special_closing'],
    ['2001-09-14', 'Attacks of September 11', 'special_closing'],
    ['2012-10-30', 'Hurricane Sandy', 'special_closing'],
    ['2025-01-09', 'Day of mourning for President Carter', 'special_closing'],
  ])('close on %s: %s', (date, name, kind) => {
    expect(xnysYear(Number(date.slice(0, 4))).closedDays).toContainEqual({ date, name, kind });
  });

  it.each([
    [1990, ['12-24 14:00']],
    [1992, ['11-27 14:00', '12-24 14:00']],
    [1993, ['11-26 13:00']],
    [1996, ['07-05 13:00', '11-29 13:00', '12-24 13:00']],
    [1997, ['07-03 13:00', '11-28 13:00', '12-24 13:00', '12-26 13:00']],
    [1999, ['11-26 13:00', '12-31 13:00']],
    [2002, ['07-05 13:00', '11-29 13:00', '12-24 13:00']],
    [2003, ['07-03 13:00', '11-28 13:00', '12-24 13:00', '12-26 13:00']],
    [2010, ['11-26 13:00']],
    [2013, ['07-03 13:00', '11-29 13:00', '12-24 13:00']],
    [2020, ['11-27 13:00', '12-24 13:00']],
    [2024, ['07-03 13:00', '11-29 13:00', '12-24 13:00']],
    [2026, ['11-27 13:00', '12-24 13:00']],
    [2027, ['11-26 13:00']],
  ])('have the half days of %i', (year, expected) => {
    const { halfDays } = xnysYear(year);
    expect(halfDays.map(({ date, closesAt }) => `${date.slice(5)} ${closesAt}`)).toEqual(expected);
  });

  it('list weekdays of their year alone, each day once, oldest first, in every year', () => {
    for (const year of YEARS) {
      const { closedDays, halfDays } = xnysYear(year);
      const dates = [...closedDays, ...halfDays].map(({ date }) => date);
      expect(new Set(dates).size).toBe(dates.length);
      for (const days of [closedDays, halfDays]) {
        expect(days.map(({ date }) => date)).toEqual(days.map(({ date }) => date).toSorted());
      }
      for (const date of dates) {
        expect(dayOfWeek(parsePlainDate(date))).toBeLessThanOrEqual(DayOfWeek.FRIDAY);
        expect(date.startsWith(`${year}-`)).toBe(true);
      }
    }
  });

  it.each([1989, 2036, 2000.5, Number.NaN])('know nothing of %d', (year) => {
    expect(() => xnysYear(year)).toThrow(RangeError);
  });
});
