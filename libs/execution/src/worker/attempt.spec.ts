import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClaimedRun } from '@spine/database';
import { AttemptAbortedError } from './abort.ts';
import { Attempt } from './attempt.ts';

const run: ClaimedRun = {
  runId: '01890a5d-ac96-774b-bcce-b302099a8057',
  kind: 'task',
  name: 'echo',
  lane: 'default',
  params: {},
  epoch: 1,
  attempt: 1,
  maxAttempts: 1,
  crashCount: 0,
  retryDelayMs: 0,
  timeoutMs: 1_000,
  deadLetter: true,
  correlationId: null,
  parentRunId: null,
  metadata: {},
  lastError: null,
  retryPolicy: null,
  gates: null,
  runTimeLeftMs: null,
  paramsRef: null,
  traceContext: null,
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Attempt', () => {
  it('is interrupted when its time-out is over, and not before', async () => {
    const attempt = new Attempt(run);
    vi.advanceTimersByTime(990);
    expect([attempt.reason, attempt.signal.aborted]).toEqual([null, false]);
    vi.advanceTimersByTime(11);
    expect(attempt.reason).toBe('timed_out');
    expect(attempt.signal.aborted).toBe(true);
    expect(await attempt.interrupted).toBe('timed_out');
  });

  it('tells its handler why, by the signal’s reason', () => {
    const attempt = new Attempt(run);
    attempt.interrupt('shutdown');
    expect(attempt.signal.reason).toBeInstanceOf(AttemptAbortedError);
    expect(attempt.signal.reason).toMatchObject({ reason: 'shutdown', message: 'the worker is stopping' });
  });

  it('tells one that looks later than it was interrupted, too', () => {
    const attempt = new Attempt(run);
    attempt.interrupt('cancelled');
    const { signal } = attempt;
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ reason: 'cancelled' });
    expect(attempt.signal).toBe(signal);
  });

  it('keeps its first interruption', async () => {
    const attempt = new Attempt(run);
    attempt.interrupt('lost');
    attempt.interrupt('shutdown');
    vi.advanceTimersByTime(10_000);
    expect(attempt.reason).toBe('lost');
    expect(await attempt.interrupted).toBe('lost');
    expect(attempt.signal.reason).toMatchObject({ reason: 'lost' });
  });

  it('leaves no timer behind once it ended or was interrupted', () => {
    const ended = new Attempt(run);
    ended.end();
    const lost = new Attempt(run);
    lost.interrupt('lost');
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(ended.reason).toBeNull();
  });

  it('waits out a time-out that no single timer can hold', () => {
    const day = 86_400_000;
    const attempt = new Attempt({ ...run, timeoutMs: 60 * day });
    vi.advanceTimersByTime(59 * day);
    expect(attempt.reason).toBeNull();
    vi.advanceTimersByTime(day + 1);
    expect(attempt.reason).toBe('timed_out');
    expect(vi.getTimerCount()).toBe(0);
  });
});
