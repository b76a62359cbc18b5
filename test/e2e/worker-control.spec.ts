/** Real worker processes: cancelled runs in them, their replacement when they leak, their end on SIGTERM or on request. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createPool, requestDrain } from '@spine/database';
import type { Pool } from '@spine/database';
import { createEngine, createRelay, HandlerRegistry, taskSpec } from '@spine/execution';
import type { Engine, Ticker, WorkSpec } from '@spine/execution';
import { Metrics, REPLACE_EXIT_CODE, silentLogger } from '@spine/observability';
import { createTestDatabase, testRedisUrl, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { startProgram } from './service-processes.ts';
import type { ServiceProcess } from './service-processes.ts';

const TIMEOUT = { timeout: 120_000 } as const;
const WAIT = { timeoutMs: 60_000 } as const;
const nothing = z.strictObject({});

let database: TestDatabase;
let redisUrl: string;
let engine: Engine;
/** Tells the next worker of what was handed back, as the scheduler does. */
let relay: Ticker;
/** As the owner of the database, who sees what other connections do. */
let admin: Pool;
const workers: ServiceProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  redisUrl = await testRedisUrl();
  admin = createPool({ connectionString: database.connectionString, role: null, max: 1 });
  const registry = new HandlerRegistry();
  for (const name of ['wait', 'family', 'hold'])
    registry.registerTask(name, { description: name, params: nothing }, () => undefined);
  registry.registerTask(
    'leak',
    { description: 'leak', params: z.strictObject({ mb: z.int() }) },
    () => undefined,
  );
  engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl,
    registry,
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
  });
  relay = createRelay({ ...engine, lanes: ['default'], relayMs: 100 });
  relay.start();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill('SIGKILL')));
});
afterAll(async () => {
  await relay.stop();
  await engine.close();
  await admin.end();
  await database.drop();
});

async function startWorker(
  program: 'test-worker' | 'silent-worker',
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const worker = await startProgram(new URL(`programs/${program}.ts`, import.meta.url), {
    SPINE_DATABASE_URL: database.connectionString,
    SPINE_REDIS_URL: redisUrl,
    SPINE_LANES: 'default',
    SPINE_SHUTDOWN_GRACE_SECONDS: '0',
    ...env,
  });
  workers.push(worker);
  return worker;
}

async function submit(spec: WorkSpec): Promise<string> {
  const outcome = await engine.dispatcher.submit(spec);
  if (outcome.type !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
  return outcome.runId;
}

const says = (worker: ServiceProcess, text: string): Promise<unknown> =>
  waitFor(() => worker.output().includes(text), {
    ...WAIT,
    message: () => `${JSON.stringify(text)} in:\n${worker.output()}`,
  });

async function eventTypes(runId: string): Promise<string[]> {
  const { rows } = await engine.pool.query<{ event_type: string }>(
    'SELECT event_type FROM run_events WHERE run_id = $1 ORDER BY event_id',
    [runId],
  );
  return rows.map(({ event_type }) => event_type);
}

const HANDED_BACK = ['submitted', 'started', 'handed_back', 'started', 'completed'];

describe('a cancel from another process', () => {
  it('reaches the running handler and its child by the control channel alone', TIMEOUT, async () => {
    const worker = await startWorker('silent-worker');
    await waitFor(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
           AND application_name = 'spine-silent-worker-control' AND query LIKE 'LISTEN %' AND state = 'idle'`,
      );
      return rows.length > 0;
    }, WAIT);
    const runId = await submit(taskSpec('family'));
    await says(worker, `waiting ${runId}`);
    const children = await engine.dispatcher.list({ parentRunId: runId }, { limit: 10, offset: 0 });
    const child = children.runs[0]?.runId ?? '';
    await says(worker, `waiting ${child}`);

    expect(await engine.dispatcher.cancel(runId, 'enough')).toMatchObject({
      type: 'cancelled',
      descendants: 1,
    });
    await says(worker, `aborted ${runId} cancelled`);
    await says(worker, `aborted ${child} cancelled`);
    for (const id of [runId, child]) expect((await engine.dispatcher.get(id))?.status).toBe('cancelled');
  });
});

describe('a worker process', () => {
  it('that leaks is replaced: what it ran starts again elsewhere, no attempt charged', TIMEOUT, async () => {
    const leaky = await startWorker('test-worker', { TEST_HOLDS: 'yes', SPINE_WORKER_MAX_RSS_MB: '512' });
    const held = await submit(taskSpec('hold'));
    await says(leaky, 'holding');
    const leaks: string[] = [];
    for (let count = 0; count < 16; count += 1) leaks.push(await submit(taskSpec('leak', { mb: 32 })));

    expect(await leaky.ended).toBe(REPLACE_EXIT_CODE);
    expect(leaky.output()).toMatch(/makes room for a fresh one: it uses \d+ MiB, more than 512 MiB/);
    await startWorker('test-worker');
    const run = await engine.dispatcher.wait(held, WAIT);
    expect(run).toMatchObject({ status: 'completed', attempt: 1, crashCount: 0 });
    expect(await eventTypes(held)).toEqual(HANDED_BACK);
    for (const runId of leaks) {
      expect(await engine.dispatcher.wait(runId, WAIT)).toMatchObject({ status: 'completed', crashCount: 0 });
    }
  });

  it('that has begun as many runs as it may is replaced', TIMEOUT, async () => {
    const worker = await startWorker('test-worker', { SPINE_WORKER_MAX_RUNS: '3' });
    const runIds = await Promise.all(Array.from({ length: 3 }, () => submit(taskSpec('hold'))));
    expect(await worker.ended).toBe(REPLACE_EXIT_CODE);
    for (const runId of runIds) {
      expect(await engine.dispatcher.get(runId)).toMatchObject({ status: 'completed', attempt: 1 });
    }
  });

  it('hands back what it runs on SIGTERM, no attempt charged, and ends with 0', TIMEOUT, async () => {
    const worker = await startWorker('test-worker', { TEST_HOLDS: 'yes' });
    const held = await submit(taskSpec('hold'));
    await says(worker, 'holding');
    await worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(await engine.dispatcher.get(held)).toMatchObject({ status: 'queued', attempt: 0, crashCount: 0 });
    const { rows } = await engine.pool.query<{ status: string }>('SELECT status FROM workers WHERE id = $1', [
      worker.ready['worker_id'],
    ]);
    expect(rows).toEqual([{ status: 'stopped' }]);
    await startWorker('test-worker');
    expect(await engine.dispatcher.wait(held, WAIT)).toMatchObject({ status: 'completed', attempt: 1 });
    expect(await eventTypes(held)).toEqual(HANDED_BACK);
  });

  it('that is asked to drain hands back what it runs, and ends so that it is replaced', TIMEOUT, async () => {
    const worker = await startWorker('test-worker', { TEST_HOLDS: 'yes' });
    const held = await submit(taskSpec('hold'));
    await says(worker, 'holding');
    const asked = await requestDrain(engine.pool, String(worker.ready['worker_id']));
    expect(asked).toMatchObject({ type: 'requested' });
    expect(await worker.ended).toBe(REPLACE_EXIT_CODE);
    await startWorker('test-worker');
    expect(await engine.dispatcher.wait(held, WAIT)).toMatchObject({ status: 'completed', attempt: 1 });
  });
});
