import { describe, expect, it } from 'vitest';
import { toErrorInfo } from '@spine/core';
import { toStoredError } from '@spine/execution';
import { QualityMetrics } from '../workflow/quality-metrics.ts';
import { StepResult } from '../workflow/step-result.ts';
import { encodeStepValue, stepResultOf } from './step-outcome.ts';

/** Through the row of a run and back. */
const roundTrip = (value: Parameters<typeof encodeStepValue>[0]): StepResult =>
  stepResultOf({
    status: 'completed',
    result: JSON.parse(JSON.stringify(encodeStepValue(value))),
    error: null,
  });

describe('the result of a step in the row of its run', () => {
  it('is the output itself where that is all', () => {
    expect(encodeStepValue({ rows: 3 })).toEqual({ rows: 3 });
    expect(encodeStepValue(StepResult.ok({ rows: 3 }))).toEqual({ rows: 3 });
  });

  it.each([
    ['an output', { rows: 3 }, StepResult.ok({ rows: 3 })],
    ['nothing', undefined, StepResult.ok()],
    ['a number', 7, StepResult.ok({ value: 7 })],
    ['a skip', StepResult.skip('no rows'), StepResult.skip('no rows')],
    [
      'a choice of the next step',
      StepResult.withNextStep('b', { rows: 1 }, { contextUpdates: { seen: true } }),
      StepResult.withNextStep('b', { rows: 1 }, { contextUpdates: { seen: true } }),
    ],
    // An output that looks like an envelope is still the output.
    ['its own envelope', { spine_step: 1, result: 'x' }, StepResult.ok({ spine_step: 1, result: 'x' })],
  ] as const)('comes out again as it went in: %s', (_, value, expected) => {
    expect(roundTrip(value)).toEqual(expected);
  });

  it('is the error of the run where it is a failure', () => {
    const failure = StepResult.fail('slow down', { category: 'NETWORK', retryAfterSeconds: 7, type: 'Busy' });
    let thrown: unknown;
    try {
      encodeStepValue(failure);
    } catch (error) {
      thrown = error;
    }
    const error = toStoredError(toErrorInfo(thrown));
    expect(stepResultOf({ status: 'failed', result: null, error })).toEqual(failure);
  });

  it('says of a failure what it has said about the data', () => {
    const quality = QualityMetrics.of({ recordCount: 10, validCount: 4, customMetrics: { late: 2 } });
    const failure = StepResult.fail('too few are valid', { category: 'DATA_QUALITY', quality });
    expect(() => encodeStepValue(failure)).toThrow(
      expect.objectContaining({ details: { quality } }) as Error,
    );
    const error = toStoredError({ ...failure.error, details: { quality: { ...quality } } });
    expect(stepResultOf({ status: 'failed', result: null, error })).toEqual(failure);
    // What is none was not stored by a step.
    const broken = { ...error, details: { quality: 'good' } };
    expect(stepResultOf({ status: 'failed', result: null, error: broken })).not.toHaveProperty('quality');
  });

  it('is a failure however the run has ended without success', () => {
    for (const status of ['failed', 'timed_out', 'dead_lettered', 'cancelled'] as const) {
      expect(stepResultOf({ status, result: null, error: null })).toMatchObject({ status: 'fail' });
    }
  });
});
