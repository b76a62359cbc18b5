/** Backfills as they run: every partition once, at their own pace, stopped and resumed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SourceError } from '@spine/core';
import { countBackfillPartitions } from '@spine/database';
import { taskSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBackfillBed } from './backfill-support.ts';
import type { BackfillBed } from './backfill-support.ts';
import { deferred, untilAborted } from './engine-run-support.ts';

let base: BackfillBed;
beforeAll(async () => {
  base = await openBackfillBed();
});
afterEach(() => base.stopPumps());
afterAll(() => base.close());

const tally = () => {
  const counts = new Map<string, number>();
  return { counts, add: (day: string) => counts.set(day, (counts.get(day) ?? 0) + 1) };
};

describe('a backfill', () => {
  it('does every partition once, never more at a time than its concurrency', async () => {
    const { bed, backfills } = base;
    const lane = bed.newLane();
    const done = tally();
    let running = 0;
    let most = 0;
    const spec = base.specOf(
      lane,
      16,
      async ({ day }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        done.add(day);
      },
      { concurrency: 3 },
    );
    const { backfillId } = await backfills.create(spec);
    await bed.startWorker(lane, { pollMs: 50 });
    expect(await backfills.start(backfillId)).toMatchObject({
      type: 'changed',
      backfill: { status: 'RUNNING' },
    });
    // Two schedulers at once.
    base.startPump();
    base.startPump();
    expect(await base.reach(backfillId, 'COMPLETED')).toMatchObject({
      completed: 16,
      failed: 0,
      progressPct: 100,
    });
    expect([...done.counts.values()]).toEqual(Array.from({ length: 16 }, () => 1));
    expect(most).toBeLessThanOrEqual(3);
    const partitions = await base.partitions(backfillId);
    expect(new Set(partitions.map(({ runId }) => runId)).size).toBe(16);
    expect(partitions.every(({ status, attempts }) => status === 'DONE' && attempts === 1)).toBe(true);
  });

  it('leaves its slots to daily work: a run submitted while all its places are taken starts and ends', async () => {
    const { bed, backfills } = base;
    const lane = bed.newLane();
    const release = deferred();
    const spec = base.specOf(lane, 50, () => release.promise, { concurrency: 2 });
    const { backfillId } = await backfills.create(spec);
    // Three slots: the backfill may have two of them.
    await bed.startWorker(lane, { slots: 3, pollMs: 50 });
    await backfills.start(backfillId);
    base.startPump();
    await waitFor(async () => {
      const { rows } = await bed.admin.query(
        `SELECT 1 FROM runs WHERE correlation_id = $1 AND status = 'running'`,
        [backfillId],
      );
      return rows.length === 2;
    });
    const daily = await bed.submit(taskSpec('echo', { daily: true }, { lane }));
    await bed.reach(daily, 'completed');
    expect(await base.plan(backfillId)).toMatchObject({ status: 'RUNNING', completed: 0 });
    // Not the whole plan is in the queue.
    const { RUNNING, PENDING } = await countBackfillPartitions(bed.engine.db, backfillId);
    expect([RUNNING, PENDING]).toEqual([10, 40]);
    release.resolve();
    await backfills.cancel(backfillId);
  });

  it('fails with the partitions that failed as often as they may, and is resumed with them alone', async () => {
    const { bed, backfills } = base;
    const lane = bed.newLane();
    const done = tally();
    let broken = true;
    const spec = base.specOf(
      lane,
      5,
      ({ day }) => {
        done.add(day);
        if (broken && day === 'day-1') throw new Error('no file yet');
        if (broken && day === 'day-3') throw new SourceError('the file is not one');
      },
      { maxAttempts: 2 },
    );
    const { backfillId } = await backfills.create(spec);
    await bed.startWorker(lane, { pollMs: 50 });
    await backfills.start(backfillId);
    base.startPump();
    expect(await base.reach(backfillId, 'FAILED')).toMatchObject({
      completed: 3,
      failed: 2,
      progressPct: 60,
    });
    expect(Object.fromEntries(done.counts)).toEqual({
      'day-0': 1,
      'day-1': 2,
      'day-2': 1,
      'day-3': 1,
      'day-4': 1,
    });
    const failed = (await base.partitions(backfillId)).filter(({ status }) => status === 'FAILED');
    expect(failed).toMatchObject([
      { partitionKey: { day: 'day-1' }, attempts: 2, failures: 2, error: { message: 'no file yet' } },
      { partitionKey: { day: 'day-3' }, attempts: 1, failures: 1, error: { message: 'the file is not one' } },
    ]);
    // The plan is the list of what failed; there is no second one.
    expect((await bed.admin.query('SELECT 1 FROM dead_letters')).rowCount).toBe(0);
    broken = false;
    await backfills.resume(backfillId);
    expect(await base.reach(backfillId, 'COMPLETED')).toMatchObject({ completed: 5, failed: 0 });
    expect(Object.fromEntries(done.counts)).toEqual({
      'day-0': 1,
      'day-1': 3,
      'day-2': 1,
      'day-3': 2,
      'day-4': 1,
    });
  });

  it('that is cancelled stops its runs, and goes on where it was when it is resumed', async () => {
    const { bed, backfills } = base;
    const lane = bed.newLane();
    const done = tally();
    const stopped: string[] = [];
    let hold = true;
    const spec = base.specOf(
      lane,
      6,
      async ({ day, ctx }) => {
        if (hold && day !== 'day-0' && day !== 'day-1') {
          await untilAborted(ctx).catch((error: unknown) => {
            stopped.push(day);
            throw error;
          });
        }
        done.add(day);
      },
      { concurrency: 2 },
    );
    const { backfillId } = await backfills.create(spec);
    await bed.startWorker(lane, { pollMs: 50 });
    await backfills.start(backfillId);
    base.startPump();
    await waitFor(async () => (await base.plan(backfillId)).completed === 2);
    await waitFor(async () => {
      const { rows } = await bed.admin.query(
        `SELECT 1 FROM runs WHERE correlation_id = $1 AND status = 'running'`,
        [backfillId],
      );
      return rows.length === 2;
    });
    expect(await backfills.cancel(backfillId)).toMatchObject({
      type: 'changed',
      backfill: { status: 'CANCELLED' },
    });
    await waitFor(async () => {
      const { PENDING, DONE } = await countBackfillPartitions(bed.engine.db, backfillId);
      return PENDING === 4 && DONE === 2;
    });
    await waitFor(() => stopped.length === 2);
    const { rows } = await bed.admin.query<{ status: string; count: number }>(
      'SELECT status, count(*)::int FROM runs WHERE correlation_id = $1 GROUP BY 1 ORDER BY 1',
      [backfillId],
    );
    expect(rows).toEqual([
      { status: 'cancelled', count: 4 },
      { status: 'completed', count: 2 },
    ]);
    hold = false;
    await backfills.resume(backfillId);
    expect(await base.reach(backfillId, 'COMPLETED')).toMatchObject({ completed: 6, failed: 0 });
    expect(Object.fromEntries(done.counts)).toEqual(
      Object.fromEntries(spec.partitionKeys.map(({ day }) => [day, 1])),
    );
  });

  it('refuses what its state does not allow', async () => {
    const { backfills } = base;
    const { backfillId } = await backfills.create(base.specOf('lane-x', 1, () => undefined));
    expect(await backfills.resume(backfillId)).toEqual({ type: 'refused', status: 'PLANNED' });
    await backfills.cancel(backfillId);
    expect(await backfills.start(backfillId)).toEqual({ type: 'refused', status: 'CANCELLED' });
    expect(await backfills.cancel(backfillId)).toEqual({ type: 'refused', status: 'CANCELLED' });
    expect(await backfills.start('00000000-0000-7000-8000-000000000000')).toEqual({ type: 'not_found' });
  });
});
