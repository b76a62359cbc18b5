import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import {
  decideSettlement,
  DEFERRAL_EPOCH_LIMIT,
  MAX_RETRY_AFTER_MS,
  MAX_RETRY_DELAY_MS,
  retryDelayMs,
} from './retry.ts';
import type { AttemptBudget } from './retry.ts';
import { HandOver, RECEIVED } from '../worker/hand-over.ts';

const errorInfo = (more: Partial<ErrorInfo> = {}): ErrorInfo => ({
  message: 'it broke',
  type: 'Error',
  category: ErrorCategory.UNKNOWN,
  retryable: true,
  retryAfterSeconds: null,
  ...more,
});

const anyError = fc
  .record({
    retryable: fc.boolean(),
    retryAfterSeconds: fc.oneof(fc.constant(null), fc.double({ min: 0, max: 1e308, noNaN: true })),
  })
  .map(errorInfo);

const anyBudget: fc.Arbitrary<AttemptBudget> = fc
  .record({
    attempt: fc.integer({ min: 1, max: 1001 }),
    left: fc.integer({ min: 0, max: 1000 }),
    retryDelayMs: fc.integer({ min: 0, max: 86_400_000 }),
    deadLetter: fc.boolean(),
  })
  .map(({ left, ...budget }) => ({ ...budget, maxAttempts: budget.attempt + left }));

const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('decideSettlement', () => {
  it('fails a run that is handed over where nobody can receive it, whatever attempts are left', () => {
    const end = { type: 'hands_over', handOver: new HandOver(() => Promise.resolve(RECEIVED)) } as const;
    const budget = { attempt: 1, maxAttempts: 9, retryDelayMs: 0, deadLetter: false };
    expect(decideSettlement(budget, end, 0)).toMatchObject({
      type: 'failed',
      error: { type: 'HandOverError', category: 'CONFIG', retryable: false },
    });
  });

  it('retries exactly when the error allows it and attempts are left; else dead letter, or failed where the spec opts out', () => {
    fc.assert(
      fc.property(
        anyBudget,
        anyError,
        anyRandom,
        fc.constantFrom('threw', 'timed_out'),
        (budget, error, random, type) => {
          const settled = decideSettlement(budget, { type, error }, random);
          if (error.retryable && budget.attempt < budget.maxAttempts) expect(settled.type).toBe('retry');
          else if (budget.deadLetter) expect(settled.type).toBe('dead_lettered');
          else expect(settled.type).toBe(type === 'timed_out' ? 'timed_out' : 'failed');
        },
      ),
    );
  });

  const budget: AttemptBudget = { attempt: 1, maxAttempts: 4, retryDelayMs: 5_000, deadLetter: true };

  it('completes what returned, with its result, whatever the budget', () => {
    expect(decideSettlement(budget, { type: 'returned', result: '{"a":1}' }, 0)).toEqual({
      type: 'completed',
      result: '{"a":1}',
    });
    const spent = { ...budget, attempt: 4 };
    expect(decideSettlement(spent, { type: 'returned', result: null }, 0)).toEqual({
      type: 'completed',
      result: null,
    });
  });

  it('defers what put itself off without charging it, about a thousand times', () => {
    const end = { type: 'deferred', delayMs: 5_000, reason: 'the rate is used up' } as const;
    const settled = { type: 'deferred', delayMs: 5_000, reason: 'the rate is used up' };
    expect(decideSettlement({ ...budget, attempt: 4, epoch: 1 }, end, 0)).toEqual(settled);
    expect(decideSettlement({ ...budget, epoch: DEFERRAL_EPOCH_LIMIT - 1 }, end, 0)).toEqual(settled);
    const eager = {
      strategy: 'constant',
      rules: [{ errorType: 'DeferralLimitError', retry: true }],
    } as const;
    expect(decideSettlement({ ...budget, epoch: DEFERRAL_EPOCH_LIMIT }, end, 0, eager)).toMatchObject({
      type: 'dead_lettered',
      error: {
        type: 'DeferralLimitError',
        retryable: false,
        message: expect.stringMatching(/the rate is used up$/) as string,
      },
    });
  });

  it('hands back what was interrupted, even on the last attempt', () => {
    const spent = { ...budget, attempt: 4 };
    expect(decideSettlement(spent, { type: 'interrupted', reason: 'stopping' }, 0)).toEqual({
      type: 'handed_back',
      reason: 'stopping',
    });
  });

  it('stores the error with snake_case names, and retry_after only when the error asked for it', () => {
    const asked = errorInfo({ retryable: false, retryAfterSeconds: 7, category: ErrorCategory.NETWORK });
    expect(decideSettlement(budget, { type: 'threw', error: asked }, 0)).toEqual({
      type: 'dead_lettered',
      error: { message: 'it broke', type: 'Error', category: 'NETWORK', retryable: false, retry_after: 7 },
    });
    const silent = decideSettlement(budget, { type: 'threw', error: errorInfo() }, 0);
    expect(silent).toMatchObject({ type: 'retry', error: { retryable: true } });
    expect('error' in silent && 'retry_after' in silent.error).toBe(false);
  });
});

describe('retryDelayMs', () => {
  it('is a whole number that the database can add to a time, never under what the error asked for', () => {
    fc.assert(
      fc.property(anyBudget, anyError, anyRandom, (budget, error, random) => {
        const delay = retryDelayMs(budget, error, random);
        const asked = Math.min((error.retryAfterSeconds ?? 0) * 1000, MAX_RETRY_AFTER_MS);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(asked));
        expect(delay).toBeLessThanOrEqual(Math.max(MAX_RETRY_DELAY_MS, Math.ceil(asked)));
      }),
    );
  });

  const budget = (attempt: number): AttemptBudget => ({
    attempt,
    maxAttempts: 1001,
    retryDelayMs: 1_000,
    deadLetter: true,
  });

  it('doubles with every attempt up to an hour', () => {
    const delays = [1, 2, 3, 4, 13, 1000].map((attempt) => retryDelayMs(budget(attempt), errorInfo(), 0));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 3_600_000, 3_600_000]);
  });

  it('adds at most a tenth, so that runs that failed together come back apart', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), anyRandom, (attempt, random) => {
        const base = retryDelayMs(budget(attempt), errorInfo(), 0);
        const delay = retryDelayMs(budget(attempt), errorInfo(), random);
        expect(delay).toBeGreaterThanOrEqual(base);
        expect(delay).toBeLessThanOrEqual(Math.ceil(base * 1.1));
      }),
    );
    expect(retryDelayMs(budget(1), errorInfo(), 0.999)).toBeGreaterThan(1_000);
  });

  it('waits as long as the error asks, over the hour too, but not shorter than the back-off', () => {
    expect(retryDelayMs(budget(1), errorInfo({ retryAfterSeconds: 90 }), 0)).toBe(90_000);
    expect(retryDelayMs(budget(1), errorInfo({ retryAfterSeconds: 7_200 }), 0)).toBe(7_200_000);
    expect(retryDelayMs(budget(4), errorInfo({ retryAfterSeconds: 1 }), 0)).toBe(8_000);
  });

  it('retries at once when told to', () => {
    expect(retryDelayMs({ ...budget(3), retryDelayMs: 0 }, errorInfo(), 0.9)).toBe(0);
  });
});
