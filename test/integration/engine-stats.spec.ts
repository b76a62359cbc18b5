/** What the ledger says of many runs at once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  handlerStats,
  laneBacklog,
  markWorkerStopped,
  pauseLane,
  registerWorker,
  runStats,
  runTimeline,
  staleRuns,
  windowOverview,
} from '@spine/database';
import type { Pool } from '@spine/database';
import { ExecutionRepository } from '@spine/execution';
import {
  claim,
  claimed,
  ERROR,
  openEngineDatabase,
  runOf,
  settle,
  shift,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES } from './history-support.ts';

let base: EngineDatabase;
let admin: Pool;
let ledger: ExecutionRepository;
beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
  ledger = new ExecutionRepository(base.db);
});
beforeEach(async () => {
  await base.clear();
  await admin.query('TRUNCATE lanes');
});
afterAll(() => base.close());

const NOTHING = { p50: null, p95: null, p99: null };

describe('statistics of runs', () => {
  it('say of nothing that there is nothing', async () => {
    const stats = await ledger.stats();
    expect(stats).toMatchObject({
      window: { hours: 24, runs: 0, isCapped: false, countedSince: null },
      runs: 0,
      successRate: null,
      attempts: 0,
      crashes: 0,
      durationMs: NOTHING,
      waitMs: NOTHING,
    });
    expect(Object.values(stats.byStatus)).toEqual(Object.values(stats.byStatus).map(() => 0));
    expect(await ledger.handlerStats()).toMatchObject({ window: { runs: 0 }, handlers: [] });
  });

  it('count by status, attempts and crashes, and leave cancelled runs out of the success rate', async () => {
    await addPastRuns(admin, { count: 6 });
    await addPastRuns(admin, { status: 'failed', attempt: 3, crashCount: 1 });
    await addPastRuns(admin, { status: 'dead_lettered' });
    await addPastRuns(admin, { count: 4, status: 'cancelled' });
    await storeMany(base.pool, 2);
    await claimed(base.pool);
    const stats = await ledger.stats();
    expect(stats.byStatus).toMatchObject({
      completed: 6,
      failed: 1,
      dead_lettered: 1,
      cancelled: 4,
      queued: 2,
      running: 1,
      timed_out: 0,
      pending: 0,
    });
    expect(stats).toMatchObject({ runs: 15, successRate: 0.75, attempts: 15, crashes: 1 });
  });

  it('have the percentiles Postgres computes, of what ended by itself and of what waited once', async () => {
    for (let n = 1; n <= 100; n += 1) await addPastRuns(admin, { waitMs: n, durationMs: n * 10 });
    await addPastRuns(admin, { status: 'cancelled', durationMs: 1_000_000, waitMs: 50 });
    const { durationMs, waitMs } = await ledger.stats();
    expect(durationMs).toEqual({ p50: 505, p95: 950.5, p99: 990.1 });
    expect(waitMs.p50).toBe(50);
    expect(waitMs.p99).toBe(99);
  });

  it('leave the wait out where the due time is that of a later attempt', async () => {
    const run = await claimed(base.pool);
    await settle(base.pool, run, { type: 'retry', error: ERROR, delayMs: 3_600_000 });
    const stats = await ledger.stats();
    expect(stats.byStatus.queued).toBe(1);
    expect(stats.waitMs).toEqual(NOTHING);
    await claimed(base.pool);
    expect((await ledger.stats()).waitMs.p50).toEqual(expect.any(Number));
  });

  it('cover the window and no more', async () => {
    await addPastRuns(admin, { count: 2, minutesAgo: 59 });
    await addPastRuns(admin, { count: 3, minutesAgo: 61 });
    expect((await ledger.stats(1)).runs).toBe(2);
    expect((await ledger.stats(2)).runs).toBe(5);
  });

  it('count the newest up to a limit, and say so', async () => {
    await addPastRuns(admin, { count: 5, minutesAgo: 50, status: 'cancelled' });
    await addPastRuns(admin, { count: 3, minutesAgo: 10 });
    const stats = await runStats(base.db, 1, 4);
    expect(stats.window).toMatchObject({ runs: 4, isCapped: true });
    expect(stats.byStatus).toMatchObject({ completed: 3, cancelled: 1 });
    const age = stats.window.now.getTime() - (stats.window.countedSince?.getTime() ?? 0);
    expect(Math.round(age / 60_000)).toBe(50);
    expect((await handlerStats(base.db, 1, 4)).window).toMatchObject({ runs: 4, isCapped: true });
  });

  it('are told handler by handler, those with the most runs first', async () => {
    await addPastRuns(admin, { name: 'few', count: 1, status: 'failed' });
    await addPastRuns(admin, { name: 'many', count: 3, durationMs: 40 });
    const { window, handlers } = await ledger.handlerStats();
    expect(window).toMatchObject({ runs: 4, isCapped: false });
    expect(handlers).toMatchObject([
      { kind: 'task', name: 'many', runs: 3, successRate: 1, durationMs: { p50: 40, p95: 40, p99: 40 } },
      { kind: 'task', name: 'few', runs: 1, successRate: 0, byStatus: { failed: 1, completed: 0 } },
    ]);
  });

  it.each([0, 0.5, 745, Number.NaN])('refuse a window of %s hours', async (hours) => {
    await expect(ledger.stats(hours)).rejects.toThrow('hours: given');
    await expect(ledger.handlerStats(hours)).rejects.toThrow('hours: given');
    await expect(ledger.timeline(hours)).rejects.toThrow('hours: given');
  });
});

describe('an overview', () => {
  it('says the same as the statistics one by one, and what is of the last hour', async () => {
    await addPastRuns(admin, { count: 3, minutesAgo: 30, attempt: 2, durationMs: 400 });
    await addPastRuns(admin, { minutesAgo: 20, status: 'timed_out', crashCount: 1, name: 'other' });
    await addPastRuns(admin, { minutesAgo: 10, status: 'cancelled', name: 'other' });
    await addPastRuns(admin, { count: 5, minutesAgo: 90, status: 'failed', attempt: 7 });
    const { window, runs, handlers, lastHour } = await windowOverview(base.db, 24);
    const { window: counted, ...stats } = await ledger.stats(24);
    expect(runs).toEqual(stats);
    expect(window).toEqual({ ...counted, now: window.now });
    expect(handlers).toMatchObject([
      { name: 'echo', runs: 8, successRate: 0.375, durationMs: { p50: 1_000 } },
      { name: 'other', runs: 2, crashes: 1 },
    ]);
    expect(lastHour).toEqual({ ended: 4, failed: 1, attempts: 8, crashes: 1 });
    expect((await windowOverview(base.db, 24, 2)).lastHour).toMatchObject({ ended: 1, failed: 1 });
  });
});

describe('a timeline', () => {
  it('has every bucket of the window, empty ones too, and counts what was submitted and what ended in each', async () => {
    // Ended 100 minutes after they were submitted.
    const durationMs = 100 * 60_000;
    await addPastRuns(admin, { count: 3, minutesAgo: 170, durationMs, waitMs: 0 });
    await addPastRuns(admin, { count: 2, minutesAgo: 170, durationMs, waitMs: 0, status: 'dead_lettered' });
    await addPastRuns(admin, { minutesAgo: 170, durationMs, waitMs: 0, status: 'cancelled' });
    // Submitted before the window, ended in it.
    await addPastRuns(admin, { minutesAgo: 20 * 60, durationMs: 19 * 3_600_000, waitMs: 0 });
    await storeMany(base.pool, 4);
    const { buckets, bucketMinutes, hours } = await ledger.timeline(4, 15);
    expect({ bucketMinutes, hours }).toEqual({ bucketMinutes: 15, hours: 4 });
    const width = 15 * 60_000;
    const starts = buckets.map(({ start }) => start.getTime());
    const first = starts[0] ?? 0;
    expect(starts).toEqual(Array.from({ length: 17 }, (_, index) => first + index * width));
    expect(first % width).toBe(0);
    const { rows } = await admin.query<{ status: string; created_at: Date; completed_at: Date | null }>(
      'SELECT status, created_at, completed_at FROM runs',
    );
    const isIn = (start: number, time: Date | null) =>
      time !== null && start <= time.getTime() && time.getTime() < start + width;
    const expected = starts.map((start) => {
      const ended = rows.filter((row) => isIn(start, row.completed_at)).map(({ status }) => status);
      return {
        start: new Date(start),
        submitted: rows.filter((row) => isIn(start, row.created_at)).length,
        completed: ended.filter((status) => status === 'completed').length,
        failed: ended.filter((status) => status === 'dead_lettered').length,
        cancelled: ended.filter((status) => status === 'cancelled').length,
        isComplete: true,
      };
    });
    expect(buckets).toEqual(expected);
    const sum = (key: 'submitted' | 'completed' | 'failed' | 'cancelled') =>
      buckets.reduce((total, bucket) => total + bucket[key], 0);
    expect([sum('submitted'), sum('completed'), sum('failed'), sum('cancelled')]).toEqual([10, 4, 2, 1]);
  });

  it('marks the buckets it did not count to their beginning', async () => {
    await addPastRuns(admin, { count: 5, minutesAgo: 150 });
    await addPastRuns(admin, { count: 4, minutesAgo: 30 });
    const { buckets } = await runTimeline(base.db, 3, 5, 6);
    const complete = buckets.map(({ isComplete }) => isComplete);
    expect(complete.indexOf(true)).toBeGreaterThan(0);
    expect(complete.slice(complete.indexOf(true))).not.toContain(false);
    const incomplete = buckets.slice(0, complete.indexOf(true));
    expect(incomplete.reduce((sum, { submitted }) => sum + submitted, 0)).toBe(2);
    expect((await runTimeline(base.db, 3, 5)).buckets.every(({ isComplete }) => isComplete)).toBe(true);
  });

  it('refuses more buckets than anybody can look at', async () => {
    await expect(ledger.timeline(26, 1)).rejects.toThrow('bucket_minutes: given 1');
    expect((await ledger.timeline(25, 1)).buckets).toHaveLength(1_501);
  });
});

describe('the backlog of lanes', () => {
  it('counts what waits, is due and runs, and knows since when the oldest is due', async () => {
    const [first = ''] = await store(base.pool, [runOf({ lane: 'a' }), runOf({ lane: 'a' })]);
    await store(base.pool, [runOf({ lane: 'a', runAfter: new Date(Date.now() + 3_600_000) })]);
    await claim(base.pool, await storeMany(base.pool, 3, { lane: 'b' }));
    await claimed(base.pool, { lane: 'a' });
    await shift(admin, [first], 'available_at', '-90 seconds');
    const { lanes, now } = await laneBacklog(base.db);
    expect(lanes).toMatchObject([
      { lane: 'a', waiting: 3, due: 2, running: 1, waitingIsCapped: false },
      { lane: 'b', waiting: 0, due: 0, running: 3, oldestDueAt: null },
    ]);
    expect(Math.round((now.getTime() - (lanes[0]?.oldestDueAt?.getTime() ?? 0)) / 1000)).toBeGreaterThan(85);
  });

  it('looks at so many of each lane, and says that there are more', async () => {
    await storeMany(base.pool, 8, { lane: 'long' });
    await storeMany(base.pool, 2, { lane: 'short' });
    expect((await laneBacklog(base.db, 5)).lanes).toMatchObject([
      { lane: 'long', waiting: 5, due: 5, waitingIsCapped: true },
      { lane: 'short', waiting: 2, waitingIsCapped: false },
    ]);
  });

  it('is joined with workers and pauses', async () => {
    const worker = (lanes: string[], workerId = newId()) =>
      registerWorker(base.pool, {
        workerId,
        hostname: 'h',
        pid: 1,
        version: '1',
        lanes,
        handlers: [],
        slots: 7,
      });
    const gone = newId();
    await worker(['served', 'idle']);
    await worker(['served'], gone);
    await markWorkerStopped(base.pool, gone);
    await storeMany(base.pool, 1, { lane: 'served' });
    await pauseLane(base.pool, 'quiet', 'ops', null);
    expect(await ledger.queues()).toMatchObject([
      { lane: 'idle', waiting: 0, workers: 1, slots: 7, paused: null },
      { lane: 'quiet', waiting: 0, workers: 0, paused: { by: 'ops' } },
      { lane: 'served', waiting: 1, workers: 1, slots: 7 },
    ]);
    expect(await ledger.workers()).toMatchObject([
      { workerId: gone, status: 'stopped', isLive: false },
      { status: 'active', isLive: true, lanes: ['served', 'idle'] },
    ]);
  });

  it('is kept for a moment where it is large, but not who serves a lane and whether it is paused', async () => {
    const own = new ExecutionRepository(base.db);
    await storeMany(base.pool, 1_001, { lane: 'long' });
    expect(await own.queues()).toMatchObject([{ lane: 'long', waiting: 1_001, paused: null }]);
    await pauseLane(base.pool, 'long', 'ops', null);
    expect(await own.queues()).toMatchObject([{ lane: 'long', waiting: 1_001, paused: { by: 'ops' } }]);
  });

  it('is looked at anew each time where it is small', async () => {
    for (const waiting of [1, 2, 3]) {
      await storeMany(base.pool, 1, { lane: 'short' });
      expect(await ledger.queues()).toMatchObject([{ lane: 'short', waiting }]);
    }
  });
});

describe('stale runs', () => {
  it('are those due, or without a valid lease, for too long; the longest first', async () => {
    const [waiting = '', fresh = '', paused = ''] = await store(base.pool, [
      runOf(),
      runOf(),
      runOf({ lane: 'quiet' }),
    ]);
    const lost = await claimed(base.pool);
    const late = await claimed(base.pool);
    const held = await claimed(base.pool);
    await shift(admin, [waiting, paused], 'available_at', '-10 minutes');
    await shift(admin, [lost.runId], 'lease_expires_at', '-20 minutes');
    await shift(admin, [late.runId], 'deadline_at', '-6 minutes');
    await pauseLane(base.pool, 'quiet', 'ops', null);
    const stale = await ledger.staleRuns();
    expect(stale.map(({ runId, reason }) => [runId, reason])).toEqual([
      [lost.runId, 'lease_expired'],
      [waiting, 'waiting'],
      [late.runId, 'deadline_passed'],
    ]);
    expect(stale.map(({ runId }) => runId)).not.toContain(held.runId);
    expect(stale.map(({ runId }) => runId)).not.toContain(fresh);
    expect((await staleRuns(base.db, 5 * 60_000, 1)).map(({ runId }) => runId)).toEqual([lost.runId]);
    expect(await staleRuns(base.db, DAY_MINUTES * 60_000, 10)).toEqual([]);
  });
});

describe('health', () => {
  it('is made from what the ledger says', async () => {
    expect((await ledger.health()).reasons).toMatchObject([{ check: 'workers' }]);
    await registerWorker(base.pool, {
      workerId: newId(),
      hostname: 'h',
      pid: 1,
      version: '1',
      lanes: ['default'],
      handlers: [],
      slots: 5,
    });
    expect(await ledger.health()).toMatchObject({ score: 100, grade: 'healthy' });
    await addPastRuns(admin, { count: 15, minutesAgo: 30 });
    await addPastRuns(admin, {
      count: 5,
      minutesAgo: 30,
      status: 'dead_lettered',
      attempt: 2,
      crashCount: 1,
    });
    const [run = ''] = await storeMany(base.pool, 1, { lane: 'nobody' });
    await shift(admin, [run], 'available_at', '-1 hour');
    const health = await ledger.health();
    expect(health.reasons).toMatchObject([
      { check: 'failure_rate', penalty: 25 },
      { check: 'queue_age', penalty: 15 },
      { check: 'workers' },
      { check: 'crash_rate', penalty: 10 },
      { check: 'dead_letters' },
      { check: 'stale_runs' },
    ]);
    const dashboard = await ledger.dashboard();
    expect(dashboard.health.score).toBe(health.score);
    expect(dashboard).toMatchObject({
      runs: { runs: 21 },
      failingHandlers: [{ name: 'echo', runs: 21 }],
      workers: { live: 1, draining: 0, slots: 5, running: 0 },
      deadLetters: { pending: 5 },
      queues: [{ lane: 'default' }, { lane: 'nobody', waiting: 1, workers: 0 }],
    });
  });
});
