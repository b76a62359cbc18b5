import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkRedis, leaseDatabase, releaseDatabases } from './databases.ts';
import { startRedisServer, type RedisServer } from './server.ts';

const NONE: ReadonlySet<number> = new Set();

describe('leases of the logical databases', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    // Database 0 holds the leases: three are left.
    server = await startRedisServer({ args: ['--databases', '4'] });
    client = new Redis(server.url);
  });
  beforeEach(() => client.flushall());
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  async function fill(database: number): Promise<void> {
    await client.select(database);
    await client.set('key', 'value');
  }

  async function isEmpty(database: number): Promise<boolean> {
    await client.select(database);
    return (await client.dbsize()) === 0;
  }

  it('differ by run, by slot, and by call', async () => {
    const first = await leaseDatabase(server.url, { runId: 'one', slot: '1' }, NONE);
    const second = await leaseDatabase(server.url, { runId: 'one', slot: '1' }, new Set([first]));
    const other = await leaseDatabase(server.url, { runId: 'two', slot: '1' }, NONE);
    expect(new Set([first, second, other])).toEqual(new Set([1, 2, 3]));
    await expect(leaseDatabase(server.url, { runId: 'two', slot: '2' }, NONE)).rejects.toThrow(
      'all 3 logical databases',
    );
  });

  it('go on to the next file of the slot, emptied', async () => {
    const database = await leaseDatabase(server.url, { runId: 'one', slot: '1' }, NONE);
    await fill(database);
    expect(await leaseDatabase(server.url, { runId: 'one', slot: '1' }, NONE)).toBe(database);
    expect(await isEmpty(database)).toBe(true);
  });

  it('are of a fresh database as long as many are left', async () => {
    const large = await startRedisServer({ args: ['--databases', '24'] });
    try {
      const slot = { runId: 'one', slot: '1' };
      const leased: number[] = [];
      for (let file = 0; file < 5; file += 1) leased.push(await leaseDatabase(large.url, slot, NONE));
      // Of 23, three are taken before the others are left to other runs.
      expect(leased).toEqual([1, 2, 3, 1, 1]);
    } finally {
      await large.stop();
    }
  });

  it('leave a database alone that holds keys of somebody else', async () => {
    await fill(1);
    expect(await leaseDatabase(server.url, { runId: 'one', slot: '1' }, NONE)).toBe(2);
    expect(await isEmpty(1)).toBe(false);
  });

  it('end with their run, and only with theirs', async () => {
    const mine = await leaseDatabase(server.url, { runId: 'one', slot: '1' }, NONE);
    const theirs = await leaseDatabase(server.url, { runId: 'two', slot: '1' }, NONE);
    await fill(mine);
    await fill(theirs);

    await releaseDatabases(server.url, 'one');
    expect(await isEmpty(mine)).toBe(true);
    expect(await isEmpty(theirs)).toBe(false);
    expect(await leaseDatabase(server.url, { runId: 'three', slot: '1' }, NONE)).toBe(mine);
  });

  it('need a server that answers', async () => {
    await checkRedis(server.url);
    await server.kill();
    await expect(checkRedis(server.url)).rejects.toThrow('the shared Redis failed');
    await server.restart();
    await checkRedis(server.url);
  });
});
