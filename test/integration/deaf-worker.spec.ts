/** A worker that hears nothing of the queue, while the queue and the relay are well. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  BullHintQueue,
  createEngine,
  createRelay,
  HandlerRegistry,
  redisBackend,
  registerBuiltinHandlers,
  taskSpec,
  Worker,
} from '@spine/execution';
import type { Engine, HintQueue, Ticker } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase, startRedisServer } from '@spine/testing';
import type { RedisServer, TestDatabase } from '@spine/testing';
import { TcpProxy } from '../chaos/bed/tcp-proxy.ts';

const LANE = 'lonely';

let database: TestDatabase;
let redis: RedisServer;
let toRedis: TcpProxy;
let clients: Engine;
let workers: Engine;
let worker: Worker;
let relay: Ticker;

function engineOn(redisUrl: string, queue?: HintQueue): Promise<Engine> {
  return createEngine({
    databaseUrl: database.connectionString,
    redisUrl,
    ...(queue === undefined ? {} : { queue }),
    registry: registerBuiltinHandlers(new HandlerRegistry()),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  redis = await startRedisServer();
  toRedis = await TcpProxy.start(() => redis.port);
  clients = await engineOn(redis.url);
  const url = `redis://127.0.0.1:${toRedis.port}`;
  // Soon sure that it hears nothing.
  const impatient = { idleSeconds: 1, silentMs: 3_000 };
  workers = await engineOn(
    url,
    new BullHintQueue(redisBackend({ url, logger: silentLogger() }), silentLogger(), impatient),
  );
  worker = new Worker({ ...workers, lanes: [LANE], slots: 10, pollMs: 1_000 });
  await worker.start();
  // So often that a poll never finds a run that is due: each is hinted at once, and put off.
  relay = createRelay({ ...clients, lanes: [LANE], relayMs: 10 });
});

afterAll(async () => {
  await relay.stop();
  await worker.stop(0);
  await workers.close();
  await clients.close();
  await toRedis.stop();
  await redis.stop();
  await database.drop();
});

it('takes runs that were hinted in vain from Postgres', { timeout: 90_000 }, async () => {
  const before = await clients.dispatcher.submit(taskSpec('echo', {}, { lane: LANE }));
  if (before.type !== 'accepted') throw new Error(before.type);
  expect((await clients.dispatcher.wait(before.runId)).status).toBe('completed');

  toRedis.set('refuse');
  relay.start();
  const runIds: string[] = [];
  for (let run = 0; run < 5; run += 1) {
    const submitted = await clients.dispatcher.submit(taskSpec('echo', {}, { lane: LANE }));
    if (submitted.type === 'accepted') runIds.push(submitted.runId);
  }
  expect(runIds).toHaveLength(5);
  for (const runId of runIds) {
    const run = await clients.dispatcher.wait(runId, { timeoutMs: 60_000 });
    expect(run).toMatchObject({ status: 'completed', attempt: 1 });
  }
});
