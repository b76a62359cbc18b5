import { createDatabase, type TestDatabase } from './postgres/databases.ts';
import { testServers } from './provided.ts';
import { leaseDatabase } from './redis/databases.ts';

/** The logical databases this test file has been given. */
const held = new Set<number>();

/** What the last file of this process was given is free for the next one: a process runs one at a time. */
export function beginTestFile(): void {
  held.clear();
}

/**
 * A database with every migration applied, of its own for the caller: a copy of a template, made in a fraction of a
 * second. Drop it in `afterAll`.
 */
export function createTestDatabase(): Promise<TestDatabase> {
  const { postgres, runId, template } = testServers();
  return createDatabase(postgres, runId, template);
}

/** A database without any table: for tests of the migrations. Drop it in `afterAll`. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  const { postgres, runId } = testServers();
  return createDatabase(postgres, runId, 'template0');
}

/**
 * URL of an empty logical database of the shared Redis that no other test file uses; every call gives another one. It
 * may be flushed (FLUSHDB). The server is shared: for FLUSHALL, and to stop it, take `startRedisServer`.
 *
 * @throws TestInfrastructureError when the shared Redis does not answer or has no database left.
 */
export async function testRedisUrl(): Promise<string> {
  const { redis, runId } = testServers();
  const database = await leaseDatabase(redis, { runId, slot: process.env['VITEST_POOL_ID'] ?? '0' }, held);
  held.add(database);
  const url = new URL(redis);
  url.pathname = `/${database}`;
  return url.toString();
}
