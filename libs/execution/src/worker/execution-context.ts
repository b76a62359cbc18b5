import { ExecutionContext, InvariantError, parseRunId } from '@spine/core';
import type { RunId } from '@spine/core';
import type { AttemptInfo } from './context.ts';

/**
 * The execution that `ctx.run` is: the run's id, its parent where it has one, and its correlation id as the batch.
 * @param startedAt when the work began, as the caller's clock has it; the run's own times are the database's.
 */
export function executionContextOf(
  run: Pick<AttemptInfo, 'runId' | 'parentRunId' | 'correlationId' | 'name'>,
  startedAt: Date,
): ExecutionContext {
  return ExecutionContext.create({
    executionId: runId(run.runId),
    ancestors: run.parentRunId === null ? [] : [runId(run.parentRunId)],
    batchId: run.correlationId,
    workflow: run.name,
    startedAt,
  });
}

function runId(text: string): RunId {
  const id = parseRunId(text);
  if (id === null) throw new InvariantError(`a run has the id ${JSON.stringify(text)}, which is none`);
  return id;
}
