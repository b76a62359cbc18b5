/**
 * A cache on Redis, shared by all processes.
 *
 * 1. Its keys are `<prefix>:cache:<namespace>:<key>`; clearing looks for these alone, and never flushes. 2. A Redis that is
 * away is a cache that has nothing: reads miss, writes are dropped, and one warning is logged an outage. Whoever must
 * know asks for `onUnavailable: 'throw'`. 3. A command that does not answer within a second is given up, and for a second
 * after that nobody asks: a Redis that hangs slows one caller a second, not all. 4. What was deleted while Redis was away
 * comes back with it, until its time is over.
 */
import { Redis } from 'ioredis';
import type { JsonValue } from '@spine/core';
import type { Logger } from '@spine/observability';
import { FirstConnection } from '../connect/first-connection.ts';
import {
  CacheUnavailableError,
  checkKey,
  checkNamespace,
  checkTtl,
  DEFAULT_TTL_SECONDS,
  toCacheText,
} from './cache.ts';
import type { CacheBackend, CacheSetOptions } from './cache.ts';

export interface RedisCacheOptions {
  readonly url: string;
  readonly namespace: string;
  readonly logger: Logger;
  /** What every key begins with. Default `spine`. */
  readonly prefix?: string;
  /** Of values set without one. Default {@link DEFAULT_TTL_SECONDS}. */
  readonly defaultTtlSeconds?: number;
  /** Default `miss`: the caller never fails for the cache. */
  readonly onUnavailable?: 'miss' | 'throw';
  /** For one command, and for the first connection. Default 1,000. */
  readonly answerMs?: number;
}

const SCAN_COUNT = 500;
/** After a failure. */
const PAUSE_MS = 1_000;

export class RedisCache implements CacheBackend {
  readonly #client: Redis;
  readonly #start: string;
  readonly #logger: Logger;
  readonly #throws: boolean;
  readonly #defaultTtlSeconds: number;
  readonly #answerMs: number;
  readonly #first = new FirstConnection((ms) => new CacheUnavailableError(`no connection within ${ms} ms`));
  #away = false;
  /** Nobody asks before; by `performance.now()`. */
  #askFrom = 0;

  /** Connects in the background. @throws ValidationError for a namespace or prefix that is no name */
  constructor(options: RedisCacheOptions) {
    const { url, namespace, logger, prefix = 'spine', onUnavailable = 'miss', answerMs = 1_000 } = options;
    this.#start = `${checkNamespace(prefix, 'prefix')}:cache:${checkNamespace(namespace)}:`;
    this.#logger = logger;
    this.#throws = onUnavailable === 'throw';
    this.#defaultTtlSeconds = options.defaultTtlSeconds ?? DEFAULT_TTL_SECONDS;
    this.#answerMs = answerMs;
    this.#client = new Redis(url, {
      commandTimeout: answerMs,
      connectTimeout: 5_000,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
      // A value that waits for Redis to come back is of no use to who asked for it.
      enableOfflineQueue: false,
    });
    this.#client.on('ready', () => this.#first.connected());
    this.#client.on('close', () => this.#first.failed(new Error('the connection was not made')));
    this.#client.on('error', (error) => logger.debug({ err: error }, 'redis connection of a cache'));
  }

  async get(key: string): Promise<JsonValue | undefined> {
    const name = this.#name(key);
    const text = await this.#ask((client) => client.get(name), null);
    return text === null ? undefined : this.#parse(text, key);
  }

  async set(
    key: string,
    value: JsonValue,
    { ttlSeconds = this.#defaultTtlSeconds }: CacheSetOptions = {},
  ): Promise<void> {
    const [name, text, ms] = [this.#name(key), toCacheText(value), checkTtl(ttlSeconds)];
    await this.#ask((client) => client.set(name, text, 'PX', ms), null);
  }

  async delete(key: string): Promise<boolean> {
    const name = this.#name(key);
    return (await this.#ask((client) => client.unlink(name), 0)) > 0;
  }

  async exists(key: string): Promise<boolean> {
    const name = this.#name(key);
    return (await this.#ask((client) => client.exists(name), 0)) > 0;
  }

  async clear(): Promise<void> {
    // Prefix and namespace hold nothing that a pattern would understand.
    const pattern = `${this.#start}*`;
    for (let cursor = '0'; ;) {
      const at = cursor;
      const [next, names] = await this.#ask(
        (client) => client.scan(at, 'MATCH', pattern, 'COUNT', SCAN_COUNT),
        ['0', []],
      );
      if (names.length > 0) await this.#ask((client) => client.unlink(names), 0);
      cursor = next;
      if (cursor === '0') return;
    }
  }

  close(): Promise<void> {
    this.#client.disconnect();
    return Promise.resolve();
  }

  #name(key: string): string {
    return `${this.#start}${checkKey(key)}`;
  }

  #parse(text: string, key: string): JsonValue | undefined {
    try {
      return JSON.parse(text) as JsonValue;
    } catch {
      this.#logger.warn({ cache_key: key }, 'a cached value is not JSON, and is taken for missing');
      return undefined;
    }
  }

  /** Asks once; `nothing` is the answer of a cache that is away. */
  async #ask<T>(command: (client: Redis) => Promise<T>, nothing: T): Promise<T> {
    try {
      if (performance.now() < this.#askFrom) throw new Error('it did not answer a moment ago');
      await this.#firstTry();
      const answer = await command(this.#client);
      if (this.#away) this.#logger.info('the cache on Redis answers again');
      this.#away = false;
      return answer;
    } catch (error) {
      if (performance.now() >= this.#askFrom) this.#askFrom = performance.now() + PAUSE_MS;
      if (this.#throws)
        throw new CacheUnavailableError('the cache on Redis does not answer', { cause: error });
      if (!this.#away)
        this.#logger.warn({ err: error }, 'the cache on Redis does not answer: every read misses');
      this.#away = true;
      return nothing;
    }
  }

  /** The first try to connect is waited for; a lost connection is not. */
  #firstTry(): Promise<void> {
    const { status } = this.#client;
    const isUnderWay = status === 'connecting' || status === 'connect';
    return isUnderWay && !this.#away ? this.#first.wait(this.#answerMs) : Promise.resolve();
  }
}
