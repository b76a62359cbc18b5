/**
 * Retry policies as data: a spec carries one as JSON, a handler is registered with one, and the same pure functions read
 * both. The spec's wins over the handler's.
 */
import { ValidationError } from '@spine/core';
import type { ErrorCategory, ErrorInfo } from '@spine/core';
import { ConstantBackoff, ExponentialBackoff, LinearBackoff, NoRetry } from './backoff.ts';
import type { BackoffOptions, RetryStrategy } from './backoff.ts';

export const RETRY_STRATEGIES = ['exponential', 'linear', 'constant', 'none'] as const;
export type RetryStrategyName = (typeof RETRY_STRATEGIES)[number];

/** What to do about one sort of error. A rule matches when everything it names is so. */
export interface RetryRule {
  readonly category?: ErrorCategory;
  /** The error's class name, e.g. `RateLimitError`. */
  readonly errorType?: string;
  /** Whether such an error is worth another attempt, whatever the error itself says. */
  readonly retry: boolean;
  /** Waits this long instead of what the strategy says. */
  readonly delaySeconds?: number;
}

/** How often and after which wait a failed attempt is made again. */
export interface RetryPolicy {
  /** Default exponential. */
  readonly strategy?: RetryStrategyName;
  /** Attempts after the first. Default: the spec's `max_retries`. */
  readonly maxRetries?: number;
  /** Default: the spec's `retry_delay_seconds`. */
  readonly baseDelaySeconds?: number;
  /** Default 3,600. */
  readonly maxDelaySeconds?: number;
  /** Of the exponential strategy. Default 2. */
  readonly factor?: number;
  /** Spreads waits over half to all of their length. Default true. */
  readonly jitter?: boolean;
  /** The first that matches decides; without one the error's own `retryable` does. */
  readonly rules?: readonly RetryRule[];
}

const DEFAULT_MAX_DELAY_SECONDS = 3_600;

/** Attempts after the first that a policy asks for; undefined where it leaves that to the spec. */
export function maxRetriesOf(policy: RetryPolicy): number | undefined {
  return policy.strategy === 'none' ? 0 : policy.maxRetries;
}

export function ruleFor(policy: RetryPolicy, error: ErrorInfo): RetryRule | undefined {
  return policy.rules?.find(
    (rule) =>
      (rule.category === undefined || rule.category === error.category) &&
      (rule.errorType === undefined || rule.errorType === error.type),
  );
}

/**
 * The strategy a policy names.
 *
 * @param baseDelayMs where the policy has no base of its own.
 * @throws ValidationError for a number that is negative or not finite.
 */
export function strategyOf(policy: RetryPolicy, baseDelayMs: number, maxRetries: number): RetryStrategy {
  const options: BackoffOptions = {
    maxRetries,
    baseDelayMs: policy.baseDelaySeconds === undefined ? baseDelayMs : policy.baseDelaySeconds * 1_000,
    maxDelayMs: (policy.maxDelaySeconds ?? DEFAULT_MAX_DELAY_SECONDS) * 1_000,
    jitter: policy.jitter ?? true,
  };
  switch (policy.strategy ?? 'exponential') {
    case 'exponential':
      return new ExponentialBackoff(
        policy.factor === undefined ? options : { ...options, factor: policy.factor },
      );
    case 'linear':
      return new LinearBackoff(options);
    case 'constant':
      return new ConstantBackoff(options);
    case 'none':
      return new NoRetry();
  }
}

/**
 * Refuses a policy that could never be carried out; called where a handler is registered.
 * @throws ValidationError naming the number.
 */
export function checkRetryPolicy(policy: RetryPolicy): void {
  strategyOf(policy, 0, policy.maxRetries ?? 0);
  for (const rule of policy.rules ?? []) {
    if (rule.delaySeconds === undefined || (Number.isFinite(rule.delaySeconds) && rule.delaySeconds >= 0))
      continue;
    throw new ValidationError(`delaySeconds is ${rule.delaySeconds}; it must be a number of at least 0`, {
      issues: [
        { field: 'rules.delaySeconds', code: 'out_of_range', message: 'must be a number of at least 0' },
      ],
    });
  }
}
