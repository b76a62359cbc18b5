/** Whether and when a request is sent again: a function of what happened. */

export interface RetryPolicy {
  /** Further attempts after the first. */
  readonly retries: number;
  /** Before the first further attempt; doubles with each. Milliseconds. */
  readonly baseMs: number;
  /** No wait of our own choice is longer. Milliseconds. */
  readonly capMs: number;
  /** An answer that asks for a longer wait is given to the caller. Milliseconds. */
  readonly maxRetryAfterMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { retries: 3, baseMs: 250, capMs: 8_000, maxRetryAfterMs: 60_000 };

export type Failure =
  /** The connection failed or nothing came in time. */
  | { readonly type: 'no_answer' }
  | { readonly type: 'status'; readonly status: number; readonly retryAfterMs: number | null };

/** Too many requests, or something between here and the API's database is away for now. */
const PASSING = new Set([429, 502, 503, 504]);

/** What HTTP calls idempotent: served twice, it leaves what serving it once leaves. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/**
 * Whether a request may be sent again without being asked for. One with If-Match is not: when its answer is lost, the
 * second would meet the version that the first has made.
 */
export function isRepeatable(method: string, headers: Headers): boolean {
  return IDEMPOTENT.has(method) && !headers.has('if-match');
}

/**
 * Milliseconds until the next attempt; null to give up. Half of a wait is random, so that clients that failed together
 * do not come back together.
 * @param attempt of which the failure is, from 1
 * @param random in [0, 1)
 */
export function retryDelayMs(
  failure: Failure,
  attempt: number,
  policy: RetryPolicy,
  random: number,
): number | null {
  if (attempt > policy.retries) return null;
  const wait = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  const jittered = wait / 2 + (wait / 2) * random;
  if (failure.type === 'no_answer') return jittered;
  if (!PASSING.has(failure.status)) return null;
  const asked = failure.retryAfterMs;
  if (asked === null) return jittered;
  return asked > policy.maxRetryAfterMs ? null : asked + policy.baseMs * random;
}
