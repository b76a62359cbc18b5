/** Retry policies, deadlines, pauses and cancels as a handler and its submitter see them, through a real worker. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ErrorCategory, SpineError } from '@spine/core';
import { pauseLane, resumeLane } from '@spine/database';
import { AttemptAbortedError, taskSpec, withDeadline } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, hearing, listening, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const seen: number[] = [];
let bed: Bed;
beforeAll(async () => {
  bed = await openBed({
    queue: 'memory',
    register: (registry) =>
      registry
        .registerTask(
          'impatient',
          {
            description: 'Fails; wants one retry at once.',
            params: z.strictObject({}),
            retry: { strategy: 'constant', maxRetries: 1, baseDelaySeconds: 0, jitter: false },
          },
          (_params, ctx) => {
            seen.push(ctx.run.attempt);
            throw new Error('again');
          },
        )
        .registerTask(
          'hopeless',
          {
            description: 'Fails with what its policy does not retry.',
            params: z.strictObject({}),
            retry: { baseDelaySeconds: 0, rules: [{ category: ErrorCategory.SOURCE, retry: false }] },
          },
          () => {
            throw new SpineError('no such file', { category: ErrorCategory.SOURCE, retryable: true });
          },
        ),
  });
});
afterAll(() => bed.close());

describe('a retry policy', () => {
  it('of the handler counts where the spec has none', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(taskSpec('impatient', {}, { lane }));
    expect(await bed.reach(runId, 'dead_lettered')).toMatchObject({ attempt: 2, maxAttempts: 2 });
    expect(seen).toEqual([1, 2]);
  });

  it('of the spec wins over the handler’s', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(taskSpec('impatient', {}, { lane, retry: { strategy: 'none' } }));
    expect(await bed.reach(runId, 'dead_lettered')).toMatchObject({ attempt: 1, maxAttempts: 1 });
  });

  it('ends a run at the first error that its rules call hopeless', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(taskSpec('hopeless', {}, { lane }));
    expect(await bed.reach(runId, 'dead_lettered')).toMatchObject({ attempt: 1, maxAttempts: 4 });
  });

  it('tells the next attempt what ended the one before', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const errors: unknown[] = [];
    const runId = await bed.submit(
      bed.probe(lane, (ctx) => {
        errors.push(ctx.run.lastError);
        if (ctx.run.attempt === 1) throw new RangeError('out of bounds');
        return null;
      }),
    );
    await bed.reach(runId, 'completed');
    expect(errors).toMatchObject([null, { type: 'RangeError', message: 'out of bounds' }]);
  });
});

describe('a deadline', () => {
  it('of the whole run leaves no further attempt, whatever the handler and its retries say', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(
      bed.probe(lane, untilAborted, { deadlineSeconds: 0.3, timeoutSeconds: 3_600, maxRetries: 5 }),
    );
    expect(await bed.reach(runId, 'dead_lettered')).toMatchObject({
      attempt: 1,
      error: { type: 'TimeoutError', retryable: false },
    });
  });

  it('of a call inside a handler is a retryable error of its attempt', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runId = await bed.submit(
      bed.probe(lane, (ctx) =>
        ctx.run.attempt === 1 ? withDeadline(10, () => untilAborted(ctx)) : 'in time',
      ),
    );
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 2, result: 'in time' });
  });

  it('of an attempt frees the slot of a handler that ignores its signal, and its late result is refused and counted', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, { slots: 1 });
    const release = deferred();
    const stubborn = await bed.submit(
      bed.probe(lane, () => release.promise.then(() => 'too late'), { timeoutSeconds: 0.2, maxRetries: 0 }),
    );
    // The only slot: it runs while the other handler has not returned.
    const next = await bed.submit(bed.probe(lane, () => 'ran'));
    await bed.reach(stubborn, 'dead_lettered');
    await bed.reach(next, 'completed');
    const before = await bed.count('fenced', { operation: 'late_result' });
    release.resolve();
    await waitFor(async () => (await bed.count('fenced', { operation: 'late_result' })) === before + 1);
    expect(await bed.reach(stubborn, 'dead_lettered')).toMatchObject({ result: null });
  });
});

// The heartbeat of these workers comes once an hour: only the control channel can have told them.
const DEAF = { heartbeatMs: 3_600_000 } as const;

describe('word to a running handler', () => {
  it('of a cancel reaches it and its running child between two heartbeats', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, DEAF);
    await listening(bed);
    const childStarted = deferred();
    const ended: string[] = [];
    const watch = (name: string) => (reason: unknown) => {
      ended.push(`${name}: ${reason instanceof AttemptAbortedError ? reason.reason : 'other'}`);
    };
    const child = bed.probe(lane, async (ctx) => {
      childStarted.resolve();
      await untilAborted(ctx).catch(() => watch('child')(ctx.signal.reason));
    });
    const runId = await bed.submit(
      bed.probe(lane, async (ctx) => {
        await ctx.submit(child);
        await untilAborted(ctx).catch(() => watch('parent')(ctx.signal.reason));
      }),
    );
    await childStarted.promise;
    expect(await bed.engine.dispatcher.cancel(runId)).toMatchObject({ type: 'cancelled', descendants: 1 });
    await waitFor(() => ended.length === 2);
    expect(ended.sort()).toEqual(['child: cancelled', 'parent: cancelled']);
  });

  it('of a pause interrupts it uncharged; resumed, it starts anew and completes', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, DEAF);
    await listening(bed);
    const started = deferred();
    const interrupted = deferred<unknown>();
    let calls = 0;
    const runId = await bed.submit(
      bed.probe(lane, async (ctx) => {
        calls += 1;
        if (calls > 1) return 'second time';
        started.resolve();
        await untilAborted(ctx).catch(() => interrupted.resolve(ctx.signal.reason));
        return 'first time';
      }),
    );
    await started.promise;
    expect(await bed.engine.dispatcher.pause(runId, 'look')).toEqual({ type: 'paused', from: 'running' });
    expect(await interrupted.promise).toMatchObject({ reason: 'paused' });
    expect(await bed.reach(runId, 'paused')).toMatchObject({ attempt: 0 });
    expect(await bed.engine.dispatcher.resume(runId)).toMatchObject({ type: 'resumed' });
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 1, result: 'second time' });
  });

  it('of a paused lane stops its hints; what waited is executed when the lane is resumed', async () => {
    const lane = bed.newLane();
    const heard = hearing(bed);
    await bed.startWorker(lane, { ...DEAF, pool: heard.pool });
    await listening(bed);
    await pauseLane(bed.engine.pool, lane, 'ops', null);
    // A hint that comes before the worker has heard of it is spent: its run waits for the relay.
    await heard.ofPause(lane);
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => bed.submit(bed.probe(lane, () => 'ran'))),
    );
    // Another lane's run goes through all the while.
    const other = bed.newLane();
    await bed.startWorker(other);
    await bed.reach(await bed.submit(bed.probe(other, () => 'ran')), 'completed');
    for (const runId of runIds) expect((await bed.engine.dispatcher.get(runId))?.status).toBe('queued');
    await resumeLane(bed.engine.pool, lane);
    for (const runId of runIds) await bed.reach(runId, 'completed');
  });
});
