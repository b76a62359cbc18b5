/** What goes wrong around a worker: lost hints, lost leases, a stop at the wrong moment. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { reapRuns } from '@spine/database';
import type { Queryable } from '@spine/database';
import { HandlerRegistry, MemoryHintQueue, taskSpec } from '@spine/execution';
import type { HandlerContext, Hint } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns, openTransaction, shift } from './engine-support.ts';
import { deferred, LosingQueue, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';
import { watchedPool } from './gates-support.ts';
import { intercepted } from './interception.ts';
import type { Interception } from './interception.ts';

const LANE = 'default';

let bed: Bed;
async function open(options: Partial<BedOptions> = {}): Promise<Bed> {
  bed = await openBed({ queue: 'memory', maintained: false, ...options });
  return bed;
}
afterEach(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

/** The real database, but statements of these names are in the hands of the test. */
const interceptedPool = (hows: Readonly<Record<string, Interception>>): Queryable =>
  intercepted(bed.engine.pool, hows);

describe('hints that do not arrive', () => {
  class DeadQueue extends MemoryHintQueue {
    override publish(): Promise<void> {
      return Promise.reject(new Error('the queue is down'));
    }
  }
  class HangingQueue extends MemoryHintQueue {
    override publish(): Promise<void> {
      return new Promise(() => undefined);
    }
  }

  it('because they are lost make a run late: the workers’ poll finds it when the relay would have', async () => {
    const { startWorker, submit, reach, admin } = await open({ queue: new LosingQueue() });
    await startWorker(LANE, { pollMs: 50 });
    const runIds = await Promise.all(Array.from({ length: 10 }, () => submit(taskSpec('echo'))));
    await shift(admin, runIds, 'dispatch_after', '0');
    for (const runId of runIds) await reach(runId, 'completed');
  });

  it('because the queue is down cost no more than a poll; the submit is accepted all the same', async () => {
    const { startWorker, submit, reach } = await open({ queue: new DeadQueue() });
    await startWorker(LANE, { pollMs: 50 });
    // More than the breaker needs to open: those after it are stored as due.
    for (let count = 0; count < 5; count += 1) await reach(await submit(taskSpec('echo')), 'completed');
    await waitFor(() => !bed.engine.publisher.available);
    await reach(await submit(taskSpec('echo')), 'completed');
  });

  it('because the queue hangs keep no submit waiting, and no run for ever', async () => {
    const { startWorker, submit, reach } = await open({ queue: new HangingQueue() });
    await startWorker(LANE, { pollMs: 50 });
    await reach(await submit(taskSpec('echo')), 'completed');
  });

  it('for now, because the queue is slow, share the next hints: one publish at a time, and no more than it takes', async () => {
    const release = deferred();
    const published: number[] = [];
    class SlowQueue extends MemoryHintQueue {
      override async publish(hints: readonly Hint[]): Promise<void> {
        published.push(hints.flatMap(({ runIds }) => runIds).length);
        if (published.length === 1) await release.promise;
        await super.publish(hints);
      }
    }
    const { startWorker, submit, reach, engine } = await open({ queue: new SlowQueue() });
    await startWorker(LANE);
    const runIds = [await submit(taskSpec('echo'))];
    await waitFor(() => published.length === 1);
    // Each is a flush of its own: it has committed before the next one is sent.
    for (let count = 0; count < 10; count += 1) runIds.push(await submit(taskSpec('echo')));
    expect(published).toEqual([1]);
    release.resolve();
    await engine.publisher.drain();
    expect(published).toEqual([1, 10]);
    for (const runId of runIds) await reach(runId, 'completed');
  });

  it('are sent again by the relay', async () => {
    const sent: Hint[] = [];
    class ForgetfulQueue extends MemoryHintQueue {
      override publish(hints: readonly Hint[]): Promise<void> {
        sent.push(...hints);
        return sent.length === 1 ? Promise.resolve() : super.publish(hints);
      }
    }
    const { startWorker, submit, reach, admin } = await open({
      queue: new ForgetfulQueue(),
      maintained: true,
    });
    await startWorker(LANE);
    const runId = await submit(taskSpec('echo'));
    await waitFor(() => sent.length === 1);
    await shift(admin, [runId], 'dispatch_after', '0');
    await reach(runId, 'completed');
    expect(sent.map(({ runIds }) => runIds)).toEqual([[runId], [runId]]);
  });
});

describe('a hint', () => {
  it('that names a run twice executes it once', async () => {
    const { submit, probe, startWorker, reach, engine } = await open();
    const calls: number[] = [];
    const runId = await submit(probe('elsewhere', ({ run }) => calls.push(run.epoch)));
    const twice = { lane: LANE, priority: 2, runIds: [runId, runId], label: 'twice', delayMs: 0 };
    await engine.queue.publish([twice]);
    await startWorker(LANE);
    await reach(runId, 'completed');
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 1);
    expect(calls).toEqual([1]);
  });

  it('that names what cannot be claimed keeps no slot: the worker goes on, and the runs beside it are executed', async () => {
    const { engine, startWorker, submit, reach, probe } = await open();
    const slots = 2;
    const worker = await startWorker('elsewhere', { slots, pollMs: 3_600_000 });
    const beside = await submit(probe('elsewhere', () => null));
    const runIds = ['no uuid', beside];
    for (let times = 0; times <= slots; times += 1) {
      await engine.queue.publish([{ lane: 'elsewhere', priority: 2, runIds, label: 'nonsense', delayMs: 0 }]);
    }
    await reach(beside, 'completed');
    await reach(await submit(probe('elsewhere', () => null)), 'completed');
    await waitFor(() => worker.running === 0);
  });
});

describe('a hint that does not fit', () => {
  it('goes on to a worker with room for the rest', async () => {
    const { submit, probe, startWorker, reach, engine } = await open();
    const release = deferred();
    let blocked = 0;
    const first = Array.from({ length: 2 }, () =>
      probe('elsewhere', async () => {
        blocked += 1;
        await release.promise;
      }),
    );
    const rest = Array.from({ length: 8 }, () => probe('elsewhere', () => 'done'));
    const ids = await Promise.all([...first, ...rest].map(submit));
    await startWorker(LANE, { slots: 2 });
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: ids, label: 'all', delayMs: 0 }]);
    await waitFor(() => blocked === 2);
    await startWorker(LANE, { slots: 2 });
    for (const runId of ids.slice(2)) await reach(runId, 'completed');
    for (const runId of ids.slice(0, 2)) expect((await engine.dispatcher.get(runId))?.status).toBe('running');
    release.resolve();
    for (const runId of ids.slice(0, 2)) await reach(runId, 'completed');
  });
});

describe('work of a handler', () => {
  const later = new HandlerRegistry().registerTask(
    'later',
    { description: 'Comes later.', params: z.strictObject({}) },
    () => 'here',
  );

  it('nobody knows is refused at submit', async () => {
    const { engine } = await open();
    expect(await engine.dispatcher.submit(taskSpec('later'))).toEqual({
      type: 'unknown_handler',
      handler: 'task:later',
    });
  });

  it('nobody knows yet stays queued until a worker comes that does', async () => {
    const { engine, startWorker, reach, admin, events } = await open();
    await startWorker(LANE);
    const outcome = await engine.dispatcher.submit(taskSpec('later'), { allowUnknown: true });
    expect(outcome).toMatchObject({
      type: 'accepted',
      warnings: [expect.stringContaining('task:later') as string],
    });
    const runId = outcome.type === 'accepted' ? outcome.runId : '';
    // The worker at hand has seen the hint and left the run alone.
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 1);
    expect(await events(runId)).toEqual(['submitted']);
    await shift(admin, [runId], 'dispatch_after', '0');
    await startWorker(LANE, { registry: later, pollMs: 50 });
    expect(await reach(runId, 'completed')).toMatchObject({ result: 'here', attempt: 1 });
  });

  it('only a live worker knows is accepted without a word', async () => {
    const { engine, startWorker, reach } = await open();
    await startWorker(LANE, { registry: later });
    const outcome = await engine.dispatcher.submit(taskSpec('later'));
    expect(outcome).toMatchObject({ type: 'accepted', warnings: [] });
    await reach(outcome.type === 'accepted' ? outcome.runId : '', 'completed');
  });

  it('whose params its worker refuses ends at once, and says which field', async () => {
    const strict = new HandlerRegistry().registerTask(
      'later',
      { description: 'd', params: z.strictObject({ n: z.int() }) },
      () => 0,
    );
    const { engine, startWorker, reach } = await open();
    await startWorker(LANE, { registry: strict });
    const outcome = await engine.dispatcher.submit(taskSpec('later', { n: 'one' }));
    const run = await reach(outcome.type === 'accepted' ? outcome.runId : '', 'dead_lettered');
    expect(run).toMatchObject({ attempt: 1, error: { type: 'ValidationError', retryable: false } });
    expect(run.error?.message).toContain('params.n');
  });

  it('whose params go round in circles, by its handler’s schema, has an end', async () => {
    const { submit, startWorker, reach } = await open({
      register: (registry) =>
        registry.registerTask(
          'circular',
          {
            description: 'Makes its params refer to themselves.',
            params: z.object({}).transform((params) => Object.assign(params, { self: params })),
          },
          () => 'done',
        ),
    });
    await startWorker(LANE);
    const run = await reach(await submit(taskSpec('circular', {}, { maxRetries: 0 })), 'dead_lettered');
    expect(run).toMatchObject({ attempt: 1, crashCount: 0, error: { type: 'RangeError' } });
  });

  it('that returns what cannot be stored ends at once', async () => {
    const { submit, probe, startWorker, reach } = await open();
    await startWorker(LANE);
    const run = await reach(await submit(probe(LANE, () => ({ n: 1n }))), 'dead_lettered');
    expect(run).toMatchObject({ attempt: 1, result: null, error: { type: 'ValidationError' } });
  });

  it('may fail with any value', async () => {
    const { submit, probe, startWorker, reach } = await open();
    await startWorker(LANE);
    const nul = `a\0b${'x'.repeat(10_000)}`;
    for (const thrown of [
      undefined,
      null,
      'text',
      7,
      {},
      new Error(nul),
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
    ]) {
      const runId = await submit(probe(LANE, () => Promise.reject(thrown as Error), { maxRetries: 0 }));
      expect((await reach(runId, 'dead_lettered')).error?.message).not.toBe('');
    }
  });
});

describe('a lost lease', () => {
  // In one transaction: no heartbeat comes between.
  const lose = async (runId: string) => {
    const { client, end } = await openTransaction(bed.admin);
    await shift(client, [runId], 'lease_expires_at', '-1 minute');
    expect(await reapRuns(client)).toHaveLength(1);
    await end('COMMIT');
  };

  it('makes a late outcome void: it is refused and counted', async () => {
    const { submit, probe, startWorker, count, engine } = await open();
    await startWorker(LANE, { heartbeatMs: 3_600_000 });
    const [started, finish] = [deferred(), deferred()];
    const runId = await submit(
      probe(LANE, async () => {
        started.resolve();
        await finish.promise;
        return 'late';
      }),
    );
    await started.promise;
    await lose(runId);
    finish.resolve();
    await waitFor(async () => (await count('fenced', { operation: 'settle' })) === 1);
    expect(await engine.dispatcher.get(runId)).toMatchObject({
      status: 'queued',
      epoch: 2,
      crashCount: 1,
      result: null,
    });
  });

  it('is told to the handler with the next heartbeat', async () => {
    const { submit, probe, startWorker, count } = await open();
    await startWorker(LANE, { heartbeatMs: 20 });
    const started = deferred<HandlerContext>();
    const runId = await submit(
      probe(LANE, (ctx) => {
        started.resolve(ctx);
        return untilAborted(ctx);
      }),
    );
    const { signal } = await started.promise;
    await lose(runId);
    await waitFor(() => signal.aborted);
    expect(signal.reason).toMatchObject({ reason: 'lost' });
    await waitFor(async () => (await count('fenced', { operation: 'settle' })) === 1);
  });

  it('of a run that comes back to the same worker ends the old attempt before the new one has the run', async () => {
    const { submit, probe, startWorker, engine, reach } = await open();
    await startWorker(LANE, { heartbeatMs: 3_600_000 });
    const contexts: HandlerContext[] = [];
    const started = deferred();
    const runId = await submit(
      probe(LANE, (ctx) => {
        contexts.push(ctx);
        if (contexts.length === 2) return contexts[0]?.signal.aborted;
        started.resolve();
        return untilAborted(ctx);
      }),
    );
    await started.promise;
    await lose(runId);
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    expect(await reach(runId, 'completed')).toMatchObject({ result: true, epoch: 3 });
    expect(contexts[0]?.signal.reason).toMatchObject({ reason: 'lost' });
  });

  it('leaves the handler nothing to write: no event, no child, no transaction', async () => {
    const { submit, probe, startWorker, engine, admin } = await open();
    await startWorker(LANE, { heartbeatMs: 3_600_000 });
    const [started, go, tried] = [deferred(), deferred(), deferred<unknown[]>()];
    const runId = await submit(
      probe(LANE, async (ctx) => {
        started.resolve();
        await go.promise;
        const child = await ctx.submit(taskSpec('echo'));
        const transaction = await Promise.allSettled([
          ctx.transaction((trx) =>
            trx
              .insertInto('manifest')
              .values({
                domain: 'd',
                partition_key: 'p',
                stage: 's',
                stage_rank: 1,
                metrics: '{}',
                run_id: ctx.run.runId,
              })
              .execute(),
          ),
        ]);
        const event = await Promise.allSettled([ctx.event('note')]);
        tried.resolve([child, ...transaction, ...event]);
      }),
    );
    await started.promise;
    await lose(runId);
    go.resolve();
    const lost = { status: 'rejected', reason: { name: 'AttemptAbortedError', reason: 'lost' } };
    expect(await tried.promise).toMatchObject([{ type: 'fenced' }, lost, lost]);
    expect((await engine.dispatcher.list({}, { limit: 10, offset: 0 })).total).toBe(1);
    expect((await admin.query('SELECT * FROM manifest')).rows).toEqual([]);
  });
});

describe('a worker that stops', () => {
  it('while its poll is claiming executes nothing after its stop: what it got is handed back', async () => {
    const { submit, probe, startWorker, admin, engine } = await open();
    const [asked, answer] = [deferred(), deferred()];
    const pool = interceptedPool({
      spine_claim: async (send) => {
        const claimed = await send();
        asked.resolve();
        await answer.promise;
        return claimed;
      },
    });
    let finished = 0;
    const runId = await submit(probe(LANE, (ctx) => untilAborted(ctx).finally(() => (finished += 1))));
    await shift(admin, [runId], 'dispatch_after', '0');
    // Another lane's hints: only the poll brings this run.
    const worker = await startWorker('other', {
      lanes: [LANE],
      queue: new MemoryHintQueue(),
      pool,
      pollMs: 10,
    });
    await asked.promise;
    const stopped = worker.stop(0);
    answer.resolve();
    await stopped;
    expect(finished).toBe(1);
    expect(worker.running).toBe(0);
    expect(await engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', attempt: 0, crashCount: 0 });
  });

  it('while a claim is unanswered for long hands back what it turns out to hold, and does not begin it', async () => {
    const { submit, probe, startWorker, engine } = await open();
    const [asked, answer] = [deferred(), deferred()];
    const spine_claim: Interception = async (send) => {
      const claimed = await send();
      asked.resolve();
      await answer.promise;
      return claimed;
    };
    let calls = 0;
    const runId = await submit(probe(LANE, () => (calls += 1)));
    const worker = await startWorker(LANE, { pool: interceptedPool({ spine_claim }) });
    await asked.promise;
    const stopped = worker.stop(0);
    // Longer than a stop without grace may wait for it.
    await Promise.race([stopped, sleep(4_000)]);
    answer.resolve();
    await stopped;
    await waitFor(async () => (await engine.dispatcher.get(runId))?.status === 'queued');
    expect(await engine.dispatcher.get(runId)).toMatchObject({ attempt: 0, crashCount: 0, epoch: 2 });
    expect(calls).toBe(0);
  });

  it('waits for a claim with gates that follows one without', async () => {
    const { submit, startWorker, admin, engine } = await open({
      register: (registry) =>
        registry.registerTask(
          'gated',
          { description: 'One at a time.', params: z.object({}), concurrency: { limit: 1 } },
          (_params, ctx) => untilAborted(ctx),
        ),
    });
    const [asked, unclaimed, askedAgain, answer] = [deferred(), deferred(), deferred(), deferred()];
    const pool = interceptedPool({
      spine_claim: async (send) => {
        asked.resolve();
        await unclaimed.promise;
        return send();
      },
    });
    const gatePool = watchedPool(engine.gatePool, (text) => {
      if (!text.startsWith('BEGIN')) return;
      askedAgain.resolve();
      return answer.promise;
    });
    const runId = await submit(taskSpec('gated'));
    // As one that does not know the handler stores it.
    await admin.query('UPDATE runs SET gates = NULL WHERE id = $1', [runId]);
    const queue = new MemoryHintQueue();
    const worker = await startWorker(LANE, { pool, gatePool, queue });
    await queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'plain', delayMs: 0 }]);
    await asked.promise;
    const stopped = worker.stop(0).then(() => 'stopped');
    // Until it waits for nothing but its claims.
    for (let turns = 0; turns < 20; turns += 1) await nextTurn();
    unclaimed.resolve();
    await askedAgain.promise;
    expect(await Promise.race([stopped, sleep(500, 'waits')])).toBe('waits');
    answer.resolve();
    await stopped;
    expect(worker.running).toBe(0);
    expect(await engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', attempt: 0, crashCount: 0 });
  });

  it('lets what runs finish within its grace', async () => {
    const { submit, probe, startWorker, reach } = await open();
    const worker = await startWorker(LANE);
    const [started, finish] = [deferred(), deferred()];
    const runId = await submit(
      probe(LANE, async (ctx) => {
        started.resolve();
        await finish.promise;
        return ctx.signal.aborted;
      }),
    );
    await started.promise;
    const stopped = worker.stop(10_000);
    finish.resolve();
    await stopped;
    expect(await reach(runId, 'completed')).toMatchObject({ result: false, epoch: 1 });
  });

  it('takes no new work, and gives the hints it holds back', async () => {
    const { submit, probe, startWorker, engine, reach } = await open();
    const worker = await startWorker(LANE, { slots: 1 });
    const started = deferred();
    const first = await submit(
      probe(LANE, (ctx) => {
        started.resolve();
        return untilAborted(ctx);
      }),
    );
    await started.promise;
    const waiting = await Promise.all([1, 2, 3].map(() => submit(taskSpec('echo'))));
    await worker.stop(0);
    for (const runId of waiting)
      expect(await engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', epoch: 0 });
    expect((await engine.dispatcher.get(first))?.status).toBe('queued');
    await startWorker(LANE);
    for (const runId of waiting) await reach(runId, 'completed');
  });

  it('needs handlers to start at all', async () => {
    const { startWorker } = await open();
    await expect(startWorker(LANE, { registry: new HandlerRegistry() })).rejects.toThrow(
      'no handler is registered',
    );
  });
});
