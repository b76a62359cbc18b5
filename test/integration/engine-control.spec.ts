/** Pausing, expiring, singletons, cancels of whole trees, paused lanes: the statements, on a real Postgres. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  cancelRun,
  CONTROL_CHANNEL,
  expireRuns,
  insertSingleton,
  NotificationListener,
  parseControlMessage,
  pauseLane,
  pausedLanes,
  pauseRun,
  reapRuns,
  resumeLane,
  resumeRun,
  takeDueForHint,
} from '@spine/database';
import type { ControlMessage } from '@spine/database';
import { waitFor } from '@spine/testing';
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
  rowOf,
  runOf,
  settle,
  shift,
  somebodyWaitsForALock,
  store,
  poll,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(async () => {
  await base.clear();
  await base.admin.query('TRUNCATE lanes');
});
afterAll(() => base.close());

const HINTED = { ambiguous: false, hinted: true } as const;
const pollLanes = (lanes: readonly string[]) =>
  poll(base.pool, lanes, 100, { workerId: newId(), leaseMs: LEASE_MS, handlers: HANDLERS });

async function one(more: Parameters<typeof runOf>[0] = {}, row: Parameters<typeof runOf>[1] = {}) {
  const [runId = ''] = await store(base.pool, [runOf(more, row)]);
  return runId;
}

describe('a paused run', () => {
  it('is neither hinted nor claimed nor polled, and goes on when it is resumed', async () => {
    const runId = await one();
    expect(await pauseRun(base.pool, runId, 'look first', 'ops')).toEqual({ type: 'paused', from: 'queued' });
    expect(await claim(base.pool, [runId])).toEqual([]);
    expect(await pollLanes(['default'])).toEqual([]);
    expect(await takeDueForHint(base.pool)).toEqual([]);
    expect(await resumeRun(base.pool, runId, 'ops')).toEqual({ type: 'resumed', status: 'queued' });
    expect((await takeDueForHint(base.pool)).map((due) => due.runId)).toEqual([runId]);
    expect(await claim(base.pool, [runId])).toHaveLength(1);
    expect(await eventTypes(base.pool, runId)).toEqual(['submitted', 'paused', 'resumed', 'started']);
  });

  it('is taken from its worker without charging the attempt, and what that worker still writes is refused', async () => {
    const run = await claimed(base.pool);
    expect(await pauseRun(base.pool, run.runId, null, 'ops')).toEqual({ type: 'paused', from: 'running' });
    expect(await settle(base.pool, run)).toBe('fenced');
    expect(await rowOf(base.pool, run.runId)).toMatchObject({ status: 'paused', attempt: 0, epoch: 2 });
  });

  it('goes back to pending when it was not due yet', async () => {
    const runId = await one({ runAfter: new Date(Date.now() + 3_600_000) });
    await pauseRun(base.pool, runId, null, 'ops');
    expect(await resumeRun(base.pool, runId, 'ops')).toEqual({ type: 'resumed', status: 'pending' });
    expect(await takeDueForHint(base.pool)).toEqual([]);
  });

  it('can be cancelled; what is over or paused already cannot be paused, nor what is not paused resumed', async () => {
    const runId = await one();
    await pauseRun(base.pool, runId, null, 'ops');
    expect(await pauseRun(base.pool, runId, null, 'ops')).toEqual({ type: 'refused', status: 'paused' });
    expect(await cancelRun(base.db, runId, null, 'ops')).toMatchObject({ type: 'cancelled', from: 'paused' });
    expect(await pauseRun(base.pool, runId, null, 'ops')).toEqual({ type: 'refused', status: 'cancelled' });
    expect(await resumeRun(base.pool, runId, 'ops')).toEqual({ type: 'refused', status: 'cancelled' });
    expect(await pauseRun(base.pool, newId(), null, 'ops')).toEqual({ type: 'not_found' });
    expect(await resumeRun(base.pool, newId(), 'ops')).toEqual({ type: 'not_found' });
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });
});

describe('a run that expires', () => {
  const past = new Date('2020-01-01T00:00:00Z');

  it('never starts after its time to live, even when its hint comes first', async () => {
    const runId = await one({ expiresAt: past });
    expect(await claim(base.pool, [runId])).toEqual([]);
    expect(await pollLanes(['default'])).toEqual([]);
    expect(await expireRuns(base.pool)).toEqual([{ runId, status: 'timed_out' }]);
    expect(await rowOf(base.pool, runId)).toMatchObject({
      error: { type: 'ExpiredError', retryable: false },
    });
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });

  it('lives on once it has started: its retries are not bound by the time to live', async () => {
    const run = await claimed(base.pool, { expiresAt: new Date(Date.now() + 60_000) });
    await settle(base.pool, run, { type: 'retry', error: ERROR, delayMs: 0 });
    await base.admin.query(`UPDATE runs SET expires_at = now() - interval '1 hour'`);
    expect(await expireRuns(base.pool)).toEqual([]);
    expect(await claim(base.pool, [run.runId])).toHaveLength(1);
  });

  it.each([
    [true, 'dead_lettered'],
    [false, 'timed_out'],
  ] as const)(
    'is over at its deadline while it waits for a retry (dead letter %s)',
    async (deadLetter, status) => {
      const run = await claimed(base.pool, { deadlineSeconds: 60, deadLetter });
      await settle(base.pool, run, { type: 'retry', error: ERROR, delayMs: 0 });
      await base.admin.query(`UPDATE runs SET run_deadline_at = now() - interval '1 second'`);
      expect(await claim(base.pool, [run.runId])).toEqual([]);
      expect(await expireRuns(base.pool)).toEqual([{ runId: run.runId, status }]);
      expect(await inconsistentRuns(base.pool)).toEqual([]);
    },
  );

  it('is over at its deadline while it is paused', async () => {
    const runId = await one({ deadlineSeconds: 60 });
    await pauseRun(base.pool, runId, null, 'ops');
    await base.admin.query(`UPDATE runs SET run_deadline_at = now() - interval '1 second'`);
    expect(await expireRuns(base.pool)).toEqual([{ runId, status: 'dead_lettered' }]);
  });

  it('gives its attempt no more time than its deadline leaves, and no further attempt after it', async () => {
    const run = await claimed(base.pool, { deadlineSeconds: 60, timeoutSeconds: 3_600 });
    expect(run.runTimeLeftMs).toBeGreaterThan(0);
    expect(run.runTimeLeftMs).toBeLessThanOrEqual(60_000);
    const row = await rowOf(base.pool, run.runId);
    expect(row.deadline_at).toEqual(row.run_deadline_at);
    await base.admin.query(
      `UPDATE runs SET run_deadline_at = now() - interval '1 minute', deadline_at = now() - interval '1 minute'`,
    );
    expect(await reapRuns(base.pool)).toMatchObject([
      { runId: run.runId, status: 'dead_lettered', crashed: false },
    ]);
  });

  it('goes on when it is claimed between the look and the end', async () => {
    const runId = await one({ expiresAt: new Date(Date.now() + 60_000) });
    const other = await openTransaction(base.admin);
    await other.client.query(
      `UPDATE runs SET status = 'running', epoch = 1, attempt = 1, started_at = now(), dispatch_after = NULL,
         lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 minute',
         deadline_at = now() + interval '1 minute' WHERE id = $1`,
      [runId],
    );
    await other.end('COMMIT');
    await base.admin.query(`UPDATE runs SET expires_at = now() - interval '1 hour'`);
    expect(await expireRuns(base.pool)).toEqual([]);
  });
});

describe('a singleton key', () => {
  const put = (key: string, more: Parameters<typeof runOf>[0] = {}) =>
    insertSingleton(base.db, runOf({ singletonKey: key, ...more }), HINTED);
  const idOf = (stored: Awaited<ReturnType<typeof put>>): string =>
    stored.outcome.type === 'inserted' ? stored.outcome.runId : '';
  const activate = (runId: string) =>
    base.admin.query(
      `UPDATE runs SET status = 'running', epoch = epoch + 1, attempt = attempt + 1, started_at = now(),
         dispatch_after = NULL, lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 minute',
         deadline_at = now() + interval '1 minute' WHERE id = $1`,
      [runId],
    );

  it('lets the latest of the waiting ones win, and says so in the history of the others', async () => {
    const first = idOf(await put('k'));
    const second = await put('k');
    expect(second.superseded).toBe(first);
    expect(await rowOf(base.pool, first)).toMatchObject({ status: 'cancelled' });
    expect((await eventsOf(base.pool, first)).at(-1)).toMatchObject({
      event_type: 'cancelled',
      terminal: true,
      data: { superseded_by: idOf(second) },
    });
    expect(await rowOf(base.pool, idOf(second))).toMatchObject({ status: 'queued' });
  });

  it('leaves the active one alone, also while it waits for its retry', async () => {
    const active = idOf(await put('k'));
    await activate(active);
    expect((await put('k')).superseded).toBeNull();
    await settle(base.pool, { runId: active, epoch: 1 }, { type: 'retry', error: ERROR, delayMs: 0 });
    const third = await put('k');
    expect(third.superseded).not.toBe(active);
    expect(await rowOf(base.pool, active)).toMatchObject({ status: 'queued' });
  });

  it('keeps other keys apart', async () => {
    await put('a');
    expect((await put('b')).superseded).toBeNull();
  });

  it('changes nothing for a known idempotency key', async () => {
    const first = await put('k', { idempotencyKey: 'i' });
    const again = await put('k', { idempotencyKey: 'i' });
    expect(again).toMatchObject({
      outcome: { type: 'existing', run: { runId: idOf(first) } },
      superseded: null,
    });
    expect(await rowOf(base.pool, idOf(first))).toMatchObject({ status: 'queued' });
  });

  it('leaves one waiting of any number that come at once', async () => {
    const stored = await Promise.all(Array.from({ length: 30 }, () => put('k')));
    const { rows } = await base.admin.query<{ status: string; n: number }>(
      `SELECT status, count(*)::int AS n FROM runs GROUP BY 1 ORDER BY 1`,
    );
    expect(rows).toEqual([
      { status: 'cancelled', n: 29 },
      { status: 'queued', n: 1 },
    ]);
    expect(stored.filter(({ superseded }) => superseded !== null)).toHaveLength(29);
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });

  it('is held by the schema where a statement forgets it', async () => {
    const first = idOf(await put('k'));
    await expect(store(base.pool, [runOf({ singletonKey: 'k' })])).rejects.toMatchObject({
      constraint: 'runs_singleton_waiting',
    });
    await activate(first);
    const second = idOf(await put('k'));
    await expect(activate(second)).rejects.toMatchObject({ constraint: 'runs_singleton_active' });
  });
});

describe('a cancel', () => {
  it('takes all that the run has started with it, over finished children too', async () => {
    const root = await claimed(base.pool);
    const done = await claimed(base.pool, { parentRunId: root.runId });
    const waiting = await one({ parentRunId: root.runId });
    const grandchild = await claimed(base.pool, { parentRunId: done.runId });
    const stranger = await one();
    await settle(base.pool, done);
    expect(await cancelRun(base.db, root.runId, 'enough', 'ops')).toEqual({
      type: 'cancelled',
      from: 'running',
      descendants: 2,
    });
    const statuses = await Promise.all(
      [root.runId, done.runId, waiting, grandchild.runId, stranger].map((id) => rowOf(base.pool, id)),
    );
    expect(statuses.map(({ status }) => status)).toEqual([
      'cancelled',
      'completed',
      'cancelled',
      'cancelled',
      'queued',
    ]);
    expect(await settle(base.pool, grandchild)).toBe('fenced');
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });

  it('lets no child in behind it: one on its way waits for the parent and is refused', async () => {
    const root = await claimed(base.pool);
    const cancelling = await openTransaction(base.admin);
    await cancelling.client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [root.runId]);
    const cancelled = cancelRun(base.db, root.runId, null, 'ops');
    await somebodyWaitsForALock(base.admin);
    const child = runOf({ parentRunId: root.runId }, { parentEpoch: root.epoch });
    const stored = store(base.pool, [child]);
    await cancelling.end('COMMIT');
    await Promise.all([cancelled, stored]);
    const { rows } = await base.admin.query(
      `SELECT 1 FROM runs WHERE parent_run_id = $1 AND status <> 'cancelled'`,
      [root.runId],
    );
    expect(rows).toEqual([]);
  });

  it('survives settlements of the same runs at the same time', async () => {
    const root = await claimed(base.pool);
    const children = await Promise.all(
      Array.from({ length: 20 }, () => claimed(base.pool, { parentRunId: root.runId })),
    );
    await Promise.all([
      cancelRun(base.db, root.runId, null, 'ops'),
      ...children.map((child) => settle(base.pool, child)),
    ]);
    const { rows } = await base.admin.query<{ status: string }>(
      'SELECT DISTINCT status FROM runs ORDER BY 1',
    );
    expect(rows.every(({ status }) => ['cancelled', 'completed'].includes(status))).toBe(true);
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });

  it('and a pause tell the workers which attempts are over; a lane, that it changed', async () => {
    const heard: (ControlMessage | null)[] = [];
    let connected = false;
    const listener = new NotificationListener({
      connectionString: base.connectionString,
      channels: [CONTROL_CHANNEL],
      applicationName: 'test',
      onNotification: (_channel, payload) => heard.push(parseControlMessage(payload)),
      onConnect: () => {
        connected = true;
      },
    });
    listener.start();
    try {
      await waitFor(() => connected);
      const [a, b] = [await claimed(base.pool), await claimed(base.pool)];
      const waiting = await one();
      await cancelRun(base.db, waiting, null, 'ops');
      await cancelRun(base.db, a.runId, null, 'ops');
      await pauseRun(base.pool, b.runId, null, 'ops');
      await pauseLane(base.pool, 'slow', 'ops', null);
      await waitFor(() => heard.length >= 3);
      expect(heard).toEqual([
        { type: 'taken', runId: a.runId, epoch: 2, reason: 'cancelled' },
        { type: 'taken', runId: b.runId, epoch: 2, reason: 'paused' },
        { type: 'lanes' },
      ]);
    } finally {
      await listener.stop();
    }
  });

  it('is heard again after the listening connection was lost', async () => {
    let connects = 0;
    const heard: unknown[] = [];
    const listener = new NotificationListener({
      connectionString: base.connectionString,
      channels: [CONTROL_CHANNEL],
      applicationName: 'spine-test-listener',
      onNotification: (_channel, payload) => heard.push(parseControlMessage(payload)),
      onConnect: () => {
        connects += 1;
      },
    });
    listener.start();
    try {
      await waitFor(() => connects === 1);
      await base.admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'spine-test-listener' AND datname = current_database()`,
      );
      await waitFor(() => connects === 2);
      await pauseLane(base.pool, 'slow', 'ops', null);
      await waitFor(() => heard.length === 1);
    } finally {
      await listener.stop();
    }
  });
});

describe('a paused lane', () => {
  it('gives nothing out, whatever hint, poll or relay ask for, and all of it afterwards', async () => {
    const slow = await one({ lane: 'slow' });
    const other = await one();
    expect(await pauseLane(base.pool, 'slow', 'ops', 'maintenance')).toBe(true);
    expect(await pauseLane(base.pool, 'slow', 'someone', null)).toBe(false);
    expect(await pausedLanes(base.pool)).toMatchObject([
      { lane: 'slow', pausedBy: 'ops', note: 'maintenance' },
    ]);
    expect(await claim(base.pool, [slow])).toEqual([]);
    expect(await pollLanes(['slow'])).toEqual([]);
    expect((await takeDueForHint(base.pool)).map(({ runId }) => runId)).toEqual([other]);
    expect(await resumeLane(base.pool, 'slow')).toBe(true);
    expect(await resumeLane(base.pool, 'slow')).toBe(false);
    expect((await takeDueForHint(base.pool)).map(({ runId }) => runId)).toEqual([slow]);
    expect(await claim(base.pool, [slow])).toHaveLength(1);
  });

  it('does not stop what runs', async () => {
    const run = await claimed(base.pool);
    await pauseLane(base.pool, 'default', 'ops', null);
    expect(await settle(base.pool, run)).toBe('settled');
  });

  it('does not keep the relay from the lanes behind it, and a long lane not from a short one', async () => {
    await store(
      base.pool,
      Array.from({ length: 40 }, () => runOf({ lane: 'a-long' })),
    );
    const short = await one({ lane: 'b-short' });
    await shift(base.admin, [short], 'dispatch_after', '-1 second');
    const due = await takeDueForHint(base.pool, 10);
    expect(due.map(({ runId }) => runId)).toContain(short);
    expect(due).toHaveLength(11);
  });
});
