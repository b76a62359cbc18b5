import { describe, expect, it } from 'vitest';
import { admitWorkflowRun } from './concurrency.ts';

const now = new Date('2026-01-01T00:00:00Z');

describe('one run more', () => {
  it('starts where there is room', () => {
    expect(admitWorkflowRun(undefined, ['a', 'b'], now)).toEqual({ type: 'start', cancel: [] });
    expect(admitWorkflowRun({ maxRuns: 2, onConflict: 'skip' }, ['a'], now)).toEqual({
      type: 'start',
      cancel: [],
    });
  });

  it.each([
    [{ maxRuns: 1 }, { type: 'queue', until: null }],
    [
      { maxRuns: 1, queueTimeoutSeconds: 60 },
      { type: 'queue', until: new Date('2026-01-01T00:01:00Z') },
    ],
    [
      { maxRuns: 2, onConflict: 'skip' },
      { type: 'skip', reason: '3 of at most 2 runs are under way' },
    ],
    [
      { maxRuns: 1, onConflict: 'cancel_existing' },
      { type: 'start', cancel: ['a', 'b', 'c'] },
    ],
    [
      { maxRuns: 3, onConflict: 'cancel_existing' },
      { type: 'start', cancel: ['a'] },
    ],
  ] as const)('else as the policy says: %j', (policy, expected) => {
    expect(admitWorkflowRun(policy, ['a', 'b', 'c'], now)).toEqual(expected);
  });
});
