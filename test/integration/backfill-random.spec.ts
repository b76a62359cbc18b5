/** Backfills in random order: pumps at once, runs that end in every way, cancels, resumes, crashes of a canceller. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backfillRunKey, backfillWindow } from '@spine/core';
import { cancelBackfillRows, settleRuns } from '@spine/database';
import type { Settlement } from '@spine/database';
import { pumpBackfill } from '@spine/execution';
import { openBackfillBed } from './backfill-support.ts';
import type { BackfillBed } from './backfill-support.ts';
import { ERROR } from './engine-support.ts';
import { claimWithGates } from './gates-support.ts';

let base: BackfillBed;
beforeAll(async () => {
  base = await openBackfillBed();
});
afterAll(() => base.close());

const PARTITIONS = 6;
const MAX_ATTEMPTS = 2;

type Step =
  | { readonly type: 'pump'; readonly at: number }
  | { readonly type: 'end'; readonly which: number; readonly how: 'completed' | 'failed' | 'broken' }
  | { readonly type: 'cancel run'; readonly which: number }
  | { readonly type: 'cancel' | 'cancel and die' | 'resume' };

const which = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('pump' as const), at: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      which,
      how: fc.constantFrom('completed' as const, 'completed' as const, 'failed' as const, 'broken' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel run' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom('cancel' as const, 'cancel and die' as const, 'resume' as const),
    }),
  },
);

const SETTLEMENTS: Readonly<Record<'completed' | 'failed' | 'broken', Settlement>> = {
  completed: { type: 'completed', result: null },
  failed: { type: 'failed', error: ERROR },
  broken: { type: 'failed', error: { ...ERROR, retryable: false } },
};

async function openRuns(backfillId: string): Promise<string[]> {
  const { rows } = await base.bed.admin.query<{ id: string }>(
    'SELECT id FROM runs WHERE correlation_id = $1 AND completed_at IS NULL ORDER BY id',
    [backfillId],
  );
  return rows.map(({ id }) => id);
}

/** Lets the run end as a worker would, if its gate lets it start. */
async function end(backfillId: string, index: number, settlement: Settlement): Promise<void> {
  const { pool } = base.bed.engine;
  const runs = await openRuns(backfillId);
  const runId = runs[index % Math.max(1, runs.length)];
  if (runId === undefined) return;
  const { claimed } = await claimWithGates(pool, [runId], { handlers: ['task:partition'] });
  await settleRuns(
    pool,
    claimed.map((run) => ({ runId: run.runId, epoch: run.epoch, settlement })),
    { source: 'test' },
  );
}

async function take(backfillId: string, each: Step): Promise<void> {
  const { backfills, bed } = base;
  switch (each.type) {
    case 'pump':
      await Promise.all(Array.from({ length: each.at }, () => pumpBackfill(bed.engine, backfillId)));
      return;
    case 'end':
      await end(backfillId, each.which, SETTLEMENTS[each.how]);
      return;
    case 'cancel run': {
      const runs = await openRuns(backfillId);
      const runId = runs[each.which % Math.max(1, runs.length)];
      if (runId !== undefined) await bed.engine.dispatcher.cancel(runId);
      return;
    }
    case 'cancel':
      await backfills.cancel(backfillId);
      return;
    case 'cancel and die':
      await cancelBackfillRows(bed.engine.db, backfillId);
      return;
    case 'resume':
      await backfills.resume(backfillId);
      return;
  }
}

interface RunRow {
  readonly id: string;
  readonly status: string;
  readonly idempotency_key: string;
}

/** What must hold after every step. */
async function check(backfillId: string): Promise<void> {
  const plan = await base.plan(backfillId);
  const partitions = await base.partitions(backfillId);
  const count = (...statuses: string[]) =>
    partitions.filter(({ status }) => statuses.includes(status)).length;
  expect([plan.completed, plan.failed]).toEqual([count('DONE'), count('FAILED')]);
  if (plan.status !== 'RUNNING') expect(count('RUNNING')).toBe(0);
  expect(count('RUNNING', 'CANCELLING')).toBeLessThanOrEqual(2 * backfillWindow(2));
  const { rows } = await base.bed.admin.query<RunRow>(
    'SELECT id, status, idempotency_key FROM runs WHERE correlation_id = $1',
    [backfillId],
  );
  for (const partition of partitions) {
    const keys = Array.from({ length: partition.attempts }, (_, n) =>
      backfillRunKey(backfillId, partition.ordinal, n + 1),
    );
    const own = rows.filter((row) =>
      row.idempotency_key.startsWith(`backfill:${backfillId}:${partition.ordinal}:`),
    );
    // Every attempt has one run, and there is no run of anything else.
    expect(own.map((row) => row.idempotency_key).sort()).toEqual([...keys].sort());
    // What was done is not done again: a run that completed is the last one.
    const completed = own.filter(({ status }) => status === 'completed');
    expect(completed.length).toBeLessThanOrEqual(1);
    expect(completed.every(({ id }) => id === partition.runId)).toBe(true);
    if (partition.status === 'DONE') expect(completed).toHaveLength(1);
    expect(partition.failures).toBeLessThanOrEqual(MAX_ATTEMPTS);
    // At most one of its runs is open.
    const open = own.filter(({ status }) => ['pending', 'queued', 'running'].includes(status));
    expect(open.length).toBeLessThanOrEqual(1);
  }
}

describe('a backfill', () => {
  it('does each partition once, whatever happens in between, and comes to its end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 18 }), async (steps) => {
        const { backfills, bed } = base;
        const spec = base.specOf(bed.newLane(), PARTITIONS, () => undefined, { maxAttempts: MAX_ATTEMPTS });
        const { backfillId } = await backfills.create(spec);
        await backfills.start(backfillId);
        for (const each of steps) await take(backfillId, each);
        await check(backfillId);
        // From here on everything goes well.
        for (let round = 0; (await base.plan(backfillId)).status !== 'COMPLETED'; round += 1) {
          if (round > 60) throw new Error(`no end: ${JSON.stringify(await base.plan(backfillId))}`);
          await backfills.resume(backfillId);
          await pumpBackfill(bed.engine, backfillId);
          for (let n = 0; n < 10; n += 1) await end(backfillId, n, SETTLEMENTS.completed);
        }
        await check(backfillId);
        expect((await base.plan(backfillId)).completed).toBe(PARTITIONS);
      }),
      { numRuns: 5 },
    );
  });
});
