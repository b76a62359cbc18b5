import { ConfigError, assertNever } from '@spine/core';
import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { LocalSource } from './base-bus.ts';
import type { EventBus } from './bus.ts';
import { MemoryEventBus } from './memory-bus.ts';
import { PostgresEventBus } from './postgres-bus.ts';
import { RedisEventBus } from './redis-bus.ts';

export interface OpenBusOptions {
  /** Auto: Redis where there is one, else Postgres. */
  readonly backend: 'auto' | EventBus['backend'];
  readonly redisUrl: string | null;
  /** What every name in Redis begins with. Default `spine`. */
  readonly prefix?: string;
  readonly db: Queryable;
  readonly databaseUrl: string;
  readonly applicationName: string;
  readonly logger: Logger;
  /** Default: none. */
  readonly source?: LocalSource;
}

/** Connects when it is first used. @throws ConfigError for Redis without a URL */
export function openEventBus(options: OpenBusOptions): EventBus {
  const { backend, redisUrl, prefix, db, databaseUrl, applicationName, logger, source } = options;
  const chosen = backend === 'auto' ? (redisUrl === null ? 'postgres' : 'redis') : backend;
  switch (chosen) {
    case 'memory':
      return new MemoryEventBus({ logger, source });
    case 'postgres':
      return new PostgresEventBus({ db, connectionString: databaseUrl, applicationName, logger, source });
    case 'redis':
      if (redisUrl === null) throw new ConfigError('the event bus is to be on Redis, and there is no Redis');
      return new RedisEventBus({
        url: redisUrl,
        logger,
        source,
        ...(prefix === undefined ? {} : { prefix }),
      });
    default:
      return assertNever(chosen);
  }
}
