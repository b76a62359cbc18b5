import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CATEGORIES, ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { retryPolicyJson, storedRetryPolicy, toRetryPolicyJson } from '../spec/retry-json.ts';
import { decideSettlement } from './retry.ts';
import type { AttemptBudget } from './retry.ts';
import { checkRetryPolicy, maxRetriesOf, RETRY_STRATEGIES } from './retry-policy.ts';
import type { RetryPolicy } from './retry-policy.ts';

const budget = (more: Partial<AttemptBudget> = {}): AttemptBudget => ({
  attempt: 1,
  maxAttempts: 4,
  retryDelayMs: 1_000,
  deadLetter: true,
  ...more,
});
const info = (more: Partial<ErrorInfo> = {}): ErrorInfo => ({
  message: 'it broke',
  type: 'Error',
  category: ErrorCategory.NETWORK,
  retryable: true,
  retryAfterSeconds: null,
  ...more,
});
const after = (policy: RetryPolicy, error: ErrorInfo, of: AttemptBudget = budget()) =>
  decideSettlement(of, { type: 'threw', error }, 0, policy);
const delays = (policy: RetryPolicy): unknown[] =>
  [1, 2, 3].map((attempt) => {
    const settled = after({ jitter: false, ...policy }, info(), budget({ attempt }));
    return settled.type === 'retry' ? settled.delayMs : settled.type;
  });

describe('a retry policy', () => {
  it('waits as its strategy says, from its own base or the spec’s', () => {
    expect(delays({})).toEqual([1_000, 2_000, 4_000]);
    expect(delays({ strategy: 'exponential', factor: 3, baseDelaySeconds: 2 })).toEqual([
      2_000, 6_000, 18_000,
    ]);
    expect(delays({ strategy: 'linear' })).toEqual([1_000, 2_000, 3_000]);
    expect(delays({ strategy: 'constant', baseDelaySeconds: 0.5 })).toEqual([500, 500, 500]);
    expect(delays({ strategy: 'none' })).toEqual(['dead_lettered', 'dead_lettered', 'dead_lettered']);
    expect(delays({ maxDelaySeconds: 1.5 })).toEqual([1_000, 1_500, 1_500]);
  });

  it('lets the first rule that matches decide, over what the error says of itself', () => {
    const policy: RetryPolicy = {
      rules: [
        { category: 'VALIDATION', errorType: 'LateFileError', retry: true, delaySeconds: 60 },
        { category: 'NETWORK', retry: false },
        { errorType: 'LateFileError', retry: false },
      ],
    };
    const late = { type: 'LateFileError', category: ErrorCategory.VALIDATION, retryable: false } as const;
    expect(after(policy, info(late))).toMatchObject({ type: 'retry', delayMs: 60_000 });
    expect(after(policy, info())).toMatchObject({ type: 'dead_lettered' });
    expect(after(policy, info({ ...late, category: ErrorCategory.SOURCE, retryable: true }))).toMatchObject({
      type: 'dead_lettered',
    });
    expect(after(policy, info({ category: ErrorCategory.SOURCE }))).toMatchObject({ type: 'retry' });
  });

  it('honours what the failing side asked for where that is longer', () => {
    expect(after({ jitter: false }, info({ retryAfterSeconds: 30 }))).toMatchObject({ delayMs: 30_000 });
    expect(after({ jitter: false }, info({ retryAfterSeconds: 0.1 }))).toMatchObject({ delayMs: 1_000 });
  });

  it('never gives more attempts than the run has', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RETRY_STRATEGIES),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(...ERROR_CATEGORIES),
        fc.boolean(),
        (strategy, maxAttempts, category, retryable) => {
          const policy: RetryPolicy = { strategy, maxRetries: 1_000, rules: [{ category, retry: true }] };
          const settled = after(
            policy,
            info({ category, retryable }),
            budget({ attempt: maxAttempts, maxAttempts }),
          );
          expect(settled.type).toBe('dead_lettered');
        },
      ),
    );
  });

  it('says how many retries it wants, none included', () => {
    expect(maxRetriesOf({ strategy: 'none', maxRetries: 5 })).toBe(0);
    expect(maxRetriesOf({ maxRetries: 5 })).toBe(5);
    expect(maxRetriesOf({})).toBeUndefined();
  });

  it.each([{ baseDelaySeconds: -1 }, { factor: Number.NaN }, { rules: [{ retry: true, delaySeconds: -1 }] }])(
    'is refused with %o',
    (policy) => {
      expect(() => checkRetryPolicy(policy)).toThrow(/at least 0/);
    },
  );
});

describe('the JSON of a retry policy', () => {
  const policy: RetryPolicy = {
    strategy: 'linear',
    maxRetries: 7,
    baseDelaySeconds: 1.5,
    maxDelaySeconds: 90,
    jitter: false,
    rules: [{ category: 'NETWORK', errorType: 'ResetError', retry: true, delaySeconds: 3 }],
  };

  it('comes back from the database as it went in', () => {
    const stored: unknown = JSON.parse(JSON.stringify(toRetryPolicyJson(policy)));
    expect(storedRetryPolicy(stored)).toEqual(policy);
    expect(storedRetryPolicy(null)).toBeNull();
  });

  it('of a later release is no policy rather than a fault', () => {
    expect(storedRetryPolicy({ strategy: 'fibonacci' })).toBeNull();
  });

  it('needs a rule to name what it is about', () => {
    expect(retryPolicyJson.safeParse({ rules: [{ retry: true }] }).success).toBe(false);
  });
});
