import { describe, expect, it } from 'vitest';
import { RUN_STATUSES } from '@spine/core';
import type { RunSummary } from '../worker/context.ts';
import { outcomeOf } from './outcome.ts';

function runIn(status: RunSummary['status'], category: string | null): RunSummary {
  return {
    runId: 'r',
    kind: 'task',
    name: 'n',
    lane: 'default',
    status,
    result: status === 'completed' ? { n: 1 } : null,
    error: category === null ? null : { message: 'm', type: 'E', category, retryable: false },
    attempt: 1,
    maxAttempts: 1,
    correlationId: null,
    parentRunId: null,
    createdAt: new Date(0),
    startedAt: null,
    completedAt: null,
  };
}

describe('the outcome of a run', () => {
  it.each([
    ['pending', null, 'unfinished'],
    ['queued', 'NETWORK', 'unfinished'],
    ['running', null, 'unfinished'],
    ['paused', null, 'unfinished'],
    ['completed', null, 'completed'],
    ['failed', 'NETWORK', 'failed'],
    ['timed_out', 'TIMEOUT', 'timed_out'],
    ['dead_lettered', 'NETWORK', 'failed'],
    ['dead_lettered', 'TIMEOUT', 'timed_out'],
    ['cancelled', null, 'cancelled'],
    ['cancelled', 'NETWORK', 'cancelled'],
  ] as const)('%s with the error %s is %s', (status, category, type) => {
    expect(outcomeOf(runIn(status, category)).type).toBe(type);
  });

  it('is known for every state', () => {
    for (const status of RUN_STATUSES)
      expect(outcomeOf(runIn(status, null)).type).toEqual(expect.any(String));
  });
});
