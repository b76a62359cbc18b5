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

export interface OpenQueue {
  readonly queue: HintQueue;
  /** Forgets everything the queue holds, as an operator or a failover may. */
  wipe(): Promise<void>;
  /** What the board shows of finished hints; null where there is no board. */
  readonly finished: ((lane: string) => Promise<{ reports: unknown[]; failures: unknown[] }>) | null;
  /** Messages of warnings logged so far. */
  warnings(): string[];
  close(): Promise<void>;
}

function listeningLogger(): { logger: Logger; warnings: () => string[] } {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', level: 'warn', destination: { write: (line) => void lines.push(line) } });
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
    return { reports: completed.map((job) => job.returnvalue), failures: failed.map((job) => job.failedReason) };
  };
}

function open(backend: BullBackend, logger: Logger): BullHintQueue {
  return new BullHintQueue(backend, logger);
}

export async function openRedisQueue(): Promise<OpenQueue> {
  const url = await testRedisUrl();
  const { logger, warnings } = listeningLogger();
  const queue = open(redisBackend({ url, logger }), logger);
  await queue.check();
  const client = new Redis(url);
  return {
    queue,
    finished: boardOf(queue),
    wipe: async () => void (await client.flushdb()),
    warnings,
    close: async () => {
      await queue.close();
      client.disconnect();
    },
  };
}

export async function openPostgresQueue(): Promise<OpenQueue> {
  const database = await createTestDatabase();
  const { connectionString } = database;
  await migratePostgresQueue(connectionString);
  const { logger, warnings } = listeningLogger();
  const queue = open(postgresBackend({ connectionString, logger }), logger);
  return {
    queue,
    finished: boardOf(queue),
    wipe: () => truncateQueue(connectionString),
    warnings,
    close: async () => {
      await queue.close();
      await database.drop();
    },
  };
}

async function truncateQueue(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ tables: string }>(
      `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables FROM pg_tables
       WHERE schemaname = 'bullmq' AND tablename NOT LIKE '%migration%'`,
    );
    await client.query(`TRUNCATE ${rows[0]?.tables ?? ''}`);
  } finally {
    await client.end();
  }
}
