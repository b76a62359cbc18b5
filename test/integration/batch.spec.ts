/** Batches on the engine: fan-out, the guard of a batch id, dead letters, and what waiting costs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '@spine/core';
import { createDb, createPool } from '@spine/database';
import { BatchBuilder, BatchExecutor, QueueExecutor, taskSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { inconsistentRuns } from './engine-support.ts';

let bed: Bed;
const LANE = 'batches';
const calls = new Map<number, number>();
beforeAll(async () => {
  bed = await openBed({
    queue: 'memory',
    register: (registry) =>
      registry.registerTask(
        'number',
        {
          description: 'Fails for odd numbers, if told.',
          params: z.strictObject({ n: z.int(), odd: z.boolean() }),
        },
        ({ n, odd }) => {
          calls.set(n, (calls.get(n) ?? 0) + 1);
          if (odd && n % 2 === 1) throw new Error('odd');
          return n;
        },
      ),
  });
  await bed.startWorker(LANE, { slots: 500 });
});
afterAll(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

const number = (n: number, odd = false) => taskSpec('number', { n, odd }, { lane: LANE, maxRetries: 0 });

describe('a batch on the engine', () => {
  it('lists the dead letters of its items', async () => {
    const batch = new BatchBuilder().addAll([0, 1, 2, 3].map((n) => number(n, true))).build();
    const result = await new BatchExecutor(new QueueExecutor(bed.engine)).run(batch);
    expect(result).toMatchObject({
      status: 'failed',
      counts: { completed: 2, failed: 2 },
      errorsByCategory: { UNKNOWN: 2 },
    });
    const { rows } = await bed.admin.query<{ run_id: string }>(
      'SELECT d.run_id FROM dead_letters d JOIN runs r ON r.id = d.run_id WHERE r.correlation_id = $1 ORDER BY 1',
      [batch.batchId],
    );
    expect(result.deadLetters.map(({ runId }) => runId).toSorted()).toEqual(rows.map(({ run_id }) => run_id));
    expect(result.deadLetters.map(({ key }) => key)).toEqual(['1', '3']);
  });

  it('runs each item once, however often it is started', async () => {
    calls.clear();
    const batchId = newId();
    const start = () =>
      new BatchExecutor(new QueueExecutor(bed.engine)).run(
        new BatchBuilder()
          .withId(batchId)
          .addAll(Array.from({ length: 50 }, (_, n) => number(n)))
          .build(),
      );
    const results = [...(await Promise.all([start(), start(), start()])), await start()];
    for (const { items } of results) {
      expect(items.map(({ outcome }) => (outcome.type === 'completed' ? outcome.result : outcome))).toEqual(
        Array.from({ length: 50 }, (_, n) => n),
      );
    }
    expect([...calls.values()]).toEqual(Array(50).fill(1));
    expect(results.at(-1)?.items.every(({ reused }) => reused)).toBe(true);
  });

  it('that is cancelled ends what runs and what waits', async () => {
    let begun = 0;
    const specs = Array.from({ length: 12 }, () =>
      bed.probe(LANE, (ctx) => {
        begun += 1;
        return untilAborted(ctx);
      }),
    );
    // The second half is in a lane without a worker: it only waits.
    const waiting = specs.map((spec, index) => (index < 6 ? spec : { ...spec, lane: 'nobody' }));
    const handle = new BatchExecutor(new QueueExecutor(bed.engine)).start(
      new BatchBuilder().addAll(waiting).withConcurrency(10).build(),
    );
    await waitFor(() => begun === 6 && handle.progress().running === 10);
    expect(await handle.cancel('not needed')).toMatchObject({
      status: 'cancelled',
      counts: { cancelled: 10, skipped: 2 },
    });
  });

  it('of 10,000 waits with one question at a time, for many at once', { timeout: 120_000 }, async () => {
    const pool = createPool({ connectionString: bed.databaseUrl, max: 4 });
    let [questions, now, most] = [0, 0, 0];
    pool.on('acquire', () => {
      questions += 1;
      now += 1;
      most = Math.max(most, now);
    });
    pool.on('release', () => (now -= 1));
    const db = createDb(pool);
    const executor = new QueueExecutor({ ...bed.engine, db });
    const specs = Array.from({ length: 10_000 }, (_, n) => number(n));
    const batch = new BatchBuilder().addAll(specs).withConcurrency(10_000).build();
    const result = await new BatchExecutor(executor).run(batch);
    expect(result).toMatchObject({ status: 'completed', counts: { completed: 10_000 } });
    expect(result.items.every(({ outcome }, n) => outcome.type === 'completed' && outcome.result === n)).toBe(
      true,
    );
    expect(most).toBe(1);
    // A question a run would be 10,000 at the very least.
    expect(questions).toBeLessThan(1_000);
    await db.destroy();
  });
});
