import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterPartitionRun, BACKFILL_STATUSES, backfillProgressPct, canMoveBackfill } from './backfill.ts';
import {
  cancelBackfillPlan,
  checkpointBackfillPlan,
  createBackfillPlan,
  markPartitionDone,
  markPartitionFailed,
  planProgressPct,
  remainingKeys,
  resumeBackfill,
  startBackfill,
} from './backfill-plan.ts';
import type { BackfillPlan } from './backfill-plan.ts';

const KEYS = ['AAPL', 'MSFT', 'GOOG'];
const planned = (): BackfillPlan =>
  createBackfillPlan({ domain: 'equity', source: 'prices', reason: 'GAP', partitionKeys: KEYS });

describe('a backfill plan', () => {
  it('goes through its partitions: 33, 66, 100 per cent, completed', () => {
    let plan = startBackfill(planned());
    const seen = KEYS.map((key) => {
      plan = markPartitionDone(plan, key);
      return [planProgressPct(plan), plan.status];
    });
    expect(seen).toEqual([
      [33.33, 'RUNNING'],
      [66.66, 'RUNNING'],
      [100, 'COMPLETED'],
    ]);
  });

  it('names each partition once, and refuses to name none', () => {
    expect(createBackfillPlan({ ...planned(), partitionKeys: ['a', 'b', 'a'] }).partitionKeys).toEqual([
      'a',
      'b',
    ]);
    expect(() => createBackfillPlan({ ...planned(), partitionKeys: [] })).toThrow(
      'partition_keys: must name at least one partition',
    );
  });

  it('that failed is resumed with the failed partitions alone', () => {
    let plan = startBackfill(planned());
    plan = markPartitionDone(plan, 'AAPL');
    plan = markPartitionFailed(plan, 'MSFT', 'no file');
    plan = markPartitionDone(plan, 'GOOG');
    expect(plan).toMatchObject({ status: 'FAILED', failedKeys: new Map([['MSFT', 'no file']]) });
    plan = resumeBackfill(plan);
    expect(remainingKeys(plan)).toEqual(['MSFT']);
    expect(markPartitionDone(plan, 'MSFT').status).toBe('COMPLETED');
  });

  it('that was cancelled with nothing left is complete when it is resumed', () => {
    const plan = markPartitionDone(startBackfill({ ...planned(), partitionKeys: ['a', 'b'] }), 'a');
    const done = { ...cancelBackfillPlan(plan), completedKeys: new Set(['a', 'b']) };
    expect(resumeBackfill(done).status).toBe('COMPLETED');
  });

  it('keeps what it was told of a partition under way, while it runs', () => {
    const plan = checkpointBackfillPlan(startBackfill(planned()), 'page 7');
    expect(cancelBackfillPlan(plan).checkpoint).toBe('page 7');
    expect(() => checkpointBackfillPlan(planned(), 'page 7')).toThrow('the backfill is PLANNED, not RUNNING');
    expect(() => markPartitionDone(startBackfill(planned()), 'TSLA')).toThrow('TSLA is no partition');
  });

  type Step = readonly ['start' | 'resume' | 'cancel'] | readonly ['done' | 'failed', string];
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.constantFrom<Step>(['start'], ['resume'], ['cancel']),
    fc.tuple(fc.constantFrom<'done' | 'failed'>('done', 'failed'), fc.constantFrom(...KEYS)),
  );
  const apply = (plan: BackfillPlan, [what, key = '']: Step): BackfillPlan => {
    switch (what) {
      case 'start':
        return startBackfill(plan);
      case 'resume':
        return resumeBackfill(plan);
      case 'cancel':
        return cancelBackfillPlan(plan);
      case 'done':
        return markPartitionDone(plan, key);
      case 'failed':
        return markPartitionFailed(plan, key, 'broken');
    }
  };

  it('keeps its word whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let plan = planned();
        for (const each of steps) {
          const before = plan;
          try {
            plan = apply(plan, each);
          } catch {
            // Refused: as it was.
            expect(plan).toBe(before);
            continue;
          }
          if (plan.status !== before.status) {
            // A resume of a plan with nothing left passes through RUNNING.
            const lawful =
              canMoveBackfill(before.status, plan.status) || canMoveBackfill('RUNNING', plan.status);
            expect(lawful && before.status !== 'COMPLETED').toBe(true);
          }
          for (const key of before.completedKeys) expect(plan.completedKeys.has(key)).toBe(true);
          const parts = [...plan.completedKeys, ...plan.failedKeys.keys(), ...remainingKeys(plan)];
          expect(parts.sort()).toEqual([...KEYS].sort());
          expect(plan.status === 'COMPLETED').toBe(plan.completedKeys.size === KEYS.length);
          if (plan.status === 'FAILED') expect(remainingKeys(plan)).toEqual([]);
          if (plan.status === 'RUNNING') expect(remainingKeys(plan)).not.toEqual([]);
        }
      }),
    );
  });
});

describe('a plan’s states', () => {
  it('end at COMPLETED and nowhere else', () => {
    const ends = BACKFILL_STATUSES.filter((from) =>
      BACKFILL_STATUSES.every((to) => !canMoveBackfill(from, to)),
    );
    expect(ends).toEqual(['COMPLETED']);
  });

  it('show 100 per cent only when all is done', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.nat(), (total, some) => {
        const completed = some % (total + 1);
        const shown = backfillProgressPct({ total, completed });
        expect(shown === 100).toBe(completed === total);
        expect(Math.round(shown * 100)).toBe(Number((BigInt(completed) * 10_000n) / BigInt(total)));
      }),
    );
  });
});

describe('a partition whose run ended', () => {
  const open = (failures: number, status: 'RUNNING' | 'CANCELLING' = 'RUNNING') => ({ status, failures });

  it.each([
    [open(0), { type: 'completed' }, { status: 'DONE', failures: 0 }],
    [open(0), { type: 'failed', retryable: true }, { status: 'PENDING', failures: 1 }],
    [open(1), { type: 'failed', retryable: true }, { status: 'FAILED', failures: 2 }],
    [open(0), { type: 'failed', retryable: false }, { status: 'FAILED', failures: 1 }],
    [open(0), { type: 'cancelled' }, { status: 'FAILED', failures: 1 }],
    [open(0, 'CANCELLING'), { type: 'cancelled' }, { status: 'PENDING', failures: 0 }],
    [open(0, 'CANCELLING'), { type: 'completed' }, { status: 'DONE', failures: 0 }],
    [open(0), { type: 'gone' }, { status: 'FAILED', failures: 1 }],
    [open(0, 'CANCELLING'), { type: 'gone' }, { status: 'FAILED', failures: 1 }],
  ] as const)('%j by %j becomes %j', (partition, end, expected) => {
    expect(afterPartitionRun(partition, end, 2)).toEqual(expected);
  });
});
