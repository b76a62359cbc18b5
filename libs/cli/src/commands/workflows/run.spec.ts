import { describe, expect, it } from 'vitest';
import type { WorkflowStepView } from '@spine/sdk';
import { stepColumns } from './run.ts';

const STEP: WorkflowStepView = {
  name: 'load',
  kind: 'lambda',
  status: 'completed',
  attempts: 1,
  output: {},
  omitted: false,
  error: null,
  reason: null,
  added: false,
  waits_for: null,
  run_id: null,
  started_at: null,
  ended_at: null,
  items: null,
  quality: null,
  undo: null,
};
const QUALITY = {
  record_count: 5_192,
  valid_count: 5_190,
  valid_rate: 0.9996,
  passed: false,
  custom_metrics: {},
};

describe('what is told of the steps of a run', () => {
  it('has no word of their data where none of them has said something', () => {
    expect(stepColumns([STEP]).map(({ head }) => head)).not.toContain('VALID');
  });

  it('has how much of it was valid, and shows where a gate let it not through', () => {
    const steps = [STEP, { ...STEP, quality: QUALITY }];
    const valid = stepColumns(steps).find(({ head }) => head === 'VALID');
    expect(steps.map((step) => valid?.cell(step))).toEqual(['', '5190/5192']);
    expect(steps.map((step) => valid?.style?.(step))).toEqual([undefined, 'red']);
  });
});
