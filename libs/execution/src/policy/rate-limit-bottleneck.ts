/**
 * Token buckets kept by Bottleneck: in this process, or on Redis for all of them.
 *
 * 1. Bottleneck refills by the interval: `limit` permits come back together, every `perSeconds`. 2. A take lowers the
 * reservoir in one step and looks at what is left; what was not there is put back. Two takers never get one permit; one
 * of two that come together may be refused although a permit was there. 3. On Redis the refill counts by the clocks of
 * the processes that ask. A Redis that was flushed has forgotten what was taken: the rate starts anew.
 */
import Bottleneck from 'bottleneck';
import type { Redis } from 'ioredis';
import { ConfigError, NetworkError } from '@spine/core';
import { checkPermits } from '@spine/database';
import type { TokenBucketSpec } from '@spine/database';
import { rateSpecOf } from '../gates/handler-gates.ts';
import type { RateOptions } from '../gates/gates-json.ts';
import { acquireBy } from './rate-limit.ts';
import type { AcquireOptions, RateLimiter } from './rate-limit.ts';

/** What Bottleneck needs for a rate of all processes. */
export interface BottleneckCluster {
  readonly connection: Bottleneck.IORedisConnection;
  /** The connection's own client: Bottleneck itself does not say when it refills. */
  readonly client: Pick<Redis, 'hget'>;
  /** Names the rate in Redis. */
  readonly id: string;
}

/** How long Redis may take to answer. */
const ANSWER_MS = 2_000;
/** An unused rate is forgotten by Redis after its refill and this. */
const KEPT_MS = 300_000;
/** How often Bottleneck looks at the refill of a rate in this process. */
const LOCAL_TICK_MS = 250;

/** What Bottleneck's scripts answer after Redis has forgotten the rate, or this process after it was silent for long. */
const FORGOTTEN = /SETTINGS_KEY_NOT_FOUND|UNKNOWN_CLIENT/;

export class BottleneckRateLimiter implements RateLimiter {
  readonly #spec: TokenBucketSpec;
  readonly #cluster: BottleneckCluster | null;
  #limiter: Bottleneck;

  /**
   * @param cluster without it the rate is this process's own.
   * @throws ConfigError for a rate that could never be kept.
   */
  constructor(options: Omit<RateOptions, 'algorithm'>, cluster?: BottleneckCluster) {
    const spec = rateSpecOf({ ...options, algorithm: 'token_bucket' }, 'rate limiter');
    if (spec.algorithm !== 'token_bucket') throw new ConfigError('Bottleneck keeps no sliding windows');
    this.#spec = spec;
    this.#cluster = cluster ?? null;
    this.#limiter = this.#build();
  }

  #build(): Bottleneck {
    const { burst, limit, perMs } = this.#spec;
    const limiter = new Bottleneck({
      reservoir: burst,
      reservoirIncreaseAmount: limit,
      reservoirIncreaseInterval: perMs,
      reservoirIncreaseMaximum: burst,
      ...this.#clusterOptions(),
    });
    // What its connection reports comes out of the calls as well.
    limiter.on('error', () => undefined);
    limiter.ready().catch(() => undefined);
    return limiter;
  }

  async tryAcquire(permits = 1): Promise<boolean> {
    checkPermits(this.#spec, permits);
    const there = await this.#ask((limiter) => limiter.currentReservoir());
    if (there === null || there < permits) return false;
    const left = await this.#ask((limiter) => limiter.incrementReservoir(-permits));
    if (left >= 0) return true;
    await this.giveBack(permits);
    return false;
  }

  acquire(options: AcquireOptions = {}): Promise<void> {
    return acquireBy(this, options);
  }

  async nextAt(permits = 1): Promise<Date> {
    const there = await this.#ask((limiter) => limiter.currentReservoir());
    const now = Date.now();
    return new Date(there !== null && there >= permits ? now : Math.max(now, await this.#refillAt(now)));
  }

  /** When Bottleneck refills next; in this process it does not say, and is asked again with its next tick. */
  async #refillAt(now: number): Promise<number> {
    const { perMs } = this.#spec;
    const cluster = this.#cluster;
    if (cluster === null) return now + Math.min(perMs, LOCAL_TICK_MS);
    const refilled = await this.#ask(() =>
      cluster.client.hget(`b_${cluster.id}_settings`, 'lastReservoirIncrease'),
    );
    return (refilled === null ? now : Number(refilled)) + perMs;
  }

  #clusterOptions(): Bottleneck.ConstructorOptions {
    if (this.#cluster === null) return {};
    const { connection, id } = this.#cluster;
    return { datastore: 'ioredis', connection, id, timeout: this.#spec.perMs + KEPT_MS };
  }

  async giveBack(permits: number): Promise<void> {
    await this.#ask((limiter) => limiter.incrementReservoir(permits));
  }

  /** Ends the limiter's timers; a connection stays its owner's. */
  async close(): Promise<void> {
    await this.#limiter.disconnect(false);
  }

  async #ask<T>(question: (limiter: Bottleneck) => Promise<T>): Promise<T> {
    if (this.#cluster === null) return question(this.#limiter);
    try {
      return await this.#answer(question);
    } catch (error) {
      if (!(error instanceof Error && FORGOTTEN.test(error.message))) throw toNetworkError(error);
    }
    // A new one tells Redis of the rate, unless another process has.
    await this.close();
    this.#limiter = this.#build();
    try {
      return await this.#answer(question);
    } catch (error) {
      throw toNetworkError(error);
    }
  }

  async #answer<T>(question: (limiter: Bottleneck) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new NetworkError(`Redis did not answer within ${ANSWER_MS} ms`)),
        ANSWER_MS,
      );
    });
    try {
      return await Promise.race([question(this.#limiter), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function toNetworkError(error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  return new NetworkError('Redis, which keeps the rate, cannot be asked', { cause: error });
}
