/** Redis flushed again and again under load: every run completes, none twice. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createEngine, createReaper, createRelay, HandlerRegistry, taskSpec, Worker } from '@spine/execution';
import type { Engine, Ticker } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase, startRedisServer, waitFor } from '@spine/testing';
import type { RedisServer, TestDatabase } from '@spine/testing';

const RUNS = 5_000;
const BATCH = 250;

let database: TestDatabase;
let redis: RedisServer;
let engine: Engine;
let workers: Worker[];
let services: Ticker[];
const calls = new Map<string, number>();

beforeAll(async () => {
  database = await createTestDatabase();
  redis = await startRedisServer();
  const registry = new HandlerRegistry().registerTask(
    'count',
    { description: 'Counts its calls.', params: z.strictObject({}) },
    (_, ctx) => {
      calls.set(ctx.run.runId, (calls.get(ctx.run.runId) ?? 0) + 1);
    },
  );
  engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl: redis.url,
    registry,
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
  });
  const options = { ...engine, lanes: ['default'] };
  workers = [0, 1].map(() => new Worker({ ...options, slots: 100, pollMs: 500 }));
  services = [createRelay({ ...options, relayMs: 200 }), createReaper(options)];
});

afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all(workers.map((worker) => worker.stop()));
  await engine.close();
  await redis.stop();
  await database.drop();
});

async function start(): Promise<void> {
  await Promise.all(workers.map((worker) => worker.start()));
  for (const service of services) service.start();
  await engine.capacity.refresh();
}

async function count(sql: string): Promise<number> {
  const { rows } = await engine.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM (${sql}) x`);
  return rows[0]?.n ?? -1;
}

describe('a queue that loses everything it has', () => {
  it('costs no run and settles none twice', { timeout: 120_000 }, async () => {
    const flusher = new Redis(redis.url);
    let flushes = 0;
    let lost = 0;
    for (let sent = 0; sent < RUNS; sent += BATCH) {
      const specs = Array.from({ length: BATCH }, () => taskSpec('count'));
      const outcomes = await engine.dispatcher.submitAll(specs);
      expect(outcomes.every((outcome) => outcome.type === 'accepted')).toBe(true);
      // Between batches, while hints of the last ones are still under way.
      if ((sent / BATCH) % 4 === 3) {
        await flusher.flushall();
        flushes += 1;
        // Nobody worked before the first one: it has taken every hint there was.
        if (flushes === 1) {
          lost = await count(`SELECT 1 FROM runs WHERE status = 'queued'`);
          await start();
        }
      }
    }
    await flusher.flushall();
    flusher.disconnect();
    expect(flushes).toBe(5);
    expect(lost).toBe(4 * BATCH);
    // As if the time had passed after which a run without a hint gets another.
    await engine.pool.query(`UPDATE runs SET dispatch_after = now() WHERE status = 'queued'`);

    await waitFor(async () => (await count(`SELECT 1 FROM runs WHERE status <> 'completed'`)) === 0, {
      timeoutMs: 90_000,
      message: 'every run completes',
    });
    expect(await count('SELECT 1 FROM runs')).toBe(RUNS);
    expect(await count('SELECT run_id FROM run_events WHERE terminal')).toBe(RUNS);
    expect(await count(`SELECT run_id FROM run_events WHERE event_type = 'started'`)).toBe(RUNS);
    expect([...calls.values()].filter((times) => times !== 1)).toEqual([]);
    expect(calls.size).toBe(RUNS);
  });
});
