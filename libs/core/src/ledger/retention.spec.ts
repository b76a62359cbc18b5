import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import {
  checkRetention,
  isPurgeable,
  LEDGER_RETENTION,
  LEDGER_TABLES,
  MAX_RETENTION_DAYS,
  parseRetentionPolicy,
  PURGEABLE_TABLES,
  RetentionPolicyError,
} from './retention.ts';

describe('a retention policy', () => {
  it('names tables with their days; what it does not name is kept', () => {
    expect([...parseRetentionPolicy(' quality_results=2557, work_items=30,')]).toEqual([
      ['quality_results', 2557],
      ['work_items', 30],
    ]);
    expect(parseRetentionPolicy('').size).toBe(0);
  });

  it.each(PURGEABLE_TABLES)('of %s may be its minimum and no day less', (table) => {
    const { minimumDays } = LEDGER_RETENTION[table];
    expect(parseRetentionPolicy(`${table}=${minimumDays}`).get(table)).toBe(minimumDays);
    expect(() => parseRetentionPolicy(`${table}=${minimumDays - 1}`)).toThrow(
      expect.objectContaining({
        name: 'RetentionPolicyError',
        issues: [expect.objectContaining({ code: 'under_minimum' })],
      }),
    );
  });

  it.each(LEDGER_TABLES.filter((table) => !isPurgeable(table)))('never lets anything of %s go', (table) => {
    expect(() => checkRetention(table, MAX_RETENTION_DAYS)).toThrow(RetentionPolicyError);
  });

  it('keeps rejects and anomalies forever, and evidence for six years', () => {
    expect([LEDGER_RETENTION.rejects.keep, LEDGER_RETENTION.anomalies.keep]).toEqual(['forever', 'forever']);
    expect(LEDGER_RETENTION.quality_results.minimumDays).toBeGreaterThanOrEqual(6 * 365.25);
  });

  it.each([
    ['runs=90', 'unknown_table'],
    ['constructor=9999', 'unknown_table'],
    ['work_items', 'invalid_format'],
    ['work_items=-1', 'invalid_format'],
    ['work_items=1e3', 'invalid_format'],
    ['work_items=99999', 'invalid_days'],
    ['work_items=30,work_items=31', 'repeated'],
  ])('is not %j', (text, code) => {
    expect(() => parseRetentionPolicy(text, 'SPINE_X')).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ field: 'SPINE_X', code })] }),
    );
    expect(() => parseRetentionPolicy(text)).toThrow(ValidationError);
  });

  it.each([Number.NaN, 30.5])('has no period of %s days', (days) => {
    expect(() => checkRetention('work_items', days)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ code: 'invalid_days' })] }),
    );
  });
});
