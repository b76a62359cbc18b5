/**
 * Retrying many runs.
 *
 * 1. A run that has been retried is left alone, so that the same call made again goes on where the first one ended, and of
 * two calls at once one does it: the old runs are locked while their retries are stored.
 * 2. A pending dead letter of a run is closed with its retry; a run whose letter somebody has closed is left alone.
 */
import { isRetryable, ValidationError } from '@spine/core';
import type { RunStatus } from '@spine/core';
import {
  closeDeadLetters,
  findRetryable,
  getDeadLettersOfRuns,
  getRuns,
  lockUnretried,
} from '@spine/database';
import type { DbTransaction, DeadLetter, NewRun, RunFilter, RunRecord } from '@spine/database';
import { announceReruns, chunksOf, insertReruns } from '../dead-letter/replay.ts';
import type { ReplayServices } from '../dead-letter/replay.ts';
import { withCopiedParams } from '../payload/copied-params.ts';
import { PayloadMissingError } from '../payload/errors.ts';
import { newRun, specOfRun } from '../spec/new-run.ts';

/** Runs one call retries, at the most. */
export const RETRY_LIMIT = 1_000;

/** Endings that are retried unless asked otherwise: a cancel was somebody's will. */
export const DEFAULT_RETRIED: readonly RunStatus[] = ['failed', 'timed_out', 'dead_lettered'];

export interface RetryAllOptions {
  /** Who does it, kept with the dead letters this closes. */
  readonly by: string;
  /** True: nothing is changed, the items say what would be. Default false. */
  readonly dryRun?: boolean;
  /** Runs handled, 1 to {@link RETRY_LIMIT}, the oldest first. Default {@link RETRY_LIMIT}. */
  readonly limit?: number;
}

export type RetryAllItem =
  | { readonly type: 'retried'; readonly runId: string; readonly newRunId: string }
  | { readonly type: 'would_retry'; readonly runId: string }
  /** Somebody else retried it, or closed its dead letter, or it was deleted, or its params are gone. */
  | { readonly type: 'skipped'; readonly runId: string };

export interface RetryAllResult {
  /** Runs that matched before, counted up to 10,000; more than `items` when the limit was reached. */
  readonly matched: number;
  readonly matchedIsCapped: boolean;
  readonly items: readonly RetryAllItem[];
}

interface Planned {
  readonly oldRunId: string;
  readonly run: NewRun;
}

/** Whether nobody has decided otherwise: no letter, or one that is pending. */
function isOpen(letter: DeadLetter | undefined): boolean {
  return letter === undefined || letter.resolvedAt === null;
}

/** Stores the retries of those that are still free, and answers with them. */
async function storeRetries(
  trx: DbTransaction,
  planned: readonly Planned[],
  by: string,
  hinted: boolean,
): Promise<readonly Planned[]> {
  const oldRunIds = planned.map(({ oldRunId }) => oldRunId);
  const free = await lockUnretried(trx, oldRunIds);
  const letters = new Map(
    (await getDeadLettersOfRuns(trx, oldRunIds)).map((letter) => [letter.runId, letter]),
  );
  const wanted = planned.filter(({ oldRunId }) => free.has(oldRunId) && isOpen(letters.get(oldRunId)));
  const closings = wanted.flatMap(({ oldRunId, run }) => {
    const letter = letters.get(oldRunId);
    return letter === undefined ? [] : [{ deadLetterId: letter.deadLetterId, replayRunId: run.runId }];
  });
  const closed = new Set((await closeDeadLetters(trx, closings, by, null)).map((letter) => letter.runId));
  const won = wanted.filter(({ oldRunId }) => !letters.has(oldRunId) || closed.has(oldRunId));
  const runs = won.map(({ run }) => run);
  await insertReruns(trx, runs, { ambiguous: false, hinted });
  return won;
}

/**
 * Retries runs that match, ended without success and have not been retried, each as a new run with an outcome of its own.
 * `filter.status` says which endings (default {@link DEFAULT_RETRIED}).
 *
 * When it throws, whole chunks may have been retried; the same call again leaves those out.
 *
 * @throws ValidationError for a status that no retry follows.
 */
export async function retryAll(
  services: ReplayServices,
  filter: RunFilter,
  options: RetryAllOptions,
): Promise<RetryAllResult> {
  const { db, publisher } = services;
  const { status: statuses = DEFAULT_RETRIED, ...rest } = filter;
  const unfit = statuses.find((status) => !isRetryable(status));
  if (unfit !== undefined) {
    const message = `given ${unfit}; allowed: failed, timed_out, dead_lettered, cancelled`;
    throw new ValidationError(`status: ${message}`, {
      issues: [{ field: 'status', code: 'not_retryable', message }],
    });
  }
  const limit = Math.min(Math.max(1, options.limit ?? RETRY_LIMIT), RETRY_LIMIT);
  const { runIds, total, totalIsCapped } = await findRetryable(db, rest, statuses, limit);
  const found = { matched: total, matchedIsCapped: totalIsCapped };
  if (options.dryRun === true) {
    return { ...found, items: runIds.map((runId) => ({ type: 'would_retry', runId })) };
  }
  const originals = new Map((await getRuns(db, runIds)).map((old) => [old.runId, old]));
  const wanted = runIds
    .flatMap((runId) => originals.get(runId) ?? [])
    .map((old): Planned => ({
      oldRunId: old.runId,
      run: newRun(
        { ...specOfRun(old), triggerSource: 'retry' },
        { retryOfRunId: old.runId, namespace: old.namespace },
      ),
    }));
  const originalOf = ({ oldRunId }: Planned): RunRecord | undefined => originals.get(oldRunId);
  const planned = await withCopiedParams(services.payloads, wanted, originalOf).catch((error: unknown) => {
    // Thrown of a run that is the only one; among others it is left out.
    if (error instanceof PayloadMissingError) return [];
    throw error;
  });
  const newRunIds = new Map<string, string>();
  for (const chunk of chunksOf(planned)) {
    const hinted = publisher.available;
    const won = await db.transaction().execute((trx) => storeRetries(trx, chunk, options.by, hinted));
    announceReruns(
      services,
      won.map(({ run }) => run),
      hinted,
    );
    for (const { oldRunId, run } of won) newRunIds.set(oldRunId, run.runId);
  }
  const items = runIds.map((runId): RetryAllItem => {
    const newRunId = newRunIds.get(runId);
    return newRunId === undefined ? { type: 'skipped', runId } : { type: 'retried', runId, newRunId };
  });
  return { ...found, items };
}
