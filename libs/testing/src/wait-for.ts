import { setTimeout as delay } from 'node:timers/promises';
import { WaitTimeoutError } from './errors.ts';

export interface WaitOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Pause between two looks; default 20. */
  readonly intervalMs?: number;
  /** What was waited for; a function is asked when the time is up, so it can tell the state it died in. */
  readonly message?: string | (() => string);
}

type Falsy = false | 0 | 0n | '' | null | undefined;

/**
 * Looks until the condition gives something truthy, and returns that. What the condition throws is not caught: a
 * condition that fails is broken, not early.
 *
 * @throws WaitTimeoutError when the time is up.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<Awaited<T>, Falsy>> {
  const { timeoutMs = 10_000, intervalMs = 20, message = 'the condition' } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    // Read before the look: a condition that became true during a slow last look counts.
    const isLastLook = performance.now() >= deadline;
    const value = await condition();
    if (isTruthy(value)) return value;
    if (isLastLook) {
      const what = typeof message === 'string' ? message : message();
      throw new WaitTimeoutError(`waited ${timeoutMs} ms for: ${what}`);
    }
    await delay(intervalMs);
  }
}

function isTruthy<T>(value: T): value is Exclude<T, Falsy> {
  return Boolean(value);
}
