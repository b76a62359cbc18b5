/** Runs with gates through workers: what is never exceeded, and that everything gets its turn. */
import { z } from 'zod';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '@spine/observability';
import { HandlerRegistry, LineWatch, MemoryHintQueue, registerBuiltinHandlers } from '@spine/execution';
import type { Engine, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';
import { settle, somebodyWaitsForALock, storeMany } from './engine-support.ts';
import { allOver, claimWithGates, lineOf, sweepLines, watchedPool } from './gates-support.ts';

let bed: Bed | null = null;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await bed?.close();
  bed = null;
});

async function open(options: Partial<BedOptions> = {}): Promise<Bed> {
  bed = await openBed({ queue: 'memory', ...options });
  return bed;
}

const echoRegistry = (): HandlerRegistry => registerBuiltinHandlers(new HandlerRegistry());

const key = (limit: number, name = 'k') => ({ concurrency: [{ key: name, limit }] });

describe('a run that is refused', () => {
  it('gives its slot back at once: a worker full of such runs runs others', async () => {
    const { newLane, probe, startWorker, submit, reach } = await open();
    const lane = newLane();
    const worker = await startWorker(lane, { slots: 2 });
    const [started, finish] = [deferred(), deferred()];
    const holder = await submit(
      probe(
        lane,
        async () => {
          started.resolve();
          await finish.promise;
        },
        key(1),
      ),
    );
    await started.promise;
    const waiting = await Promise.all(
      Array.from({ length: 20 }, () => submit(probe(lane, () => null, key(1)))),
    );
    for (let count = 0; count < 5; count += 1)
      await reach(await submit(probe(lane, () => null)), 'completed');
    expect(worker.running).toBe(1);
    finish.resolve();
    for (const runId of [holder, ...waiting])
      expect(await reach(runId, 'completed')).toMatchObject({ attempt: 1 });
  });

  it('gets its turn from whoever sweeps when the worker that held the place is gone', async () => {
    const { newLane, probe, startWorker, submit, reach, engine, admin } = await open();
    const lane = newLane();
    const silent = await startWorker(lane, {
      leaseMs: 500,
      heartbeatMs: 3_600_000,
      control: undefined,
      slots: 1,
    });
    const started = deferred();
    const holder = await submit(
      probe(
        lane,
        (ctx) => {
          started.resolve();
          return untilAborted(ctx);
        },
        { ...key(1), maxRetries: 0 },
      ),
    );
    await started.promise;
    const other = newLane();
    const next = await submit(probe(other, () => null, key(1)));
    await startWorker(other);
    await waitFor(async () => (await admin.query('SELECT 1 FROM gate_waiters')).rows.length === 1);
    closing.push(sweepLines(engine, 50));
    expect(await reach(next, 'completed')).toMatchObject({ attempt: 1 });
    expect((await engine.dispatcher.get(holder))?.status).toBe('dead_lettered');
    expect(silent.running).toBe(1);
  });

  it('is found by the workers’ own poll when nobody maintains and the queue is down', async () => {
    const { newLane, probe, startWorker, submit, reach } = await open({
      queue: new DownQueue(),
      maintained: false,
    });
    const lane = newLane();
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => submit(probe(lane, () => null, key(1)))),
    );
    await startWorker(lane, { pollMs: 20 });
    for (const runId of runIds) expect(await reach(runId, 'completed')).toMatchObject({ attempt: 1 });
  });
});

/** Takes no hints. */
class DownQueue extends MemoryHintQueue {
  override publish(): Promise<void> {
    return Promise.reject(new Error('the queue is down'));
  }
}

describe('an answer to a claim with gates that was lost', () => {
  it('is found again: the run is executed, once', async () => {
    const { newLane, probe, startWorker, submit, reach, engine } = await open();
    const lane = newLane();
    let lost = 0;
    const gatePool = watchedPool(engine.gatePool, (text) => {
      if (text !== 'COMMIT' || lost > 0) return;
      lost += 1;
      return 'lose the answer';
    });
    let calls = 0;
    const runIds = await Promise.all(
      Array.from({ length: 3 }, () => submit(probe(lane, () => (calls += 1), key(5)))),
    );
    await startWorker(lane, { gatePool });
    for (const runId of runIds)
      expect(await reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    expect([lost, calls]).toEqual([1, 3]);
  });
});

describe('a line of 10,000 before one place', () => {
  it('costs a bounded number of statements a run, whatever its length', { timeout: 120_000 }, async () => {
    const { newLane, probe, startWorker, engine, admin, count } = await open({ maintained: false });
    const lane = newLane();
    let statements = 0;
    const gatePool = watchedPool(engine.gatePool, () => {
      statements += 1;
    });
    const worker = await startWorker(lane, { slots: 100, gatePool });
    const [started, finish] = [deferred(), deferred()];
    let done = 0;
    const first: WorkSpec = probe(
      lane,
      async () => {
        started.resolve();
        await finish.promise;
      },
      key(1),
    );
    await engine.dispatcher.submit(first);
    await started.promise;
    const many = Array.from({ length: 10_000 }, () => probe(lane, () => (done += 1), key(1)));
    await engine.dispatcher.submitAll(many);
    const waiting = async (): Promise<number> => {
      const { rows } = await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM gate_waiters');
      return rows[0]?.n ?? 0;
    };
    await waitFor(async () => (await waiting()) === 10_000, { timeoutMs: 60_000 });
    // Each was looked at once, many at a time.
    const refused = await refusals(engine);
    expect(refused).toBe(10_000);
    expect(statements).toBeLessThan(10_000);
    const [before, claimedBefore] = [statements, await count('claimed')];
    finish.resolve();
    await waitFor(() => done >= 100, { timeoutMs: 60_000 });
    const claims = (await count('claimed')) - claimedBefore;
    // Nobody behind the first was looked at for nothing.
    expect((await refusals(engine)) - refused).toBeLessThanOrEqual(2);
    expect((statements - before) / claims).toBeLessThan(4);
    expect(worker.running).toBeLessThanOrEqual(1);
  });
});

async function refusals({ metrics }: Engine): Promise<number> {
  const { values } = await metrics.gateRefusals.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

describe('a handler with gates of its own', () => {
  const params = z.strictObject({ tenant: z.string() });

  it('counts by what its key says of each run, however the run was submitted', async () => {
    const most = new Map<string, number>();
    const now = new Map<string, number>();
    const bothFull = deferred();
    const opened = await open({
      register: (registry) =>
        registry.registerTask(
          'of_tenant',
          {
            description: 'Two at a time of each tenant.',
            params,
            concurrency: { limit: 2, key: 'tenant:{params.tenant}' },
          },
          async ({ tenant }) => {
            now.set(tenant, (now.get(tenant) ?? 0) + 1);
            most.set(tenant, Math.max(most.get(tenant) ?? 0, now.get(tenant) ?? 0));
            if (most.get('acme') === 2 && most.get('beta') === 2) bothFull.resolve();
            await bothFull.promise;
            now.set(tenant, (now.get(tenant) ?? 0) - 1);
          },
        ),
    });
    const { newLane, startWorker, engine, admin } = opened;
    const lane = newLane();
    await startWorker(lane);
    const spec = (tenant: string): WorkSpec => ({
      kind: 'task',
      name: 'of_tenant',
      params: { tenant },
      lane,
    });
    const specs = Array.from({ length: 30 }, (_, index) => spec(index % 3 === 0 ? 'acme' : 'beta'));
    await engine.dispatcher.submitAll(specs);
    // As one that does not know the handler stores them: without its gates, and hinted as if it had none.
    await admin.query(
      `INSERT INTO runs (id, kind, name, lane, priority, status, params, trigger_source, metadata, tags, max_attempts,
         retry_delay_ms, timeout_ms, dead_letter, available_at, dispatch_after)
       SELECT gen_random_uuid(), 'task', 'of_tenant', $1, 2, 'queued', '{"tenant":"acme"}', 'api', '{}', '{}', 1, 0, 60000,
         true, now(), now() FROM generate_series(1, 10)`,
      [lane],
    );
    await allOver(admin, lane, { completed: 40 });
    expect(Object.fromEntries(most)).toEqual({ acme: 2, beta: 2 });
    const { rows } = await admin.query<{ gates: unknown }>(
      'SELECT DISTINCT gates FROM runs WHERE lane = $1',
      [lane],
    );
    expect(rows).toHaveLength(2);
  });
});

describe('a singleton', () => {
  it('starts when the active run of its key has ended, told by whoever ended it', async () => {
    const { newLane, probe, startWorker, submit, reach } = await open();
    const lane = newLane();
    await startWorker(lane);
    const [started, finish] = [deferred(), deferred()];
    const one = { singletonKey: 'one' };
    const active = await submit(
      probe(
        lane,
        async () => {
          started.resolve();
          await finish.promise;
        },
        one,
      ),
    );
    await started.promise;
    const superseded = await submit(probe(lane, () => 1, one));
    const last = await submit(probe(lane, () => 2, one));
    await reach(superseded, 'cancelled');
    finish.resolve();
    await reach(active, 'completed');
    expect(await reach(last, 'completed')).toMatchObject({ result: 2, attempt: 1 });
  });
});

describe('a rate', () => {
  it('lets everything through in the end by the clock alone, with nobody else looking', async () => {
    const { newLane, probe, startWorker, submit, admin, engine } = await open({ maintained: false });
    const lane = newLane();
    await startWorker(lane);
    const rate = {
      rateLimits: [{ key: 'r', limit: 5, perSeconds: 0.5, algorithm: 'sliding_window' as const }],
    };
    await Promise.all(Array.from({ length: 12 }, () => submit(probe(lane, () => null, rate))));
    await allOver(admin, lane, { completed: 12 });
    expect(await refusals(engine)).toBeGreaterThanOrEqual(7);
  });
});

describe('looking at lines', () => {
  it('waits for who is about to join one because of the place that was freed', async () => {
    const { engine, admin, newLane, startWorker } = await open({ maintained: false });
    // One that could start them, and that no hint of theirs reaches.
    await startWorker(newLane(), {
      lanes: ['default'],
      registry: echoRegistry(),
      queue: new MemoryHintQueue(),
    });
    const runIds = await storeMany(engine.pool, 2, key(1));
    const [holder] = (await claimWithGates(engine.gatePool, runIds.slice(0, 1))).claimed;
    const [reached, go] = [deferred(), deferred()];
    const slow = watchedPool(engine.gatePool, async (text) => {
      if (text !== 'COMMIT') return;
      reached.resolve();
      await go.promise;
    });
    const refused = claimWithGates(slow, runIds.slice(1));
    await reached.promise;
    await settle(engine.pool, { runId: holder?.runId ?? '', epoch: 1 });
    const watch = new LineWatch({ ...engine, db: engine.gatePool });
    watch.freed([{ type: 'concurrency', key: 'k' }]);
    await somebodyWaitsForALock(admin);
    go.resolve();
    expect((await refused).claimed).toEqual([]);
    await watch.stop();
    expect(await lineOf(admin, 'k')).toEqual([{ run_id: runIds[1], woken: true }]);
  });

  it('goes on after a look that failed', async () => {
    const { engine } = await open();
    let fail = true;
    const broken = watchedPool(engine.gatePool, () => {
      if (fail) throw new Error('the database is away');
    });
    const watch = new LineWatch({ db: broken, publisher: engine.publisher, logger: silentLogger() });
    watch.freed([{ type: 'concurrency', key: 'k' }]);
    await watch.drain();
    fail = false;
    watch.freed([{ type: 'concurrency', key: 'k' }]);
    await watch.drain();
    expect(await watch.sweep()).toBe(false);
    await watch.stop();
  });
});
