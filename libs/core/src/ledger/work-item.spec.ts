import { describe, expect, it } from 'vitest';
import { afterWorkItemFailure, canMoveWorkItem, isWorkItemOver, WORK_ITEM_STATES } from './work-item.ts';

describe('a work item', () => {
  it('is over when it is complete, failed or cancelled, and then stays so', () => {
    const over = WORK_ITEM_STATES.filter(isWorkItemOver);
    expect(over).toEqual(['COMPLETE', 'FAILED', 'CANCELLED']);
    for (const from of over) for (const to of WORK_ITEM_STATES) expect(canMoveWorkItem(from, to)).toBe(false);
  });

  it('may be claimed again when the lock of its holder is over, and cancelled while it is not over', () => {
    expect(WORK_ITEM_STATES.filter((from) => canMoveWorkItem(from, 'RUNNING'))).toEqual([
      'PENDING',
      'RUNNING',
      'RETRY_WAIT',
    ]);
    expect(WORK_ITEM_STATES.filter((from) => canMoveWorkItem(from, 'CANCELLED'))).toEqual([
      'PENDING',
      'RUNNING',
      'RETRY_WAIT',
    ]);
  });

  it('waits longer after every failure, up to a bound', () => {
    const waits = [1, 2, 3, 4, 60].map((attempt) =>
      afterWorkItemFailure(
        { attempt, maxAttempts: 100, retryable: true },
        { delayMs: 1_000, maxDelayMs: 5_000 },
      ),
    );
    expect(waits.map((wait) => wait.state === 'RETRY_WAIT' && wait.delayMs)).toEqual([
      1_000, 2_000, 4_000, 5_000, 5_000,
    ]);
  });

  it('fails when its attempts are used up, or when another one would not help', () => {
    expect(afterWorkItemFailure({ attempt: 3, maxAttempts: 3, retryable: true })).toEqual({
      state: 'FAILED',
    });
    expect(afterWorkItemFailure({ attempt: 1, maxAttempts: 3, retryable: false })).toEqual({
      state: 'FAILED',
    });
  });
});
