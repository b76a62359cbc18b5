/**
 * Runs one step of a workflow run again.
 *
 * Of a run that has ended: a fork from that step, because an end stays one; the step and all that depends on it run in a new
 * run. Of a run under way: the run itself, by `retry_step`; what depends on the step and has begun is not taken back.
 */
import type { RunRecord } from '@spine/database';
import { inSnapshot } from '@spine/database';
import { modifyWorkflowRun } from './control-modify.ts';
import type { ModifyOutcome, ModifyServices } from './control-modify.ts';
import { forkWorkflowRun } from './fork-run.ts';
import type { ForkOutcome, ForkServices } from './fork-run.ts';
import { readSnapshot } from './inspect-snapshot.ts';

export type ReplayStepOutcome =
  | Exclude<ForkOutcome, { type: 'invalid' }>
  | Extract<ModifyOutcome, { type: 'told' | 'refused' }>
  | { readonly type: 'invalid'; readonly reason: string };

export async function replayStep(
  services: ForkServices & ModifyServices,
  runId: string,
  { step, by, reason }: { readonly step: string; readonly by: string; readonly reason?: string | undefined },
): Promise<ReplayStepOutcome> {
  const read = await inSnapshot(services.db, (trx) => readSnapshot(trx, services.definitions, runId));
  if (read.type !== 'found') return read;
  const { run, record, graph } = read.snapshot;
  if (!graph.has(step)) return { type: 'unknown_step', reason: `there is no step ${step}` };
  if (isOver(run, record.status)) return fork(services, runId, step, by, reason);
  const request = { modification: { type: 'retry_step', step }, by, reason } as const;
  const outcome = await modifyWorkflowRun(services, runId, request);
  switch (outcome.type) {
    case 'told':
    case 'refused':
    case 'not_found':
    case 'not_begun':
      return outcome;
    case 'ended':
      // It has ended meanwhile.
      return fork(services, runId, step, by, reason);
    case 'would_tell':
    case 'missing_handlers':
      return { type: 'refused', reason: 'the run changes; try again' };
  }
}

function isOver(run: RunRecord, engine: 'active' | 'suspended' | 'ended'): boolean {
  return engine === 'ended' || run.completedAt !== null;
}

async function fork(
  services: ForkServices,
  runId: string,
  step: string,
  by: string,
  reason: string | undefined,
): Promise<ReplayStepOutcome> {
  const outcome = await forkWorkflowRun(services, runId, { fromStep: step, by, reason });
  if (outcome.type !== 'invalid') return outcome;
  return {
    type: 'invalid',
    reason: outcome.issues.map(({ field, message }) => `${field}: ${message}`).join('; '),
  };
}
