/** Terminal is absorbing: running something again is always a new run that names the old one. */
import { InvariantError, isRetryable } from '@spine/core';
import type { RunStatus } from '@spine/core';
import { asQueryable, closeDeadLetter, getDeadLetter, getRun, insertRuns } from '@spine/database';
import type { Db, DeadLetter } from '@spine/database';
import type { Metrics } from '@spine/observability';
import { newRun, specOfRun } from '../spec/new-run.ts';
import type { HintPublisher } from './hint-publisher.ts';
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

export type ReplayOutcome =
  | { readonly type: 'replayed'; readonly runId: string; readonly deadLetter: DeadLetter }
  | { readonly type: 'not_found' }
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

/** A new run with the work of one that ended without success. */
export async function retryRun(db: Db, submitter: Submitter, runId: string): Promise<RetryOutcome> {
  const run = await getRun(db, runId);
  if (run === null) return { type: 'not_found' };
  if (!isRetryable(run.status)) return { type: 'not_retryable', status: run.status };
  const next = newRun({ ...specOfRun(run), triggerSource: 'retry' }, { retryOfRunId: runId });
  const stored = await submitter.store(next);
  if (stored.type === 'fenced')
    throw new InvariantError(`the retry of run ${runId} was refused by a fence it has not`);
  const { status, createdAt } = stored.type === 'inserted' ? stored : stored.run;
  return { type: 'retried', runId: next.runId, status, createdAt };
}

export interface ReplayServices {
  readonly db: Db;
  readonly publisher: HintPublisher;
  readonly metrics: Metrics;
}

/** A new run for a pending dead letter, and the letter's closing, in one transaction: of two replays one wins. */
export async function replayDeadLetter(
  { db, publisher, metrics }: ReplayServices,
  deadLetterId: string,
  by: string,
  note: string | null,
): Promise<ReplayOutcome> {
  const letter = await getDeadLetter(db, deadLetterId);
  const original = letter === null ? null : await getRun(db, letter.runId);
  if (letter === null || original === null) return { type: 'not_found' };
  const run = newRun({ ...specOfRun(original), triggerSource: 'replay' }, { retryOfRunId: letter.runId });
  const hinted = publisher.available;
  const closed = await db.transaction().execute(async (trx) => {
    const resolution = { type: 'replayed', by, note, replayRunId: run.runId } as const;
    const done = await closeDeadLetter(trx, deadLetterId, resolution);
    if (done !== null) await insertRuns(asQueryable(trx), [run], { ambiguous: false, hinted });
    return done;
  });
  if (closed === null) {
    return { type: 'already_resolved', deadLetter: (await getDeadLetter(db, deadLetterId)) ?? letter };
  }
  metrics.submitted.inc({ kind: run.kind });
  publisher.announce([{ ...run, delayMs: 0 }], !hinted);
  return { type: 'replayed', runId: run.runId, deadLetter: closed };
}
