/** The life of a run from submit to settlement, on every queue. Each test has a lane and workers of its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperationError, ValidationError } from '@spine/core';
import { AttemptAbortedError, taskSpec } from '@spine/execution';
import type { BullHintQueue, HintQueue } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const isBullQueue = (queue: HintQueue): queue is BullHintQueue => queue.backend !== 'memory';

describe.each(['memory', 'redis', 'postgres'] as const)('with hints in %s', (queue) => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await openBed({ queue });
  });
  afterAll(async () => {
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
    await bed.close();
  });

  const hintsEnded = (lane: string) =>
    waitFor(async () => {
      const { waiting, active, completed, failed } = await bed.engine.queue.counts(lane);
      return waiting + active === 0 && { completed, failed };
    });

  describe.concurrent('a run', () => {
    it('completes: its result is stored, three events tell its story', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane);
      const outcome = await bed.engine.dispatcher.submitAndWait(taskSpec('add', { a: 1, b: 2 }, { lane }));
      if (outcome.type !== 'run') throw new Error(outcome.type);
      const { run } = outcome;
      expect(run).toMatchObject({
        status: 'completed',
        result: { sum: 3 },
        error: null,
        attempt: 1,
        epoch: 1,
        finishedEpoch: 1,
      });
      expect(await bed.events(run.runId)).toEqual(['submitted', 'started', 'completed']);
      expect(await hintsEnded(lane)).toEqual({ completed: 1, failed: 0 });
      if (isBullQueue(bed.engine.queue)) {
        const [job] = await bed.engine.queue.queue(lane).getJobs(['completed']);
        expect([job?.name, job?.returnvalue]).toEqual(['task:add', { completed: 1 }]);
      }
    });

    it('is tried again, and is a dead letter when its attempts are spent', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane);
      const epochs: number[] = [];
      const runId = await bed.submit(
        bed.probe(
          lane,
          ({ run }) => {
            epochs.push(run.epoch);
            throw new OperationError('no luck', { retryable: true });
          },
          { maxRetries: 2 },
        ),
      );
      const run = await bed.reach(runId, 'dead_lettered');
      expect(epochs).toEqual([1, 2, 3]);
      expect(run).toMatchObject({
        attempt: 3,
        error: { message: 'no luck', type: 'OperationError', category: 'OPERATION' },
      });
      expect(await bed.events(runId)).toEqual([
        'submitted',
        'started',
        'retry_scheduled',
        'started',
        'retry_scheduled',
        'started',
        'dead_lettered',
      ]);
      const { rows } = await bed.admin.query(
        'SELECT attempts, error_category FROM dead_letters WHERE run_id = $1',
        [runId],
      );
      expect(rows).toEqual([{ attempts: 3, error_category: 'OPERATION' }]);
    });

    it('is not tried again for a permanent error; without dead letters it is failed, and its hint shows it', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane);
      const runId = await bed.submit(
        bed.probe(lane, () => Promise.reject(new ValidationError('bad input')), { deadLetter: false }),
      );
      expect(await bed.reach(runId, 'failed')).toMatchObject({
        attempt: 1,
        error: { retryable: false, message: 'bad input' },
      });
      expect(await bed.events(runId)).toEqual(['submitted', 'started', 'failed']);
      expect(await hintsEnded(lane)).toEqual({ completed: 0, failed: 1 });
    });

    it('that ignores the end of its time loses its slot and its say', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane, { slots: 1 });
      const hanging = deferred<string>();
      const returned = deferred();
      const runId = await bed.submit(
        bed.probe(
          lane,
          async () => {
            const value = await hanging.promise;
            returned.resolve();
            return value;
          },
          { timeoutSeconds: 0.05, maxRetries: 0, deadLetter: false },
        ),
      );
      const run = await bed.reach(runId, 'timed_out');
      expect(run.error).toMatchObject({
        type: 'TimeoutError',
        category: 'TIMEOUT',
        message: 'the attempt exceeded its time-out of 50 ms',
      });
      // The one slot is free although the handler still hangs.
      await bed.reach(await bed.submit(taskSpec('echo', {}, { lane })), 'completed');
      hanging.resolve('too late');
      await returned.promise;
      await bed.reach(await bed.submit(taskSpec('echo', {}, { lane })), 'completed');
      expect(await bed.engine.dispatcher.get(runId)).toEqual(run);
      expect(await bed.events(runId)).toEqual(['submitted', 'started', 'timed_out']);
    });

    it('that is cancelled while it runs is told by its signal, and says nothing more', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane);
      const started = deferred();
      const aborted = deferred<unknown>();
      const runId = await bed.submit(
        bed.probe(lane, async (ctx) => {
          started.resolve();
          await untilAborted(ctx).catch(() => undefined);
          aborted.resolve(ctx.signal.reason);
          return 'done all the same';
        }),
      );
      await started.promise;
      expect(await bed.engine.dispatcher.cancel(runId, 'changed my mind')).toEqual({
        type: 'cancelled',
        from: 'running',
        descendants: 0,
      });
      const reason = await aborted.promise;
      expect(reason).toBeInstanceOf(AttemptAbortedError);
      // By the control channel, or by a heartbeat that came first.
      expect(reason).toMatchObject({ reason: expect.stringMatching(/^(cancelled|lost)$/) as string });
      expect(await hintsEnded(lane)).toEqual({ completed: 1, failed: 0 });
      expect(await bed.reach(runId, 'cancelled')).toMatchObject({ result: null, epoch: 2 });
      expect(await bed.events(runId)).toEqual(['submitted', 'started', 'cancelled']);
    });

    it('is handed back by a worker that stops, no attempt charged, and completes on another', async () => {
      const lane = bed.newLane();
      const first = await bed.startWorker(lane);
      const started = deferred();
      const attempts: [number, number][] = [];
      const runId = await bed.submit(
        bed.probe(
          lane,
          (ctx) => {
            attempts.push([ctx.run.attempt, ctx.run.epoch]);
            started.resolve();
            return attempts.length === 1 ? untilAborted(ctx) : 'done';
          },
          { maxRetries: 0 },
        ),
      );
      await started.promise;
      await first.stop(0);
      await bed.startWorker(lane);
      expect(await bed.reach(runId, 'completed')).toMatchObject({
        result: 'done',
        attempt: 1,
        epoch: 3,
        crashCount: 0,
      });
      // The hand-back took the second epoch.
      expect(attempts).toEqual([
        [1, 1],
        [1, 3],
      ]);
      expect(await bed.events(runId)).toEqual([
        'submitted',
        'started',
        'handed_back',
        'started',
        'completed',
      ]);
      const { rows } = await bed.admin.query('SELECT status, running FROM workers WHERE id = $1', [
        first.workerId,
      ]);
      expect(rows).toEqual([{ status: 'stopped', running: 0 }]);
    });

    it('starts when it is to start, and not before', async () => {
      const lane = bed.newLane();
      await bed.startWorker(lane);
      const runAfter = new Date(Date.now() + 700);
      const outcome = await bed.engine.dispatcher.submit(taskSpec('echo', {}, { lane, runAfter }));
      expect(outcome).toMatchObject({ type: 'accepted', status: 'pending' });
      const run = await bed.reach(outcome.type === 'accepted' ? outcome.runId : '', 'completed');
      expect(run.startedAt?.getTime()).toBeGreaterThanOrEqual(runAfter.getTime());
      expect(run.attempt).toBe(1);
    });
  });

  describe.concurrent('many runs', () => {
    it('in one hint, named again in others, run once each, no more at a time than there are slots', async () => {
      const lane = bed.newLane();
      const calls = new Map<string, number>();
      let running = 0;
      let most = 0;
      const specs = Array.from({ length: 60 }, () =>
        bed.probe(lane, async ({ run }) => {
          calls.set(run.runId, (calls.get(run.runId) ?? 0) + 1);
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running -= 1;
        }),
      );
      const runIds = await Promise.all(specs.map((spec) => bed.submit(spec)));
      const all = { lane, priority: 2, runIds, label: 'all', delayMs: 0 };
      await bed.engine.queue.publish([all, { ...all, runIds: [...runIds].reverse() }]);
      await bed.startWorker(lane, { slots: 4 });
      await Promise.all(runIds.map((runId) => bed.reach(runId, 'completed')));
      await hintsEnded(lane);
      expect([...calls.values()]).toEqual(Array(60).fill(1));
      expect(most).toBeGreaterThan(1);
      expect(most).toBeLessThanOrEqual(4);
    });

    it('are shared by workers, each run by one of them', async () => {
      const lane = bed.newLane();
      await Promise.all([1, 2, 3].map(() => bed.startWorker(lane, { slots: 8 })));
      let calls = 0;
      let running = 0;
      // More at once than two of them have slots for: without the third it never comes.
      const enough = deferred();
      const specs = Array.from({ length: 200 }, () =>
        bed.probe(lane, async () => {
          calls += 1;
          running += 1;
          if (running === 17) enough.resolve();
          await enough.promise;
        }),
      );
      const outcomes = await bed.engine.dispatcher.submitAll(specs);
      for (const outcome of outcomes) {
        if (outcome.type === 'accepted') await bed.reach(outcome.runId, 'completed');
      }
      expect(calls).toBe(200);
      const { rows } = await bed.admin.query(
        `SELECT max(r.epoch)::int AS epochs, count(DISTINCT e.source)::int AS workers
         FROM runs r JOIN run_events e ON e.run_id = r.id AND e.event_type = 'started' WHERE r.lane = $1`,
        [lane],
      );
      expect(rows).toEqual([{ epochs: 1, workers: 3 }]);
    });
  });
});
