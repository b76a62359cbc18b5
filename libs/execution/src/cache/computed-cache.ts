/**
 * Values that are computed when they are not cached.
 *
 * 1. In one process each key is computed once at a time: who asks meanwhile gets the same result, or the same error.
 * Processes do not wait for one another. 2. Errors are not cached. 3. What is deleted while it is computed is not stored.
 */
import type { JsonValue } from '@spine/core';
import type { CacheBackend, CacheSetOptions } from './cache.ts';

export interface Computation<T extends JsonValue> extends CacheSetOptions {
  readonly compute: () => Promise<T>;
  /** What is cached may be of an older release: undefined has it computed anew. */
  readonly parse: (value: JsonValue) => T | undefined;
}

export class ComputedCache {
  readonly #cache: CacheBackend;
  readonly #running = new Map<string, Promise<JsonValue>>();

  constructor(cache: CacheBackend) {
    this.#cache = cache;
  }

  /** @throws what `compute` throws, and ValidationError for a key or time that cannot be kept. */
  async getOrCompute<T extends JsonValue>(key: string, computation: Computation<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) {
      const shared = computation.parse(await running);
      // Somebody else keeps another kind of value under this key: theirs is stored.
      return shared ?? computation.compute();
    }
    const mine: Promise<T> = this.#find(key, computation, () => this.#running.get(key) === mine);
    this.#running.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#running.get(key) === mine) this.#running.delete(key);
    }
  }

  /** Forgets a key; a computation under way answers those who wait for it, and is not stored. */
  async delete(key: string): Promise<boolean> {
    this.#running.delete(key);
    return this.#cache.delete(key);
  }

  async #find<T extends JsonValue>(
    key: string,
    { compute, parse, ttlSeconds }: Computation<T>,
    isWanted: () => boolean,
  ): Promise<T> {
    const cached = await this.#cache.get(key);
    const parsed = cached === undefined ? undefined : parse(cached);
    if (parsed !== undefined) return parsed;
    const value = await compute();
    if (isWanted()) await this.#cache.set(key, value, { ttlSeconds });
    return value;
  }
}
