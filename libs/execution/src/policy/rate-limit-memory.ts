import type { Clock } from '@spine/core';
import { systemClock } from '@spine/core';
import { giveBackRate, rateAvailableAt, takeRate } from '@spine/database';
import type { RateSpec, RateState } from '@spine/database';
import { rateSpecOf } from '../gates/handler-gates.ts';
import type { RateOptions } from '../gates/gates-json.ts';
import { acquireBy } from './rate-limit.ts';
import type { AcquireOptions, RateLimiter } from './rate-limit.ts';

/** A rate of one process. */
export class MemoryRateLimiter implements RateLimiter {
  readonly #spec: RateSpec;
  readonly #clock: Clock;
  #state: RateState | null = null;

  /** @throws ConfigError for a rate that could never be kept. */
  constructor(options: RateOptions, clock: Clock = systemClock) {
    this.#spec = rateSpecOf(options, 'rate limiter');
    this.#clock = clock;
  }

  async tryAcquire(permits = 1): Promise<boolean> {
    const take = takeRate(this.#spec, this.#state, permits, this.#now());
    if (take.type === 'taken') this.#state = take.state;
    return take.type === 'taken';
  }

  acquire(options: AcquireOptions = {}): Promise<void> {
    return acquireBy(this, options);
  }

  nextAt(permits = 1): Promise<Date> {
    return Promise.resolve(new Date(rateAvailableAt(this.#spec, this.#state, permits, this.#now())));
  }

  giveBack(permits: number): Promise<void> {
    this.#state = giveBackRate(this.#spec, this.#state, permits, this.#now());
    return Promise.resolve();
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

/** Refills steadily; after a pause up to `burst` at once. */
export class TokenBucketLimiter extends MemoryRateLimiter {
  constructor(options: Omit<RateOptions, 'algorithm'>, clock?: Clock) {
    super({ ...options, algorithm: 'token_bucket' }, clock);
  }
}

/** At most `limit` in any `perSeconds`. */
export class SlidingWindowLimiter extends MemoryRateLimiter {
  constructor(options: Omit<RateOptions, 'algorithm' | 'burst'>, clock?: Clock) {
    super({ ...options, algorithm: 'sliding_window' }, clock);
  }
}
