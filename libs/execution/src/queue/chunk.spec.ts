import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRIORITIES, priorityRank } from '@spine/core';
import { runsPerHint, toHints } from './chunk.ts';
import type { HintableRun, LaneCapacity } from './chunk.ts';
import { MAX_RUNS_PER_HINT } from './port.ts';

const anyCapacity: fc.Arbitrary<LaneCapacity | undefined> = fc.option(
  fc.record({ workers: fc.integer({ min: 1, max: 50 }), slots: fc.integer({ min: 1, max: 5_000 }) }),
  { nil: undefined },
);

/** Most runs of a hint: a quarter of the smallest worker, and small where none is known. */
const largest = (capacity: LaneCapacity | undefined): number => Math.max(1, (capacity?.slots ?? 256) / 4);

const anyRuns: fc.Arbitrary<HintableRun[]> = fc
  .array(
    fc.record({
      name: fc.constantFrom('echo', 'sleep'),
      lane: fc.constantFrom('default', 'backfill'),
      priority: fc.constantFrom(...PRIORITIES),
      delayMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000 })),
      times: fc.integer({ min: 1, max: 150 }),
    }),
    { maxLength: 20 },
  )
  .map((groups) =>
    groups
      .flatMap(({ times, ...run }) => Array.from({ length: times }, () => run))
      .map((run, index) => ({ ...run, kind: 'task' as const, runId: `run-${index}` })),
  );

const run = (more: Partial<HintableRun> = {}): HintableRun => ({
  runId: 'a',
  kind: 'task',
  name: 'echo',
  lane: 'default',
  priority: 'normal',
  delayMs: 0,
  ...more,
});

describe('runsPerHint', () => {
  it('is between one and 256, and at most a quarter of the smallest worker', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), anyCapacity, (flush, capacity) => {
        const size = runsPerHint(flush, capacity);
        expect(Number.isInteger(size)).toBe(true);
        expect(size).toBeGreaterThanOrEqual(1);
        expect(size).toBeLessThanOrEqual(MAX_RUNS_PER_HINT);
        expect(size).toBeLessThanOrEqual(largest(capacity));
      }),
    );
  });

  it('divides a flush among the live workers', () => {
    expect(runsPerHint(90, { workers: 3, slots: 400 })).toBe(30);
    expect(runsPerHint(91, { workers: 3, slots: 400 })).toBe(31);
    expect(runsPerHint(2, { workers: 3, slots: 400 })).toBe(1);
    expect(runsPerHint(5_000, { workers: 2, slots: 5_000 })).toBe(256);
    expect(runsPerHint(5_000, { workers: 2, slots: 200 })).toBe(50);
  });

  it('makes no more than sixteen hints of a flush that fits into them, however many workers there are', () => {
    expect(runsPerHint(160, { workers: 1_000, slots: 400 })).toBe(10);
    expect(runsPerHint(50, { workers: 1_000, slots: 400 })).toBe(4);
    expect(runsPerHint(10, { workers: 1_000, slots: 400 })).toBe(1);
  });

  it('cuts for several workers where none is known: whoever comes first must not take it all', () => {
    expect(runsPerHint(5_000, undefined)).toBe(64);
    expect(runsPerHint(20, undefined)).toBe(5);
    expect(runsPerHint(1, undefined)).toBe(1);
  });
});

describe('toHints', () => {
  it('puts every run in exactly one hint, with its lane, its priority and its due time, within the bounds', () => {
    fc.assert(
      fc.property(anyRuns, anyCapacity, (runs, capacity) => {
        const byId = new Map(runs.map((each) => [each.runId, each]));
        const hints = toHints(runs, () => capacity);
        expect(hints.flatMap(({ runIds }) => runIds).sort()).toEqual([...byId.keys()].sort());
        for (const hint of hints) {
          expect(hint.runIds.length).toBeGreaterThanOrEqual(1);
          expect(hint.runIds.length).toBeLessThanOrEqual(MAX_RUNS_PER_HINT);
          expect(hint.runIds.length).toBeLessThanOrEqual(largest(capacity));
          for (const runId of hint.runIds) {
            const hinted = byId.get(runId);
            expect(hint.lane).toBe(hinted?.lane);
            expect(hint.priority).toBe(priorityRank(hinted?.priority ?? 'normal'));
            // Never before the run is due, or its claim finds nothing and the hint is wasted; and not a second late.
            expect(hint.delayMs).toBeGreaterThanOrEqual(hinted?.delayMs ?? Infinity);
            expect(hint.delayMs).toBeLessThan((hinted?.delayMs ?? 0) + 1_000);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('asks for the capacity of each run’s own lane', () => {
    const runs = ['default', 'slow'].flatMap((lane) =>
      Array.from({ length: 8 }, (_, index) => run({ lane, runId: `${lane}-${index}` })),
    );
    const hints = toHints(runs, (lane) => (lane === 'slow' ? { workers: 1, slots: 100 } : undefined));
    const lengths = (of: string) => hints.flatMap(({ lane, runIds }) => (lane === of ? [runIds.length] : []));
    expect(lengths('default')).toEqual([2, 2, 2, 2]);
    expect(lengths('slow')).toEqual([8]);
  });

  it('names a hint after its handlers and its count', () => {
    const wide = (): LaneCapacity => ({ workers: 1, slots: 1_000 });
    expect(toHints([run()], wide)[0]?.label).toBe('task:echo');
    expect(toHints([run(), run({ runId: 'b' })], wide)[0]?.label).toBe('task:echo ×2');
    const mixed = [run(), run({ runId: 'b', name: 'add' }), run({ runId: 'c', kind: 'operation' })];
    expect(toHints(mixed, wide)[0]?.label).toBe('task:echo +2 more ×3');
  });

  it('puts runs together that are alike, also when others came between them', () => {
    const wide = (): LaneCapacity => ({ workers: 1, slots: 1_000 });
    const runs = [
      run({ runId: 'now' }),
      run({ runId: 'gated', gated: true }),
      run({ runId: 'later', delayMs: 1_500 }),
      { runId: 'now too', kind: 'task', name: 'echo', lane: 'default', priority: 'normal' } as const,
      run({ runId: 'gated too', gated: true }),
      run({ runId: 'latest', delayMs: 1_900 }),
    ];
    expect(toHints(runs, wide).map(({ runIds, gated, delayMs }) => ({ runIds, gated, delayMs }))).toEqual([
      { runIds: ['now', 'now too'], gated: undefined, delayMs: 0 },
      { runIds: ['gated', 'gated too'], gated: true, delayMs: 0 },
      { runIds: ['later', 'latest'], gated: undefined, delayMs: 1_900 },
    ]);
  });

  it('makes nothing of nothing', () => {
    expect(toHints([], () => undefined)).toEqual([]);
  });
});
