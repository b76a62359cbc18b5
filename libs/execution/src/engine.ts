import { createDb, createPool } from '@spine/database';
import type { Db, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { ControlFeed } from './control/control-feed.ts';
import { CapacityCache } from './dispatch/capacity.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { HintPublisher } from './dispatch/hint-publisher.ts';
import type { EventBus } from './event-bus/bus.ts';
import { openEventBus } from './event-bus/open-bus.ts';
import type { OpenBusOptions } from './event-bus/open-bus.ts';
import { RunEventSource } from './event-bus/run-events.ts';
import { EventSignal } from './events/event-signal.ts';
import { EventStreams } from './events/event-streams.ts';
import type { EventStreamsOptions } from './events/event-streams.ts';
import type { Guards } from './gates/guards.ts';
import { postgresLimits, redisLimits } from './gates/limits.ts';
import { openPayloads } from './payload/open-payloads.ts';
import type { PayloadOptions } from './payload/open-payloads.ts';
import type { Payloads } from './payload/payloads.ts';
import { PAYLOAD_CONNECTIONS } from './payload/postgres-store.ts';
import { BreakerRegistry } from './policy/breaker-registry.ts';
import { migratePostgresQueue, postgresBackend, redisBackend } from './queue/bullmq-backend.ts';
import { BullHintQueue } from './queue/bullmq-queue.ts';
import type { HintQueue } from './queue/port.ts';
import type { HandlerRegistry } from './registry/registry.ts';
import { LocalWorkers } from './worker/local-workers.ts';

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
  /** Of params and results too large for their run's row. Default: in Postgres, with the default limits. */
  readonly payloads?: PayloadOptions;
  /** Of clients that follow events. */
  readonly events?: Pick<EventStreamsOptions, 'maxStreams' | 'heartbeatMs' | 'maxWaiting'>;
  /** What carries events between processes. Default auto: Redis where there is one, else Postgres. */
  readonly eventBus?: OpenBusOptions['backend'];
  /** Used instead of the queue the URLs ask for. */
  readonly queue?: HintQueue;
}

/** The pieces every service is made of. */
export interface Engine extends Guards {
  /** The hot path: submits, claims, settlements, heartbeats. Handlers cannot exhaust it. */
  readonly pool: Pool;
  /** What may wait for a gate's lock. */
  readonly gatePool: Pool;
  /** Everything else. */
  readonly db: Db;
  readonly queue: HintQueue;
  readonly capacity: CapacityCache;
  readonly publisher: HintPublisher;
  readonly dispatcher: Dispatcher;
  /** The workers of this process, which take some of what it stores without the queue. */
  readonly localWorkers: LocalWorkers;
  /** Word of cancels and pauses to the workers of this process. */
  readonly control: ControlFeed;
  /** Params and results that are too large for their run's row. */
  readonly payloads: Payloads;
  /** Tells those who follow events that there are new ones. */
  readonly eventSignal: EventSignal;
  /** Events as they come, for clients of this process. */
  readonly eventStreams: EventStreams;
  /** Word of what has happened, to whoever listens now; that of runs as `run.*`. */
  readonly eventBus: EventBus;
  readonly registry: HandlerRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Sends what is still under way, then closes the queue and the pool. */
  close(): Promise<void>;
}

/** Submits, events, logs, word of events, heartbeats and the poll each use one connection at a time, claims with settlements two. */
const HOT_CONNECTIONS = 8;
/** A decision about gates, a look at their lines, and limits that handlers ask for. */
const GATE_CONNECTIONS = 4;
/** A third of the usual lease: a heartbeat on a connection that the network has forgotten is tried again in time. */
const HOT_ANSWER_TIMEOUT_MS = 10_000;

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
  const pool = createPool({
    ...shared,
    max: HOT_CONNECTIONS,
    genericPlans: true,
    answerTimeoutMs: HOT_ANSWER_TIMEOUT_MS,
  });
  const dbPool = createPool({ ...shared, max: options.poolSize ?? 10 });
  const db = createDb(dbPool);
  // Connections of their own: handlers that hold all others in transactions may submit children with large params.
  const payloadPool = createPool({ ...shared, max: PAYLOAD_CONNECTIONS });
  const payloads = await openPayloads(payloadPool, options.payloads);
  const gatePool = createPool({
    ...shared,
    max: GATE_CONNECTIONS,
    genericPlans: true,
    answerTimeoutMs: HOT_ANSWER_TIMEOUT_MS,
  });
  const limits =
    options.redisUrl === null ? postgresLimits(gatePool) : redisLimits(gatePool, options.redisUrl, logger);
  const breakers = new BreakerRegistry({ db: pool, logger, metrics, by: `${service} ${process.pid}` });
  const queue = await openQueue(options);
  await queue.check().catch((error: unknown) => logger.warn({ err: error }, 'the queue is not usable yet'));
  const capacity = new CapacityCache(pool);
  const eventSignal = new EventSignal(pool);
  const eventStreams = new EventStreams({
    ...options.events,
    connectionString: options.databaseUrl,
    applicationName: `spine-${service}-events`,
    logger,
    metrics,
  });
  const eventBus = openEventBus({
    backend: options.eventBus ?? 'auto',
    redisUrl: options.redisUrl,
    ...(options.queuePrefix === undefined ? {} : { prefix: options.queuePrefix }),
    // Like payloads: handlers that hold all other connections in transactions may publish.
    db: payloadPool,
    databaseUrl: options.databaseUrl,
    applicationName: `spine-${service}-bus`,
    logger,
    source: new RunEventSource({ streams: eventStreams, logger }),
  });
  const publisher = new HintPublisher({ queue, capacity, db: pool, logger, metrics });
  const localWorkers = new LocalWorkers();
  const dispatcher = new Dispatcher({
    pool,
    db,
    registry,
    publisher,
    capacity,
    metrics,
    payloads,
    eventSignal,
    localWorkers,
  });
  const control = new ControlFeed({
    connectionString: options.databaseUrl,
    applicationName: `spine-${service}-control`,
    logger,
  });
  return {
    pool,
    gatePool,
    db,
    breakers,
    limits,
    control,
    queue,
    capacity,
    publisher,
    dispatcher,
    localWorkers,
    payloads,
    eventSignal,
    eventStreams,
    eventBus,
    registry,
    logger,
    metrics,
    close: async () => {
      await control.close();
      await eventBus.close();
      await eventStreams.close();
      await dispatcher.drain();
      await publisher.close();
      await queue.close();
      await limits.close();
      breakers.close();
      await gatePool.end();
      eventSignal.close();
      await pool.end();
      await payloadPool.end();
      await db.destroy();
      // Kysely ends only a pool it has used.
      if (!dbPool.ending) await dbPool.end();
    },
  };
}
