/**
 * The life of a backfill and of its partitions, as functions. The database keeps the same states in rows; both decide
 * with what stands here.
 *
 * 1. A plan starts once; COMPLETED is absorbing. FAILED and CANCELLED may be resumed, which runs again only what is not
 *    done.
 * 2. A partition that is DONE stays so: no partition is done twice by one plan.
 * 3. A plan ends by itself when no partition is left to run: COMPLETED when all are done, FAILED when some failed.
 */

import type { RunKind } from '../run/model.ts';

export const BACKFILL_REASONS = ['GAP', 'CORRECTION', 'SCHEMA_CHANGE', 'QUALITY_FAILURE', 'MANUAL'] as const;
/** Why partitions are done again. */
export type BackfillReason = (typeof BACKFILL_REASONS)[number];

/** Kinds of runs that a partition can become; a step belongs to its workflow. */
export const BACKFILL_RUN_KINDS = ['task', 'operation', 'workflow'] as const satisfies readonly RunKind[];
export type BackfillRunKind = (typeof BACKFILL_RUN_KINDS)[number];

export const BACKFILL_STATUSES = ['PLANNED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type BackfillStatus = (typeof BACKFILL_STATUSES)[number];

const TRANSITIONS: Readonly<Record<BackfillStatus, readonly BackfillStatus[]>> = {
  PLANNED: ['RUNNING', 'CANCELLED'],
  RUNNING: ['COMPLETED', 'FAILED', 'CANCELLED'],
  FAILED: ['RUNNING'],
  CANCELLED: ['RUNNING'],
  COMPLETED: [],
};

/** Whether a plan may go from `from` to `to`. The database refuses the same in a trigger. */
export function canMoveBackfill(from: BackfillStatus, to: BackfillStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

export const BACKFILL_PARTITION_STATUSES = ['PENDING', 'RUNNING', 'CANCELLING', 'DONE', 'FAILED'] as const;
export type BackfillPartitionStatus =
  /** Has no run, or its run failed and it has attempts left. */
  | 'PENDING'
  /** Its run was submitted. */
  | 'RUNNING'
  /** The plan was cancelled while its run was open; what becomes of the run decides. */
  | 'CANCELLING'
  | 'DONE'
  /** Out of attempts, or failed in a way that trying again does not mend. */
  | 'FAILED';

/** How a partition's run ended, as far as the plan cares. */
export type PartitionRunEnd =
  | { readonly type: 'completed' }
  | { readonly type: 'failed'; readonly retryable: boolean }
  | { readonly type: 'cancelled' }
  /** Its row was deleted before anybody looked: what it did is not known. */
  | { readonly type: 'gone' };

export interface PartitionProgress {
  readonly status: BackfillPartitionStatus;
  /** Failed runs since the plan was started or resumed. */
  readonly failures: number;
}

/**
 * What becomes of an open partition whose run has ended. A failure is tried again until `maxAttempts` runs have failed; a
 * run that somebody cancelled, or that is gone, is left for a person to decide, unless the plan itself was cancelled.
 */
export function afterPartitionRun(
  partition: PartitionProgress & { readonly status: 'RUNNING' | 'CANCELLING' },
  end: PartitionRunEnd,
  maxAttempts: number,
): PartitionProgress {
  const { failures } = partition;
  switch (end.type) {
    case 'completed':
      return { status: 'DONE', failures };
    case 'failed': {
      const again = end.retryable && failures + 1 < maxAttempts;
      return { status: again ? 'PENDING' : 'FAILED', failures: failures + 1 };
    }
    case 'cancelled':
      if (partition.status === 'CANCELLING') return { status: 'PENDING', failures };
      return { status: 'FAILED', failures: failures + 1 };
    case 'gone':
      return { status: 'FAILED', failures: failures + 1 };
  }
}

/** How many partitions of a plan are in which state; they add up to all of its partitions. */
export interface BackfillCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

/** How a running plan ends, or null while there is something left to run. */
export function backfillEnd({ total, completed, failed }: BackfillCounts): 'COMPLETED' | 'FAILED' | null {
  if (completed + failed < total) return null;
  return failed === 0 ? 'COMPLETED' : 'FAILED';
}

/**
 * Partitions that are done, in per cent with two decimals, rounded down: 100 means all of them. Integers only, so it is
 * exact for any number of partitions.
 */
export function backfillProgressPct({
  total,
  completed,
}: Pick<BackfillCounts, 'total' | 'completed'>): number {
  return total === 0 ? 0 : Math.floor((completed * 10_000) / total) / 100;
}

/**
 * Runs of one plan that are submitted at a time: enough that a place that frees is taken at once, few enough that the
 * queue does not hold the whole plan.
 */
export function backfillWindow(concurrency: number): number {
  return Math.max(10, concurrency * 4);
}

/** Names the run of one attempt at one partition: the same attempt never makes two runs. */
export function backfillRunKey(backfillId: string, ordinal: number, attempt: number): string {
  return `backfill:${backfillId}:${ordinal}:${attempt}`;
}

/** The concurrency gate that all runs of a plan count under. */
export function backfillGateKey(backfillId: string): string {
  return `backfill:${backfillId}`;
}
