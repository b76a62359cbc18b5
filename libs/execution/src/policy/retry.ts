import { assertNever } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { Settlement, StoredError } from '@spine/database';

/** No back-off is longer than this. */
export const MAX_RETRY_DELAY_MS = 3_600_000;

/** An error's own `retry_after` counts up to a week: an absurd one would overflow the database's times. */
export const MAX_RETRY_AFTER_MS = 7 * 86_400_000;

/** How a handler's attempt came to its end. */
export type AttemptEnd =
  /** JSON text of the result, or null. */
  | { readonly type: 'returned'; readonly result: string | null }
  | { readonly type: 'threw'; readonly error: ErrorInfo }
  | { readonly type: 'timed_out'; readonly error: ErrorInfo }
  | { readonly type: 'interrupted'; readonly reason: string };

/** What of a run decides about its future. */
export interface AttemptBudget {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly retryDelayMs: number;
  readonly deadLetter: boolean;
}

/**
 * The wait before the next attempt: the base doubles with every attempt, an error's own `retry_after` wins if it is
 * longer, up to a tenth is added at random so that runs that failed together do not return together.
 *
 * @param random in [0, 1)
 */
export function retryDelayMs(budget: AttemptBudget, error: ErrorInfo, random: number): number {
  const backoff = budget.retryDelayMs * 2 ** Math.min(budget.attempt - 1, 30);
  const asked = Math.min((error.retryAfterSeconds ?? 0) * 1000, MAX_RETRY_AFTER_MS);
  const jittered = Math.max(backoff, asked) * (1 + random / 10);
  return Math.round(Math.min(jittered, Math.max(MAX_RETRY_DELAY_MS, asked)));
}

function toStored(error: ErrorInfo): StoredError {
  return {
    message: error.message,
    type: error.type,
    category: error.category,
    retryable: error.retryable,
    ...(error.retryAfterSeconds === null ? {} : { retry_after: error.retryAfterSeconds }),
  };
}

/** The settlement an attempt's end leads to. Pure: the same for every executor. */
export function decideSettlement(budget: AttemptBudget, end: AttemptEnd, random: number): Settlement {
  switch (end.type) {
    case 'returned':
      return { type: 'completed', result: end.result };
    case 'interrupted':
      return { type: 'handed_back', reason: end.reason };
    case 'threw':
    case 'timed_out': {
      const error = toStored(end.error);
      if (end.error.retryable && budget.attempt < budget.maxAttempts) {
        return { type: 'retry', error, delayMs: retryDelayMs(budget, end.error, random) };
      }
      if (budget.deadLetter) return { type: 'dead_lettered', error };
      return { type: end.type === 'timed_out' ? 'timed_out' : 'failed', error };
    }
    default:
      return assertNever(end);
  }
}
