import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConstantBackoff, ExponentialBackoff, LinearBackoff, NoRetry } from './backoff.ts';
import type { RetryStrategy } from './backoff.ts';

const waits = (strategy: RetryStrategy, attempts: number): (number | null)[] =>
  Array.from({ length: attempts }, (_, index) => strategy.delayMs(index + 1, 0));

describe('backoff', () => {
  it('doubles, adds or repeats the base', () => {
    const options = { maxRetries: 4, baseDelayMs: 100, jitter: false };
    expect(waits(new ExponentialBackoff(options), 5)).toEqual([100, 200, 400, 800, null]);
    expect(waits(new LinearBackoff(options), 5)).toEqual([100, 200, 300, 400, null]);
    expect(waits(new ConstantBackoff(options), 5)).toEqual([100, 100, 100, 100, null]);
    expect(waits(new NoRetry(), 2)).toEqual([null, null]);
  });

  it('takes another factor', () => {
    const strategy = new ExponentialBackoff({ factor: 3, baseDelayMs: 10, jitter: false });
    expect(waits(strategy, 3)).toEqual([10, 30, 90]);
  });

  it('stays between half the wait and the cap, for any attempt and any luck', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        (attempt, random, baseDelayMs, maxDelayMs) => {
          const options = { maxRetries: 1_000, baseDelayMs, maxDelayMs };
          for (const strategy of [
            new ExponentialBackoff(options),
            new LinearBackoff(options),
            new ConstantBackoff(options),
          ]) {
            const wait = strategy.delayMs(attempt, random) ?? Number.NaN;
            expect(wait).toBeLessThanOrEqual(maxDelayMs);
            expect(wait).toBeGreaterThanOrEqual(Math.floor(Math.min(baseDelayMs, maxDelayMs) / 2));
          }
        },
      ),
    );
  });

  it.each([{ maxRetries: -1 }, { baseDelayMs: Number.NaN }, { maxDelayMs: Infinity }])(
    'refuses %o',
    (options) => {
      expect(() => new ExponentialBackoff(options)).toThrow(/at least 0/);
    },
  );
});
