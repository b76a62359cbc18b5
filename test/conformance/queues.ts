/** The hint queues under test, each on a store of its own. */
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  BullHintQueue,
  MemoryHintQueue,
  migratePostgresQueue,
  postgresBackend,
  redisBackend,
} from '@spine/execution';
import type { BullBackend, HintQueue } from '@spine/execution';
import { createLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import { createTestDatabase, testRedisUrl } from '@spine/testing';

export interface OpenQueue<Q extends HintQueue = HintQueue> {
  readonly queue: Q;
  /** Forgets everything the queue holds, as an operator or a failover may. */
  wipe(): Promise<void>;
  /** What the board shows of finished hints; null where there is no board. */
  readonly finished: ((lane: string) => Promise<{ reports: unknown[]; failures: unknown[] }>) | null;
  /** Messages of warnings logged so far. */
  warnings(): string[];
  close(): Promise<void>;
}

/** A queue on BullMQ, with what its store knows of the locks of delivered hints. */
export interface OpenBullQueue extends OpenQueue<BullHintQueue> {
  /** Milliseconds until the lock of each delivered hint runs out. */
  locks(lane: string): Promise<number[]>;
  /** Lets every lock run out within a second, as if its consumer had been silent for long. */
  shortenLocks(lane: string): Promise<void>;
}

function listeningLogger(): { logger: Logger; warnings: () => string[] } {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'test',
    level: 'warn',
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, warnings: () => lines.map((line) => (JSON.parse(line) as { msg: string }).msg) };
}

export function openMemoryQueue(): Promise<OpenQueue> {
  const queue = new MemoryHintQueue();
  return Promise.resolve({
    queue,
    wipe: () => Promise.resolve(),
    finished: null,
    warnings: () => [],
    close: () => queue.close(),
  });
}

function boardOf(queue: BullHintQueue): NonNullable<OpenQueue['finished']> {
  return async (lane) => {
    const [completed, failed] = await Promise.all([
      queue.queue(lane).getJobs(['completed']),
      queue.queue(lane).getJobs(['failed']),
    ]);
    return {
      reports: completed.map((job) => job.returnvalue),
      failures: failed.map((job) => job.failedReason),
    };
  };
}

function open(backend: BullBackend, logger: Logger): BullHintQueue {
  // A consumer without a hint answers soon; that one is silent is no subject of these tests.
  return new BullHintQueue(backend, logger, { idleSeconds: 1, silentMs: 20_000 });
}

export async function openRedisQueue(): Promise<OpenBullQueue> {
  const url = await testRedisUrl();
  const { logger, warnings } = listeningLogger();
  const queue = open(redisBackend({ url, logger }), logger);
  await queue.check();
  const client = new Redis(url);
  return {
    queue,
    finished: boardOf(queue),
    wipe: async () => void (await client.flushdb()),
    locks: async (lane) =>
      Promise.all((await client.keys(`spine:${lane}:*:lock`)).map((key) => client.pttl(key))),
    shortenLocks: async (lane) => {
      for (const key of await client.keys(`spine:${lane}:*:lock`)) await client.pexpire(key, 1_000);
    },
    warnings,
    close: async () => {
      await queue.close();
      client.disconnect();
    },
  };
}

export async function openPostgresQueue(): Promise<OpenBullQueue> {
  const database = await createTestDatabase();
  const { connectionString } = database;
  await migratePostgresQueue(connectionString);
  const { logger, warnings } = listeningLogger();
  const queue = open(postgresBackend({ connectionString, logger }), logger);
  return {
    queue,
    finished: boardOf(queue),
    wipe: () => withClient(connectionString, truncateQueue),
    locks: (lane) =>
      withClient(connectionString, async (client) => {
        const { rows } = await client.query<{ until: string }>(
          `SELECT locked_until_ms AS until FROM bullmq.job WHERE queue = $1 AND locked_until_ms IS NOT NULL`,
          [lane],
        );
        return rows.map(({ until }) => Number(until) - Date.now());
      }),
    shortenLocks: (lane) =>
      withClient(connectionString, async (client) => {
        await client.query(
          `UPDATE bullmq.job SET locked_until_ms = $2 WHERE queue = $1 AND locked_until_ms IS NOT NULL`,
          [lane, Date.now() + 1_000],
        );
      }),
    warnings,
    close: async () => {
      await queue.close();
      await database.drop();
    },
  };
}

async function truncateQueue(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ tables: string }>(
    `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables FROM pg_tables
     WHERE schemaname = 'bullmq' AND tablename NOT LIKE '%migration%'`,
  );
  await client.query(`TRUNCATE ${rows[0]?.tables ?? ''}`);
}

async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
