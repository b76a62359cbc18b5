import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY, isRepeatable, retryDelayMs } from './retry-policy.ts';
import type { Failure } from './retry-policy.ts';

const policy = { retries: 3, baseMs: 100, capMs: 300, maxRetryAfterMs: 5_000 };
const silent: Failure = { type: 'no_answer' };
const status = (code: number, retryAfterMs: number | null = null): Failure => ({
  type: 'status',
  status: code,
  retryAfterMs,
});

describe('the wait before another attempt', () => {
  it('doubles up to a cap, half of it random', () => {
    expect([1, 2, 3].map((attempt) => retryDelayMs(silent, attempt, policy, 0))).toEqual([50, 100, 150]);
    expect(retryDelayMs(silent, 3, policy, 0.5)).toBe(225);
  });

  it('is none when the attempts are used up', () => {
    expect(retryDelayMs(silent, 4, policy, 0)).toBeNull();
    expect(retryDelayMs(silent, 1, { ...policy, retries: 0 }, 0)).toBeNull();
    expect(retryDelayMs(silent, DEFAULT_RETRY.retries, DEFAULT_RETRY, 0)).not.toBeNull();
  });

  it('is for what passes only', () => {
    for (const code of [429, 502, 503, 504]) expect(retryDelayMs(status(code), 1, policy, 0)).toBe(50);
    for (const code of [200, 400, 401, 404, 409, 413, 500]) {
      expect(retryDelayMs(status(code), 1, policy, 0)).toBeNull();
    }
  });

  it('is what the answer asks for, unless that is too long to wait', () => {
    expect(retryDelayMs(status(429, 2_000), 1, policy, 0.5)).toBe(2_050);
    expect(retryDelayMs(status(503, 5_001), 1, policy, 0)).toBeNull();
  });
});

describe('a request', () => {
  it('is repeatable by its method, and not when it names a version', () => {
    expect(['GET', 'HEAD', 'PUT', 'DELETE'].map((each) => isRepeatable(each, new Headers()))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['POST', 'PATCH'].map((each) => isRepeatable(each, new Headers()))).toEqual([false, false]);
    expect(isRepeatable('PUT', new Headers({ 'If-Match': '"3"' }))).toBe(false);
  });
});
