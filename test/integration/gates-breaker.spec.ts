/** Circuit breakers that all workers share. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, newId } from '@spine/core';
import { getBreaker, openBreaker, orderBreaker, probeBreaker, reportProbe } from '@spine/database';
import type { Pool } from '@spine/database';
import {
  BreakerOpenError,
  BreakerRegistry,
  createEngine,
  HandlerRegistry,
  MemoryHintQueue,
} from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

const OPEN = { forMs: 3_600_000, failures: 5, by: 'test', note: null };

describe('of many workers', () => {
  let base: EngineDatabase;
  let pool: Pool;
  let admin: Pool;
  const registries: BreakerRegistry[] = [];
  beforeAll(async () => {
    base = await openEngineDatabase();
    ({ pool, admin } = base);
  });
  beforeEach(() => base.clear());
  afterEach(() => {
    for (const registry of registries.splice(0)) registry.close();
  });
  afterAll(() => base.close());

  function worker(name: string, metrics: Metrics | null = null): BreakerRegistry {
    const registry = new BreakerRegistry({ db: pool, metrics, logger: silentLogger(), by: name });
    registry.configure('edgar', { volume: 2 });
    registries.push(registry);
    return registry;
  }

  const fail = async (registry: BreakerRegistry, times: number): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      await registry
        .get('edgar')
        .fire('me', () => Promise.reject(new NetworkError('down, and here is a secret')))
        .catch(() => undefined);
    }
  };
  const isDue = () =>
    admin.query(`UPDATE breakers SET open_until = now() - interval '1 second' WHERE name = 'edgar'`);
  const breaker = () => getBreaker(pool, 'edgar');

  it('one that sees a dependency fail tells all: they refuse without having called', async () => {
    const [one, other] = [worker('one'), worker('other')];
    await fail(one, 2);
    await waitFor(async () => (await breaker())?.state === 'open');
    expect(await breaker()).toMatchObject({ changedBy: 'one', failures: 2, forced: false, note: null });
    await other.refresh();
    let called = false;
    const refused: unknown = await other
      .get('edgar')
      .fire('me', () => (called = true))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BreakerOpenError);
    expect(refused).toMatchObject({ retryAfterSeconds: expect.closeTo(30, -1) as number });
    expect(called).toBe(false);
  });

  it('one opens it: what a second finds out later changes nothing', async () => {
    expect(await openBreaker(pool, 'edgar', { ...OPEN, by: 'first' })).toBe(true);
    expect(await openBreaker(pool, 'edgar', { ...OPEN, by: 'second' })).toBe(false);
    expect(await breaker()).toMatchObject({ changedBy: 'first' });
  });

  it('one may try when its time is over: until that call has an answer, nobody else of many makes one', async () => {
    await openBreaker(pool, 'edgar', OPEN);
    await isDue();
    const all = Array.from({ length: 4 }, (_, index) => worker(`worker ${index}`));
    await Promise.all(all.map((registry) => registry.refresh()));
    let calls = 0;
    let meanwhile: number | null = null;
    const answers = await Promise.allSettled(
      all.flatMap((registry) =>
        Array.from({ length: 5 }, () =>
          registry.get('edgar').fire(newId(), async () => {
            calls += 1;
            await Promise.all(all.map((each) => each.refresh()));
            meanwhile ??= calls;
            return 'up';
          }),
        ),
      ),
    );
    expect(meanwhile).toBe(1);
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(calls + refused.length).toBe(20);
    expect((await breaker())?.state).toBe('closed');
  });

  it('the database gives out one try, and it alone says how it went', async () => {
    await openBreaker(pool, 'edgar', OPEN);
    expect(await probeBreaker(pool, 'edgar', 'early')).toMatchObject({ type: 'refused' });
    await isDue();
    const owners = Array.from({ length: 10 }, (_, index) => `run ${index}`);
    const outcomes = await Promise.all(owners.map((owner) => probeBreaker(pool, 'edgar', owner)));
    const winners = owners.filter((_, index) => outcomes[index]?.type === 'probe');
    expect(winners).toHaveLength(1);
    const [winner = ''] = winners;
    expect(await probeBreaker(pool, 'edgar', winner)).toEqual({ type: 'probe' });
    expect(await reportProbe(pool, 'edgar', 'somebody else', true, 0)).toBe(false);
    expect(await reportProbe(pool, 'edgar', winner, false, 3_600_000)).toBe(true);
    expect(await breaker()).toMatchObject({ state: 'open', failures: 6 });
    expect(await probeBreaker(pool, 'edgar', winner)).toMatchObject({ type: 'refused' });
  });

  it('a try nobody hears of again is given to another after a while', async () => {
    await openBreaker(pool, 'edgar', OPEN);
    await isDue();
    await probeBreaker(pool, 'edgar', 'lost');
    expect(await probeBreaker(pool, 'edgar', 'next')).toMatchObject({ type: 'refused' });
    await admin.query(`UPDATE breakers SET probe_until = now() - interval '1 second'`);
    expect(await probeBreaker(pool, 'edgar', 'next')).toEqual({ type: 'probe' });
    expect(await reportProbe(pool, 'edgar', 'lost', true, 0)).toBe(false);
  });

  it('a try that fails keeps it open, one that succeeds closes it for all', async () => {
    const [one, other] = [worker('one'), worker('other')];
    await fail(one, 2);
    await waitFor(async () => (await breaker())?.state === 'open');
    await isDue();
    await Promise.all([one.refresh(), other.refresh()]);
    await expect(
      other.get('edgar').fire('a', () => Promise.reject(new NetworkError('still down'))),
    ).rejects.toThrow('still down');
    expect((await breaker())?.state).toBe('open');
    await isDue();
    await Promise.all([one.refresh(), other.refresh()]);
    expect(await other.get('edgar').fire('b', () => 'up')).toBe('up');
    expect((await breaker())?.state).toBe('closed');
    await one.refresh();
    // What the first had seen itself is forgotten with it.
    expect(await one.get('edgar').fire('c', () => 'up')).toBe('up');
  });

  it('an operator’s word stands above what workers see', async () => {
    const metrics = new Metrics('test');
    const one = worker('one', metrics);
    one.get('edgar');
    await orderBreaker(pool, 'edgar', { type: 'open', forMs: null }, 'alice', 'maintenance');
    await one.refresh();
    expect((await metrics.breakerState.get()).values).toMatchObject([{ value: 2 }]);
    await expect(one.get('edgar').fire('me', () => 1)).rejects.toBeInstanceOf(BreakerOpenError);
    expect(await probeBreaker(pool, 'edgar', 'me')).toEqual({ type: 'refused', retryInMs: null });
    await orderBreaker(pool, 'edgar', { type: 'close' }, 'alice', null);
    await one.refresh();
    await fail(one, 20);
    expect(await one.get('edgar').fire('me', () => 1)).toBe(1);
    expect(await openBreaker(pool, 'edgar', OPEN)).toBe(false);
    await orderBreaker(pool, 'edgar', { type: 'reset' }, 'alice', null);
    await one.refresh();
    await fail(one, 2);
    await waitFor(async () => (await breaker())?.state === 'open');
    expect(await orderBreaker(pool, 'edgar', { type: 'open', forMs: 60_000 }, 'alice', null)).toMatchObject({
      forced: false,
      state: 'open',
      changedBy: 'alice',
    });
  });
});

describe('a run', () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await openBed({ queue: 'memory' });
  });
  afterAll(() => bed.close());
  beforeEach(() => bed.admin.query('TRUNCATE breakers, gate_waiters'));

  it('whose handler calls a dependency that is down is deferred, no attempt charged, and done when it is up', async () => {
    const { newLane, probe, startWorker, submit, reach, events, engine } = bed;
    const lane = newLane();
    await startWorker(lane);
    await orderBreaker(engine.pool, 'edgar', { type: 'open', forMs: null }, 'test', null);
    await engine.breakers.refresh();
    const runId = await submit(probe(lane, (ctx) => ctx.breaker('edgar').fire(() => 'fetched')));
    await waitFor(async () => (await events(runId)).includes('deferred'));
    expect(await engine.dispatcher.get(runId)).toMatchObject({
      status: 'queued',
      attempt: 0,
      epoch: 2,
      error: null,
    });
    await orderBreaker(engine.pool, 'edgar', { type: 'reset' }, 'test', null);
    await engine.breakers.refresh();
    await bed.admin.query('UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1', [
      runId,
    ]);
    expect(await reach(runId, 'completed')).toMatchObject({ attempt: 1, result: 'fetched' });
  });

  it('that names a dependency waits while its breaker is open, tries it when its time is over, and closes it', async () => {
    const { newLane, probe, startWorker, submit, reach, engine, admin } = bed;
    const lane = newLane();
    await startWorker(lane);
    await openBreaker(engine.pool, 'finra', OPEN);
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => submit(probe(lane, () => null, { breakers: ['finra'] }))),
    );
    await waitFor(async () => (await admin.query('SELECT 1 FROM gate_waiters')).rows.length === 5);
    await admin.query(`UPDATE breakers SET open_until = now() - interval '1 second'`);
    const [first = '', ...others] = [...runIds].sort();
    // As the next look at the line would.
    await admin.query('UPDATE runs SET dispatch_after = now() WHERE id = $1', [first]);
    await reach(first, 'completed');
    await waitFor(async () => (await getBreaker(engine.pool, 'finra'))?.state === 'closed');
    expect(await getBreaker(engine.pool, 'finra')).toMatchObject({ changedBy: `run:${first}` });
    for (const runId of others) expect(await reach(runId, 'completed')).toMatchObject({ attempt: 1 });
  });

  it('that tries a dependency and fails leaves its breaker open', async () => {
    const { newLane, probe, startWorker, submit, reach, engine, admin } = bed;
    const lane = newLane();
    await startWorker(lane);
    await openBreaker(engine.pool, 'sec', OPEN);
    await admin.query(`UPDATE breakers SET open_until = now() - interval '1 second'`);
    const failing = probe(lane, () => Promise.reject(new Error('no')), { breakers: ['sec'], maxRetries: 0 });
    await reach(await submit(failing), 'dead_lettered');
    await waitFor(async () => (await getBreaker(engine.pool, 'sec'))?.state === 'open');
    expect((await getBreaker(engine.pool, 'sec'))?.retryInMs).toBeGreaterThan(0);
  });
});

describe('word of a breaker', () => {
  it('reaches a worker of another process by the control channel alone', async () => {
    const bed = await openBed({ queue: 'memory', maintained: false });
    const elsewhere = await createEngine({
      databaseUrl: bed.databaseUrl,
      redisUrl: null,
      registry: new HandlerRegistry(),
      logger: silentLogger(),
      metrics: new Metrics('elsewhere'),
      service: 'elsewhere',
      queue: new MemoryHintQueue(),
    });
    try {
      const lane = bed.newLane();
      // Its heartbeat, which would find out too, comes in an hour.
      await bed.startWorker(lane, { heartbeatMs: 3_600_000 });
      expect(bed.engine.breakers.state('edgar')).toBe('closed');
      await waitFor(async () => {
        const { rows } = await bed.admin.query(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
        return rows.length > 0;
      });
      elsewhere.breakers.configure('edgar', { volume: 1 });
      await elsewhere.breakers
        .get('edgar')
        .fire('me', () => Promise.reject(new NetworkError('down')))
        .catch(() => undefined);
      await waitFor(() => bed.engine.breakers.state('edgar') === 'open', { timeoutMs: 5_000 });
    } finally {
      await elsewhere.close();
      await bed.close();
    }
  });
});
