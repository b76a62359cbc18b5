import { giveBackStoredRate, storedRateWait, takeStoredRate } from '@spine/database';
import type { Pool, RateSpec } from '@spine/database';
import { rateSpecOf } from '../gates/handler-gates.ts';
import type { RateOptions } from '../gates/gates-json.ts';
import { acquireBy } from './rate-limit.ts';
import type { AcquireOptions, RateLimiter } from './rate-limit.ts';

/**
 * A rate of all processes, kept in Postgres and counted by its clock. The key is the same as a run's rate gate of that
 * key: both take from one rate.
 */
export class PostgresRateLimiter implements RateLimiter {
  readonly #pool: Pool;
  readonly #key: string;
  readonly #spec: RateSpec;

  /** @throws ConfigError for a rate that could never be kept. */
  constructor(pool: Pool, key: string, options: RateOptions) {
    this.#pool = pool;
    this.#key = key;
    this.#spec = rateSpecOf(options, `rate ${key}`);
  }

  async tryAcquire(permits = 1): Promise<boolean> {
    return (await takeStoredRate(this.#pool, this.#key, this.#spec, permits)).type === 'taken';
  }

  acquire(options: AcquireOptions = {}): Promise<void> {
    return acquireBy(this, options);
  }

  async nextAt(permits = 1): Promise<Date> {
    const waitMs = await storedRateWait(this.#pool, this.#key, this.#spec, permits);
    return new Date(Date.now() + waitMs);
  }

  giveBack(permits: number): Promise<void> {
    return giveBackStoredRate(this.#pool, this.#key, this.#spec, permits);
  }
}
