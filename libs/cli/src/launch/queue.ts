import { ConfigError } from '@spine/core';
import { migratePostgresQueue, redisBackend } from '@spine/execution';
import { silentLogger } from '@spine/observability';

export type QueueBackend = 'Redis' | 'Postgres';

/**
 * Makes the queue usable before any service needs it: asks Redis whether it is there and keeps its keys, or creates
 * BullMQ's own tables in Postgres.
 *
 * @throws ConfigError when Redis does not answer or would drop jobs.
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
  } catch (error) {
    const address = new URL(connections.redisUrl).host;
    throw new ConfigError(
      `SPINE_REDIS_URL: ${address} cannot be used: ${(error as Error).message}. ` +
        'Start that Redis, name another, or leave the variable out: the queue then runs on Postgres.',
      { cause: error },
    );
  } finally {
    await backend.close();
  }
  return 'Redis';
}
