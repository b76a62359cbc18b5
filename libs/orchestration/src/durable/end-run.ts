/** The end of workflows' own runs, as their planners have decided. */
import { assertNever, InvariantError } from '@spine/core';
import { asQueryable, cancelOnlyIn, settleAllInTransaction } from '@spine/database';
import type { DbTransaction, LockedWorkflow, Settlement } from '@spine/database';
import { toStoredError } from '@spine/execution';
import type { Payloads } from '@spine/execution';
import { runError } from '../engine/run-error.ts';
import { SOURCE } from './carry-out.ts';
import type { CompleteCommand } from './effects.ts';

/** A workflow run whose plan has come to its end. */
export interface EndedRun {
  readonly locked: LockedWorkflow;
  readonly end: CompleteCommand;
}

/** The result of a completed run is its outputs; those of one that goes on as a new run were handed on. */
export async function endRuns(
  trx: DbTransaction,
  payloads: Pick<Payloads, 'stowResult'>,
  ended: readonly EndedRun[],
): Promise<void> {
  const cancelled: string[] = [];
  const settled: { runId: string; epoch: number; settlement: Settlement }[] = [];
  for (const { locked, end } of ended) {
    const { runId, epoch } = locked;
    const settlement = await settlementOf(payloads, locked, end);
    if (settlement === 'cancelled') cancelled.push(runId);
    else settled.push({ runId, epoch, settlement });
  }
  // What it has started has ended, but for sub-workflows that nobody waits for: they are undone by themselves.
  await cancelOnlyIn(asQueryable(trx), cancelled, 'cancelled, and undone', SOURCE);
  const fenced = await settleAllInTransaction(trx, settled, { source: SOURCE });
  if (fenced.length > 0) throw new InvariantError(`run ${fenced.join(', ')} was taken under its own lock`);
}

async function settlementOf(
  payloads: Pick<Payloads, 'stowResult'>,
  { runId, epoch, run }: LockedWorkflow,
  end: CompleteCommand,
): Promise<Settlement | 'cancelled'> {
  switch (end.status) {
    case 'completed':
    case 'continued':
      return {
        type: 'completed',
        ...(await payloads.stowResult(runId, epoch, JSON.stringify(end.outputs))),
      };
    case 'failed':
    case 'timed_out':
      return {
        type: run.deadLetter ? 'dead_lettered' : end.status,
        error: toStoredError(runError(end)),
      };
    case 'cancelled':
      return 'cancelled';
    default:
      return assertNever(end.status);
  }
}
