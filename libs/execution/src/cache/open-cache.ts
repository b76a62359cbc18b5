import type { Logger } from '@spine/observability';
import type { CacheBackend } from './cache.ts';
import { MemoryCache } from './memory-cache.ts';
import { RedisCache } from './redis-cache.ts';

export interface OpenCacheOptions {
  /** Null: in this process. */
  readonly redisUrl: string | null;
  readonly namespace: string;
  readonly logger: Logger;
}

/** A cache on Redis where there is one, shared by all processes; else in this process. */
export function openCache({ redisUrl, namespace, logger }: OpenCacheOptions): CacheBackend {
  return redisUrl === null ? new MemoryCache() : new RedisCache({ url: redisUrl, namespace, logger });
}
