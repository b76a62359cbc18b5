/**
 * Deadlines for plain functions: for a call inside a handler. A nested deadline can only be shorter than the one around
 * it, because the shorter one ends both.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { TimeoutError, ValidationError } from '@spine/core';

interface Deadline {
  /** `performance.now()` at which it is over. */
  readonly at: number;
  readonly signal: AbortSignal;
}

const current = new AsyncLocalStorage<Deadline>();

/** Milliseconds left of the innermost deadline; null outside of any. */
export function remainingMs(): number | null {
  const deadline = current.getStore();
  return deadline === undefined ? null : Math.max(0, deadline.at - performance.now());
}

/**
 * Runs `fn` for at most `ms` milliseconds, or for what the deadline around it has left if that is less. `fn` gets a
 * signal that is aborted when the time is over; whether it looks or not, the caller gets the error then.
 *
 * @throws TimeoutError (retryable) when the time is over; whatever `fn` throws; ValidationError for an `ms` that is no
 * positive number.
 */
export async function withDeadline<T>(ms: number, fn: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
  if (!(ms > 0)) {
    throw new ValidationError(`a deadline of ${ms} ms is not possible; it must be more than 0`, {
      issues: [{ field: 'ms', code: 'out_of_range', message: 'must be more than 0' }],
    });
  }
  const outer = current.getStore();
  const now = performance.now();
  const at = Math.min(now + ms, outer?.at ?? Infinity);
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    const expire = (): void => {
      const error = new TimeoutError(`not done within ${Math.round(at - now)} ms`);
      controller.abort(error);
      reject(error);
    };
    timer = setTimeout(expire, Math.max(0, Math.min(at - now, 2_000_000_000)));
  });
  const signal = outer === undefined ? controller.signal : AbortSignal.any([controller.signal, outer.signal]);
  try {
    return await Promise.race([current.run({ at, signal }, async () => fn(signal)), over]);
  } finally {
    clearTimeout(timer);
  }
}
