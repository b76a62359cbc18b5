/** A round of the pump that dies, rounds that meet, and what the schema refuses whatever they do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backfillRunKey, newId } from '@spine/core';
import {
  activeBackfills,
  cancelBackfillRows,
  checkpointBackfill,
  createBackfill,
  deleteBackfill,
  getBackfill,
  limitBackfill,
} from '@spine/database';
import type { Backfill } from '@spine/database';
import { partitionRunSpec, planOf, pumpBackfill, taskSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { days, openBackfillBed } from './backfill-support.ts';
import type { BackfillBed } from './backfill-support.ts';
import { openTransaction, somebodyWaitsForALock } from './engine-support.ts';

let base: BackfillBed;
beforeAll(async () => {
  base = await openBackfillBed();
});
afterAll(() => base.close());

/** A running plan whose runs nobody takes: no worker serves its lane. */
async function running(count: number, more: Parameters<BackfillBed['specOf']>[3] = {}): Promise<Backfill> {
  const { bed, backfills } = base;
  const plan = await backfills.create(base.specOf(bed.newLane(), count, () => undefined, more));
  await backfills.start(plan.backfillId);
  return base.plan(plan.backfillId);
}

async function runsOf(
  backfillId: string,
): Promise<{ id: string; status: string; idempotency_key: string }[]> {
  const { rows } = await base.bed.admin.query<{ id: string; status: string; idempotency_key: string }>(
    'SELECT id, status, idempotency_key FROM runs WHERE correlation_id = $1 ORDER BY id',
    [backfillId],
  );
  return rows;
}

/** The counts of every plan are those of its partitions, whatever has happened to it. */
async function miscounted(): Promise<unknown[]> {
  const { rows } = await base.bed.admin.query<{ id: string }>(`
    SELECT b.id FROM backfills b CROSS JOIN LATERAL (
      SELECT count(*) AS total, count(*) FILTER (WHERE status = 'DONE') AS done,
        count(*) FILTER (WHERE status = 'FAILED') AS failed FROM backfill_partitions WHERE backfill_id = b.id) p
    WHERE (b.total, b.completed, b.failed) <> (p.total, p.done, p.failed)`);
  return rows;
}

describe('a round that dies between storing the runs and marking the partitions', () => {
  it('has done nothing, and the next one does it once', async () => {
    const { bed } = base;
    const { backfillId } = await running(3);
    // The mark of a partition waits for this lock; by then the runs are inserted.
    const blocker = await openTransaction(bed.admin);
    await blocker.client.query(
      'SELECT 1 FROM backfill_partitions WHERE backfill_id = $1 AND ordinal = 1 FOR UPDATE',
      [backfillId],
    );
    const round = pumpBackfill(bed.engine, backfillId);
    const died = expect(round).rejects.toThrow();
    await somebodyWaitsForALock(bed.admin);
    // A second pump meanwhile leaves the plan to the first.
    expect(await pumpBackfill(bed.engine, backfillId)).toBeNull();
    await bed.admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    await died;
    await blocker.end('ROLLBACK');
    expect(await runsOf(backfillId)).toEqual([]);
    expect((await base.partitions(backfillId)).map(({ status }) => status)).toEqual([
      'PENDING',
      'PENDING',
      'PENDING',
    ]);
    expect(await pumpBackfill(bed.engine, backfillId)).toEqual({ settled: 0, submitted: 3, ended: null });
    const keys = [0, 1, 2].map((ordinal) => backfillRunKey(backfillId, ordinal, 1));
    expect((await runsOf(backfillId)).map((run) => run.idempotency_key)).toEqual(keys);
  });
});

describe('rounds at once', () => {
  it('never make two runs of one attempt, nor more than the window', async () => {
    const { bed } = base;
    const plans = await Promise.all([running(40), running(40)]);
    for (let n = 0; n < 5; n += 1) {
      await Promise.all(
        plans.flatMap(({ backfillId }) => [1, 2, 3].map(() => pumpBackfill(bed.engine, backfillId))),
      );
    }
    for (const { backfillId } of plans) expect(await runsOf(backfillId)).toHaveLength(10);
    // As fast as runs end, the next ones come; here they end by being cancelled one by one.
    const [plan] = plans;
    if (plan === undefined) throw new Error('no plan');
    const [first, second] = await runsOf(plan.backfillId);
    await bed.engine.dispatcher.cancel(first?.id ?? '');
    await Promise.all([1, 2, 3].map(() => pumpBackfill(bed.engine, plan.backfillId)));
    expect(await runsOf(plan.backfillId)).toHaveLength(11);
    // Somebody cancelled that run: a person decides, the plan does not run it again by itself.
    expect((await base.partitions(plan.backfillId))[0]).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      error: { type: 'RunCancelled', retryable: false },
    });
    // A run whose row is gone has an end that nobody knows.
    await bed.admin.query('DELETE FROM runs WHERE id = $1', [second?.id]);
    await pumpBackfill(bed.engine, plan.backfillId);
    expect((await base.partitions(plan.backfillId))[1]).toMatchObject({
      status: 'FAILED',
      error: { type: 'RunGone' },
    });
    expect(await miscounted()).toEqual([]);
  });
});

describe('a run that is there under the key of an attempt', () => {
  it('is taken when it asks for the same, and fails the partition when not', async () => {
    const { bed } = base;
    const plan = await running(2);
    const [same, other] = await base.partitions(plan.backfillId);
    if (same === undefined || other === undefined) throw new Error('no partitions');
    const runId = await bed.submit(partitionRunSpec(plan, same));
    const idempotencyKey = backfillRunKey(plan.backfillId, other.ordinal, 1);
    await bed.submit(taskSpec('echo', {}, { idempotencyKey, lane: plan.lane }));
    await pumpBackfill(bed.engine, plan.backfillId);
    expect(await base.partitions(plan.backfillId)).toMatchObject([
      { status: 'RUNNING', runId, attempts: 1 },
      { status: 'FAILED', runId: null, attempts: 1, error: { type: 'ConflictError' } },
    ]);
    expect(await miscounted()).toEqual([]);
  });
});

describe('a canceller that dies before it cancels the runs', () => {
  it('leaves them to the pump, which submits nothing any more', async () => {
    const { bed } = base;
    const { backfillId } = await running(20);
    await pumpBackfill(bed.engine, backfillId);
    await cancelBackfillRows(bed.engine.db, backfillId);
    expect((await runsOf(backfillId)).map(({ status }) => status)).toEqual(
      Array.from({ length: 10 }, () => 'queued'),
    );
    expect(await activeBackfills(bed.engine.db)).toContain(backfillId);
    await pumpBackfill(bed.engine, backfillId);
    expect((await runsOf(backfillId)).map(({ status }) => status)).toEqual(
      Array.from({ length: 10 }, () => 'cancelled'),
    );
    expect(await pumpBackfill(bed.engine, backfillId)).toEqual({ settled: 10, submitted: 0, ended: null });
    expect((await base.partitions(backfillId)).every(({ status }) => status === 'PENDING')).toBe(true);
    expect(await activeBackfills(bed.engine.db)).not.toContain(backfillId);
  });

  it('and a plan resumed before they have stopped runs those attempts anew, under new keys', async () => {
    const { bed, backfills } = base;
    const { backfillId } = await running(2);
    await pumpBackfill(bed.engine, backfillId);
    await cancelBackfillRows(bed.engine.db, backfillId);
    await backfills.resume(backfillId);
    await pumpBackfill(bed.engine, backfillId);
    await pumpBackfill(bed.engine, backfillId);
    expect(
      (await runsOf(backfillId)).map(({ status, idempotency_key }) => [idempotency_key, status]),
    ).toEqual([
      [backfillRunKey(backfillId, 0, 1), 'cancelled'],
      [backfillRunKey(backfillId, 1, 1), 'cancelled'],
      [backfillRunKey(backfillId, 0, 2), 'queued'],
      [backfillRunKey(backfillId, 1, 2), 'queued'],
    ]);
    expect(await base.plan(backfillId)).toMatchObject({ status: 'RUNNING', failed: 0 });
    expect(await miscounted()).toEqual([]);
  });
});

describe('a plan', () => {
  it('has each partition once, and is deleted only before it has started', async () => {
    const { bed, backfills } = base;
    const spec = base.specOf('lane-d', 2, () => undefined);
    const plan = await backfills.create({ ...spec, partitionKeys: [...days(2), ...days(2)] });
    expect(await base.partitions(plan.backfillId)).toHaveLength(2);
    expect(await deleteBackfill(bed.engine.db, plan.backfillId)).toMatchObject({ type: 'changed' });
    expect(await getBackfill(bed.engine.db, plan.backfillId)).toBeNull();
    expect(await base.partitions(plan.backfillId)).toEqual([]);
    const { backfillId } = await running(1);
    expect(await deleteBackfill(bed.engine.db, backfillId)).toEqual({ type: 'refused', status: 'RUNNING' });
    await expect(bed.engine.pool.query('DELETE FROM backfills WHERE id = $1', [backfillId])).rejects.toThrow(
      `backfill ${backfillId} is RUNNING and may not be deleted`,
    );
  });

  it('keeps a checkpoint and takes new limits while it runs', async () => {
    const { db } = base.bed.engine;
    const { backfillId } = await running(2);
    await checkpointBackfill(db, backfillId, { page: 7 });
    await limitBackfill(db, backfillId, { concurrency: 5, note: 'faster' });
    expect(await base.plan(backfillId)).toMatchObject({
      checkpoint: { page: 7 },
      concurrency: 5,
      maxAttempts: 2,
      note: 'faster',
    });
    await limitBackfill(db, backfillId, { maxAttempts: 1 });
    expect(await base.plan(backfillId)).toMatchObject({ concurrency: 5, maxAttempts: 1, note: 'faster' });
  });

  it.each([
    [{ partitionKeys: [] }, 'partition_keys: must name at least one partition'],
    [{ partitionKeys: [{ day: 'x', test: 'y' }] }, 'run.params.test: is a field of the partition keys too'],
    [{ partitionKeys: [{ dya: 'x' }] }, 'for partition {"dya":"x"} of task:partition'],
    [{ concurrency: 0 }, 'concurrency: given 0; must be a whole number from 1 to 1000'],
    [{ run: { kind: 'task', name: 'partition', lane: 'No' } }, 'run.lane: must be'],
    [{ run: { kind: 'task', name: 'nobody' } }, 'run.name: no handler task:nobody is known'],
    [
      { run: { kind: 'task', name: 'echo', params: { big: 'x'.repeat(17_000) } } },
      'run.params: at most 16384 bytes',
    ],
  ] as const)('with %j is refused, and nothing is stored', async (change, message) => {
    const { bed, backfills } = base;
    const count = async () => (await bed.admin.query('SELECT id FROM backfills')).rowCount;
    const before = await count();
    await expect(backfills.create({ ...base.specOf('l', 1, () => undefined), ...change })).rejects.toThrow(
      message,
    );
    expect(await count()).toBe(before);
  });

  it('does not go from one state to another that does not follow, whoever writes', async () => {
    const { admin } = base.bed;
    const { backfillId } = await running(1);
    await expect(
      admin.query(`UPDATE backfills SET status = 'PLANNED', started_at = NULL WHERE id = $1`, [backfillId]),
    ).rejects.toThrow(`backfill ${backfillId} may not go from RUNNING to PLANNED`);
    await admin.query(
      `UPDATE backfills SET status = 'COMPLETED', completed = 1, completed_at = now() WHERE id = $1`,
      [backfillId],
    );
    await expect(
      admin.query(`UPDATE backfills SET status = 'RUNNING', completed_at = NULL WHERE id = $1`, [backfillId]),
    ).rejects.toThrow(`backfill ${backfillId} may not go from COMPLETED to RUNNING`);
    await admin.query(`UPDATE backfill_partitions SET status = 'DONE', run_id = $2 WHERE backfill_id = $1`, [
      backfillId,
      newId(),
    ]);
  });

  it('of 10,000 partitions is stored at once and pumped by the window', async () => {
    const { bed } = base;
    const spec = base.specOf(bed.newLane(), 1, () => undefined);
    const plan = await createBackfill(
      bed.engine.db,
      planOf({ ...spec, partitionKeys: days(10_000) }, bed.engine.registry),
    );
    await base.backfills.start(plan.backfillId);
    expect(await pumpBackfill(bed.engine, plan.backfillId)).toEqual({
      settled: 0,
      submitted: 10,
      ended: null,
    });
    await base.backfills.cancel(plan.backfillId);
    await waitFor(async () => (await runsOf(plan.backfillId)).every(({ status }) => status === 'cancelled'));
    await expect(
      createBackfill(bed.engine.db, planOf({ ...spec, partitionKeys: days(100_001) }, bed.engine.registry)),
    ).rejects.toThrow('given 100001 partitions; at most 100000 are allowed');
  });
});
