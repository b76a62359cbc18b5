import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentHash, parseCalendarFile } from './calendar-file.ts';

const given = readFileSync(join(import.meta.dirname, '../fixtures/holidays_xnys_2026.json'), 'utf8');
const holiday = { date: '2026-01-01', name: "New Year's Day", type: 'market_holiday' };
const text = (changes: object): string =>
  JSON.stringify({ exchange_code: 'XNYS', year: 2026, holidays: [holiday], ...changes });
const withDay = (changes: object): string => text({ holidays: [{ ...holiday, ...changes }] });
const issuesOf = (content: string) => {
  const parsed = parseCalendarFile(content);
  return parsed.ok ? [] : parsed.error.map(({ field, message }) => `${field}: ${message}`);
};

describe('a calendar file', () => {
  it('is read as it is given', () => {
    const file = parseCalendarFile(given).unwrap();
    expect(file).toMatchObject({ exchangeCode: 'XNYS', year: 2026 });
    expect(file.entries).toHaveLength(10);
    expect(file.entries[6]).toEqual({
      date: '2026-07-03',
      name: 'Independence Day (observed)',
      type: 'market_holiday',
      closeTime: null,
    });
  });

  it('may list early closes and special closings, in any order, and begin with a byte order mark', () => {
    const content = text({
      holidays: [
        { date: '2026-11-27', name: 'Day after Thanksgiving', type: 'early_close', close_time: '13:00' },
        { date: '2026-02-03', name: ' Storm ', type: 'special_closing' },
      ],
    });
    expect(parseCalendarFile(`\uFEFF${content}`).unwrap().entries).toEqual([
      { date: '2026-02-03', name: 'Storm', type: 'special_closing', closeTime: null },
      { date: '2026-11-27', name: 'Day after Thanksgiving', type: 'early_close', closeTime: '13:00' },
    ]);
  });

  it('is the same whatever its spacing and order, and another one when a day moves', () => {
    const hash = (content: string): string => contentHash(parseCalendarFile(content).unwrap());
    const days = [holiday, { date: '2026-12-25', name: 'Christmas', type: 'market_holiday' }];
    expect(hash(text({ holidays: days }))).toBe(
      hash(JSON.stringify(JSON.parse(text({ holidays: days.toReversed() })), null, 4)),
    );
    expect(hash(withDay({ date: '2026-01-02' }))).not.toBe(hash(withDay({})));
    expect(hash(withDay({ type: 'special_closing' }))).not.toBe(hash(withDay({})));
  });

  it.each([
    ['no JSON', '{', ''],
    ['another root', '[]', 'expected object'],
    ['no exchange', text({ exchange_code: undefined }), 'exchange_code: '],
    [
      'an unknown exchange',
      text({ exchange_code: 'XLON' }),
      'exchange_code: "XLON" is not a known exchange; allowed are XNYS',
    ],
    ['a prototype for an exchange', text({ exchange_code: 'toString' }), 'is not a known exchange'],
    ['no year', text({ year: '2026' }), 'year: '],
    ['no days', text({ holidays: [] }), 'holidays: '],
    ['an unknown field', text({ zone: 'x' }), 'zone'],
    [
      'a date that is none',
      withDay({ date: '2026-02-30' }),
      'holidays[0].date: "2026-02-30" is not a calendar date',
    ],
    ['another year', withDay({ date: '2025-01-01' }), 'holidays[0].date: "2025-01-01" is not in 2026'],
    ['a weekend', withDay({ date: '2026-07-04' }), 'holidays[0].date: "2026-07-04" is on a weekend'],
    [
      'a day twice',
      text({ holidays: [holiday, holiday] }),
      'holidays[1].date: "2026-01-01" stands there twice',
    ],
    ['no name', withDay({ name: ' ' }), 'holidays[0].name: '],
    ['an unknown type', withDay({ type: 'bank_holiday' }), 'holidays[0].type: '],
    [
      'an early close without a time',
      withDay({ type: 'early_close' }),
      'holidays[0].close_time: null is not a time',
    ],
    [
      'a time that is none',
      withDay({ type: 'early_close', close_time: '25:00' }),
      'holidays[0].close_time: "25:00"',
    ],
    [
      'a holiday with a time',
      withDay({ close_time: '13:00' }),
      'holidays[0].close_time: a market_holiday has no',
    ],
  ])('is refused with %s', (_, content, message) => {
    const issues = issuesOf(content);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(message);
  });

  it('is refused with everything that is wrong with it', () => {
    const content = text({
      holidays: [
        { ...holiday, date: 'x' },
        { ...holiday, type: 'early_close' },
      ],
    });
    expect(issuesOf(content)).toHaveLength(2);
  });
});
