/** Waiting with `--timeout`. */
import { WaitedTooLong } from './usage-error.ts';

/**
 * Does something under a signal that also aborts after a time.
 * @param ms null: without a limit
 * @throws WaitedTooLong
 */
export async function within<T>(
  ms: number | null,
  signal: AbortSignal,
  what: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (ms === null) return what(signal);
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new WaitedTooLong(`waited ${ms / 1_000} s, and it has not ended; it goes on`));
  }, ms);
  try {
    return await what(AbortSignal.any([signal, deadline.signal]));
  } finally {
    clearTimeout(timer);
  }
}
