/** What became of a batch: per item, and summed up. Pure. */
import { assertNever, ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { ExecutionOutcome, ExecutionRef, Submission } from '../executors/protocol.ts';

/** Why an item did not begin. */
export type SkipReason = 'stopped' | 'cancelled';

export type ItemOutcome =
  | ExecutionOutcome
  | Exclude<Submission, { type: 'accepted' | 'existing' }>
  /** Submitting or waiting failed; the run may exist, and the same batch again finds it. */
  | { readonly type: 'fault'; readonly error: ErrorInfo; readonly ref: ExecutionRef | null }
  | { readonly type: 'skipped'; readonly reason: SkipReason };

export interface BatchItemResult {
  readonly key: string;
  readonly outcome: ItemOutcome;
  /** Whether the run was there already, from the same batch submitted before. */
  readonly reused: boolean;
}

export interface BatchProgress {
  readonly total: number;
  /** Ended, however. */
  readonly done: number;
  /** Of those, neither completed nor cancelled nor skipped. */
  readonly failed: number;
  /** Submitted and not ended. */
  readonly running: number;
}

export type BatchStatus =
  /** Every item completed. */
  | 'completed'
  /** Every item was tried, not all completed. */
  | 'failed'
  /** Too many failed: the rest was skipped. */
  | 'stopped'
  | 'cancelled';

export interface BatchResult {
  readonly batchId: string;
  readonly name: string | null;
  readonly status: BatchStatus;
  /** In the order they were added. */
  readonly items: readonly BatchItemResult[];
  /** Items by how they ended; kinds that did not happen are left out. */
  readonly counts: Readonly<Partial<Record<ItemOutcome['type'], number>>>;
  /** Failed items by error category. */
  readonly errorsByCategory: Readonly<Partial<Record<string, number>>>;
  /** Items whose run has become a dead letter. */
  readonly deadLetters: readonly { readonly key: string; readonly runId: string }[];
  readonly durationMs: number;
}

/** The error category of an item that failed; null for one that did not. */
export function failureOf(outcome: ItemOutcome): string | null {
  switch (outcome.type) {
    case 'completed':
    case 'cancelled':
    case 'skipped':
      return null;
    case 'failed':
    case 'timed_out':
    case 'fault':
      return outcome.error.category;
    case 'invalid':
    case 'conflict':
    case 'not_found':
      return ErrorCategory.VALIDATION;
    case 'unknown_handler':
      return ErrorCategory.CONFIG;
    case 'rejected':
    case 'unfinished':
      return ErrorCategory.RESOURCE;
    default:
      return assertNever(outcome);
  }
}

/** Sums up the items of a batch. */
export function summarize(
  batch: { readonly batchId: string; readonly name: string | null },
  items: readonly BatchItemResult[],
  ended: { readonly stoppedBy: SkipReason | null; readonly durationMs: number },
): BatchResult {
  const counts: Partial<Record<ItemOutcome['type'], number>> = {};
  const errorsByCategory: Partial<Record<string, number>> = {};
  const deadLetters: { key: string; runId: string }[] = [];
  for (const { key, outcome } of items) {
    counts[outcome.type] = (counts[outcome.type] ?? 0) + 1;
    const category = failureOf(outcome);
    if (category !== null) errorsByCategory[category] = (errorsByCategory[category] ?? 0) + 1;
    if ('run' in outcome && outcome.run.status === 'dead_lettered')
      deadLetters.push({ key, runId: outcome.run.runId });
  }
  return {
    ...batch,
    status: ended.stoppedBy ?? ((counts.completed ?? 0) === items.length ? 'completed' : 'failed'),
    items,
    counts,
    errorsByCategory,
    deadLetters,
    durationMs: ended.durationMs,
  };
}
