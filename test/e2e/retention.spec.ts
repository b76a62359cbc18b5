/** The scheduler process with a retention period: old runs go, the others stay, and without one nothing goes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { createTestDatabase, testRedisUrl, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { addPastRuns, DAY_MINUTES } from '../integration/history-support.ts';
import { startService } from './service-processes.ts';
import type { ServiceProcess } from './service-processes.ts';

let database: TestDatabase;
let admin: Pool;
let redisUrl: string;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  redisUrl = await testRedisUrl();
  admin = createPool({ connectionString: database.connectionString, role: null, max: 2 });
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.kill('SIGKILL')));
  await admin.end();
  await database.drop();
});

async function startScheduler(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const service = await startService('scheduler', {
    SPINE_DATABASE_URL: database.connectionString,
    SPINE_REDIS_URL: redisUrl,
    ...env,
  });
  services.push(service);
  return service;
}

async function storedRuns(): Promise<string[]> {
  const { rows } = await admin.query<{ id: string }>('SELECT id FROM runs ORDER BY id');
  return rows.map(({ id }) => id);
}

async function addOldWorkItem(): Promise<void> {
  await admin.query(
    `INSERT INTO work_items (id, domain, workflow, partition_key, state, completed_at, created_at)
     SELECT spine_run_id_at(t), 'd', 'w', '{}', 'COMPLETE', t, t FROM (SELECT now() - interval '40 days' AS t) t`,
  );
}

async function workItems(): Promise<number> {
  const { rows } = await admin.query<{ count: number }>('SELECT count(*)::int AS count FROM work_items');
  return rows[0]?.count ?? -1;
}

describe('the scheduler', () => {
  it('deletes what is older than SPINE_RETENTION_DAYS, and nothing where it is not set', async () => {
    const old = await addPastRuns(admin, { count: 1_500, minutesAgo: 5 * DAY_MINUTES });
    const kept = await addPastRuns(admin, { count: 3, minutesAgo: 2 * DAY_MINUTES });
    await addOldWorkItem();
    const keeping = await startScheduler({});
    // Its word that it is ready may come before what it has written.
    await waitFor(() => Promise.resolve(keeping.output().includes('"retention_days":null')));
    const deleting = await startScheduler({
      SPINE_RETENTION_DAYS: '3',
      SPINE_LEDGER_RETENTION: 'work_items=30',
    });
    await waitFor(async () => (await storedRuns()).length <= kept.length, {
      timeoutMs: 20_000,
      message: () => deleting.output(),
    });
    expect(await storedRuns()).toEqual(kept);
    await waitFor(() => Promise.resolve(deleting.output().includes('"msg":"old runs deleted"')));
    expect(deleting.output()).toContain(`"runs":${old.length}`);
    await waitFor(async () => (await workItems()) === 0, { message: () => deleting.output() });
    deleting.process.kill('SIGTERM');
    expect(await deleting.ended).toBe(0);
    expect(keeping.output()).not.toContain('old runs deleted');
    expect(keeping.output()).not.toContain('old rows of the ledger deleted');
  });
});
