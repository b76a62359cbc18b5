/** That the benchmark counts what it measures, and measures on a past that the engine could have left. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newRunId, newWorkerId } from '@spine/core';
import { claimRuns, createPool, insertRuns, settleRuns } from '@spine/database';
import type { Pool } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { VoidMeasurementError } from './model.ts';
import { writePast } from './past.ts';
import { assertAllCompleted, untilAllSettled } from './verify.ts';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString, role: null });
});

beforeEach(async () => {
  await pool.query('TRUNCATE runs, run_events, dead_letters');
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const claim = { workerId: newWorkerId(), leaseMs: 30_000, handlers: ['task:noop'] };

async function submit(count: number): Promise<string[]> {
  const runs = Array.from({ length: count }, () => newRun(taskSpec('noop')));
  await insertRuns(pool, runs, { ambiguous: false, hinted: true });
  return runs.map((run) => run.runId);
}

async function complete(ids: readonly string[]): Promise<void> {
  const claimed = await claimRuns(pool, ids, claim);
  const items = claimed.map(({ runId, epoch }) => ({
    runId,
    epoch,
    settlement: { type: 'completed' as const, result: null },
  }));
  await settleRuns(pool, items, { source: 'test' });
}

describe('counting', () => {
  it('accepts runs that are completed with their events', async () => {
    const since = newRunId();
    await complete(await submit(3));
    await expect(assertAllCompleted(pool, since, 3)).resolves.toBeUndefined();
  });

  it('leaves runs of an earlier phase out', async () => {
    await submit(2);
    const since = newRunId();
    await complete(await submit(3));
    await expect(assertAllCompleted(pool, since, 3)).resolves.toBeUndefined();
  });

  it.each([
    ['a run is missing', 4, (ids: string[]) => complete(ids)],
    ['nothing was done', 3, () => Promise.resolve()],
    ['a run is not completed', 3, (ids: string[]) => complete(ids.slice(1))],
    [
      'an event is missing',
      3,
      async (ids: string[]) => {
        await complete(ids);
        await pool.query(`DELETE FROM run_events WHERE run_id = $1 AND event_type = 'started'`, [ids[0]]);
      },
    ],
    [
      'a terminal event is missing',
      3,
      async (ids: string[]) => {
        await complete(ids);
        await pool.query('DELETE FROM run_events WHERE run_id = $1 AND terminal', [ids[0]]);
        await pool.query(
          `INSERT INTO run_events (run_id, epoch, event_type, source) VALUES ($1, 1, 'progress', 'test')`,
          [ids[0]],
        );
      },
    ],
  ])('is void when %s', async (_, expected, work) => {
    const since = newRunId();
    await work(await submit(3));
    await expect(assertAllCompleted(pool, since, expected)).rejects.toThrow(VoidMeasurementError);
  });

  it('is over when nothing waits or runs', async () => {
    const ids = await submit(2);
    let over = false;
    const settled = untilAllSettled(pool).then(() => {
      over = true;
    });
    await complete(ids.slice(0, 1));
    expect(over).toBe(false);
    await complete(ids);
    await settled;
  });
});

describe('a past', () => {
  it('is finished runs with three events, older than anything new, in the order of their ids', async () => {
    const progress: number[] = [];
    await writePast(pool, 1_000, (written) => progress.push(written));
    expect(progress).toEqual([1_000]);
    const { rows } = await pool.query<Record<string, number>>(`
      SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE completed_at IS NOT NULL) AS ended,
        count(*) FILTER (WHERE created_at > now() - interval '1 hour') AS fresh,
        count(*) FILTER (WHERE substr(id::text, 15, 1) = '7') AS versioned,
        (SELECT count(*) FROM run_events) AS events, (SELECT count(*) FROM run_events WHERE terminal) AS terminal
      FROM runs`);
    const [row] = rows;
    expect(row).toMatchObject({
      runs: 1_000,
      completed: 990,
      ended: 1_000,
      fresh: 0,
      versioned: 1_000,
      events: 3_000,
      terminal: 1_000,
    });
    const { rows: newest } = await pool.query<{ id: string }>('SELECT id FROM runs ORDER BY id DESC LIMIT 1');
    expect(newest[0]?.id.localeCompare(newRunId())).toBe(-1);
    const byAge = await pool.query<{ id: string }>('SELECT id FROM runs ORDER BY created_at');
    const ages = byAge.rows.map(({ id }) => id.slice(0, 13));
    expect(ages).toEqual([...ages].sort());
  });
});
