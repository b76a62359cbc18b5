import { migratePostgresQueue, redisBackend } from '@spine/execution';
import { silentLogger } from '@spine/observability';

export type QueueBackend = 'Redis' | 'Postgres';

/**
 * Makes the queue usable before any service needs it: asks Redis whether it is there and keeps its keys, or creates
 * BullMQ's own tables in Postgres.
 *
 * @throws ConfigError when Redis would drop jobs; the driver's error when the queue's server does not answer.
 */
export async function prepareQueue(connections: {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
}): Promise<QueueBackend> {
  if (connections.redisUrl === undefined) {
    await migratePostgresQueue(connections.databaseUrl);
    return 'Postgres';
  }
  const backend = redisBackend({ url: connections.redisUrl, logger: silentLogger() });
  try {
    await backend.check();
  } finally {
    await backend.close();
  }
  return 'Redis';
}
