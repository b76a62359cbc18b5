/** Rates on a Redis that is not there. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NetworkError } from '@spine/core';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { redisLimits } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { startRedisServer, waitFor } from '@spine/testing';
import type { RedisServer } from '@spine/testing';

const DAILY = { limit: 2, perSeconds: 86_400 };

let redis: RedisServer;
let pool: Pool;
beforeAll(async () => {
  redis = await startRedisServer();
  // Token buckets do not ask it.
  pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
});
afterAll(async () => {
  await pool.end();
  await redis.stop();
});

const answers = (take: () => Promise<boolean>): Promise<boolean> =>
  take().catch((error: unknown) => {
    if (error instanceof NetworkError) return false;
    throw error;
  });

it('fail in a way that a retry helps against, and are there again when Redis is', async () => {
  const limits = redisLimits(pool, redis.url, silentLogger());
  const take = (): Promise<boolean> => limits.rate('k', DAILY).tryAcquire();
  expect(await take()).toBe(true);
  await redis.kill();
  await expect(take()).rejects.toBeInstanceOf(NetworkError);
  await redis.restart();
  // Empty: it has forgotten what was taken.
  await waitFor(() => answers(take), { timeoutMs: 20_000 });
  await limits.close();
});

it('do not wait for a Redis that stands still', async () => {
  const limits = redisLimits(pool, redis.url, silentLogger());
  expect(await limits.rate('still', DAILY).tryAcquire()).toBe(true);
  await redis.pause();
  try {
    await expect(limits.rate('still', DAILY).tryAcquire()).rejects.toBeInstanceOf(NetworkError);
  } finally {
    await redis.resume();
  }
  await limits.close();
});

it('that was never there fails the call, not the process', async () => {
  const limits = redisLimits(pool, 'redis://127.0.0.1:1', silentLogger());
  await expect(limits.rate('k', DAILY).tryAcquire()).rejects.toBeInstanceOf(NetworkError);
  await limits.close();
});
