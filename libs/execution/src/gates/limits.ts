/** Rates inside handlers: `ctx.limits`. */
import { ValidationError, isStorableText } from '@spine/core';
import type { Pool } from '@spine/database';
import type { Logger } from '@spine/observability';
import Bottleneck from 'bottleneck';
import { Redis } from 'ioredis';
import { BottleneckRateLimiter } from '../policy/rate-limit-bottleneck.ts';
import { MemoryRateLimiter } from '../policy/rate-limit-memory.ts';
import { PostgresRateLimiter } from '../policy/rate-limit-postgres.ts';
import type { RateLimiter } from '../policy/rate-limit.ts';
import { LIMITS } from '../spec/limits.ts';
import { RunDeferredError, SHORTEST_DEFERRAL_MS } from '../worker/defer.ts';
import type { RateOptions } from './gates-json.ts';
import { RecentMap } from './recent-map.ts';

/** What a handler takes permits from. */
export interface HandlerLimits {
  /**
   * The rate of a key, shared by everybody who asks for it with the same numbers.
   * @throws ValidationError for a key of no or more than 200 characters; ConfigError for a rate that could never be kept.
   */
  rate(key: string, options: RateOptions): RateLimiter;
  /**
   * Takes permits at once, or defers the run until they might be there: no worker waits.
   * @throws RunDeferredError, which the handler lets pass.
   */
  takeOrDefer(key: string, options: RateOptions, permits?: number): Promise<void>;
}

/** Limiters kept; the rates themselves are elsewhere. */
const MOST_LIMITERS = 500;

type Create = (key: string, options: RateOptions) => RateLimiter;

export class Limits implements HandlerLimits {
  readonly #create: Create;
  readonly #limiters: RecentMap<RateLimiter>;
  readonly #close: () => Promise<void>;

  constructor(create: Create, close: () => Promise<void> = () => Promise.resolve(), most = MOST_LIMITERS) {
    this.#create = create;
    this.#close = close;
    this.#limiters = new RecentMap(most, closeLimiter);
  }

  rate(key: string, options: RateOptions): RateLimiter {
    if (key.length === 0 || key.length > LIMITS.keyLength || !isStorableText(key)) {
      throw new ValidationError(
        `key ${JSON.stringify(key.slice(0, 100))} must have 1 to ${LIMITS.keyLength} characters that can be stored`,
      );
    }
    const { limit, perSeconds, algorithm = 'token_bucket', burst = null } = options;
    const id = JSON.stringify([key, limit, perSeconds, algorithm, burst]);
    return this.#limiters.get(id, () => this.#create(key, options));
  }

  async takeOrDefer(key: string, options: RateOptions, permits = 1): Promise<void> {
    const limiter = this.rate(key, options);
    if (await limiter.tryAcquire(permits)) return;
    const waitMs = (await limiter.nextAt(permits)).getTime() - Date.now();
    throw new RunDeferredError(Math.max(SHORTEST_DEFERRAL_MS, waitMs), `the rate of ${key} is used up`);
  }

  async close(): Promise<void> {
    for (const limiter of this.#limiters.values) closeLimiter(limiter);
    await this.#close();
  }
}

function closeLimiter(limiter: RateLimiter): void {
  if (limiter instanceof BottleneckRateLimiter) void limiter.close().catch(() => undefined);
}

/** Rates of this process alone. They are forgotten with the process, and when more than 10,000 are in use. */
export function memoryLimits(): Limits {
  return new Limits((_key, options) => new MemoryRateLimiter(options), undefined, 10_000);
}

/** Rates of all processes, kept in Postgres. */
export function postgresLimits(pool: Pool): Limits {
  return new Limits((key, options) => new PostgresRateLimiter(pool, key, options));
}

/** Bottleneck does not wait for what it unsubscribes from: a connection that is gone must not end the process. */
class LimitRedis extends Redis {
  override duplicate(...args: Parameters<Redis['duplicate']>): Redis {
    const subscriber = super.duplicate(...args);
    const unsubscribe = (channel: string): Promise<unknown> =>
      Redis.prototype.unsubscribe.call(subscriber, channel).catch(() => undefined);
    return Object.assign(subscriber, { unsubscribe });
  }
}

/** Rates of all processes: token buckets on Redis, sliding windows in Postgres. Connects with the first bucket. */
export function redisLimits(pool: Pool, url: string, logger: Logger): Limits {
  let opened: { client: Redis; connection: Bottleneck.IORedisConnection } | null = null;
  const open = (): { client: Redis; connection: Bottleneck.IORedisConnection } => {
    if (opened !== null) return opened;
    const client = new LimitRedis(url, {
      retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
      connectTimeout: 5_000,
      // A take that waits for Redis to come back would be taken when nobody wants it any more.
      enableOfflineQueue: false,
    });
    client.on('error', (error) => logger.debug({ err: error }, 'redis connection of rate limits'));
    const connection = new Bottleneck.IORedisConnection({ client });
    connection.on('error', (error: unknown) =>
      logger.debug({ err: error }, 'redis connection of rate limits'),
    );
    opened = { client, connection };
    return opened;
  };
  return new Limits(
    (key, options) =>
      options.algorithm === 'sliding_window'
        ? new PostgresRateLimiter(pool, key, options)
        : new BottleneckRateLimiter(options, { ...open(), id: `spine:rate:${key}` }),
    async () => {
      if (opened === null) return;
      await opened.connection.disconnect(false);
      opened.client.disconnect();
    },
  );
}
