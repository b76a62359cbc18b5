/** Limiters made of limiters: one a key, and several at once. */
import { RecentMap } from '../gates/recent-map.ts';
import { acquireBy } from './rate-limit.ts';
import type { AcquireOptions, RateLimiter } from './rate-limit.ts';

export interface KeyedRateLimiterOptions {
  /** Makes the limiter of a key. */
  readonly create: (key: string) => RateLimiter;
  /**
   * Keys kept at the most, those asked for last. A limiter that keeps its state itself forgets it with its key, so give
   * more than are in use within its time. Default 10,000.
   */
  readonly maxKeys?: number;
  /** Told of a limiter that is no longer kept. */
  readonly onForget?: (limiter: RateLimiter) => void;
}

/** A limiter for every key, such as one per account. */
export class KeyedRateLimiter {
  readonly #create: (key: string) => RateLimiter;
  readonly #limiters: RecentMap<RateLimiter>;

  constructor({ create, maxKeys = 10_000, onForget }: KeyedRateLimiterOptions) {
    this.#create = create;
    this.#limiters = new RecentMap(maxKeys, onForget);
  }

  /** The limiter of a key. */
  for(key: string): RateLimiter {
    return this.#limiters.get(key, () => this.#create(key));
  }

  tryAcquire(key: string, permits = 1): Promise<boolean> {
    return this.for(key).tryAcquire(permits);
  }

  acquire(key: string, options: AcquireOptions = {}): Promise<void> {
    return this.for(key).acquire(options);
  }

  nextAt(key: string, permits = 1): Promise<Date> {
    return this.for(key).nextAt(permits);
  }
}

/**
 * Several limits at once: takes from all of them or from none. What one gives and another then refuses is put back; for
 * that moment others may be refused it.
 */
export class CompositeRateLimiter implements RateLimiter {
  readonly #limiters: readonly RateLimiter[];

  constructor(limiters: readonly RateLimiter[]) {
    this.#limiters = limiters;
  }

  async tryAcquire(permits = 1): Promise<boolean> {
    const taken: RateLimiter[] = [];
    try {
      for (const limiter of this.#limiters) {
        if (!(await limiter.tryAcquire(permits))) {
          await putBack(taken, permits);
          return false;
        }
        taken.push(limiter);
      }
      return true;
    } catch (error) {
      await putBack(taken, permits);
      throw error;
    }
  }

  acquire(options: AcquireOptions = {}): Promise<void> {
    return acquireBy(this, options);
  }

  /** The latest of all. */
  async nextAt(permits = 1): Promise<Date> {
    const all = await Promise.all(this.#limiters.map((limiter) => limiter.nextAt(permits)));
    return new Date(Math.max(Date.now(), ...all.map((at) => at.getTime())));
  }

  async giveBack(permits: number): Promise<void> {
    await putBack(this.#limiters, permits);
  }
}

async function putBack(limiters: readonly RateLimiter[], permits: number): Promise<void> {
  await Promise.all(limiters.map((limiter) => limiter.giveBack(permits)));
}
