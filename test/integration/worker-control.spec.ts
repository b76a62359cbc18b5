/**
 * What operators say and workers do: a cancel, a pause of a run or a lane, a drain. Heartbeats are an hour apart where it
 * matters that the control channel alone has brought the word, and no channel is open where a heartbeat has to.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { listWorkers, pauseLane, requestDrain, resumeLane } from '@spine/database';
import { taskSpec } from '@spine/execution';
import type { HandlerContext } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, hearing, listening, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { inconsistentRuns } from './engine-support.ts';

const NEVER = 3_600_000;

describe('a running handler', () => {
  let bed: Bed;
  beforeEach(async () => {
    bed = await openBed({ queue: 'memory' });
  });
  afterEach(async () => {
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
    await bed.close();
  });

  const startListening = async (lane: string) => {
    const worker = await bed.startWorker(lane, { heartbeatMs: NEVER, leaseMs: 2 * NEVER });
    await listening(bed);
    return worker;
  };

  it('hears of a cancel without a heartbeat, and so do the children it has started', async () => {
    const lane = bed.newLane();
    await startListening(lane);
    const signals = new Map<string, AbortSignal>();
    const waiting = (ctx: HandlerContext): Promise<never> => {
      signals.set(ctx.run.runId, ctx.signal);
      return untilAborted(ctx);
    };
    const child = bed.probe(lane, waiting);
    const root = await bed.submit(
      bed.probe(lane, async (ctx) => {
        await ctx.submit(child);
        return waiting(ctx);
      }),
    );
    await waitFor(() => signals.size === 2);
    const outcome = await bed.engine.dispatcher.cancel(root, 'enough');
    expect(outcome).toEqual({ type: 'cancelled', from: 'running', descendants: 1 });
    await waitFor(() => [...signals.values()].every((signal) => signal.aborted));
    for (const [runId, signal] of signals) {
      expect(signal.reason).toMatchObject({ reason: 'cancelled' });
      expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'cancelled' });
    }
    await waitFor(async () => (await bed.count('fenced', { operation: 'settle' })) === 2);
  });

  it('is interrupted by a pause without being charged, and starts again when the run is resumed', async () => {
    const lane = bed.newLane();
    await startListening(lane);
    const contexts: HandlerContext[] = [];
    const runId = await bed.submit(
      bed.probe(lane, (ctx) => {
        contexts.push(ctx);
        return contexts.length === 1 ? untilAborted(ctx) : ctx.run.attempt;
      }),
    );
    await waitFor(() => contexts.length === 1);
    expect(await bed.engine.dispatcher.pause(runId, 'look first')).toEqual({
      type: 'paused',
      from: 'running',
    });
    await waitFor(() => contexts[0]?.signal.aborted);
    expect(contexts[0]?.signal.reason).toMatchObject({ reason: 'paused' });
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'paused', attempt: 0, epoch: 2 });
    expect(await bed.engine.dispatcher.resume(runId)).toEqual({ type: 'resumed', status: 'queued' });
    expect(await bed.reach(runId, 'completed')).toMatchObject({
      result: 1,
      attempt: 1,
      crashCount: 0,
      epoch: 3,
    });
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'paused',
      'resumed',
      'started',
      'completed',
    ]);
  });

  it('hears of a cancel with the next heartbeat where no channel is open', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, { control: undefined });
    const began = deferred<HandlerContext>();
    const runId = await bed.submit(
      bed.probe(lane, (ctx) => {
        began.resolve(ctx);
        return untilAborted(ctx);
      }),
    );
    const { signal } = await began.promise;
    await bed.engine.dispatcher.cancel(runId);
    await waitFor(() => signal.aborted);
    expect(signal.reason).toMatchObject({ reason: 'lost' });
  });
});

describe.each(['memory', 'redis', 'postgres'] as const)('a paused lane, hints in %s,', (queue) => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await openBed({ queue });
  });
  afterAll(async () => {
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
    await bed.close();
  });

  it('starts nothing though hints are in the queue, keeps them, and all of it after it is resumed', async () => {
    const [held, open] = [bed.newLane(), bed.newLane()];
    const heard = hearing(bed);
    const { pool } = heard;
    await bed.startWorker(held, {
      lanes: [held, open],
      heartbeatMs: NEVER,
      leaseMs: 2 * NEVER,
      pollMs: 50,
      pool,
    });
    await listening(bed);
    expect(await bed.engine.dispatcher.pauseLane(held, 'ops', 'maintenance')).toBe(true);
    await heard.ofPause(held);
    const runIds = await Promise.all(
      Array.from({ length: 20 }, () => bed.submit(taskSpec('echo', {}, { lane: held }))),
    );
    // The same worker goes on with its other lane: polls and fetches have come by many times before these are done.
    for (let count = 0; count < 10; count += 1) {
      await bed.reach(await bed.submit(taskSpec('echo', {}, { lane: open })), 'completed');
    }
    for (const runId of runIds) expect(await bed.events(runId)).toEqual(['submitted']);
    const { waiting, active } = await bed.engine.queue.counts(held);
    expect(waiting + active).toBeGreaterThan(0);
    expect(await bed.engine.dispatcher.resumeLane(held)).toBe(true);
    for (const runId of runIds) {
      expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    }
  });

  it('that was paused behind the worker’s back gives out nothing either: the claim refuses', async () => {
    const lane = bed.newLane();
    // It hears of nothing: neither by the channel nor by a heartbeat.
    await bed.startWorker(lane, { control: undefined, heartbeatMs: NEVER, leaseMs: 2 * NEVER });
    await pauseLane(bed.admin, lane, 'ops', null);
    const runId = await bed.submit(taskSpec('echo', {}, { lane }));
    await waitFor(async () => (await bed.engine.queue.counts(lane)).completed === 1);
    expect(await bed.events(runId)).toEqual(['submitted']);
    await resumeLane(bed.admin, lane);
    await bed.admin.query('UPDATE runs SET dispatch_after = now() WHERE id = $1', [runId]);
    await bed.reach(runId, 'completed');
  });
});

describe('a drain', () => {
  let bed: Bed;
  beforeEach(async () => {
    bed = await openBed({ queue: 'memory' });
  });
  afterEach(() => bed.close());

  const workerRow = async (workerId: string) =>
    (await listWorkers(bed.engine.db)).find((worker) => worker.workerId === workerId);

  it('is asked of a live worker once; it hears of it by the channel, and no other worker takes it for its own', async () => {
    const asked = deferred();
    const others: string[] = [];
    // Hears every message before the worker that is started after it.
    await bed.startWorker(bed.newLane(), { onDrainRequested: () => others.push('asked') });
    const worker = await bed.startWorker(bed.newLane(), {
      heartbeatMs: NEVER,
      leaseMs: 2 * NEVER,
      onDrainRequested: asked.resolve,
    });
    await listening(bed);
    expect(await requestDrain(bed.engine.pool, worker.workerId)).toMatchObject({ type: 'requested' });
    await asked.promise;
    expect(others).toEqual([]);
    expect(await requestDrain(bed.engine.pool, worker.workerId)).toMatchObject({ type: 'draining' });
    await worker.stop(0);
    expect(await requestDrain(bed.engine.pool, worker.workerId)).toEqual({ type: 'stopped' });
  });

  it('reaches a worker by its heartbeat where no channel is open, and no other worker', async () => {
    const asked = deferred();
    const other: string[] = [];
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane, { control: undefined, onDrainRequested: asked.resolve });
    const bystander = await bed.startWorker(lane, { onDrainRequested: () => other.push('asked') });
    await requestDrain(bed.engine.pool, worker.workerId);
    await asked.promise;
    const seenAt = async () => (await workerRow(bystander.workerId))?.lastSeenAt.getTime() ?? 0;
    const before = await seenAt();
    await waitFor(async () => (await seenAt()) > before);
    expect(other).toEqual([]);
  });

  it('is not asked of a worker nobody hears of, nor of one that does not exist', async () => {
    const deaf = { control: undefined, heartbeatMs: NEVER, leaseMs: 2 * NEVER };
    const worker = await bed.startWorker(bed.newLane(), deaf);
    await bed.admin.query(`UPDATE workers SET last_seen_at = now() - interval '5 minutes'`);
    expect(await requestDrain(bed.engine.pool, worker.workerId)).toMatchObject({ type: 'silent' });
    expect(await requestDrain(bed.engine.pool, newId())).toEqual({ type: 'not_found' });
  });
});

describe('the row of a worker', () => {
  it('says what it serves while it works, that it drains while it stops, and that it has stopped', async () => {
    const bed = await openBed({ queue: 'memory' });
    try {
      const lanes = [bed.newLane(), bed.newLane()];
      const worker = await bed.startWorker(lanes[0] ?? '', { lanes, slots: 7, version: '1.2.3' });
      const row = async () =>
        (await listWorkers(bed.engine.db)).find(({ workerId }) => workerId === worker.workerId);
      expect(await row()).toMatchObject({
        status: 'active',
        isLive: true,
        lanes,
        slots: 7,
        pid: process.pid,
        version: '1.2.3',
        handlers: expect.arrayContaining(['task:echo', 'task:probe']) as string[],
      });
      const finish = deferred();
      const runId = await bed.submit(bed.probe(lanes[1] ?? '', () => finish.promise));
      await waitFor(async () => (await row())?.running === 1);
      const stopped = worker.stop(20_000);
      await waitFor(async () => (await row())?.status === 'draining');
      expect((await row())?.isLive).toBe(false);
      finish.resolve();
      await stopped;
      expect(await row()).toMatchObject({ status: 'stopped', running: 0, isLive: false });
      expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'completed', attempt: 1 });
    } finally {
      await bed.close();
    }
  });
});
