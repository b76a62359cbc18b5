import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QualityGateError } from '../errors/quality-gate-error.ts';
import { toErrorInfo } from '../errors/error-info.ts';
import {
  QUALITY_STATUSES,
  QualityCategory,
  qualityFail,
  qualityPass,
  QualityRunner,
  qualityWarn,
} from './quality.ts';
import type { QualityCheck, QualityStatus } from './quality.ts';

type Rows = readonly number[];

function check(name: string, find: QualityCheck<Rows>['check']): QualityCheck<Rows> {
  return { name, category: QualityCategory.INTEGRITY, check: find };
}

describe('QualityRunner', () => {
  it('runs every check, those after a failure and after a throw too, in order', async () => {
    const runner = new QualityRunner<Rows>()
      .add(check('fails', (rows) => qualityFail('bad', String(rows.length), '0')))
      .add(
        check('throws', () => {
          throw new TypeError('no such column');
        }),
      )
      .add(check('rejects', () => Promise.reject(new RangeError('out of reach'))))
      .add(check('warns', () => qualityWarn('odd')))
      .add(check('passes', () => Promise.resolve(qualityPass('fine'))));
    const found = await runner.runAll([1, 2]);
    expect(found.map(({ checkName, status, message }) => [checkName, status, message])).toEqual([
      ['fails', 'FAIL', 'bad'],
      ['throws', 'FAIL', 'the check itself failed with TypeError: no such column'],
      ['rejects', 'FAIL', 'the check itself failed with RangeError: out of reach'],
      ['warns', 'WARN', 'odd'],
      ['passes', 'PASS', 'fine'],
    ]);
    expect(found[0]).toEqual({
      checkName: 'fails',
      category: 'INTEGRITY',
      status: 'FAIL',
      message: 'bad',
      actualValue: '2',
      expectedValue: '0',
    });
    expect(runner.results).toEqual(found);
    expect(runner.failures().map(({ checkName }) => checkName)).toEqual(['fails', 'throws', 'rejects']);
  });

  it('has a gate that names every failed check, for good', async () => {
    const runner = new QualityRunner<Rows>()
      .add(check('shares_sum', () => qualityFail('0.99 is not 1')))
      .add(check('odd_names', () => qualityWarn('2 of them')))
      .add(check('no_nulls', () => qualityFail('3 nulls')));
    await runner.runAll([]);
    const gate = () => runner.gate();
    expect(gate).toThrow(QualityGateError);
    expect(gate).toThrow('the quality gate failed on 2 checks: shares_sum: 0.99 is not 1; no_nulls: 3 nulls');
    const error = new QualityGateError([{ name: 'no_nulls', message: '3 nulls' }]);
    expect(toErrorInfo(error)).toMatchObject({
      type: 'QualityGateError',
      category: 'DATA_QUALITY',
      retryable: false,
    });
    expect(error.toDict().failures).toEqual([{ name: 'no_nulls', message: '3 nulls' }]);
  });

  it('has an open gate exactly when no check failed', async () => {
    const results = { PASS: qualityPass('p'), WARN: qualityWarn('w'), FAIL: qualityFail('f') };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...QUALITY_STATUSES), { minLength: 1, maxLength: 8 }),
        async (statuses: readonly QualityStatus[]) => {
          const runner = new QualityRunner<null>();
          for (const [index, status] of statuses.entries()) {
            runner.add({
              name: `c${index}`,
              category: QualityCategory.COMPLETENESS,
              check: () => results[status],
            });
          }
          const found = await runner.runAll(null);
          expect(found.map(({ status }) => status)).toEqual(statuses);
          expect(runner.hasFailures()).toBe(statuses.includes('FAIL'));
          let open = true;
          try {
            runner.gate();
          } catch {
            open = false;
          }
          expect(open).toBe(!statuses.includes('FAIL'));
        },
      ),
    );
  });

  it('is shut while nothing was asked', async () => {
    await expect(new QualityRunner<null>().runAll(null)).rejects.toThrow('the quality runner has no check');
    const runner = new QualityRunner<Rows>().add(check('asked', () => qualityPass('')));
    expect(() => runner.gate()).toThrow('the quality checks have not been run');
    expect(() => runner.hasFailures()).toThrow('the quality checks have not been run');
  });

  it('takes a check once, under a name that can be stored', () => {
    const runner = new QualityRunner<Rows>().add(check('once', () => qualityPass('')));
    expect(() => runner.add(check('once', () => qualityPass('')))).toThrow('check once is added twice');
    for (const name of ['', 'Upper', '1st', 'a-b', 'x'.repeat(101)]) {
      expect(() => runner.add(check(name, () => qualityPass('')))).toThrow('must match');
    }
  });

  it('bounds what a check says, and makes it storable', async () => {
    const long = `a\0b${'x'.repeat(5_000)}`;
    const [found] = await new QualityRunner<Rows>()
      .add(check('long', () => qualityFail(long, long, long)))
      .runAll([]);
    for (const text of [found?.message, found?.actualValue, found?.expectedValue]) {
      expect(text).toHaveLength(2_000);
      expect(text?.startsWith('a\uFFFDb')).toBe(true);
    }
  });
});
