/** What the ledger is told of a run of a partition as it ends; part of the transaction that ends it. */
import { recordPartitionCompleted, recordPartitionFailed } from '@spine/database';
import type { DbTransaction, LockedWorkflow, TrackedRun } from '@spine/database';
import type { CompleteCommand } from './effects.ts';

function trackedRunOf({ runId, name, version, partitionKey, run }: LockedWorkflow): TrackedRun | null {
  return partitionKey === null
    ? null
    : { runId, name, version, partitionKey, correlationId: run.correlationId };
}

/** As its planner has ended it. One that goes on as a new run has neither completed nor failed. */
export async function recordTrackedEnd(
  trx: DbTransaction,
  locked: LockedWorkflow,
  { status, step, error }: CompleteCommand,
): Promise<void> {
  const tracked = trackedRunOf(locked);
  if (tracked === null) return;
  if (status === 'completed') return recordPartitionCompleted(trx, tracked);
  if (status !== 'failed' && status !== 'timed_out') return;
  const timedOut = status === 'timed_out';
  const message = error?.message ?? (timedOut ? 'it took too long' : 'no reason given');
  await recordPartitionFailed(trx, tracked, { message, timedOut, step, error });
}

/** Of one that was ended without its planner: by a deadline or a lost engine. A cancel is nobody's failure. */
export async function recordTrackedClose(trx: DbTransaction, locked: LockedWorkflow): Promise<void> {
  const tracked = trackedRunOf(locked);
  const { status } = locked.run;
  if (tracked === null || status === 'cancelled' || status === 'completed') return;
  await recordPartitionFailed(trx, tracked, {
    message: `the run was ended from outside as ${status}`,
    timedOut: true,
    step: null,
    error: null,
  });
}
