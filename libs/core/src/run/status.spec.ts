import { describe, expect, it } from 'vitest';
import { canTransition, isRetryable, isTerminal, RUN_STATUSES, TERMINAL_STATUSES } from './status.ts';

describe('run states', () => {
  it('lets nothing leave a terminal state', () => {
    for (const from of TERMINAL_STATUSES) {
      for (const to of RUN_STATUSES) expect(canTransition(from, to)).toBe(false);
    }
  });

  it('calls exactly the states without a way out terminal', () => {
    expect(RUN_STATUSES.filter(isTerminal)).toEqual(TERMINAL_STATUSES);
  });

  it('reaches a terminal state from every other state', () => {
    for (const from of RUN_STATUSES.filter((status) => !isTerminal(status))) {
      expect(RUN_STATUSES.some((to) => isTerminal(to) && canTransition(from, to))).toBe(true);
    }
  });

  it('settles only what runs: a waiting run can be cancelled or claimed, not completed', () => {
    expect(canTransition('queued', 'completed')).toBe(false);
    expect(canTransition('pending', 'failed')).toBe(false);
    expect(canTransition('queued', 'cancelled')).toBe(true);
  });

  it('offers a retry for every ending but success', () => {
    expect(RUN_STATUSES.filter(isRetryable)).toEqual(['failed', 'cancelled', 'timed_out', 'dead_lettered']);
  });
});
