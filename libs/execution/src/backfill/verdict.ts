/** From a run that ended to what its partition becomes. */
import { afterPartitionRun, isTerminal } from '@spine/core';
import type { PartitionRunEnd } from '@spine/core';
import type { OpenPartition, PartitionError, SettledPartition } from '@spine/database';

/** How the run of an open partition ended, or null while it has not. */
export function endOf({ runStatus, runError }: OpenPartition): PartitionRunEnd | null {
  if (runStatus === null) return { type: 'gone' };
  if (!isTerminal(runStatus)) return null;
  switch (runStatus) {
    case 'completed':
      return { type: 'completed' };
    case 'cancelled':
      return { type: 'cancelled' };
    case 'failed':
    case 'timed_out':
    case 'dead_lettered':
      return { type: 'failed', retryable: runError?.retryable ?? false };
  }
}

function errorOf(partition: OpenPartition, end: PartitionRunEnd): PartitionError | null {
  const { runId, runError } = partition;
  switch (end.type) {
    case 'completed':
      return null;
    case 'cancelled':
      return permanent('RunCancelled', `run ${runId} was cancelled`);
    case 'gone':
      return permanent(
        'RunGone',
        `run ${runId} was deleted before it was looked at; what it did is not known`,
      );
    case 'failed':
      if (runError === null) return permanent('RunFailed', `run ${runId} failed`);
      return {
        type: runError.type,
        message: runError.message,
        category: runError.category,
        retryable: runError.retryable,
      };
  }
}

function permanent(type: string, message: string): PartitionError {
  return { type, message, category: 'OPERATION', retryable: false };
}

/** What became of the open partitions whose runs have ended. */
export function verdictsOf(open: readonly OpenPartition[], maxAttempts: number): SettledPartition[] {
  return open.flatMap((partition) => {
    const end = endOf(partition);
    if (end === null) return [];
    const { ordinal, runId } = partition;
    const after = afterPartitionRun(partition, end, maxAttempts);
    // A run cancelled with its plan is not what the partition failed of.
    const error = end.type === 'cancelled' && after.status === 'PENDING' ? null : errorOf(partition, end);
    return [{ ordinal, runId, ...after, error }];
  });
}
