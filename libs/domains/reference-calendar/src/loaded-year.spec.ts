import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlainDate } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { parseCalendarFile } from './calendar-file.ts';
import type { CalendarEntry, CalendarFile } from './calendar-file.ts';
import { disagreements, withLoaded } from './loaded-year.ts';
import { mergeCalendar } from './lookup.ts';
import { xnysYear } from './xnys-rules.ts';

const given = (year: number): CalendarFile =>
  parseCalendarFile(
    readFileSync(join(import.meta.dirname, `../fixtures/holidays_xnys_${year}.json`), 'utf8'),
  ).unwrap();
const day = (
  date: string,
  type: CalendarEntry['type'] = 'market_holiday',
  closeTime: CalendarEntry['closeTime'] = null,
) => ({
  date: parsePlainDate(date),
  name: date,
  type,
  closeTime,
});
const capture = (year: number, entries: readonly CalendarEntry[]) => ({
  captureId: `c${year}`,
  version: 1,
  year,
  entries,
});

describe('a loaded year', () => {
  it('takes holidays from the file, and from the rules what the file does not list', () => {
    const { year, sources } = withLoaded(given(2025), 'XNYS');
    expect(sources).toEqual({ market_holiday: 'loaded', special_closing: 'rules', early_close: 'rules' });
    expect(year.closedDays.map(({ date }) => date)).toEqual(
      xnysYear(2025).closedDays.map(({ date }) => date),
    );
    expect(year.closedDays).toContainEqual({
      date: '2025-01-09',
      name: 'Day of mourning for President Carter',
      kind: 'special_closing',
    });
    expect(year.halfDays).toEqual(xnysYear(2025).halfDays);
  });

  it('has the holidays of the file and no others', () => {
    const { year } = withLoaded({ year: 2025, entries: [day('2025-03-03')] }, 'XNYS');
    expect(year.closedDays.map(({ date }) => date)).toEqual(['2025-01-09', '2025-03-03']);
  });

  it('has the half days of the file when it lists any, and a day of the file is what the file says', () => {
    const entries = [day('2025-12-24', 'special_closing'), day('2025-07-03', 'early_close', '12:30')];
    const { year, sources } = withLoaded({ year: 2025, entries }, 'XNYS');
    expect(sources).toEqual({ market_holiday: 'rules', special_closing: 'loaded', early_close: 'loaded' });
    expect(year.halfDays).toEqual([{ date: '2025-07-03', name: '2025-07-03', closesAt: '12:30' }]);
    expect(year.closedDays.map(({ date }) => date)).toContain('2025-12-24');
    expect(year.closedDays.map(({ date }) => date)).not.toContain('2025-01-09');
  });

  it('closes a day that the rules have as a half day', () => {
    const { year } = withLoaded({ year: 2025, entries: [day('2025-12-24')] }, 'XNYS');
    expect(year.halfDays.map(({ date }) => date)).toEqual(['2025-07-03', '2025-11-28']);
  });

  it('beyond the rules knows what the file lists', () => {
    const { year, sources } = withLoaded({ year: 2036, entries: [day('2036-01-01')] }, 'XNYS');
    expect(sources).toEqual({ market_holiday: 'loaded', special_closing: 'unknown', early_close: 'unknown' });
    expect(year).toMatchObject({ closedDays: [{ date: '2036-01-01' }], halfDays: [] });
  });
});

describe('disagreements', () => {
  it.each([2025, 2026])('are none in the file of %i', (year) => {
    expect(disagreements(given(year), 'XNYS')).toEqual([]);
  });

  it('are the days that only one of the two has, of the kinds that the file lists', () => {
    const { year, entries } = given(2026);
    const moved = [...entries.filter(({ date }) => date !== '2026-07-03'), day('2026-07-06')];
    expect(disagreements({ year, entries: moved }, 'XNYS')).toEqual([
      {
        date: '2026-07-03',
        file: null,
        rules: { type: 'market_holiday', name: 'Independence Day', close_time: null },
      },
      {
        date: '2026-07-06',
        file: { type: 'market_holiday', name: '2026-07-06', close_time: null },
        rules: null,
      },
    ]);
  });

  it('are other kinds and other times of one day, and not other names', () => {
    const entries = [
      day('2026-11-27', 'early_close', '14:00'),
      day('2026-12-24', 'early_close', '13:00'),
      day('2026-01-01', 'special_closing'),
    ];
    expect(disagreements({ year: 2026, entries }, 'XNYS')?.map(({ date }) => date)).toEqual([
      '2026-01-01',
      '2026-11-27',
    ]);
  });

  it('cannot be told beyond the rules', () => {
    expect(disagreements({ year: 2036, entries: [day('2036-01-01')] }, 'XNYS')).toBeNull();
  });
});

describe('a merged calendar', () => {
  it('prefers what was loaded, and says of each year where it is from', () => {
    const entries = given(2026).entries.filter(({ date }) => date !== '2026-07-03');
    const { calendar, provenance } = mergeCalendar('XNYS', [capture(2026, entries)]);
    expect(calendar.isTradingDay(parsePlainDate('2026-07-03'))).toBe(true);
    expect(calendar.isTradingDay(parsePlainDate('2025-07-04'))).toBe(false);
    expect(provenance.find(({ year }) => year === 2026)).toMatchObject({
      captureId: 'c2026',
      sources: { market_holiday: 'loaded', early_close: 'rules' },
    });
    expect(provenance.find(({ year }) => year === 2025)).toMatchObject({
      captureId: null,
      sources: { market_holiday: 'rules' },
    });
  });

  it('goes as far as loaded years follow the rules, and has no gap', () => {
    const later = [2036, 2037, 2039].map((year) => capture(year, [day(`${year}-01-01`)]));
    const { calendar, provenance } = mergeCalendar('XNYS', [capture(1989, [day('1989-01-02')]), ...later]);
    expect([calendar.from, calendar.to]).toEqual(['1989-01-01', '2037-12-31']);
    expect(provenance).toHaveLength(49);
  });
});
