/**
 * Token buckets kept by Bottleneck: in this process, or on Redis for all of them.
 *
 * 1. Bottleneck refills by the interval: `limit` permits come back together, every `perSeconds`. 2. A take lowers the
 * reservoir in one step and looks at what is left; what was not there is put back. Two takers never get one permit; one
 * of two that come together may be refused although a permit was there. 3. On Redis the refill counts by the clocks of
 * the processes that ask, and a flushed Redis forgets what was taken.
 */
import Bottleneck from 'bottleneck';
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
  /** Names the rate in Redis. */
  readonly id: string;
}

/** How long Redis may take to answer. */
const ANSWER_MS = 2_000;
/** An unused rate is forgotten by Redis after its refill and this. */
const KEPT_MS = 300_000;
/** How often Bottleneck looks at the refill of a rate in this process. */
const LOCAL_TICK_MS = 250;

export class BottleneckRateLimiter implements RateLimiter {
  readonly #limiter: Bottleneck;
  readonly #spec: TokenBucketSpec;
  readonly #clustered: boolean;

  /**
   * @param cluster without it the rate is this process's own.
   * @throws ConfigError for a rate that could never be kept.
   */
  constructor(options: Omit<RateOptions, 'algorithm'>, cluster?: BottleneckCluster) {
    const spec = rateSpecOf({ ...options, algorithm: 'token_bucket' }, 'rate limiter');
    if (spec.algorithm !== 'token_bucket') throw new ConfigError('Bottleneck keeps no sliding windows');
    this.#spec = spec;
    this.#clustered = cluster !== undefined;
    this.#limiter = new Bottleneck({
      reservoir: this.#spec.burst,
      reservoirIncreaseAmount: this.#spec.limit,
      reservoirIncreaseInterval: this.#spec.perMs,
      reservoirIncreaseMaximum: this.#spec.burst,
      ...(cluster === undefined
        ? {}
        : { datastore: 'ioredis', ...cluster, timeout: this.#spec.perMs + KEPT_MS }),
    });
    // What its connection reports comes out of the calls as well.
    this.#limiter.on('error', () => undefined);
    this.#limiter.ready().catch(() => undefined);
  }

  async tryAcquire(permits = 1): Promise<boolean> {
    checkPermits(this.#spec, permits);
    const there = await this.#ask(this.#limiter.currentReservoir());
    if (there === null || there < permits) return false;
    const left = await this.#ask(this.#limiter.incrementReservoir(-permits));
    if (left >= 0) return true;
    await this.giveBack(permits);
    return false;
  }

  acquire(options: AcquireOptions = {}): Promise<void> {
    return acquireBy(this, options);
  }

  async nextAt(permits = 1): Promise<Date> {
    const there = await this.#ask(this.#limiter.currentReservoir());
    const wait = there !== null && there >= permits ? 0 : Math.min(this.#spec.perMs, LOCAL_TICK_MS);
    return new Date(Date.now() + wait);
  }

  async giveBack(permits: number): Promise<void> {
    await this.#ask(this.#limiter.incrementReservoir(permits));
  }

  /** Ends the limiter's timers; a connection stays its owner's. */
  async close(): Promise<void> {
    await this.#limiter.disconnect(false);
  }

  async #ask<T>(answer: Promise<T>): Promise<T> {
    if (!this.#clustered) return answer;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new NetworkError(`Redis did not answer within ${ANSWER_MS} ms`)),
        ANSWER_MS,
      );
    });
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      if (error instanceof NetworkError) throw error;
      throw new NetworkError('Redis, which keeps the rate, cannot be asked', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
