import pg from 'pg';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  createEmptyDatabase,
  createTestDatabase,
  startRedisServer,
  testRedisUrl,
  waitFor,
  type RedisServer,
  type TestDatabase,
} from '@spine/testing';

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('test databases', () => {
  const databases: TestDatabase[] = [];
  const keep = (database: TestDatabase): TestDatabase => {
    databases.push(database);
    return database;
  };
  afterAll(() => Promise.all(databases.map((database) => database.drop())));

  it('are migrated, and do not see what is written to each other', async () => {
    const [one, other] = (await Promise.all([createTestDatabase(), createTestDatabase()])).map(keep);
    if (one === undefined || other === undefined) throw new Error('two databases were asked for');
    expect(one.name).not.toBe(other.name);

    const tables = `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('runs', 'run_events')`;
    expect(await query(one.connectionString, tables)).toEqual([{ n: 2 }]);

    await query(one.connectionString, 'CREATE TABLE only_here (id int)');
    const found = `SELECT to_regclass('only_here') IS NOT NULL AS found`;
    expect(await query(one.connectionString, found)).toEqual([{ found: true }]);
    expect(await query(other.connectionString, found)).toEqual([{ found: false }]);
    const later = keep(await createTestDatabase());
    expect(await query(later.connectionString, found)).toEqual([{ found: false }]);
  });

  it('are copied from a template that nobody can connect to', async () => {
    const { postgres, template } = inject('spineServers');
    const url = new URL(postgres);
    url.pathname = `/${template}`;
    await expect(query(url.toString(), 'SELECT 1')).rejects.toThrow('not currently accepting connections');
  });

  it('can be had empty', async () => {
    const empty = keep(await createEmptyDatabase());
    const tables = `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'public'`;
    expect(await query(empty.connectionString, tables)).toEqual([{ n: 0 }]);
  });

  it('are dropped even while somebody is connected, and once more without harm', async () => {
    const database = await createTestDatabase();
    const client = new pg.Client({ connectionString: database.connectionString });
    const cut = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await database.drop();
    await cut;
    await database.drop();
    await expect(query(database.connectionString, 'SELECT 1')).rejects.toThrow('does not exist');
  });
});

describe('the shared Redis', () => {
  const clients: Redis[] = [];
  const connect = (url: string): Redis => {
    const client = new Redis(url);
    clients.push(client);
    return client;
  };
  afterAll(() => clients.forEach((client) => client.disconnect()));

  it('gives every caller an empty database of its own', async () => {
    const one = connect(await testRedisUrl());
    const other = connect(await testRedisUrl());
    expect([await one.dbsize(), await other.dbsize()]).toEqual([0, 0]);
    await one.set('key', 'here');
    expect(await other.get('key')).toBeNull();
    await other.flushdb();
    expect(await one.get('key')).toBe('here');
  });
});

describe('a private Redis', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedisServer();
    client = new Redis(server.url, {
      maxRetriesPerRequest: null,
      retryStrategy: () => 20,
      commandTimeout: 20_000,
    });
    // Refused connections are what these tests cause.
    client.on('error', () => undefined);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it('is not the shared one, and keeps what it is told while it runs', async () => {
    expect(server.url).not.toBe(inject('spineServers').redis);
    await client.flushall();
    await client.set('key', 'value');
    expect(await client.get('key')).toBe('value');
  });

  it('answers nothing while it is frozen, and goes on afterwards', async () => {
    const impatient = new Redis(server.url, { commandTimeout: 200 });
    await impatient.ping();
    await server.pause();
    await expect(impatient.ping()).rejects.toThrow('timed out');
    await server.resume();
    expect(await client.get('key')).toBe('value');
    impatient.disconnect();
  });

  it('can be killed, frozen or not, and comes back empty on the same port', async () => {
    const pid = server.pid;
    await server.pause();
    await server.kill();
    await waitFor(() => client.status !== 'ready', { message: 'the client to notice' });
    if (pid !== undefined) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const { url } = server;
    await server.restart();
    expect(server.url).toBe(url);
    expect(await client.get('key')).toBeNull();
  });

  it('says why it does not start', async () => {
    await expect(startRedisServer({ args: ['--maxmemory-policy', 'nonsense'] })).rejects.toThrow(
      /maxmemory-policy/,
    );
  });
});
