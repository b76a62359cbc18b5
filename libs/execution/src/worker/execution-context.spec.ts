import { describe, expect, it } from 'vitest';
import { InvariantError, newRunId } from '@spine/core';
import { executionContextOf } from './execution-context.ts';

describe('executionContextOf', () => {
  const startedAt = new Date('2025-12-26T12:00:00Z');
  const run = { runId: newRunId(), parentRunId: newRunId(), correlationId: 'week-52', name: 'finra.ingest' };

  it('is the run, below its parent', () => {
    const context = executionContextOf(run, startedAt);
    expect(context).toMatchObject({
      executionId: run.runId,
      parentExecutionId: run.parentRunId,
      batchId: 'week-52',
      workflow: 'finra.ingest',
    });
    expect(executionContextOf({ ...run, parentRunId: null, correlationId: null }, startedAt)).toMatchObject({
      parentExecutionId: null,
      batchId: null,
      rootExecutionId: run.runId,
    });
  });

  it('refuses an id that is none', () => {
    expect(() => executionContextOf({ ...run, runId: 'x' }, startedAt)).toThrow(InvariantError);
  });
});
