/**
 * The connections under BullMQ. Redis: one client for publishing that refuses at once while the server is away (an
 * offline queue would let a submit wait for ever), one for consuming that waits. Postgres: one pool for everything,
 * its schema migrated beforehand.
 */
import { once } from 'node:events';
import { createPostgresBackend, DEFAULT_SCHEMA, isPgPool, Queue, runMigrations, Worker } from 'bullmq';
import type {
  JobProgress,
  PostgresConnectionOptions,
  PostgresQueueBackend,
  QueueOptions,
  WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import pg from 'pg';
import { ConfigError, InvariantError, NetworkError } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { QueueBackend } from './port.ts';

export interface HintData {
  readonly run_ids: readonly string[];
  /** Left out for false. */
  readonly gated?: true;
  readonly early?: true;
}

type PostgresQueue = Queue<
  HintData,
  unknown,
  string,
  HintData,
  unknown,
  string,
  PostgresQueueBackend,
  PostgresConnectionOptions
>;
type PostgresWorker = Worker<
  HintData,
  unknown,
  string,
  PostgresQueueBackend,
  JobProgress,
  PostgresConnectionOptions
>;

/** A BullMQ queue of hints, whatever it is stored in. */
export type BullQueue = Queue<HintData, unknown> | PostgresQueue;

/** A BullMQ worker used by hand. */
export type BullWorker = Worker<HintData, unknown> | PostgresWorker;

export type BullWorkerSettings = Pick<
  WorkerOptions,
  'lockDuration' | 'drainDelay' | 'stalledInterval' | 'maxStalledCount' | 'removeOnComplete' | 'removeOnFail'
>;

export interface BullBackend {
  readonly name: Exclude<QueueBackend, 'memory'>;
  queue(lane: string): BullQueue;
  worker(lane: string, settings: BullWorkerSettings): BullWorker;
  /** @throws NetworkError when the server is known to be away; commands would wait for it. */
  refuseWhenAway(): void;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface RedisBackendOptions {
  /** `redis://` or `rediss://` URL. */
  readonly url: string;
  /** Key prefix; default `spine`. Test files use one each. */
  readonly prefix?: string;
  readonly logger: Logger;
  /**
   * Longest wait for the answer to a command, in milliseconds; the connection is then made anew, and the command sent
   * again. Longer than a fetch may block, which is 10 s. Default 15 s. Without it a connection that the network has
   * forgotten would be used until the operating system gives it up, a quarter of an hour later.
   */
  readonly answerTimeoutMs?: number;
}

const ANSWER_TIMEOUT_MS = 15_000;

/** How long a check waits for a connection that is being made. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Redis: reconnects for ever, at least every two seconds. */
export function redisBackend(options: RedisBackendOptions): BullBackend {
  const prefix = options.prefix ?? 'spine';
  const shared: Omit<RedisOptions, 'replyMapping'> = {
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    connectTimeout: 5_000,
    maxRetriesPerRequest: null,
    socketTimeout: options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
  };
  const producer = new Redis(options.url, { ...shared, enableOfflineQueue: false });
  const consumer = new Redis(options.url, { ...shared, lazyConnect: true });
  for (const client of [producer, consumer]) {
    client.on('error', (error) => options.logger.debug({ err: error }, 'redis connection'));
  }
  // BullMQ waits for the connection before it asks for the server's version: a queue made during an outage whose first
  // question failed would be of no use for ever. That nobody waits is seen to by `refuseWhenAway`.
  const queueOptions: QueueOptions = { connection: producer, prefix, skipMetasUpdate: true };
  return {
    name: 'bullmq-redis',
    queue: (lane) => new Queue<HintData, unknown>(lane, queueOptions),
    worker: (lane, settings) =>
      new Worker<HintData, unknown>(lane, null, {
        ...settings,
        connection: consumer,
        prefix,
        autorun: false,
      }),
    refuseWhenAway: () => {
      if (producer.status !== 'ready') throw new NetworkError('Redis is not connected');
    },
    check: () => checkRedis(producer),
    close: () => {
      producer.disconnect();
      consumer.disconnect();
      return Promise.resolve();
    },
  };
}

/** Any policy but noeviction lets Redis drop queue keys under memory pressure. */
async function checkRedis(client: Redis): Promise<void> {
  if (client.status !== 'ready') {
    await once(client, 'ready', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) }).catch(
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new NetworkError(`Redis cannot be reached: ${why}`, { cause: error });
      },
    );
  }
  await client.ping();
  const info = await client.info('memory');
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    throw new ConfigError(
      `Redis has maxmemory-policy ${policy}; set it to noeviction, any other loses queue jobs`,
    );
  }
}

export interface PostgresBackendOptions {
  readonly connectionString: string;
  readonly logger: Logger;
}

/** Longest wait of a fetch in seconds; BullMQ's own bound of an hour would pass for a dead connection. */
const MAX_BLOCK_SECONDS = 5;

class PostgresHintWorker extends Worker<
  HintData,
  unknown,
  string,
  PostgresQueueBackend,
  JobProgress,
  PostgresConnectionOptions
> {
  override get maximumBlockTimeout(): number {
    return Math.min(MAX_BLOCK_SECONDS, this.opts.drainDelay ?? MAX_BLOCK_SECONDS);
  }
}

/** Every consumer and janitor keeps a connection to listen on: two a lane, beside those that queries take in turn. */
const QUEUE_CONNECTIONS = 64;

const SEARCH_PATH = `-c search_path=${DEFAULT_SCHEMA}`;

/** Creates or updates BullMQ's own schema. Run once before {@link postgresBackend}; safe to run at any time. */
export async function migratePostgresQueue(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: 'spine-queue-migrate' });
  await client.connect();
  try {
    await runMigrations(client, DEFAULT_SCHEMA);
  } finally {
    await client.end();
  }
}

export function postgresBackend(options: PostgresBackendOptions): BullBackend {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: 'spine-queue',
    options: SEARCH_PATH,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    max: QUEUE_CONNECTIONS,
  });
  const onError = (error: Error): void => options.logger.debug({ err: error }, 'queue connection');
  pool.on('error', onError);
  // One that breaks while BullMQ holds it has no other listener, and would end the process.
  pool.on('connect', (client) => client.on('error', onError));
  // Every queue and every worker listens for errors of the pool they share: one for each lane is no leak.
  pool.setMaxListeners(0);
  const connection: unknown = pool;
  // BullMQ describes the pool it takes by a type of its own.
  if (!isPgPool(connection)) throw new InvariantError('BullMQ does not take this version of pg');
  return {
    name: 'bullmq-postgres',
    queue: (lane): PostgresQueue =>
      new Queue(lane, { connection, skipMetasUpdate: true }, createPostgresBackend),
    worker: (lane, settings): PostgresWorker =>
      new PostgresHintWorker(lane, null, { ...settings, connection, autorun: false }, createPostgresBackend),
    refuseWhenAway: () => undefined,
    check: async () => {
      await pool.query('SELECT 1');
    },
    close: () => pool.end(),
  };
}
