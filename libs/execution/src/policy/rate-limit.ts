/**
 * The rate limiter port. A limiter hands out permits; whoever gets one acts at once. Every implementation passes
 * test/conformance/rate-limiter.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimitError } from '@spine/core';

export interface AcquireOptions {
  /** Permits. Default 1. */
  readonly permits?: number;
  /** Ends the wait; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Default: waits for as long as it takes. */
  readonly timeoutMs?: number;
}

export interface RateLimiter {
  /**
   * Takes `permits` (default 1), all or none; false when there are not so many now.
   * @throws ValidationError for more than the limiter ever has at once.
   */
  tryAcquire(permits?: number): Promise<boolean>;
  /**
   * Waits for permits and takes them. Waiters are not served in order.
   * @throws RateLimitError when the time is up; `retryAfterSeconds` says when they might be there.
   */
  acquire(options?: AcquireOptions): Promise<void>;
  /**
   * A moment from which on a try is worth it, by this process's clock: not after `permits` are there, unless others take
   * them first.
   */
  nextAt(permits?: number): Promise<Date>;
  /** Puts back permits that were taken and not used. */
  giveBack(permits: number): Promise<void>;
}

/** No look comes sooner after the one before: others' takes and clocks that differ must not turn a wait into a spin. */
const SHORTEST_PAUSE_MS = 5;
/** No look comes later: what others give back is not announced. */
const LONGEST_PAUSE_MS = 1_000;

/** What a limiter over {@link RateLimiter.tryAcquire} and {@link RateLimiter.nextAt} waits by. */
export async function acquireBy(
  limiter: Pick<RateLimiter, 'tryAcquire' | 'nextAt'>,
  { permits = 1, signal, timeoutMs = Infinity }: AcquireOptions,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await limiter.tryAcquire(permits)) return;
    const waitMs = (await limiter.nextAt(permits)).getTime() - Date.now();
    const left = until - performance.now();
    if (left <= 0 || waitMs > left) {
      throw new RateLimitError(`no permit within ${timeoutMs} ms`, {
        retryAfterSeconds: Math.max(0, waitMs) / 1_000,
      });
    }
    const pause = Math.min(Math.max(waitMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    await pauseFor(pause, signal);
  }
}

async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await sleep(ms);
    return;
  }
  // The signal's own reason is thrown by the caller's next look.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
