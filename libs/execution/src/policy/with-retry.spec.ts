import { describe, expect, it } from 'vitest';
import { RateLimitError, TransientError, ValidationError } from '@spine/core';
import { ConstantBackoff, NoRetry } from './backoff.ts';
import { withRetry } from './with-retry.ts';
import type { RetryContext } from './with-retry.ts';

/** A sleep that takes no time and remembers how long it should have been. */
function recorder() {
  const waits: number[] = [];
  return { waits, sleep: (ms: number) => (waits.push(ms), Promise.resolve()) };
}

const strategy = new ConstantBackoff({ maxRetries: 2, baseDelayMs: 100, jitter: false });

describe('withRetry', () => {
  it('tries again after transient errors and tells what happened before', async () => {
    const { waits, sleep } = recorder();
    const seen: RetryContext[] = [];
    const value = await withRetry(
      (context) => {
        seen.push(context);
        if (context.attempt < 3) throw new TransientError(`no ${context.attempt}`);
        return 'done';
      },
      { strategy, sleep },
    );
    expect(value).toBe('done');
    expect(waits).toEqual([100, 100]);
    expect(
      seen.map((context) => [context.attempt, context.lastError?.message ?? null, context.totalDelayMs]),
    ).toEqual([
      [1, null, 0],
      [2, 'no 1', 100],
      [3, 'no 2', 200],
    ]);
  });

  it('throws the last error when the strategy gives up', async () => {
    let calls = 0;
    const failing = withRetry(
      () => {
        calls += 1;
        throw new TransientError(`no ${calls}`);
      },
      { strategy, sleep: recorder().sleep },
    );
    await expect(failing).rejects.toThrow('no 3');
    expect(calls).toBe(3);
  });

  it('does not try a permanent error again, unless told to', async () => {
    let calls = 0;
    const fail = (): never => {
      calls += 1;
      throw new ValidationError('never');
    };
    await expect(withRetry(fail, { strategy, sleep: recorder().sleep })).rejects.toThrow('never');
    expect(calls).toBe(1);
    await expect(withRetry(fail, { strategy, sleep: recorder().sleep, retryIf: () => true })).rejects.toThrow(
      'never',
    );
    expect(calls).toBe(4);
  });

  it('waits as long as the error asks', async () => {
    const { waits, sleep } = recorder();
    await withRetry(
      ({ attempt }) => {
        if (attempt === 1) throw new RateLimitError('slow down', { retryAfterSeconds: 7 });
      },
      { strategy, sleep },
    );
    expect(waits).toEqual([7_000]);
  });

  it('calls once without retries', async () => {
    let calls = 0;
    const failing = withRetry(() => Promise.reject(new TransientError(`no ${(calls += 1)}`)), {
      strategy: new NoRetry(),
    });
    await expect(failing).rejects.toThrow('no 1');
  });

  it('stops waiting when its signal is aborted, with the reason', async () => {
    const controller = new AbortController();
    const slow = new ConstantBackoff({ baseDelayMs: 3_600_000, maxDelayMs: 3_600_000 });
    const failing = withRetry(() => Promise.reject(new TransientError('no')), {
      strategy: slow,
      signal: controller.signal,
      onRetry: () => queueMicrotask(() => controller.abort(new Error('enough'))),
    });
    await expect(failing).rejects.toThrow('enough');
  });
});
