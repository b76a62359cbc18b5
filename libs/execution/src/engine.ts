import { createDb, createPool } from '@spine/database';
import type { Db, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { CapacityCache } from './dispatch/capacity.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { HintPublisher } from './dispatch/hint-publisher.ts';
import { migratePostgresQueue, postgresBackend, redisBackend } from './queue/bullmq-backend.ts';
import { BullHintQueue } from './queue/bullmq-queue.ts';
import type { HintQueue } from './queue/port.ts';
import type { HandlerRegistry } from './registry/registry.ts';

export interface EngineOptions {
  readonly databaseUrl: string;
  /** Null: the queue lives in the same Postgres. */
  readonly redisUrl: string | null;
  readonly registry: HandlerRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Which process this is, shown in `pg_stat_activity`. */
  readonly service: string;
  /** Connections of this process for reads and handlers' transactions; the hot path has its own. Default 10. */
  readonly poolSize?: number;
  /** Key prefix in Redis. Default `spine`. */
  readonly queuePrefix?: string;
  /** Used instead of the queue the URLs ask for. */
  readonly queue?: HintQueue;
}

/** The pieces every service is made of. */
export interface Engine {
  /** The hot path: submits, claims, settlements, heartbeats. Handlers cannot exhaust it. */
  readonly pool: Pool;
  /** Everything else. */
  readonly db: Db;
  readonly queue: HintQueue;
  readonly capacity: CapacityCache;
  readonly publisher: HintPublisher;
  readonly dispatcher: Dispatcher;
  readonly registry: HandlerRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Sends what is still under way, then closes the queue and the pool. */
  close(): Promise<void>;
}

/** Submits, events, heartbeats and the poll each use one connection at a time, claims with settlements two. */
const HOT_CONNECTIONS = 6;

async function openQueue(options: EngineOptions): Promise<HintQueue> {
  const { databaseUrl, redisUrl, logger, queuePrefix } = options;
  if (options.queue !== undefined) return options.queue;
  if (redisUrl !== null) {
    const prefix = queuePrefix === undefined ? {} : { prefix: queuePrefix };
    return new BullHintQueue(redisBackend({ url: redisUrl, logger, ...prefix }), logger);
  }
  await migratePostgresQueue(databaseUrl);
  return new BullHintQueue(postgresBackend({ connectionString: databaseUrl, logger }), logger);
}

/** Connects the pieces. The database must be migrated; a queue that is down is waited for in the background. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { registry, logger, metrics, service } = options;
  const shared = {
    connectionString: options.databaseUrl,
    applicationName: `spine-${service}`,
    onError: (error: Error) => logger.warn({ err: error }, 'an idle database connection broke'),
  };
  const pool = createPool({ ...shared, max: HOT_CONNECTIONS, genericPlans: true });
  const dbPool = createPool({ ...shared, max: options.poolSize ?? 10 });
  const db = createDb(dbPool);
  const queue = await openQueue(options);
  await queue.check().catch((error: unknown) => logger.warn({ err: error }, 'the queue is not usable yet'));
  const capacity = new CapacityCache(pool);
  const publisher = new HintPublisher({ queue, capacity, db: pool, logger, metrics });
  const dispatcher = new Dispatcher({ pool, db, registry, publisher, capacity, metrics });
  return {
    pool,
    db,
    queue,
    capacity,
    publisher,
    dispatcher,
    registry,
    logger,
    metrics,
    close: async () => {
      await dispatcher.drain();
      await publisher.close();
      await queue.close();
      await pool.end();
      await db.destroy();
      // Kysely ends only a pool it has used.
      if (!dbPool.ending) await dbPool.end();
    },
  };
}
