/** What a deployment is made of, as its processes and its database say. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { ENGINE_VERSION, ServicePresence } from '@spine/execution';
import { startRedisServer, waitFor } from '@spine/testing';
import { anyNumber, anyText, listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;
let admin: Pool;
const presences: ServicePresence[] = [];
beforeAll(async () => {
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 2 });
});
afterAll(async () => {
  for (const presence of presences) await presence.stop();
  await admin.end();
  await api.close();
});

async function get(path: string, of = api): Promise<Json> {
  const { status, body, text } = await of.call('GET', `/api/v1/deploy/${path}`);
  expect([status, text]).toEqual([200, text]);
  return body;
}

function start(service: 'api' | 'scheduler', version?: string): ServicePresence {
  const presence = new ServicePresence({
    ...api.engine,
    service,
    ...(version === undefined ? {} : { version }),
  });
  presences.push(presence);
  presence.start();
  return presence;
}

const services = async (query = ''): Promise<readonly Json[]> =>
  listIn((await get(`services${query}`))['data']);
const problems = async (): Promise<string[]> =>
  listIn((await get('status'))['data']?.['problems']).map(({ code }) => String(code));

describe('a deployment', () => {
  it('of which nobody lives says what is missing', async () => {
    const { data } = await get('status');
    expect(data).toMatchObject({
      status: 'attention',
      problems: [{ code: 'no_worker', message: anyText }, { code: 'no_scheduler' }],
      versions: [],
      schema: { state: 'current', pending: [], version: anyNumber, last_applied_at: anyText },
    });
    expect(await services()).toEqual([]);
  });

  it('tells its processes while they live, and forgets them when they end or fall silent', async () => {
    const scheduler = start('scheduler');
    const web = start('api');
    const worker = await api.startWorker();
    await waitFor(async () => (await services()).length === 3);
    expect(await problems()).toEqual([]);
    const live = await services();
    expect(live.map(({ service }) => String(service))).toEqual(['api', 'scheduler', 'worker']);
    expect(live[0]).toEqual({
      service: 'api',
      process_id: web.processId,
      hostname: anyText,
      pid: process.pid,
      version: ENGINE_VERSION,
      status: 'active',
      lanes: null,
      started_at: anyText,
      last_seen_at: anyText,
    });
    expect(live[2]).toMatchObject({
      process_id: worker.workerId,
      version: ENGINE_VERSION,
      lanes: ['default', 'backfill', 'slow'],
    });
    expect((await get('status'))['data']?.['versions']).toMatchObject([
      { version: ENGINE_VERSION, services: { api: 1, scheduler: 1, worker: 1 }, since: anyText },
    ]);
    expect(await services('?service=worker')).toHaveLength(1);
    expect((await get('services?limit=2'))['page']).toMatchObject({ total: 3, has_more: true });

    await scheduler.stop();
    expect(await problems()).toEqual(['no_scheduler']);
    // A process that was killed says nothing.
    await admin.query(`UPDATE service_processes SET last_seen_at = now() - interval '31 seconds'`);
    expect((await services()).map(({ service }) => String(service))).toEqual(['worker']);
  });

  it('of two versions shows that a deployment is under way', async () => {
    start('scheduler');
    start('api', '99.0.0');
    await waitFor(async () => (await services()).length >= 3);
    expect(await problems()).toEqual(['versions_differ']);
    expect((await get('status'))['data']?.['versions']).toMatchObject([
      { version: ENGINE_VERSION },
      { version: '99.0.0' },
    ]);
  });

  it('forgets processes of long ago when another one starts', async () => {
    await admin.query(`INSERT INTO service_processes (process_id, service, hostname, pid, version, last_seen_at)
      VALUES (gen_random_uuid(), 'api', 'long-ago', 1, '0', now() - interval '25 hours')`);
    start('api');
    await waitFor(async () => {
      const { rows } = await admin.query(`SELECT 1 FROM service_processes WHERE hostname = 'long-ago'`);
      return rows.length === 0;
    });
  });

  it.each([
    ['behind', `DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)`],
    ['edited', `UPDATE schema_migrations SET checksum = 'x' WHERE version = 2`],
    ['ahead', `INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, '9999_later.sql', 'x')`],
    ['unreadable', 'REVOKE SELECT ON schema_migrations FROM spine_app'],
  ])('whose schema is %s says so', async (state, change) => {
    await admin.query('CREATE TABLE kept AS TABLE schema_migrations');
    await admin.query(change);
    try {
      const { data } = await get('status');
      expect(data).toMatchObject({ status: 'attention', schema: { state } });
      expect(await problems()).toContain(`schema_${state}`);
    } finally {
      await admin.query('TRUNCATE schema_migrations');
      await admin.query('INSERT INTO schema_migrations TABLE kept');
      await admin.query('DROP TABLE kept');
      await admin.query('GRANT SELECT ON schema_migrations TO spine_app');
    }
  });
});

describe('what it stands on', () => {
  it('is told with versions, latency and settings; what could lose data is a problem', async () => {
    const redis = await startRedisServer();
    const of = await startApi({ redisUrl: redis.url, env: { SPINE_REDIS_URL: redis.url } });
    try {
      const { data } = await get('backends', of);
      const named = (backend: string) => listIn(data).find((each) => String(each['backend']) === backend);
      expect(named('postgres')).toMatchObject({
        status: 'up',
        version: anyText,
        latency_ms: anyNumber,
        settings: [{ name: 'synchronous_commit' }, { name: 'fsync' }, { name: 'full_page_writes' }, {}],
      });
      expect(named('redis')).toMatchObject({
        status: 'up',
        version: anyText,
        latency_ms: anyNumber,
        problems: [],
      });
      expect(named('payloads')).toMatchObject({
        status: 'up',
        settings: [{ name: 'store', value: 'postgres' }, {}, {}],
      });
      await redis.stop();
      await waitFor(async () => {
        const again = listIn((await get('backends', of))['data']);
        return again.some((each) => String(each['backend']) === 'redis' && String(each['status']) === 'down');
      });
      const down = await of.call('GET', '/api/v1/deploy/backends');
      expect(down.text).not.toContain(new URL(redis.url).port);
    } finally {
      await of.close();
    }
  });
});
