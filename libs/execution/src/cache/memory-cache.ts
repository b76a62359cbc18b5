/**
 * A cache in this process, bounded: what was not used for longest goes first.
 *
 * 1. Values are kept as JSON text: nobody changes a value in the cache through the object that was put or got. 2. Time is
 * the given clock's; a value is gone at the instant its time is over.
 */
import { LRUCache } from 'lru-cache';
import { systemClock } from '@spine/core';
import type { Clock, JsonValue } from '@spine/core';
import { checkKey, checkTtl, DEFAULT_TTL_SECONDS, toCacheText } from './cache.ts';
import type { CacheBackend, CacheSetOptions } from './cache.ts';

export interface MemoryCacheOptions {
  /** Default 10,000. */
  readonly maxEntries?: number;
  /** Characters of JSON of all values and keys together. Default 64 Mi. */
  readonly maxSize?: number;
  /** Of values set without one. Default {@link DEFAULT_TTL_SECONDS}. */
  readonly defaultTtlSeconds?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

interface Entry {
  readonly text: string;
  /** Milliseconds since 1970 from which on it is gone. */
  readonly until: number;
}

export class MemoryCache implements CacheBackend {
  readonly #entries: LRUCache<string, Entry>;
  readonly #clock: Clock;
  readonly #defaultTtlSeconds: number;

  constructor(options: MemoryCacheOptions = {}) {
    const { maxEntries = 10_000, maxSize = 64 * 1024 * 1024, clock = systemClock } = options;
    this.#clock = clock;
    this.#defaultTtlSeconds = options.defaultTtlSeconds ?? DEFAULT_TTL_SECONDS;
    this.#entries = new LRUCache({
      max: maxEntries,
      maxSize,
      sizeCalculation: (entry, key) => entry.text.length + key.length,
    });
  }

  /** Values kept now, those whose time is over among them. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Promise<JsonValue | undefined> {
    return attempt(() => {
      const entry = this.#live(key);
      return entry === undefined ? undefined : (JSON.parse(entry.text) as JsonValue);
    });
  }

  set(
    key: string,
    value: JsonValue,
    { ttlSeconds = this.#defaultTtlSeconds }: CacheSetOptions = {},
  ): Promise<void> {
    return attempt(() => {
      const until = this.#clock.now().getTime() + checkTtl(ttlSeconds);
      this.#entries.set(checkKey(key), { text: toCacheText(value), until });
    });
  }

  delete(key: string): Promise<boolean> {
    return attempt(() => this.#live(key) !== undefined && this.#entries.delete(key));
  }

  exists(key: string): Promise<boolean> {
    return attempt(() => this.#live(key) !== undefined);
  }

  clear(): Promise<void> {
    this.#entries.clear();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.clear();
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(checkKey(key));
    if (entry === undefined || this.#clock.now().getTime() < entry.until) return entry;
    this.#entries.delete(key);
    return undefined;
  }
}

/** What fails, fails as the promise does. */
function attempt<T>(action: () => T): Promise<T> {
  return Promise.resolve().then(action);
}
