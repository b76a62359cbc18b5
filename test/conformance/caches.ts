/** The caches under test. */
import { newId } from '@spine/core';
import type { ManualClock } from '@spine/core';
import { MemoryCache, RedisCache } from '@spine/execution';
import type { CacheBackend } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { testRedisUrl } from '@spine/testing';

export interface OpenCaches {
  /** A cache of a namespace; of the same one again: the same entries where they are shared. */
  make(namespace: string): CacheBackend;
  close(): Promise<void>;
}

export function openMemoryCaches(clock: ManualClock): Promise<OpenCaches> {
  return Promise.resolve({ make: () => new MemoryCache({ clock }), close: () => Promise.resolve() });
}

export async function openRedisCaches(): Promise<OpenCaches> {
  const url = await testRedisUrl();
  const prefix = `t${newId()}`;
  const made: RedisCache[] = [];
  return {
    make: (namespace) => {
      const cache = new RedisCache({
        url,
        namespace,
        prefix,
        logger: silentLogger(),
        onUnavailable: 'throw',
      });
      made.push(cache);
      return cache;
    },
    close: async () => {
      await Promise.all(made.map((cache) => cache.clear()));
      await Promise.all(made.map((cache) => cache.close()));
    },
  };
}
