import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClaimedRun } from '@spine/database';
import type { AttemptEnd } from '../policy/retry.ts';
import { AttemptAbortedError } from './abort.ts';
import { endOfAttempt, endOfCall } from './attempt-end.ts';
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

function begun(of = run): Attempt {
  const attempt = new Attempt(of);
  attempt.startTimer();
  return attempt;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Attempt', () => {
  it('is interrupted when its time-out is over, and not before', () => {
    const attempt = begun();
    const told: string[] = [];
    attempt.onInterrupt = (reason) => told.push(reason);
    vi.advanceTimersByTime(990);
    expect([attempt.reason, attempt.signal.aborted]).toEqual([null, false]);
    vi.advanceTimersByTime(11);
    expect(attempt.reason).toBe('timed_out');
    expect(attempt.signal.aborted).toBe(true);
    expect(told).toEqual(['timed_out']);
  });

  it('tells its handler why, by the signal’s reason', () => {
    const attempt = begun();
    attempt.interrupt('shutdown');
    expect(attempt.signal.reason).toBeInstanceOf(AttemptAbortedError);
    expect(attempt.signal.reason).toMatchObject({ reason: 'shutdown', message: 'the worker is stopping' });
  });

  it('tells one that looks later than it was interrupted, too', () => {
    const attempt = begun();
    attempt.interrupt('cancelled');
    const { signal } = attempt;
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ reason: 'cancelled' });
    expect(attempt.signal).toBe(signal);
  });

  it('keeps its first interruption, and tells of no other', () => {
    const attempt = begun();
    const told: string[] = [];
    attempt.onInterrupt = (reason) => told.push(reason);
    attempt.interrupt('lost');
    attempt.interrupt('shutdown');
    vi.advanceTimersByTime(10_000);
    expect(attempt.reason).toBe('lost');
    expect(told).toEqual(['lost']);
    expect(attempt.signal.reason).toMatchObject({ reason: 'lost' });
  });

  it('leaves no timer behind once it ended or was interrupted', () => {
    const ended = begun();
    ended.end();
    const lost = begun();
    lost.interrupt('lost');
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(ended.reason).toBeNull();
  });

  it('waits out a time-out that no single timer can hold', () => {
    const day = 86_400_000;
    const attempt = begun({ ...run, timeoutMs: 60 * day });
    vi.advanceTimersByTime(59 * day);
    expect(attempt.reason).toBeNull();
    vi.advanceTimersByTime(day + 1);
    expect(attempt.reason).toBe('timed_out');
    expect(vi.getTimerCount()).toBe(0);
  });
});

const RETURNED: AttemptEnd = { type: 'returned', result: '1' };
const SHUTDOWN = { type: 'interrupted', reason: 'the worker is stopping' };

/** An attempt whose late results are counted. */
function counted() {
  const attempt = new Attempt(run);
  const late: AttemptEnd[] = [];
  attempt.onLateResult = () => late.push(RETURNED);
  return { attempt, late };
}

/** Work that ends when the test says so. */
function open() {
  let end: (end: AttemptEnd) => void = () => undefined;
  const ended = new Promise<AttemptEnd>((resolve) => (end = resolve));
  return { work: () => ended, end: (how: AttemptEnd) => end(how), ended };
}

describe('an attempt that ends at once', () => {
  it('has its end without a promise and without a timer', () => {
    const { attempt } = counted();
    expect(endOfAttempt(attempt, () => RETURNED)).toBe(RETURNED);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is over all the same when its own work has interrupted it', () => {
    const { attempt, late } = counted();
    const end = endOfAttempt(attempt, () => {
      attempt.interrupt('shutdown');
      return RETURNED;
    });
    expect(end).toEqual(SHUTDOWN);
    expect(late).toHaveLength(1);
  });

  it('does not begin when it was interrupted before', () => {
    const { attempt } = counted();
    attempt.interrupt('cancelled');
    const work = vi.fn(() => RETURNED);
    expect(endOfAttempt(attempt, work)).toBe('lost');
    expect(work).not.toHaveBeenCalled();
  });
});

describe('an attempt that waits', () => {
  it('ends with its work', async () => {
    const { attempt, late } = counted();
    const { work, end } = open();
    const ending = endOfAttempt(attempt, work);
    end(RETURNED);
    expect(await ending).toBe(RETURNED);
    expect(late).toHaveLength(0);
  });

  it('ends with its interruption, though its work goes on, and tells of the result that comes later', async () => {
    const { attempt, late } = counted();
    const { work, end, ended } = open();
    const ending = endOfAttempt(attempt, work);
    attempt.interrupt('shutdown');
    expect(await ending).toEqual(SHUTDOWN);
    expect(late).toHaveLength(0);
    end(RETURNED);
    await ended;
    expect(late).toHaveLength(1);
  });

  it('ends when its time is over, and tells of no error that comes later', async () => {
    const { attempt, late } = counted();
    const { work, end, ended } = open();
    const ending = endOfAttempt(attempt, work);
    vi.advanceTimersByTime(1_000);
    expect(attempt.reason).toBe('timed_out');
    expect(await ending).toMatchObject({ type: 'timed_out' });
    end(await endOfCall(() => Promise.reject(new Error('too late'))));
    await ended;
    expect(late).toHaveLength(0);
  });

  it('counts the time before it waited as its own', async () => {
    const { attempt } = counted();
    const { work } = open();
    const ending = endOfAttempt(attempt, () => {
      vi.advanceTimersByTime(900);
      return work();
    });
    vi.advanceTimersByTime(99);
    expect(attempt.reason).toBeNull();
    vi.advanceTimersByTime(1);
    expect(attempt.reason).toBe('timed_out');
    expect(await ending).toMatchObject({ type: 'timed_out' });
  });

  it('ends with an interruption that answered in the same turn', async () => {
    const { attempt, late } = counted();
    const ending = endOfAttempt(attempt, async () => {
      await new Promise((resolve) => attempt.signal.addEventListener('abort', resolve));
      return RETURNED;
    });
    attempt.interrupt('lost');
    expect(await ending).toBe('lost');
    await vi.waitFor(() => expect(late).toHaveLength(1));
  });

  it('ends with an interruption by its own work that came before it waited', async () => {
    const { attempt } = counted();
    const ending = endOfAttempt(attempt, () => {
      attempt.interrupt('shutdown');
      return open().work();
    });
    expect(await ending).toEqual(SHUTDOWN);
    expect(vi.getTimerCount()).toBe(0);
  });
});
