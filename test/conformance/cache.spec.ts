/** One suite over every cache: what a caller may rely on, wherever the values are. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock, newId, ValidationError } from '@spine/core';
import type { JsonValue } from '@spine/core';
import { CacheUnavailableError, ComputedCache, MemoryCache, openCache, RedisCache } from '@spine/execution';
import type { CacheBackend } from '@spine/execution';
import { captureLogger, silentLogger } from '@spine/observability';
import { startRedisServer, testRedisUrl, waitFor } from '@spine/testing';
import { openMemoryCaches, openRedisCaches } from './caches.ts';
import type { OpenCaches } from './caches.ts';

const clock = new ManualClock('2025-12-15T00:00:00Z');

/** `pass`: how time goes by. Redis counts by its own clock, and so briefly that a test can wait. */
const BACKENDS = [
  { name: 'memory', open: () => openMemoryCaches(clock), shared: false, ttlSeconds: 60 },
  { name: 'redis', open: openRedisCaches, shared: true, ttlSeconds: 0.05 },
] as const;

const aNumber = (value: JsonValue): number | undefined => (typeof value === 'number' ? value : undefined);

describe.each(BACKENDS)('a cache on $name', ({ open, shared, ttlSeconds }) => {
  let caches: OpenCaches;
  let cache: CacheBackend;
  beforeAll(async () => {
    caches = await open();
    cache = caches.make('one');
  });
  afterAll(() => caches.close());

  it.each<[string, JsonValue]>([
    ['null', null],
    ['an empty text', ''],
    ['false', false],
    ['a list', [1, 'two', [3]]],
    ['an object', { a: { b: 'ü"\u0000' }, c: [] }],
  ])('gives back %s as it was put', async (_what, value) => {
    const key = newId();
    expect(await cache.get(key)).toBeUndefined();
    expect(await cache.exists(key)).toBe(false);
    await cache.set(key, value);
    expect(await cache.get(key)).toEqual(value);
    expect(await cache.exists(key)).toBe(true);
  });

  it('gives copies: nobody changes what is cached', async () => {
    const value = { list: [1] };
    await cache.set('copy', value);
    value.list.push(2);
    const got = (await cache.get('copy')) as { list: number[] };
    got.list.push(3);
    expect(await cache.get('copy')).toEqual({ list: [1] });
  });

  it('replaces, and deletes once', async () => {
    await cache.set('k', 1);
    await cache.set('k', 2);
    expect(await cache.get('k')).toBe(2);
    expect(await cache.delete('k')).toBe(true);
    expect(await cache.delete('k')).toBe(false);
    expect(await cache.get('k')).toBeUndefined();
  });

  it('forgets after the time to live, and not before; a new value has a new time', async () => {
    await cache.set('short', 1, { ttlSeconds });
    await cache.set('long', 1, { ttlSeconds: 3_600 });
    if (!shared) {
      clock.advance(59_999);
      expect(await cache.get('short')).toBe(1);
      clock.advance(1);
      expect(await cache.exists('short')).toBe(false);
    }
    await waitFor(async () => (await cache.get('short')) === undefined);
    expect(await cache.delete('short')).toBe(false);
    expect(await cache.get('long')).toBe(1);
    await cache.set('short', 2, { ttlSeconds: 3_600 });
    expect(await cache.get('short')).toBe(2);
  });

  it('clears its own namespace and nothing else', async () => {
    const [mine, other] = [caches.make('mine'), caches.make('mine2')];
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => mine.set(`k*[${n}]?`, n)));
    await other.set('k', 'stays');
    expect(await mine.get('k*[7]?')).toBe(7);
    await mine.clear();
    expect(await mine.exists('k*[7]?')).toBe(false);
    expect(await mine.exists('k*[1199]?')).toBe(false);
    expect(await other.get('k')).toBe('stays');
    await mine.clear();
  });

  it.each<[string, string, unknown, number | undefined, string]>([
    ['no key', '', 1, undefined, 'key'],
    ['too long a key', 'k'.repeat(513), 1, undefined, 'key'],
    ['a key that cannot be stored', 'a\0b', 1, undefined, 'key'],
    ['no JSON', 'k', undefined, undefined, 'value'],
    ['too large a value', 'k', 'x'.repeat(1024 * 1024), undefined, 'value'],
    ['no time', 'k', 1, 0, 'ttl_seconds'],
    ['too long a time', 'k', 1, 31 * 86_400, 'ttl_seconds'],
    ['a time that is no number', 'k', 1, Number.NaN, 'ttl_seconds'],
  ])('refuses %s by name', async (_what, key, value, seconds, field) => {
    const refused = cache.set(key, value as JsonValue, { ttlSeconds: seconds });
    await expect(refused).rejects.toBeInstanceOf(ValidationError);
    await expect(refused).rejects.toMatchObject({ issues: [{ field }] });
  });

  if (shared) {
    it('is one cache for all processes', async () => {
      await cache.set('shared', 'value');
      expect(await caches.make('one').get('shared')).toBe('value');
      expect(await caches.make('two').get('shared')).toBeUndefined();
    });
  }

  describe('with computations', () => {
    it('computes once for all who ask at the same time, and then not at all', async () => {
      const computed = new ComputedCache(cache);
      let calls = 0;
      const compute = () => Promise.resolve(++calls);
      const ask = () => computed.getOrCompute('once', { compute, parse: aNumber });
      expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array(20).fill(1));
      expect(await ask()).toBe(1);
      expect(calls).toBe(1);
    });

    it('gives an error to all who wait, and caches none', async () => {
      const computed = new ComputedCache(cache);
      const failing = { compute: () => Promise.reject(new Error('no')), parse: aNumber };
      const asked = [computed.getOrCompute('bad', failing), computed.getOrCompute('bad', failing)];
      const settled = await Promise.allSettled(asked);
      expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      const good = { compute: () => Promise.resolve(5), parse: aNumber };
      expect(await computed.getOrCompute('bad', good)).toBe(5);
    });

    it('computes anew what is cached in another form', async () => {
      const computed = new ComputedCache(cache);
      await cache.set('form', 'text of an older release');
      const good = { compute: () => Promise.resolve(6), parse: aNumber };
      expect(await computed.getOrCompute('form', good)).toBe(6);
      expect(await cache.get('form')).toBe(6);
    });

    it('does not store what was deleted while it was computed', async () => {
      const computed = new ComputedCache(cache);
      let finish: (value: number) => void = () => undefined;
      let started = false;
      const compute = () => {
        started = true;
        return new Promise<number>((resolve) => (finish = resolve));
      };
      const old = computed.getOrCompute('stale', { compute, parse: aNumber });
      await waitFor(() => started);
      await computed.delete('stale');
      finish(7);
      expect(await old).toBe(7);
      expect(await cache.get('stale')).toBeUndefined();
    });
  });
});

describe('the memory cache', () => {
  it('is bounded by entries and by size: what was used least recently goes', async () => {
    const few = new MemoryCache({ maxEntries: 3 });
    for (const key of ['a', 'b', 'c']) await few.set(key, key);
    await few.get('a');
    await few.set('d', 'd');
    expect(few.size).toBe(3);
    expect([await few.get('a'), await few.get('b')]).toEqual(['a', undefined]);
    const small = new MemoryCache({ maxSize: 1_000 });
    for (let n = 0; n < 20; n += 1) await small.set(`k${n}`, 'x'.repeat(200));
    expect(small.size).toBeLessThan(5);
    expect(await small.exists('k19')).toBe(true);
  });

  it('is what one gets without Redis', () => {
    const options = { namespace: 'n', logger: silentLogger() };
    expect(openCache({ ...options, redisUrl: null })).toBeInstanceOf(MemoryCache);
  });
});

describe('the cache on Redis', () => {
  it('takes no name that a pattern would understand', () => {
    for (const namespace of ['*', 'a:b', 'a?', '[a]', '', 'A']) {
      const options = { url: 'redis://127.0.0.1:1', namespace, logger: silentLogger() };
      expect(() => new RedisCache(options)).toThrow(ValidationError);
    }
  });

  it('takes what is no JSON for missing', async () => {
    const url = await testRedisUrl();
    const prefix = `t${newId()}`;
    const cache = new RedisCache({ url, namespace: 'n', prefix, logger: silentLogger() });
    const client = new Redis(url);
    await client.set(`${prefix}:cache:n:k`, '{broken', 'PX', 60_000);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.exists('k')).toBe(true);
    await cache.clear();
    client.disconnect();
    await cache.close();
  });

  it('that is away, killed or frozen, is an empty one, warns once an outage, and comes back', async () => {
    const server = await startRedisServer();
    const warnings: string[] = [];
    const logger = captureLogger(silentLogger(), {
      bindings: {},
      level: 'warn',
      onLine: ({ message }) => void warnings.push(message),
    });
    const cache = new RedisCache({ url: server.url, namespace: 'n', logger, answerMs: 150 });
    const strict = new RedisCache({ ...{ url: server.url, namespace: 'n', logger }, onUnavailable: 'throw' });
    try {
      await cache.set('k', 1);
      expect(await cache.get('k')).toBe(1);
      await server.pause();
      expect(await cache.get('k')).toBeUndefined();
      expect(await cache.delete('k')).toBe(false);
      await cache.set('k', 2);
      await cache.clear();
      expect(warnings).toEqual(['the cache on Redis does not answer: every read misses']);
      await server.resume();
      await waitFor(async () => (await cache.get('k')) === 1);
      await server.kill();
      await waitFor(() => strict.get('k').catch((error: unknown) => error instanceof CacheUnavailableError));
      expect(await cache.exists('k')).toBe(false);
      expect(warnings).toHaveLength(2);
      await server.restart();
      const back = async () => {
        await cache.set('k', 3);
        return (await cache.get('k')) === 3;
      };
      await waitFor(back);
    } finally {
      await cache.close();
      await strict.close();
      await server.stop();
    }
  });
});
