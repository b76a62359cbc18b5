import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { attemptIsCurrent, claimRuns, heartbeat, registerWorker, runsHeldBy } from '@spine/database';
import type { ClaimedRun, Pool } from '@spine/database';
import {
  claim,
  claimed,
  ERROR,
  eventsOf,
  eventTypes,
  HANDLERS,
  inconsistentRuns,
  LEASE_MS,
  openEngineDatabase,
  openTransaction,
  poll,
  rowOf,
  runOf,
  settle,
  shift,
  somebodyWaitsForALock,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let pool: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  pool = base.pool;
});
beforeEach(() => base.clear());
afterEach(async () => {
  expect(await inconsistentRuns(base.pool)).toEqual([]);
});
afterAll(() => base.close());

/** Ids of the runs a claim gave. */
const ids = (runs: readonly ClaimedRun[]): string[] => runs.map(({ runId }) => runId).sort();

describe('a claim', () => {
  it('takes a queued run: epoch and attempt grow, lease and deadline start, one event says so', async () => {
    const workerId = newId();
    const [runId = ''] = await store(pool, [runOf({ timeoutSeconds: 90, maxRetries: 2 })]);
    const { client, end } = await openTransaction(pool);
    const [run] = await claim(client, [runId], workerId);
    // now() stands still inside a transaction.
    const { rows } = await client.query(
      `SELECT lease_expires_at - now() = $2 * interval '1 ms' AS lease, deadline_at - now() = interval '90 s' AS deadline,
         started_at = now() AS started FROM runs WHERE id = $1`,
      [runId, LEASE_MS],
    );
    await end('COMMIT');
    expect(rows).toEqual([{ lease: true, deadline: true, started: true }]);
    expect(run).toMatchObject({
      runId,
      kind: 'task',
      name: 'echo',
      epoch: 1,
      attempt: 1,
      maxAttempts: 3,
      crashCount: 0,
    });
    expect(await rowOf(pool, runId)).toMatchObject({
      status: 'running',
      lease_owner: workerId,
      dispatch_after: null,
    });
    expect(await eventsOf(pool, runId)).toMatchObject([
      { event_type: 'submitted', epoch: 0, terminal: false },
      { event_type: 'started', epoch: 1, terminal: false, source: `worker:${workerId}` },
    ]);
  });

  it('takes a due pending run, and not one that is not due', async () => {
    const [due = '', later = ''] = await store(pool, [
      runOf({ runAfter: new Date(Date.now() + 3_600_000) }),
      runOf({ runAfter: new Date(Date.now() + 3_600_000) }),
    ]);
    expect((await rowOf(pool, due)).status).toBe('pending');
    await shift(base.admin, [due], 'available_at', '-1 second');
    expect(ids(await claim(pool, [due, later]))).toEqual([due]);
    expect(await rowOf(pool, later)).toMatchObject({ status: 'pending', epoch: 0, attempt: 0 });
  });

  it('waits out the delay of a retry', async () => {
    const run = await claimed(pool);
    await settle(pool, run, { type: 'retry', error: ERROR, delayMs: 60_000 });
    expect(await claim(pool, [run.runId])).toEqual([]);
    await shift(base.admin, [run.runId], 'available_at', '0');
    expect(await claim(pool, [run.runId])).toMatchObject([{ epoch: 2, attempt: 2 }]);
  });

  it('leaves runs of handlers the worker does not know to others', async () => {
    const [known = '', ...unknown] = await store(pool, [
      runOf(),
      runOf({ name: 'other' }),
      // Of a known name, but another kind.
      runOf({ kind: 'operation' }),
    ]);
    expect(ids(await claim(pool, [known, ...unknown]))).toEqual([known]);
    for (const runId of unknown) expect((await rowOf(pool, runId)).status).toBe('queued');
    const other = { workerId: newId(), leaseMs: LEASE_MS, handlers: ['task:other', 'operation:echo'] };
    expect(ids(await claimRuns(pool, unknown, other))).toEqual(unknown.sort());
  });

  it('leaves alone what runs, what is over, and what does not exist', async () => {
    const running = await claimed(pool);
    const over = await claimed(pool);
    await settle(pool, over);
    expect(await claim(pool, [running.runId, over.runId, newId()])).toEqual([]);
    expect(await rowOf(pool, running.runId)).toMatchObject({ epoch: 1, attempt: 1 });
    expect(await rowOf(pool, over.runId)).toMatchObject({ epoch: 1, status: 'completed' });
  });

  it('takes nothing without an attempt left', async () => {
    const [runId = ''] = await store(pool, [runOf({ maxRetries: 1 })]);
    await base.admin.query('UPDATE runs SET attempt = 2 WHERE id = $1', [runId]);
    expect(await claim(pool, [runId])).toEqual([]);
    expect(
      await poll(pool, ['default'], 10, {
        workerId: newId(),
        leaseMs: LEASE_MS,
        handlers: HANDLERS,
      }),
    ).toEqual([]);
  });

  it('waits for a claimer that was first, and then finds nothing', async () => {
    const [runId = ''] = await storeMany(pool, 1);
    const { client, end } = await openTransaction(pool);
    expect(await claim(client, [runId])).toHaveLength(1);
    const second = claim(pool, [runId]);
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(await second).toEqual([]);
    expect(await eventTypes(pool, runId)).toEqual(['submitted', 'started']);
  });

  it('wins when the claimer that was first gives up', async () => {
    const [runId = ''] = await storeMany(pool, 1);
    const { client, end } = await openTransaction(pool);
    await claim(client, [runId]);
    const second = claim(pool, [runId]);
    await somebodyWaitsForALock(base.admin);
    await end('ROLLBACK');
    expect(await second).toMatchObject([{ runId, epoch: 1 }]);
  });

  it('is won by one of many claimers, whatever the order they ask in', async () => {
    const runIds = await storeMany(pool, 200);
    const orders = [runIds, [...runIds].reverse(), [...runIds].sort(() => Math.random() - 0.5)];
    const won = await Promise.all(
      orders.map(async (order) => {
        const mine: string[] = [];
        for (let from = 0; from < order.length; from += 40)
          mine.push(...ids(await claim(pool, order.slice(from, from + 40))));
        return mine;
      }),
    );
    expect(won.flat().sort()).toEqual([...runIds].sort());
    const { rows } = await pool.query('SELECT DISTINCT status, epoch, attempt FROM runs');
    expect(rows).toEqual([{ status: 'running', epoch: 1, attempt: 1 }]);
  });
});

describe('after a claim whose answer was lost', () => {
  it('the worker finds what it holds, at the epoch it holds it', async () => {
    const workerId = newId();
    const runIds = await storeMany(pool, 3);
    await claim(pool, runIds.slice(0, 2), workerId);
    await claim(pool, runIds.slice(2));
    const held = await runsHeldBy(pool, [...runIds, newId()], workerId);
    expect(ids(held)).toEqual(runIds.slice(0, 2).sort());
    expect(held[0]).toMatchObject({ epoch: 1, attempt: 1, params: {} });
  });
});

describe('the poll', () => {
  const options = { workerId: newId(), leaseMs: LEASE_MS, handlers: HANDLERS };

  it('takes overdue runs of its lanes, the longest overdue first, up to its limit', async () => {
    const [older = '', old = '', other = '', recent = '', unknown = ''] = await store(pool, [
      runOf(),
      runOf(),
      runOf({ lane: 'slow' }),
      runOf(),
      runOf({ name: 'other' }),
    ]);
    await shift(base.admin, [older], 'dispatch_after', '-3 minutes');
    await shift(base.admin, [old, other, unknown], 'dispatch_after', '-2 minutes');
    await shift(base.admin, [recent], 'dispatch_after', '1 minute');
    expect(ids(await poll(pool, ['default'], 1, options))).toEqual([older]);
    expect(ids(await poll(pool, ['default', 'backfill'], 10, options))).toEqual([old]);
    expect(ids(await poll(pool, ['slow'], 10, options))).toEqual([other]);
    expect(await eventTypes(pool, old)).toEqual(['submitted', 'started']);
  });

  it('does not wait for runs somebody else is claiming', async () => {
    const runIds = await storeMany(pool, 4);
    const { client, end } = await openTransaction(pool);
    const first = ids(await claim(client, runIds.slice(0, 2)));
    expect(ids(await poll(pool, ['default'], 10, options))).toEqual(runIds.slice(2).sort());
    await end('COMMIT');
    expect(first).toEqual(runIds.slice(0, 2).sort());
  });
});

describe('a heartbeat', () => {
  const beat = (runs: readonly { runId: string; epoch: number }[], workerId: string = newId()) =>
    heartbeat(pool, {
      workerId,
      leaseMs: 60_000,
      status: 'active',
      held: runs.map(({ runId, epoch }) => ({ runId, epoch })),
    });

  const held = async (...args: Parameters<typeof beat>) => (await beat(...args)).held;

  const secondsLeft = async (runId: string): Promise<number> => {
    const { rows } = await pool.query<{ left: number }>({
      text: 'SELECT extract(epoch FROM lease_expires_at - now())::int AS left FROM runs WHERE id = $1',
      values: [runId],
    });
    return rows[0]?.left ?? NaN;
  };

  it('extends every lease in one go, and not the deadlines', async () => {
    const runs = [await claimed(pool), await claimed(pool)];
    const before = await rowOf(pool, runs[0]?.runId ?? '');
    expect([...(await held(runs))].sort()).toEqual(ids(runs));
    for (const { runId } of runs) expect(await secondsLeft(runId)).toBeGreaterThan(LEASE_MS / 1000);
    expect((await rowOf(pool, before.id)).deadline_at).toEqual(before.deadline_at);
  });

  it('answers without the runs that are lost, and leaves them alone', async () => {
    const [mine, over, taken] = [await claimed(pool), await claimed(pool), await claimed(pool)];
    await settle(pool, over);
    await settle(pool, taken, { type: 'handed_back', reason: 'test' });
    const [again] = await claim(pool, [taken.runId]);
    expect([...(await held([mine, over, taken]))]).toEqual([mine.runId]);
    expect(again?.epoch).toBe(3);
    expect(await secondsLeft(taken.runId)).toBeLessThanOrEqual(LEASE_MS / 1000);
  });

  it('passes over a row somebody locks instead of letting the other leases lapse, and calls it alive', async () => {
    const [locked, free] = [await claimed(pool), await claimed(pool)];
    const { client, end } = await openTransaction(pool);
    expect(await attemptIsCurrent(client, locked.runId, locked.epoch)).toBe(true);
    expect([...(await held([locked, free]))].sort()).toEqual(ids([locked, free]));
    expect(await secondsLeft(free.runId)).toBeGreaterThan(LEASE_MS / 1000);
    expect(await secondsLeft(locked.runId)).toBeLessThanOrEqual(LEASE_MS / 1000);
    await end('COMMIT');
  });

  it('keeps the worker itself alive, with runs or without', async () => {
    const workerId = newId();
    await registerWorker(pool, {
      workerId,
      hostname: 'h',
      pid: 1,
      version: '0',
      lanes: ['default'],
      handlers: [],
      slots: 3,
    });
    await base.admin.query(`UPDATE workers SET last_seen_at = now() - interval '1 hour'`);
    const run = await claimed(pool, {}, workerId);
    await beat([run], workerId);
    const seen = `SELECT running, status, now() - last_seen_at < interval '1 minute' AS fresh FROM workers`;
    expect((await pool.query(seen)).rows).toEqual([{ running: 1, status: 'active', fresh: true }]);
    await settle(pool, run);
    expect([...(await held([], workerId))]).toEqual([]);
    expect((await pool.query(seen)).rows).toEqual([{ running: 0, status: 'active', fresh: true }]);
  });
});
