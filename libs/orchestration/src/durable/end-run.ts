/** The end of a workflow's own run, as its planner has decided. */
import { assertNever, ErrorCategory, InvariantError } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { asQueryable, cancelRunsIn, settleInTransaction } from '@spine/database';
import type { DbTransaction, LockedWorkflow, Settlement, StoredError } from '@spine/database';
import { toStoredError } from '@spine/execution';
import type { Payloads } from '@spine/execution';
import { SOURCE } from './carry-out.ts';
import type { CompleteCommand } from './effects.ts';

/** The result of a completed run is its outputs; those of one that goes on as a new run were handed on. */
export async function endRun(
  trx: DbTransaction,
  payloads: Pick<Payloads, 'stowResult'>,
  { runId, epoch, run }: LockedWorkflow,
  end: CompleteCommand,
): Promise<void> {
  switch (end.status) {
    case 'completed':
    case 'continued': {
      const stored = await payloads.stowResult(runId, epoch, JSON.stringify(end.outputs));
      return settle(trx, runId, epoch, { type: 'completed', ...stored });
    }
    case 'failed':
    case 'timed_out': {
      const error = storedErrorOf(end);
      const type = run.deadLetter ? 'dead_lettered' : end.status;
      return settle(trx, runId, epoch, { type, error });
    }
    case 'cancelled':
      return cancelRunsIn(asQueryable(trx), [runId], 'cancelled, and undone', SOURCE);
    default:
      return assertNever(end.status);
  }
}

async function settle(
  trx: DbTransaction,
  runId: string,
  epoch: number,
  settlement: Settlement,
): Promise<void> {
  const outcome = await settleInTransaction(trx, { runId, epoch, settlement }, { source: SOURCE });
  if (outcome !== 'settled') throw new InvariantError(`run ${runId} was taken under its own lock`);
}

function storedErrorOf({ step, error, undoFailures }: CompleteCommand): StoredError {
  const stored = toStoredError(error ?? UNSAID);
  const where = step === null ? '' : `step ${step}: `;
  const undone = undoFailures === 0 ? '' : ` (${undoFailures} compensations failed)`;
  return { ...stored, message: `${where}${stored.message}${undone}` };
}

const UNSAID: ErrorInfo = {
  message: 'the workflow failed',
  type: 'WorkflowFailed',
  category: ErrorCategory.ORCHESTRATION,
  retryable: false,
  retryAfterSeconds: null,
};
