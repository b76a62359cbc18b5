import { describe, expect, it } from 'vitest';
import { databaseProblems, deadRatio, tableHint } from './verdicts.ts';

describe('a table', () => {
  it.each([
    [0, 0, 'none', 0],
    [0, 1_001, 'vacuum', 1],
    [0, 1_000, 'none', 1],
    [10_000, 2_000, 'none', 2_000 / 12_000],
    [10_000, 2_001, 'vacuum', 2_001 / 12_001],
  ] as const)('with %i live and %i dead rows: %s', (liveRows, deadRows, hint, ratio) => {
    expect(tableHint({ liveRows, deadRows })).toBe(hint);
    expect(deadRatio({ liveRows, deadRows })).toBe(ratio);
  });
});

describe('a database', () => {
  const HEALTHY = {
    connections: 85,
    maxConnections: 100,
    waitingForLocks: 20,
    cacheHitRatio: 0.9,
    transactionAge: 1_000_000_000,
  };

  it('at its limits has no problem, nor one that nothing was read from yet', () => {
    expect(databaseProblems(HEALTHY)).toEqual([]);
    expect(databaseProblems({ ...HEALTHY, cacheHitRatio: null })).toEqual([]);
  });

  it.each([
    [{ connections: 86 }, 'connections_nearly_used_up'],
    [{ waitingForLocks: 21 }, 'many_wait_for_locks'],
    [{ cacheHitRatio: 0.89 }, 'reads_from_disk'],
    [{ transactionAge: 1_000_000_001 }, 'freezing_is_late'],
  ])('with %j has one', (more, code) => {
    expect(databaseProblems({ ...HEALTHY, ...more }).map((problem) => problem.code)).toEqual([code]);
  });
});
