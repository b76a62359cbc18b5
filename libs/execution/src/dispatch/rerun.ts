/** Terminal is absorbing: running something again is always a new run that names the old one. */
import { InvariantError, isRetryable } from '@spine/core';
import type { RunStatus } from '@spine/core';
import { getDeadLettersOfRuns, getRun } from '@spine/database';
import { replayLetters } from '../dead-letter/replay.ts';
import type { InsertedRun, ReplayServices } from '../dead-letter/replay.ts';
import { newRun, specOfRun } from '../spec/new-run.ts';
import type { Submitter } from './submitter.ts';

export type RetryOutcome =
  | {
      readonly type: 'retried';
      readonly runId: string;
      readonly status: RunStatus;
      readonly createdAt: Date;
    }
  | { readonly type: 'not_found' }
  /** Only a run that ended without success can be retried. */
  | { readonly type: 'not_retryable'; readonly status: RunStatus };

function retried({ runId, status, createdAt }: InsertedRun): RetryOutcome {
  return { type: 'retried', runId, status, createdAt };
}

/**
 * A new run with the work of one that ended without success. It closes the run's dead letter where that is pending:
 * what is being done again does not wait for anybody.
 */
export async function retryRun(
  services: ReplayServices,
  submitter: Submitter,
  runId: string,
  by: string,
): Promise<RetryOutcome> {
  const run = await getRun(services.db, runId);
  if (run === null) return { type: 'not_found' };
  if (!isRetryable(run.status)) return { type: 'not_retryable', status: run.status };
  const letters = run.status === 'dead_lettered' ? await getDeadLettersOfRuns(services.db, [runId]) : [];
  const pending = letters.filter((letter) => letter.resolvedAt === null);
  const [replayed] = (
    await replayLetters(services, pending, { by, note: null, triggerSource: 'retry' })
  ).values();
  if (replayed !== undefined) return retried(replayed.run);
  const again = newRun(
    { ...specOfRun(run), triggerSource: 'retry' },
    { retryOfRunId: runId, namespace: run.namespace },
  );
  const next = await services.payloads.copyParams(run, again);
  const stored = await submitter.store(next);
  if (stored.type === 'fenced')
    throw new InvariantError(`the retry of run ${runId} was refused by a fence it has not`);
  const { status, createdAt } = stored.type === 'inserted' ? stored : stored.run;
  return { type: 'retried', runId: next.runId, status, createdAt };
}
