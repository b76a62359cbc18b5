/** Trying a plain function again: for calls inside a handler. Runs are retried by the engine, see decideSettlement. */
import { setTimeout as sleep } from 'node:timers/promises';
import { toErrorInfo } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { ExponentialBackoff } from './backoff.ts';
import type { RetryStrategy } from './backoff.ts';

/** What a function that is tried again is told. */
export interface RetryContext {
  /** 1 for the first try. */
  readonly attempt: number;
  /** What ended the try before; null for the first. */
  readonly lastError: ErrorInfo | null;
  /** Milliseconds waited so far. */
  readonly totalDelayMs: number;
}

export interface RetryOptions {
  /** Default: {@link ExponentialBackoff} with its defaults. */
  readonly strategy?: RetryStrategy;
  /** Whether an error is worth another try. Default: its own `retryable`. */
  readonly retryIf?: (error: ErrorInfo) => boolean;
  /** Ends the waiting; the reason is thrown. */
  readonly signal?: AbortSignal;
  /** Told before each wait. */
  readonly onRetry?: (context: RetryContext, delayMs: number) => void;
  /** Waits; default: real time. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** In [0, 1); default Math.random. */
  readonly random?: () => number;
}

/**
 * Calls `fn` until it succeeds, fails for good, or the strategy gives up. An error's own `retryAfterSeconds` is honoured
 * where it is longer than the strategy's wait.
 *
 * @throws what the last try threw, or the signal's reason.
 */
export async function withRetry<T>(
  fn: (context: RetryContext) => Promise<T> | T,
  options: RetryOptions = {},
): Promise<T> {
  const strategy = options.strategy ?? new ExponentialBackoff();
  const retryIf = options.retryIf ?? ((error) => error.retryable);
  const random = options.random ?? Math.random;
  const wait = options.sleep ?? ((ms) => sleepUntil(ms, options.signal));
  let context: RetryContext = { attempt: 1, lastError: null, totalDelayMs: 0 };
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      return await fn(context);
    } catch (error) {
      options.signal?.throwIfAborted();
      const lastError = toErrorInfo(error);
      const planned = retryIf(lastError) ? strategy.delayMs(context.attempt, random()) : null;
      if (planned === null) throw error;
      const delayMs = Math.max(planned, (lastError.retryAfterSeconds ?? 0) * 1_000);
      context = { attempt: context.attempt + 1, lastError, totalDelayMs: context.totalDelayMs + delayMs };
      options.onRetry?.(context, delayMs);
      await wait(delayMs);
    }
  }
}

async function sleepUntil(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
