/**
 * The admission of a run where it is handed over to the engine: whoever started it (the API, a schedule, a trigger, another
 * workflow), its workflow's concurrency and its partition are decided here.
 *
 * 1. Part of the transaction that takes the run from its worker: places, what is cancelled for it, and the run itself
 *    commit together. 2. Decided under the gates' locks, from what was read behind them. 3. A run without a policy and
 *    without a partition pays for none of it.
 */
import { trackedPartitionOf } from '@spine/core';
import {
  asQueryable,
  cancelRunsIn,
  lockAdmission,
  mayKnowRun,
  partitionState,
  settleInTransaction,
  takePlaces,
  tellWorkflow,
  waitForRoom,
} from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { Received } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { decideAdmission, gatesOf, linesToKnow } from './admit.ts';
import type { AdmissionRequest, CancelledForRoom } from './admit.ts';
import { SOURCE } from './carry-out.ts';

export interface AdmittedRun {
  readonly runId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** At which the engine will hold it. */
  readonly epoch: number;
}

export type AdmissionOutcome =
  /** @property partitionKey canonical JSON; null for a run that is not tracked. */
  | { readonly type: 'admitted'; readonly partitionKey: string | null }
  | { readonly type: 'refused'; readonly received: Received };

/** What is the result of a run that was not begun. */
export interface SkippedResult {
  readonly status: 'skipped';
  readonly reason: string;
  /** The run that is the reason; null for none, and for one of another namespace. */
  readonly run_id: string | null;
}

/** @throws ValidationError for a partition that is none. */
export async function admitRun(
  trx: DbTransaction,
  { name, concurrency }: Pick<WorkflowDefinition, 'name' | 'concurrency'>,
  { runId, metadata, epoch }: AdmittedRun,
): Promise<AdmissionOutcome> {
  const tracked = trackedPartitionOf(metadata);
  const partitionKey = tracked?.key ?? null;
  const request: AdmissionRequest = {
    name,
    policy: concurrency,
    partitionKey,
    // Somebody has asked for a fork of this very run.
    force: tracked?.force === true || typeof metadata['forked_from'] === 'string',
    continues: typeof metadata['continues'] === 'string',
  };
  const gates = gatesOf(request);
  const locked = [gates.place, gates.partition].filter((gate) => gate !== null);
  if (locked.length === 0) return { type: 'admitted', partitionKey };
  const facts = await lockAdmission(trx, runId, locked, linesToKnow(request, gates));
  if (facts === null) return { type: 'refused', received: { type: 'fenced' } };
  const partition = partitionKey === null ? null : await partitionState(trx, name, partitionKey, runId);
  const decision = decideAdmission(request, facts, partition);
  switch (decision.type) {
    case 'start':
      await cancelForRoom(trx, decision.cancel, name);
      await takePlaces(trx, runId, epoch, decision.keys);
      return { type: 'admitted', partitionKey };
    case 'wait': {
      await cancelForRoom(trx, decision.cancel, name);
      const waits = await waitForRoom(trx, runId, epoch - 1, decision.wait, SOURCE);
      return { type: 'refused', received: waits ? { type: 'settled', as: 'deferred' } : { type: 'fenced' } };
    }
    case 'skip': {
      const { reason, runId: because } = decision;
      const told = because !== null && (await mayKnowRun(trx, runId, because));
      const result: SkippedResult = { status: 'skipped', reason, run_id: told ? because : null };
      const item = {
        runId,
        epoch: epoch - 1,
        settlement: { type: 'completed', result: JSON.stringify(result) },
      } as const;
      const settled = await settleInTransaction(trx, item, { source: SOURCE });
      return {
        type: 'refused',
        received: settled === 'settled' ? { type: 'settled', as: 'completed' } : { type: 'fenced' },
      };
    }
  }
}

/** What has begun is undone by its planner; what has not is cancelled at once. */
async function cancelForRoom(
  trx: DbTransaction,
  cancel: readonly CancelledForRoom[],
  name: string,
): Promise<void> {
  const reason = `a newer run of ${name} takes its place`;
  const event: WorkflowEvent = { type: 'cancel', by: SOURCE, reason };
  for (const { runId, begun } of cancel) {
    // One that has ended meanwhile has given its place back: the line is told, behind these locks.
    if (begun) await tellWorkflow(trx, runId, event);
  }
  const unbegun = cancel.flatMap(({ runId, begun }) => (begun ? [] : [runId]));
  await cancelRunsIn(asQueryable(trx), unbegun, reason, SOURCE);
}
