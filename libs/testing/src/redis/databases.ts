/**
 * Gives the logical databases of the shared Redis to test files.
 *
 * 1. A database belongs to one (run, worker slot) at a time: test runs that share a server do not meet. A lease in
 *    database 0 says to whom.
 * 2. A worker slot runs one file at a time, so what the slot leased for its last file is free for its next one. While
 *    many databases are left it takes a fresh one all the same: a connection that a file forgot meets nobody then.
 * 3. Nothing is flushed that we did not lease, and what held keys before its first lease is not leased: a server given
 *    by URL may hold data of somebody else.
 */
import { Redis } from 'ioredis';
import { TestInfrastructureError } from '../errors.ts';

/** A killed run frees its databases after this time. */
const LEASE_SECONDS = 2 * 60 * 60;
const DEFAULT_DATABASES = 16;
/** Databases that are left to other runs. */
const SPARE = 20;

const leaseKey = (database: number): string => `spine-test:database:${database}`;

export interface Lessee {
  readonly runId: string;
  readonly slot: string;
}

function openClient(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: 5_000, lazyConnect: true });
}

async function withClient<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = openClient(url);
  let lastError: Error | undefined;
  client.on('error', (error: Error) => {
    lastError = error;
  });
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw new TestInfrastructureError(`the shared Redis failed: ${(lastError ?? error) as Error}`, {
      cause: error,
    });
  } finally {
    client.disconnect();
  }
}

/** @throws TestInfrastructureError when the server does not answer. */
export async function checkRedis(url: string): Promise<void> {
  await withClient(url, (client) => client.ping());
}

/**
 * Leases an empty database of the server and returns its number.
 *
 * @param held databases that the lessee uses already and must not get again
 * @throws TestInfrastructureError when the server does not answer, or every database is taken.
 */
export async function leaseDatabase(url: string, lessee: Lessee, held: ReadonlySet<number>): Promise<number> {
  const mine = `${lessee.runId}/${lessee.slot}`;
  return withClient(url, async (client) => {
    const candidates = Array.from({ length: (await countDatabases(client)) - 1 }, (_, index) => index + 1);
    const lessees = await client.mget(candidates.map(leaseKey));
    const again = candidates.find((database, index) => lessees[index] === mine && !held.has(database));
    const free = candidates.filter((_, index) => lessees[index] === null);
    const reuse = async (database: number): Promise<number> => {
      await client.select(database);
      await client.flushdb();
      return database;
    };
    if (again !== undefined && free.length <= SPARE) return reuse(again);
    for (const database of free) {
      await client.select(0);
      if ((await client.set(leaseKey(database), mine, 'EX', LEASE_SECONDS, 'NX')) === null) continue;
      await client.select(database);
      if ((await client.dbsize()) === 0) return database;
      await client.select(0);
      await client.del(leaseKey(database));
    }
    if (again !== undefined) return reuse(again);
    throw new TestInfrastructureError(
      `all ${candidates.length} logical databases of the shared Redis are leased or hold keys of others; ` +
        'empty them (redis-cli FLUSHALL), or give the server more (--databases 64)',
    );
  });
}

/** Empties and frees every database the run has leased. */
export async function releaseDatabases(url: string, runId: string): Promise<void> {
  await withClient(url, async (client) => {
    const databases = Array.from({ length: await countDatabases(client) }, (_, index) => index);
    const lessees = await client.mget(databases.map(leaseKey));
    for (const database of databases.filter((_, index) => lessees[index]?.startsWith(`${runId}/`))) {
      await client.select(database);
      await client.flushdb();
      await client.select(0);
      await client.del(leaseKey(database));
    }
  });
}

async function countDatabases(client: Redis): Promise<number> {
  try {
    const answer = await client.config('GET', 'databases');
    const count = Array.isArray(answer) ? Number(answer[1]) : Number.NaN;
    return Number.isInteger(count) ? count : DEFAULT_DATABASES;
  } catch {
    // Hosted servers forbid CONFIG.
    return DEFAULT_DATABASES;
  }
}
