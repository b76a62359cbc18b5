/** Settling and claiming in one statement keeps every guard of the two. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { cancelRun, exchangeRuns, reapRuns } from '@spine/database';
import type { SettleItem } from '@spine/database';
import {
  claim,
  HANDLERS,
  inconsistentRuns,
  LEASE_MS,
  openEngineDatabase,
  openTransaction,
  shift,
  somebodyWaitsForALock,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
const workerId = newId();
const options = { workerId, leaseMs: LEASE_MS, handlers: HANDLERS, source: `worker:${workerId}` };

beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(() => base.clear());
afterEach(async () => {
  expect(await inconsistentRuns(base.pool)).toEqual([]);
});
afterAll(() => base.close());

const completed = (runId: string, epoch: number): SettleItem => ({
  runId,
  epoch,
  settlement: { type: 'completed', result: '{"done":true}' },
});

async function statuses(): Promise<Record<string, number>> {
  const { rows } = await base.pool.query<{ status: string; n: number }>(
    'SELECT status, count(*)::int AS n FROM runs GROUP BY status',
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

describe('an exchange', () => {
  it('settles what this worker ran and claims what waits, each with its event', async () => {
    const running = await claim(base.pool, await storeMany(base.pool, 3), workerId);
    const waiting = await storeMany(base.pool, 2);
    const outcome = await exchangeRuns(
      base.pool,
      running.map((run) => completed(run.runId, run.epoch)),
      waiting,
      options,
    );
    expect(outcome.settled).toEqual(['settled', 'settled', 'settled']);
    expect(outcome.claimed.map((run) => run.runId).sort()).toEqual([...waiting].sort());
    expect(outcome.claimed.every((run) => run.epoch === 1 && run.attempt === 1)).toBe(true);
    expect(await statuses()).toEqual({ completed: 3, running: 2 });
    const { rows } = await base.pool.query<{ event_type: string; n: number }>(
      `SELECT event_type, count(*)::int AS n FROM run_events WHERE event_type <> 'submitted' GROUP BY 1 ORDER BY 1`,
    );
    expect(rows).toEqual([
      { event_type: 'completed', n: 3 },
      { event_type: 'started', n: 5 },
    ]);
  });

  it('drops a stale settlement and keeps its neighbours, claimed and settled', async () => {
    const [stale, good] = await claim(base.pool, await storeMany(base.pool, 2), workerId);
    if (stale === undefined || good === undefined) throw new Error('not claimed');
    await cancelRun(base.db, stale.runId, null, 'test');
    const waiting = await storeMany(base.pool, 1);
    const outcome = await exchangeRuns(
      base.pool,
      [completed(stale.runId, stale.epoch), completed(good.runId, good.epoch)],
      waiting,
      options,
    );
    expect(outcome.settled).toEqual(['fenced', 'settled']);
    expect(outcome.claimed.map((run) => run.runId)).toEqual(waiting);
    expect(await statuses()).toEqual({ cancelled: 1, completed: 1, running: 1 });
  });

  it('of two attempts of one run settles the one that has it, and says so of that alone', async () => {
    const [stale] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (stale === undefined) throw new Error('not claimed');
    const { runId, epoch } = stale;
    await shift(base.admin, [runId], 'lease_expires_at', '-1 minute');
    await reapRuns(base.pool);
    await claim(base.pool, [runId], workerId);
    const waiting = await storeMany(base.pool, 1);
    const both = [completed(runId, epoch), completed(runId, epoch + 2)];
    const outcome = await exchangeRuns(base.pool, both, waiting, options);
    expect(outcome).toMatchObject({ settled: ['fenced', 'settled'], claimed: [{ runId: waiting[0] }] });
    expect(await statuses()).toEqual({ completed: 1, running: 1 });
  });

  it('does not claim in the same statement what it puts back', async () => {
    const [run] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (run === undefined) throw new Error('not claimed');
    const back: SettleItem = {
      runId: run.runId,
      epoch: run.epoch,
      settlement: { type: 'handed_back', reason: 'test' },
    };
    const outcome = await exchangeRuns(base.pool, [back], [run.runId], options);
    expect(outcome).toEqual({ settled: ['settled'], claimed: [] });
    expect(await statuses()).toEqual({ queued: 1 });
  });

  it('sent again after a lost answer, knows its own settlements', async () => {
    const [run] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (run === undefined) throw new Error('not claimed');
    const items = [completed(run.runId, run.epoch)];
    const waiting = await storeMany(base.pool, 1);
    await exchangeRuns(base.pool, items, waiting, options);
    const again = await exchangeRuns(base.pool, items, waiting, options);
    expect(again).toEqual({ settled: ['settled'], claimed: [] });
  });

  it('may be of one kind alone, or of nothing', async () => {
    const [run] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (run === undefined) throw new Error('not claimed');
    const [waiting = ''] = await storeMany(base.pool, 1);
    const settling = await exchangeRuns(base.pool, [completed(run.runId, run.epoch)], [], options);
    expect(settling).toEqual({ settled: ['settled'], claimed: [] });
    const claiming = await exchangeRuns(base.pool, [], [waiting], options);
    expect(claiming).toMatchObject({ settled: [], claimed: [{ runId: waiting }] });
    expect(await exchangeRuns(base.pool, [], [], options)).toEqual({ settled: [], claimed: [] });
  });

  it('of something that cannot be stored claims nothing either', async () => {
    const [run] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (run === undefined) throw new Error('not claimed');
    const waiting = await storeMany(base.pool, 1);
    const bad: SettleItem = {
      ...completed(run.runId, run.epoch),
      settlement: { type: 'completed', result: '"\\u0000"' },
    };
    await expect(exchangeRuns(base.pool, [bad], waiting, options)).rejects.toMatchObject({ code: '22P05' });
    expect(await statuses()).toEqual({ running: 1, queued: 1 });
  });

  it('waits for another claimer of the same run, finds it gone, and settles all the same', async () => {
    const [run] = await claim(base.pool, await storeMany(base.pool, 1), workerId);
    if (run === undefined) throw new Error('not claimed');
    const contested = await storeMany(base.pool, 1);
    const { client, end } = await openTransaction(base.pool);
    await claim(client, contested);
    const exchanging = exchangeRuns(base.pool, [completed(run.runId, run.epoch)], contested, options);
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(await exchanging).toEqual({ settled: ['settled'], claimed: [] });
  });
});
