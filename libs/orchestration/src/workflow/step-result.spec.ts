import { describe, expect, it } from 'vitest';
import { ErrorCategory, NetworkError, ValidationError } from '@spine/core';
import { QualityMetrics } from './quality-metrics.ts';
import { StepResult } from './step-result.ts';

describe('a step result', () => {
  it.each([
    [{ rows: 1 }, { status: 'ok', output: { rows: 1 } }],
    [undefined, { status: 'ok', output: {} }],
    [true, { status: 'ok', output: {} }],
    [7, { status: 'ok', output: { value: 7 } }],
    [['a'], { status: 'ok', output: { value: ['a'] } }],
    [{ status: 'ok' }, { status: 'ok', output: { status: 'ok' } }],
    [StepResult.skip('none'), { status: 'skip', reason: 'none' }],
    // What only looks like a result is an output.
    [
      { status: 'ok', output: [1] },
      { status: 'ok', output: { status: 'ok', output: [1] } },
    ],
    [
      { status: 'ok', output: {}, rows: 1 },
      { status: 'ok', output: { status: 'ok', output: {}, rows: 1 } },
    ],
    [
      { status: 'fail', error: {} },
      { status: 'ok', output: { status: 'fail', error: {} } },
    ],
  ])('of %j', (value, expected) => {
    expect(StepResult.fromValue(value)).toEqual(expected);
  });

  it.each([
    [{ modifications: 'all' }, 'modifications is no list'],
    [{ modifications: [{ type: 'skip_steps' }] }, 'modifications[0]'],
    [{ modifications: [{ type: 'stop_the_world' }] }, 'modifications[0] is no modification'],
    [{ contextUpdates: 'abc' }, 'contextUpdates'],
    [{ nextStep: 7 }, 'nextStep'],
    [{ quality: { recordCount: 1.5, validCount: 1 } }, 'quality has no whole recordCount'],
    [{ quality: { recordCount: 1, validCount: 2 } }, 'quality has no whole recordCount'],
    [{ quality: { recordCount: 1, validCount: 1, passed: 'yes' } }, 'quality passed'],
    [{ quality: { recordCount: 1, validCount: 1, customMetrics: { a: [] } } }, 'quality customMetrics'],
    [{ quality: { recordCount: 1, validCount: 1, customMetrics: { a: 'x'.repeat(9_000) } } }, 'characters'],
  ])('with %j is a failure that says so', (more, problem) => {
    const result = StepResult.fromValue({ status: 'ok', output: {}, ...more });
    expect(result).toMatchObject({
      status: 'fail',
      error: { type: 'BadResultError', category: 'VALIDATION' },
    });
    expect(result.status === 'fail' ? result.error.message : '').toContain(problem);
  });

  it('of false is a failure', () => {
    expect(StepResult.fromValue(false)).toMatchObject({ status: 'fail', error: { category: 'OPERATION' } });
  });

  it('says whether another attempt may help, by category or by the error itself', () => {
    const retryable = (result: StepResult) => (result.status === 'fail' ? result.error.retryable : null);
    expect(retryable(StepResult.fail('x', { category: ErrorCategory.NETWORK }))).toBe(true);
    expect(retryable(StepResult.fail('x', { category: ErrorCategory.DATA_QUALITY }))).toBe(false);
    expect(retryable(StepResult.fail(new NetworkError('gone')))).toBe(true);
    expect(retryable(StepResult.fail(new ValidationError('wrong')))).toBe(false);
  });
});

describe('quality metrics', () => {
  it('count, and pass when everything is valid unless told otherwise', () => {
    expect(QualityMetrics.of({ recordCount: 4, validCount: 3 })).toMatchObject({ passed: false });
    expect(QualityMetrics.validRate(QualityMetrics.of({ recordCount: 4, validCount: 3, passed: true }))).toBe(
      0.75,
    );
    expect(QualityMetrics.validRate(QualityMetrics.of({ recordCount: 0, validCount: 0 }))).toBe(1);
  });

  it('come whole out of JSON, and are left out of a failure where they are none', () => {
    const quality = { recordCount: 4, validCount: 3 };
    expect(StepResult.fromValue({ status: 'ok', output: {}, quality })).toEqual({
      status: 'ok',
      output: {},
      quality: { recordCount: 4, validCount: 3, passed: false, customMetrics: {} },
    });
    const failed = StepResult.fail('broken');
    const broken = { recordCount: -1, validCount: 0, passed: true, customMetrics: {} };
    expect(StepResult.fromValue({ ...failed, quality: broken })).toEqual(failed);
  });

  it('refuse counts that cannot be', () => {
    expect(() => QualityMetrics.of({ recordCount: 1, validCount: 2 })).toThrow('2 of 1 valid records');
  });
});
