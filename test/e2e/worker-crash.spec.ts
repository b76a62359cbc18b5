/** kill -9 of the worker that holds a run: another one completes it, and the history says so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, HandlerRegistry, registerBuiltinHandlers, taskSpec } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase, testRedisUrl, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { startService } from './service-processes.ts';
import type { ServiceProcess } from './service-processes.ts';

let database: TestDatabase;
let engine: Engine;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const redisUrl = await testRedisUrl();
  const env = {
    SPINE_DATABASE_URL: database.connectionString,
    SPINE_REDIS_URL: redisUrl,
    SPINE_LEASE_SECONDS: '5',
    SPINE_LANES: 'default',
  };
  services.push(...(await Promise.all([startService('worker', env), startService('worker', env)])));
  services.push(await startService('scheduler', env));
  engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl,
    registry: registerBuiltinHandlers(new HandlerRegistry()),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
  });
});

afterAll(async () => {
  await Promise.all(services.map((service) => service.kill('SIGKILL')));
  await engine.close();
  await database.drop();
});

/** The process that holds a run, once one does. */
async function holderOf(runId: string): Promise<number> {
  let pid: number | undefined;
  await waitFor(
    async () => {
      const { rows } = await engine.pool.query<{ pid: number }>(
        'SELECT w.pid FROM runs r JOIN workers w ON w.id = r.lease_owner WHERE r.id = $1',
        [runId],
      );
      pid = rows[0]?.pid;
      return pid !== undefined;
    },
    { message: 'a worker claims the run' },
  );
  if (pid === undefined) throw new Error('no holder');
  return pid;
}

describe('a worker that is killed in the middle of a run', () => {
  it(
    'loses it to another worker, which completes it once, at a higher epoch',
    { timeout: 60_000 },
    async () => {
      const submitted = await engine.dispatcher.submit(taskSpec('sleep', { seconds: 1 }));
      if (submitted.type !== 'accepted') throw new Error(submitted.type);
      const { runId } = submitted;
      const pid = await holderOf(runId);
      const before = await engine.dispatcher.get(runId);
      expect(before).toMatchObject({ status: 'running', epoch: 1 });

      await services.find((service) => service.pid === pid)?.kill('SIGKILL');

      const run = await engine.dispatcher.wait(runId, { timeoutMs: 45_000 });
      expect(run).toMatchObject({ status: 'completed', result: { slept_seconds: 1 }, crashCount: 1 });
      // One for the reaper that took it, one for the claim that completed it.
      expect(run.epoch).toBe(3);

      const { rows: events } = await engine.pool.query<{
        event_type: string;
        epoch: number;
        terminal: boolean;
        source: string;
      }>('SELECT event_type, epoch, terminal, source FROM run_events WHERE run_id = $1 ORDER BY event_id', [
        runId,
      ]);
      expect(events.map(({ event_type, epoch, terminal }) => [event_type, epoch, terminal])).toEqual([
        ['submitted', 0, false],
        ['started', 1, false],
        ['lease_expired', 2, false],
        ['started', 3, false],
        ['completed', 3, true],
      ]);
      expect(events[1]?.source).not.toBe(events[3]?.source);
      expect(events[4]?.source).toBe(events[3]?.source);
    },
  );
});
