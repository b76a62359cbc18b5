import { assertNever, ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { Settlement, StoredError } from '@spine/database';
import { ruleFor, strategyOf } from './retry-policy.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { HandOver } from '../worker/hand-over.ts';

/** No back-off is longer than this. */
export const MAX_RETRY_DELAY_MS = 3_600_000;

/** An error's own `retry_after` counts up to a week: an absurd one would overflow the database's times. */
export const MAX_RETRY_AFTER_MS = 7 * 86_400_000;

/** How a handler's attempt came to its end. */
export type AttemptEnd =
  /** JSON text of the result, or null; `resultRef` says where one is that is too large for the row. */
  | { readonly type: 'returned'; readonly result: string | null; readonly resultRef?: string }
  | { readonly type: 'threw'; readonly error: ErrorInfo }
  | { readonly type: 'timed_out'; readonly error: ErrorInfo }
  | { readonly type: 'interrupted'; readonly reason: string }
  /** It returned what `ctx.publish` had answered: the executor sees whether the run is completed. */
  | { readonly type: 'published' }
  /** It returned a hand-over: the executor carries it out. */
  | { readonly type: 'hands_over'; readonly handOver: HandOver }
  /** Put off by the handler itself. */
  | { readonly type: 'deferred'; readonly delayMs: number; readonly reason: string };

/**
 * A run is deferred while its epoch is below this: about a thousand times, because each deferral raises the epoch by two.
 * From then on a deferral is a failure for good, so that a gate that never opens does not turn a run around for ever.
 */
export const DEFERRAL_EPOCH_LIMIT = 2_000;

/** What of a run decides about its future. */
export interface AttemptBudget {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly retryDelayMs: number;
  readonly deadLetter: boolean;
  /** Bounds deferrals; without it they are not bounded. */
  readonly epoch?: number;
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

/** What is kept of an error with a run or a dead letter. */
export function toStoredError(error: ErrorInfo): StoredError {
  return {
    message: error.message,
    type: error.type,
    category: error.category,
    retryable: error.retryable,
    ...(error.retryAfterSeconds === null ? {} : { retry_after: error.retryAfterSeconds }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** The wait a policy asks for after this error; null when it does not want another attempt. */
function policyDelayMs(
  policy: RetryPolicy,
  budget: AttemptBudget,
  error: ErrorInfo,
  random: number,
): number | null {
  const rule = ruleFor(policy, error);
  if (!(rule?.retry ?? error.retryable)) return null;
  const strategy = strategyOf(policy, budget.retryDelayMs, budget.maxAttempts - 1);
  const planned =
    rule?.delaySeconds === undefined
      ? strategy.delayMs(budget.attempt, random)
      : Math.round(rule.delaySeconds * 1_000);
  if (planned === null) return null;
  const asked = Math.min((error.retryAfterSeconds ?? 0) * 1_000, MAX_RETRY_AFTER_MS);
  return Math.round(Math.max(Math.min(planned, MAX_RETRY_AFTER_MS), asked));
}

/** Milliseconds until the next attempt; null for none. */
function nextAttemptMs(
  policy: RetryPolicy | null,
  budget: AttemptBudget,
  error: ErrorInfo,
  random: number,
): number | null {
  if (budget.attempt >= budget.maxAttempts) return null;
  if (policy !== null) return policyDelayMs(policy, budget, error, random);
  return error.retryable ? retryDelayMs(budget, error, random) : null;
}

const NO_RETRY: RetryPolicy = { strategy: 'none' };

/** A publication of the attempt itself is never decided about: its run is completed. */
const FOREIGN_PUBLICATION: ErrorInfo = {
  message: 'the handler returned a publication that its own attempt has not made',
  type: 'PublishError',
  category: ErrorCategory.INTERNAL,
  retryable: false,
  retryAfterSeconds: null,
};

/** Of executors that settle every run themselves. */
const NO_RECEIVER: ErrorInfo = {
  message: 'the run cannot be handed over here: that needs a worker, whose runs are in Postgres',
  type: 'HandOverError',
  category: ErrorCategory.CONFIG,
  retryable: false,
  retryAfterSeconds: null,
};

function tooManyDeferrals(reason: string): ErrorInfo {
  return {
    message: `deferred about ${DEFERRAL_EPOCH_LIMIT / 2} times, the last time because: ${reason}`,
    type: 'DeferralLimitError',
    category: ErrorCategory.OPERATION,
    retryable: false,
    retryAfterSeconds: null,
  };
}

/**
 * The settlement an attempt's end leads to. Pure: the same for every executor.
 *
 * @param random in [0, 1); @param policy null for exponential waits from the budget's own base.
 */
export function decideSettlement(
  budget: AttemptBudget,
  end: AttemptEnd,
  random: number,
  policy: RetryPolicy | null = null,
): Settlement {
  switch (end.type) {
    case 'returned':
      return end.resultRef === undefined
        ? { type: 'completed', result: end.result }
        : { type: 'completed', result: null, resultRef: end.resultRef };
    case 'published':
      return decideSettlement(budget, { type: 'threw', error: FOREIGN_PUBLICATION }, random, NO_RETRY);
    case 'hands_over':
      return decideSettlement(budget, { type: 'threw', error: NO_RECEIVER }, random, NO_RETRY);
    case 'interrupted':
      return { type: 'handed_back', reason: end.reason };
    case 'deferred':
      if ((budget.epoch ?? 0) < DEFERRAL_EPOCH_LIMIT) return end;
      return decideSettlement(
        budget,
        { type: 'threw', error: tooManyDeferrals(end.reason) },
        random,
        NO_RETRY,
      );
    case 'threw':
    case 'timed_out': {
      const error = toStoredError(end.error);
      const delayMs = nextAttemptMs(policy, budget, end.error, random);
      if (delayMs !== null) return { type: 'retry', error, delayMs };
      if (budget.deadLetter) return { type: 'dead_lettered', error };
      return { type: end.type === 'timed_out' ? 'timed_out' : 'failed', error };
    }
    default:
      return assertNever(end);
  }
}
