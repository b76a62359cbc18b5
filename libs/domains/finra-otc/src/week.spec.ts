import { parsePlainDate, ValidationError, WeekEnding } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { checkWeekIsOver, decideTier, decideWeek, publicationDateOf } from './week.ts';
import type { WeekEvidence } from './week.ts';

describe('publicationDateOf', () => {
  it.each([
    ['finra_otc_weekly_otc_20251215.csv', '2025-12-15'],
    ['20251215.psv', '2025-12-15'],
    ['weekly-20251215.csv', '2025-12-15'],
    ['finra_20240101_20251215.csv', '2025-12-15'],
    ['finra_otc_weekly_otc_20251332.csv', null],
    ['finra_otc_weekly_otc_20250229.csv', null],
    ['weekly_120251215.csv', null],
    ['20251215_weekly.csv', null],
    ['finra_otc_weekly_otc.csv', null],
    ['20251215', null],
  ])('reads %s as %s', (name, date) => {
    expect(publicationDateOf(name)).toBe(date);
  });
});

describe('decideWeek', () => {
  const nothing: WeekEvidence = {
    requested: null,
    fileName: 'weekly.csv',
    lastUpdateDate: null,
    force: false,
  };
  const monday15 = parsePlainDate('2025-12-15');
  const decide = (evidence: Partial<WeekEvidence>) => decideWeek({ ...nothing, ...evidence });
  const contradictions = (evidence: Partial<WeekEvidence>): string[] =>
    decide(evidence).contradictedBy.map(({ source, weekEnding }) => `${source} ${weekEnding.date}`);

  it.each([
    ['2025-12-15', '2025-12-12'],
    ['2025-12-12', '2025-12-05'],
    ['2025-12-13', '2025-12-12'],
    ['2026-01-01', '2025-12-26'],
  ])('takes the Friday before the publication date: %s is about %s', (published, week) => {
    const compact = published.replaceAll('-', '');
    expect(decide({ fileName: `w_${compact}.csv` })).toMatchObject({
      source: 'file_name',
      weekEnding: { date: week },
    });
    expect(decide({ lastUpdateDate: parsePlainDate(published) })).toMatchObject({
      source: 'last_update_date',
      weekEnding: { date: week },
    });
  });

  it('trusts the name before the rows, and tells that the rows say otherwise', () => {
    const evidence = { fileName: 'w_20251222.csv', lastUpdateDate: monday15 };
    expect(decide(evidence).weekEnding.date).toBe('2025-12-19');
    expect(contradictions(evidence)).toEqual(['last_update_date 2025-12-12']);
    expect(contradictions({ ...evidence, fileName: 'w_20251216.csv' })).toEqual([]);
  });

  it('takes the week that is asked for when the file agrees or says nothing', () => {
    const requested = WeekEnding.parse('2025-12-12');
    for (const evidence of [{}, { fileName: 'w_20251215.csv' }, { lastUpdateDate: monday15 }]) {
      const decision = decide({ ...evidence, requested });
      expect(decision).toMatchObject({ source: 'week_ending', contradictedBy: [] });
      expect(decision.weekEnding.date).toBe('2025-12-12');
    }
  });

  it('refuses the week that is asked for when the file contradicts it, unless the caller insists', () => {
    const evidence = { requested: WeekEnding.parse('2025-12-05'), fileName: 'w_20251215.csv' };
    expect(() => decide(evidence)).toThrow(ValidationError);
    expect(() => decide(evidence)).toThrow(
      'week_ending: 2025-12-05 contradicts the file_name of the file, which says 2025-12-12',
    );
    expect(() => decide({ ...evidence, fileName: 'w.csv', lastUpdateDate: monday15 })).toThrow(
      'last_update_date',
    );
    expect(decide({ ...evidence, force: true }).weekEnding.date).toBe('2025-12-05');
    expect(contradictions({ ...evidence, lastUpdateDate: monday15, force: true })).toEqual([
      'file_name 2025-12-12',
      'last_update_date 2025-12-12',
    ]);
  });

  it('refuses a file that does not tell its week', () => {
    expect(() => decide({})).toThrow(
      'week_ending: neither the name of the file nor a lastUpdateDate in it tells the week',
    );
    expect(() => decide({ force: true })).toThrow(ValidationError);
  });
});

describe('decideTier', () => {
  it('takes what is asked for, else what the rows name, else nothing', () => {
    expect(decideTier('NMS_TIER_1', 'OTC')).toBe('NMS_TIER_1');
    expect(decideTier(null, 'OTC')).toBe('OTC');
    expect(() => decideTier(null, null)).toThrow('tier: no row of the file names a known tier');
    expect(() => decideTier(null, null)).toThrow(ValidationError);
  });
});

describe('checkWeekIsOver', () => {
  const week = WeekEnding.parse('2025-12-12');

  it.each(['2025-12-12', '2025-12-15', '2026-01-01'])('takes a week that is over on %s', (today) => {
    expect(() => checkWeekIsOver(week, parsePlainDate(today))).not.toThrow();
  });

  it.each(['2025-12-11', '2020-01-01'])('refuses one that is not on %s', (today) => {
    expect(() => checkWeekIsOver(week, parsePlainDate(today))).toThrow(
      `week_ending: 2025-12-12 is in the future; today is ${today}`,
    );
  });
});
