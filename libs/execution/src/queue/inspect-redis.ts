/** What a Redis server is and how it is set, as far as the queue depends on it. For operators: never on a hot path. */
import { Redis } from 'ioredis';
import { NetworkError } from '@spine/core';

export interface RedisFacts {
  /** E.g. `7.0.15`; null where the server does not say. */
  readonly version: string | null;
  /** Null where the server does not say; the queue needs `noeviction`. */
  readonly maxmemoryPolicy: string | null;
  readonly usedMemoryBytes: number;
  /** 0: as much as the machine has. */
  readonly maxmemoryBytes: number;
  readonly appendOnly: boolean;
  /** Whether snapshots are configured; null where the server does not let itself be asked. */
  readonly snapshots: boolean | null;
  /** False when the last write of the log or of a snapshot has failed. */
  readonly lastSaveWorked: boolean;
  /** `master` takes writes, `slave` does not. */
  readonly role: string | null;
  /** Reading its data in after a start. */
  readonly isLoading: boolean;
  /** Of one PING, in milliseconds. */
  readonly latencyMs: number;
  /** This machine's clock minus the server's. */
  readonly driftMs: number;
}

export interface InspectRedisOptions {
  /** `redis://` or `rediss://` URL. */
  readonly url: string;
  /** Longest wait for the connection, and for each answer. */
  readonly timeoutMs: number;
}

/** The value of a line `name:value` of INFO. */
export function infoValue(info: string, name: string): string | null {
  const line = info.split(/\r?\n/).find((each) => each.startsWith(`${name}:`));
  return line === undefined ? null : line.slice(name.length + 1).trim();
}

/**
 * Looks at a server over one connection that is closed again.
 * @throws NetworkError when it does not answer or does not let us in; the message has no password.
 */
export function inspectRedis(options: InspectRedisOptions): Promise<RedisFacts> {
  return over(options, factsOf);
}

/**
 * Has a server keep its keys when its memory is full: `maxmemory-policy noeviction`.
 * @returns whether it was written into the server's configuration file too; else it holds until the next restart
 * @throws NetworkError when it does not answer, or does not let itself be set: hosted servers forbid CONFIG
 */
export function keepRedisKeys(options: InspectRedisOptions): Promise<{ readonly isLasting: boolean }> {
  return over(options, async (client) => {
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    // A server without a configuration file has nothing to write to.
    const isLasting = await client.config('REWRITE').then(
      () => true,
      () => false,
    );
    return { isLasting };
  });
}

async function over<T>(
  { url, timeoutMs }: InspectRedisOptions,
  work: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let lastError: Error | undefined;
  client.on('error', (error: Error) => {
    lastError = error;
  });
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    const cause = lastError ?? error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NetworkError(`Redis does not answer: ${why}`, { cause });
  } finally {
    client.disconnect();
  }
}

async function factsOf(client: Redis): Promise<RedisFacts> {
  const from = performance.now();
  await client.ping();
  const latencyMs = Math.round((performance.now() - from) * 1_000) / 1_000;
  const asked = Date.now();
  const [seconds, micros] = await client.time();
  const middle = (asked + Date.now()) / 2;
  const info = await client.info();
  const value = (name: string): string | null => infoValue(info, name);
  return {
    version: value('redis_version'),
    maxmemoryPolicy: value('maxmemory_policy'),
    usedMemoryBytes: Number(value('used_memory') ?? 0),
    maxmemoryBytes: Number(value('maxmemory') ?? 0),
    appendOnly: value('aof_enabled') === '1',
    snapshots: await snapshotsOf(client),
    lastSaveWorked: value('rdb_last_bgsave_status') !== 'err' && value('aof_last_write_status') !== 'err',
    role: value('role'),
    isLoading: value('loading') === '1',
    latencyMs,
    driftMs: Math.round(middle - (Number(seconds) * 1_000 + Number(micros) / 1_000)),
  };
}

/** Hosted servers forbid CONFIG. */
async function snapshotsOf(client: Redis): Promise<boolean | null> {
  try {
    const answer: unknown = await client.config('GET', 'save');
    return Array.isArray(answer) ? String(answer[1] ?? '') !== '' : null;
  } catch {
    return null;
  }
}
