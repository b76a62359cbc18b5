import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import type { RunStatus } from '@spine/core';
import { cancelRun, CRASH_LIMIT, markUnhinted, reapRuns, takeDueForHint } from '@spine/database';
import type { ClaimedRun, Pool } from '@spine/database';
import type { WorkSpec } from '@spine/execution';
import {
  claim,
  claimed,
  ERROR,
  eventsOf,
  eventTypes,
  inconsistentRuns,
  openEngineDatabase,
  openTransaction,
  rowOf,
  runOf,
  settle,
  shift,
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

async function reclaim({ runId }: { runId: string }): Promise<ClaimedRun> {
  const [run] = await claim(pool, [runId]);
  if (run === undefined) throw new Error(`run ${runId} could not be claimed`);
  return run;
}

async function deadLetters(): Promise<unknown[]> {
  const sql = 'SELECT run_id, error_category, error, attempts, crash_count FROM dead_letters';
  return (await pool.query<Record<string, unknown>>(sql)).rows;
}

describe('the reaper', () => {
  const crash = async (run: { runId: string }) => {
    await shift(base.admin, [run.runId], 'lease_expires_at', '-1 minute');
    return reapRuns(pool);
  };

  it('queues a run whose lease ran out, with a new epoch, due at once, and counts the crash', async () => {
    const workerId = newId();
    const run = await claimed(pool, {}, workerId);
    expect(await crash(run)).toEqual([{ runId: run.runId, status: 'queued', crashed: true }]);
    const row = await rowOf(pool, run.runId);
    expect(row).toMatchObject({
      status: 'queued',
      epoch: 2,
      crash_count: 1,
      attempt: 1,
      lease_owner: null,
      finished_epoch: null,
    });
    expect(row.error).toMatchObject({
      type: 'LeaseExpiredError',
      message: `the lease of worker ${workerId} ran out (1 of 3)`,
    });
    expect((await eventsOf(pool, run.runId)).at(-1)).toMatchObject({
      event_type: 'lease_expired',
      terminal: false,
      epoch: 2,
      source: 'reaper',
      data: { crash_count: 1 },
    });
    expect(await claim(pool, [run.runId])).toMatchObject([{ epoch: 3, attempt: 2, crashCount: 1 }]);
  });

  it('leaves runs alone whose lease and deadline are not over', async () => {
    await claimed(pool);
    expect(await reapRuns(pool)).toEqual([]);
  });

  it('leaves the holder a moment to settle its own time-out', async () => {
    const run = await claimed(pool);
    await shift(base.admin, [run.runId], 'deadline_at', '-1 second');
    expect(await reapRuns(pool)).toEqual([]);
    expect(await settle(pool, run, { type: 'timed_out', error: ERROR })).toBe('settled');
  });

  it('calls a run that crashed its workers often enough dead, whatever attempts it has', async () => {
    const first = await claimed(pool, { maxRetries: 100 });
    let run = first;
    for (let crashes = 1; crashes < CRASH_LIMIT; crashes += 1) {
      expect(await crash(run)).toMatchObject([{ status: 'queued' }]);
      run = await reclaim(run);
    }
    expect(await crash(run)).toEqual([{ runId: run.runId, status: 'dead_lettered', crashed: true }]);
    expect(await rowOf(pool, run.runId)).toMatchObject({
      status: 'dead_lettered',
      crash_count: CRASH_LIMIT,
      epoch: run.epoch + 1,
    });
    expect((await eventsOf(pool, run.runId)).at(-1)).toMatchObject({
      event_type: 'dead_lettered',
      terminal: true,
    });
    expect(await deadLetters()).toMatchObject([
      { run_id: run.runId, error_category: 'INTERNAL', attempts: CRASH_LIMIT, crash_count: CRASH_LIMIT },
    ]);
    expect(await settle(pool, run)).toBe('fenced');
  });

  it('calls a run dead whose last attempt crashed', async () => {
    const run = await claimed(pool, { maxRetries: 0 });
    expect(await crash(run)).toEqual([{ runId: run.runId, status: 'dead_lettered', crashed: true }]);
    expect(await deadLetters()).toMatchObject([{ run_id: run.runId, attempts: 1, crash_count: 1 }]);
  });

  it.each<[Partial<WorkSpec>, 'lease_expires_at' | 'deadline_at', RunStatus]>([
    [{ maxRetries: 0, deadLetter: false }, 'lease_expires_at', 'failed'],
    [{ maxRetries: 0, deadLetter: false }, 'deadline_at', 'timed_out'],
    [{ maxRetries: 0, deadLetter: true }, 'deadline_at', 'dead_lettered'],
  ])('ends a run of %o whose %s is past as %s', async (spec, column, status) => {
    const run = await claimed(pool, spec);
    await shift(base.admin, [run.runId], column, '-1 minute');
    expect(await reapRuns(pool)).toEqual([
      { runId: run.runId, status, crashed: column === 'lease_expires_at' },
    ]);
    expect(await eventTypes(pool, run.runId)).toEqual(['submitted', 'started', status]);
    expect(await deadLetters()).toHaveLength(status === 'dead_lettered' ? 1 : 0);
  });

  it('retries a run that was out of time when its worker did not: no crash, after its delay', async () => {
    const run = await claimed(pool, { retryDelaySeconds: 60 });
    await shift(base.admin, [run.runId], 'deadline_at', '-1 minute');
    expect(await reapRuns(pool)).toEqual([{ runId: run.runId, status: 'queued', crashed: false }]);
    const row = await rowOf(pool, run.runId);
    expect(row).toMatchObject({
      crash_count: 0,
      epoch: 2,
      error: { type: 'TimeoutError', category: 'TIMEOUT' },
    });
    expect(row.dispatch_after).toEqual(row.available_at);
    expect(await claim(pool, [run.runId])).toEqual([]);
    expect((await eventTypes(pool, run.runId)).at(-1)).toBe('retry_scheduled');
  });

  it('takes as many as it may, the longest overdue first', async () => {
    const runs = [await claimed(pool), await claimed(pool), await claimed(pool)];
    const [a = '', b = '', c = ''] = runs.map(({ runId }) => runId);
    await shift(base.admin, [b], 'lease_expires_at', '-3 minutes');
    await shift(base.admin, [a, c], 'lease_expires_at', '-1 minute');
    expect((await reapRuns(pool, 1)).map(({ runId }) => runId)).toEqual([b]);
    expect((await reapRuns(pool)).map(({ runId }) => runId).sort()).toEqual([a, c].sort());
  });

  it('does not touch a run that is being settled, nor after it is', async () => {
    const run = await claimed(pool);
    await shift(base.admin, [run.runId], 'lease_expires_at', '-1 minute');
    const { client, end } = await openTransaction(pool);
    expect(await settle(client, run)).toBe('settled');
    expect(await reapRuns(pool)).toEqual([]);
    await end('COMMIT');
    expect(await reapRuns(pool)).toEqual([]);
    expect(await rowOf(pool, run.runId)).toMatchObject({ status: 'completed', epoch: 1, crash_count: 0 });
  });

  it('shares the work with another: each run is reaped once', async () => {
    const runs: string[] = [];
    for (let index = 0; index < 30; index += 1) runs.push((await claimed(pool)).runId);
    await shift(base.admin, runs, 'lease_expires_at', '-1 minute');
    const reaped = (await Promise.all([1, 2, 3].map(() => reapRuns(pool, 10)))).flat();
    reaped.push(...(await reapRuns(pool)));
    expect(reaped.map(({ runId }) => runId).sort()).toEqual(runs.sort());
    const { rows } = await pool.query('SELECT DISTINCT epoch, crash_count FROM runs');
    expect(rows).toEqual([{ epoch: 2, crash_count: 1 }]);
  });
});

describe('the relay', () => {
  it('takes due runs of every lane, the longest due of each first, and marks when it would look again', async () => {
    const [older = '', old = '', later = '', other = ''] = await store(pool, [
      runOf({ lane: 'slow', priority: 'high' }),
      runOf({ lane: 'slow' }),
      runOf({ lane: 'slow' }),
      runOf(),
    ]);
    await shift(base.admin, [older], 'dispatch_after', '-2 minutes');
    await shift(base.admin, [old, other], 'dispatch_after', '-1 minute');
    await shift(base.admin, [later], 'dispatch_after', '1 minute');
    expect((await takeDueForHint(pool, 1)).sort((a, b) => (a.lane < b.lane ? 1 : -1))).toMatchObject([
      { runId: older, kind: 'task', name: 'echo', lane: 'slow', priority: 'high' },
      { runId: other, lane: 'default' },
    ]);
    expect((await takeDueForHint(pool)).map(({ runId }) => runId)).toEqual([old]);
    expect(await takeDueForHint(pool)).toEqual([]);
    expect(await rowOf(pool, old)).toMatchObject({ status: 'queued', dispatch_no: 1, epoch: 0 });
  });

  it('says how many workers a run has lost', async () => {
    const run = await claimed(pool);
    await shift(base.admin, [run.runId], 'lease_expires_at', '-1 minute');
    await reapRuns(pool);
    expect(await takeDueForHint(pool)).toMatchObject([{ runId: run.runId, crashCount: 1 }]);
  });

  it('makes a pending run queued when it is due', async () => {
    const [runId = ''] = await store(pool, [runOf({ runAfter: new Date(Date.now() + 3_600_000) })]);
    expect(await takeDueForHint(pool)).toEqual([]);
    expect((await rowOf(pool, runId)).status).toBe('pending');
    await shift(base.admin, [runId], 'dispatch_after', '0');
    expect(await takeDueForHint(pool)).toMatchObject([{ runId }]);
    expect((await rowOf(pool, runId)).status).toBe('queued');
  });

  it('doubles the pause between two hints of one run up to a minute', async () => {
    const [runId = ''] = await storeMany(pool, 1);
    const pauses: unknown[] = [];
    for (let hints = 0; hints < 5; hints += 1) {
      await shift(base.admin, [runId], 'dispatch_after', '0');
      const { client, end } = await openTransaction(pool);
      await takeDueForHint(client);
      const { rows } = await client.query(
        'SELECT extract(epoch FROM dispatch_after - now())::int AS pause, dispatch_no FROM runs',
      );
      await end('COMMIT');
      pauses.push(rows[0]);
    }
    expect(pauses).toEqual([
      { pause: 15, dispatch_no: 1 },
      { pause: 30, dispatch_no: 2 },
      { pause: 60, dispatch_no: 3 },
      { pause: 60, dispatch_no: 4 },
      { pause: 60, dispatch_no: 5 },
    ]);
  });

  it('leaves alone what runs and what is over', async () => {
    await claimed(pool);
    await settle(pool, await claimed(pool));
    expect(await takeDueForHint(pool)).toEqual([]);
  });

  it('shares the work with another while it is under way: no run twice', async () => {
    const runIds = await storeMany(pool, 60);
    const { client, end } = await openTransaction(pool);
    const mine = await takeDueForHint(client, 20);
    const theirs = await takeDueForHint(pool, 20);
    await end('COMMIT');
    const rest = await takeDueForHint(pool, 100);
    expect([mine.length, theirs.length, rest.length]).toEqual([20, 20, 20]);
    expect([...mine, ...theirs, ...rest].map(({ runId }) => runId).sort()).toEqual(runIds.sort());
  });
});

describe('runs whose hint could not be sent', () => {
  it('become due at once; those that are to start later, then', async () => {
    const start = new Date(Date.now() + 3_600_000);
    const runs = [runOf(), runOf({ runAfter: start })];
    const [now = '', later = ''] = await store(pool, runs);
    await shift(base.admin, [now, later], 'dispatch_after', '2 hours');
    await markUnhinted(pool, [now, later]);
    expect((await takeDueForHint(pool)).map(({ runId }) => runId)).toEqual([now]);
    expect((await rowOf(pool, later)).dispatch_after).toEqual(start);
  });

  it('are not made due later than they are, nor touched when they have started', async () => {
    const [due = ''] = await storeMany(pool, 1);
    await shift(base.admin, [due], 'dispatch_after', '-1 hour');
    const before = await rowOf(pool, due);
    const running = await claimed(pool);
    await markUnhinted(pool, [due, running.runId]);
    expect(await rowOf(pool, due)).toEqual(before);
    expect(await rowOf(pool, running.runId)).toMatchObject({ status: 'running', dispatch_after: null });
  });
});

describe('a cancel', () => {
  const cancel = (runId: string) => cancelRun(base.db, runId, 'not needed', 'api');

  it.each<['pending' | 'queued' | 'running', () => Promise<string>]>([
    [
      'pending',
      async () => (await store(pool, [runOf({ runAfter: new Date(Date.now() + 60_000) })]))[0] ?? '',
    ],
    ['queued', async () => (await storeMany(pool, 1))[0] ?? ''],
    ['running', async () => (await claimed(pool)).runId],
  ])('ends a %s run', async (from, make) => {
    const runId = await make();
    const before = await rowOf(pool, runId);
    expect(await cancel(runId)).toEqual({ type: 'cancelled', from, descendants: 0 });
    const row = await rowOf(pool, runId);
    expect(row).toMatchObject({
      status: 'cancelled',
      epoch: before.epoch + 1,
      dispatch_after: null,
      lease_owner: null,
    });
    expect((await eventsOf(pool, runId)).at(-1)).toMatchObject({
      event_type: 'cancelled',
      terminal: true,
      source: 'api',
      data: { reason: 'not needed', from },
    });
  });

  it('takes the run from its worker', async () => {
    const run = await claimed(pool);
    await cancel(run.runId);
    expect(await settle(pool, run)).toBe('fenced');
    expect((await rowOf(pool, run.runId)).status).toBe('cancelled');
  });

  it.each<RunStatus>(['completed', 'failed', 'timed_out', 'dead_lettered', 'cancelled'])(
    'of a %s run changes nothing',
    async (status) => {
      const run = await claimed(pool);
      if (status === 'cancelled') await cancel(run.runId);
      else if (status === 'completed') await settle(pool, run);
      else await settle(pool, run, { type: status as 'failed', error: ERROR });
      const before = await rowOf(pool, run.runId);
      expect(await cancel(run.runId)).toEqual({ type: 'terminal', status });
      expect(await rowOf(pool, run.runId)).toEqual(before);
    },
  );

  it('of nothing says so', async () => {
    expect(await cancel(newId())).toEqual({ type: 'not_found' });
  });

  it('twice at once happens once', async () => {
    const [runId = ''] = await storeMany(pool, 1);
    const outcomes = await Promise.all([cancel(runId), cancel(runId), cancel(runId)]);
    expect(outcomes.filter(({ type }) => type === 'cancelled')).toHaveLength(1);
    expect(await eventTypes(pool, runId)).toEqual(['submitted', 'cancelled']);
  });
});
