/** Handlers that put their run off, and rates that they take from. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFERRAL_EPOCH_LIMIT, RunDeferredError } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { eventsOf } from './engine-support.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
});
afterAll(() => bed.close());

/** Lets a deferred run go on now. */
async function now(runId: string): Promise<void> {
  await bed.admin.query(
    `UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1 AND status = 'queued'`,
    [runId],
  );
}

async function isDeferred(runId: string, times = 1): Promise<void> {
  await waitFor(async () => (await bed.events(runId)).filter((type) => type === 'deferred').length === times);
}

describe('a run that is deferred', () => {
  it('waits, is not charged, and goes on; its history says why', async () => {
    const { newLane, probe, startWorker, submit, reach, engine, admin } = bed;
    const lane = newLane();
    const worker = await startWorker(lane);
    let calls = 0;
    const runId = await submit(
      probe(lane, (ctx) => {
        calls += 1;
        return calls < 3 ? ctx.defer(3_600, `not yet\0, try ${calls}`) : calls;
      }),
    );
    await isDeferred(runId);
    await waitFor(() => worker.running === 0);
    expect(await engine.dispatcher.get(runId)).toMatchObject({
      status: 'queued',
      attempt: 0,
      epoch: 2,
      error: null,
    });
    const event = (await eventsOf(admin, runId)).find(({ event_type }) => event_type === 'deferred');
    expect(event).toMatchObject({
      terminal: false,
      data: { reason: 'not yet\ufffd, try 1', delay_ms: 3_600_000 },
    });
    await now(runId);
    await isDeferred(runId, 2);
    await now(runId);
    expect(await reach(runId, 'completed')).toMatchObject({ attempt: 1, epoch: 5, result: 3 });
    expect(await bed.count('settled', { outcome: 'deferred' })).toBe(2);
  });

  it('too often is a dead letter that says so', async () => {
    const { newLane, probe, startWorker, submit, reach, admin } = bed;
    const lane = newLane();
    const runId = await submit(probe(lane, (ctx) => ctx.defer(0, 'never ready')));
    await admin.query('UPDATE runs SET epoch = $2 WHERE id = $1', [runId, DEFERRAL_EPOCH_LIMIT - 1]);
    await startWorker(lane);
    expect(await reach(runId, 'dead_lettered')).toMatchObject({
      error: { type: 'DeferralLimitError', retryable: false },
    });
  });

  it('by nonsense fails as the handler’s mistake', async () => {
    const { newLane, probe, startWorker, submit, reach } = bed;
    const lane = newLane();
    await startWorker(lane);
    for (const seconds of [-1, Number.NaN, Infinity]) {
      const runId = await submit(probe(lane, (ctx) => ctx.defer(seconds, 'r')));
      expect(await reach(runId, 'dead_lettered')).toMatchObject({ error: { type: 'ValidationError' } });
    }
  });
});

describe('a rate in a handler', () => {
  const DAILY = { limit: 2, perSeconds: 86_400 };

  it('is one for all runs that take from it; who finds it used up is deferred', async () => {
    const { newLane, probe, startWorker, submit, admin } = bed;
    const lane = newLane();
    await startWorker(lane);
    const work = (key: string) => probe(lane, (ctx) => ctx.limits.takeOrDefer(key, DAILY));
    const runIds = await Promise.all(Array.from({ length: 5 }, () => submit(work('api'))));
    const byStatus = async (): Promise<Record<string, number>> => {
      const { rows } = await admin.query<{ status: string; n: number }>(
        `SELECT status, count(*)::int AS n FROM runs WHERE id = ANY($1::uuid[]) GROUP BY status`,
        [runIds],
      );
      return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
    };
    await waitFor(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM run_events WHERE run_id = ANY($1::uuid[]) AND event_type = 'deferred'`,
        [runIds],
      );
      return rows.length === 3;
    });
    expect(await byStatus()).toEqual({ completed: 2, queued: 3 });
    const { rows } = await admin.query<{ later: boolean }>(
      `SELECT bool_and(available_at > now() + interval '11 hours') AS later FROM runs WHERE id = ANY($1::uuid[]) AND status = 'queued'`,
      [runIds],
    );
    expect(rows).toEqual([{ later: true }]);
  });

  it('is the same rate as a gate of its key', async () => {
    const { engine, newLane, probe, startWorker, submit, reach, admin } = bed;
    const lane = newLane();
    await startWorker(lane);
    const limiter = engine.limits.rate('both', { limit: 1, perSeconds: 86_400 });
    expect(await limiter.tryAcquire()).toBe(true);
    const gated = { rateLimits: [{ key: 'both', limit: 1, perSeconds: 86_400 }] };
    const runId = await submit(probe(lane, () => null, gated));
    await waitFor(
      async () =>
        (await admin.query('SELECT 1 FROM gate_waiters WHERE run_id = $1', [runId])).rows.length === 1,
    );
    await limiter.giveBack(1);
    await admin.query('UPDATE runs SET dispatch_after = now() WHERE id = $1', [runId]);
    await reach(runId, 'completed');
  });

  it('needs a key that can be stored', () => {
    for (const key of ['', 'x'.repeat(201), 'a\0b']) {
      expect(() => bed.engine.limits.rate(key, DAILY)).toThrow(/must have 1 to 200 characters/);
    }
    expect(bed.engine.limits.rate('k', DAILY)).toBe(bed.engine.limits.rate('k', DAILY));
    expect(bed.engine.limits.rate('k', DAILY)).not.toBe(bed.engine.limits.rate('k', { ...DAILY, limit: 3 }));
  });
});

describe('with Redis', () => {
  it('token buckets are kept there, sliding windows in Postgres', async () => {
    const redis = await openBed({ queue: 'redis', maintained: false });
    try {
      const { limits, gatePool } = redis.engine;
      const stored = async (): Promise<string[]> => {
        const { rows } = await gatePool.query<{ key: string }>(
          `SELECT key FROM gate_states WHERE gate_type = 'rate'`,
        );
        return rows.map(({ key }) => key);
      };
      expect(await limits.rate('bucket', { limit: 1, perSeconds: 86_400 }).tryAcquire()).toBe(true);
      expect(await limits.rate('bucket', { limit: 1, perSeconds: 86_400 }).tryAcquire()).toBe(false);
      expect(await stored()).toEqual([]);
      // Put off until the refill, not until the next look.
      const put: unknown = await limits
        .takeOrDefer('bucket', { limit: 1, perSeconds: 86_400 })
        .catch((error: unknown) => error);
      expect(put).toBeInstanceOf(RunDeferredError);
      expect((put as RunDeferredError).delayMs).toBeGreaterThan(43_200_000);
      const window = { limit: 1, perSeconds: 86_400, algorithm: 'sliding_window' } as const;
      expect(await limits.rate('window', window).tryAcquire()).toBe(true);
      expect(await stored()).toEqual(['window']);
    } finally {
      await redis.close();
    }
  });
});
