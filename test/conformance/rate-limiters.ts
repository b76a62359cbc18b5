/** The rate limiters under test: what each is made of, and how a second one of the same rate is made. */
import Bottleneck from 'bottleneck';
import { Redis } from 'ioredis';
import { newId } from '@spine/core';
import { createPool } from '@spine/database';
import { BottleneckRateLimiter, MemoryRateLimiter, PostgresRateLimiter } from '@spine/execution';
import type { RateLimiter, RateOptions } from '@spine/execution';
import { createTestDatabase, testRedisUrl } from '@spine/testing';

export interface LimiterBackend {
  /** A limiter of a rate nobody else uses; asked again for the same key, another one of the same rate. */
  make(options: RateOptions, key?: string): RateLimiter;
  close(): Promise<void>;
}

export function openMemory(): Promise<LimiterBackend> {
  return Promise.resolve({
    make: (options) => new MemoryRateLimiter(options),
    close: () => Promise.resolve(),
  });
}

export async function openPostgres(): Promise<LimiterBackend> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.connectionString, genericPlans: true });
  return {
    make: (options, key = newId()) => new PostgresRateLimiter(pool, key, options),
    close: async () => {
      await pool.end();
      await database.drop();
    },
  };
}

export function openBottleneck(): Promise<LimiterBackend> {
  const made: BottleneckRateLimiter[] = [];
  return Promise.resolve({
    make: (options) => {
      const limiter = new BottleneckRateLimiter(options);
      made.push(limiter);
      return limiter;
    },
    close: async () => {
      await Promise.all(made.map((limiter) => limiter.close()));
    },
  });
}

export async function openBottleneckRedis(): Promise<LimiterBackend> {
  const client = new Redis(await testRedisUrl());
  const connection = new Bottleneck.IORedisConnection({ client });
  const made: BottleneckRateLimiter[] = [];
  return {
    make: (options, key = newId()) => {
      const limiter = new BottleneckRateLimiter(options, { client, connection, id: key });
      made.push(limiter);
      return limiter;
    },
    close: async () => {
      await Promise.all(made.map((limiter) => limiter.close()));
      await connection.disconnect(false);
      client.disconnect();
    },
  };
}
