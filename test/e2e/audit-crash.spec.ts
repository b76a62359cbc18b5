/** An API that dies between a change and the end of its record: the record that was begun says so. */
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool, listAudit } from '@spine/database';
import type { Pool } from '@spine/database';
import { createTestDatabase, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { startService } from './service-processes.ts';
import type { ServiceProcess } from './service-processes.ts';

const HELD = 4_711;

let database: TestDatabase;
let admin: Pool;
let api: ServiceProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = createPool({ connectionString: database.connectionString, role: null });
  api = await startService('api', { SPINE_DATABASE_URL: database.connectionString, SPINE_PORT: '0' });
});
afterAll(async () => {
  await api.kill('SIGKILL');
  await admin.end();
  await database.drop();
});

function pause(lane: string): Promise<Response> {
  return fetch(`${String(api.ready['url'])}/api/v1/queues/${lane}/pause`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': `pause-${lane}` },
    body: '{"note": "maintenance"}',
  });
}

it('leaves a record without an end, which says who had asked for what', async () => {
  expect((await pause('before')).status).toBe(200);
  // From here on the end of a record waits for a lock that the test holds: the change has committed by then.
  await admin.query(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(${HELD}); RETURN NEW; END $$`);
  await admin.query('CREATE TRIGGER hold BEFORE UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION hold()');
  const holder = await admin.connect();
  try {
    await holder.query('SELECT pg_advisory_lock($1)', [HELD]);
    const answer = pause('within').then(
      ({ status }) => status,
      () => 'cut off',
    );
    let waiting: number | undefined;
    await waitFor(async () => {
      const { rows } = await admin.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE 'UPDATE audit_log%'
          AND datname = current_database()`,
      );
      waiting = rows[0]?.pid;
      return waiting !== undefined;
    });
    await api.kill('SIGKILL');
    expect(await answer).toBe('cut off');
    // What a dead process has asked for may still be carried out by its server process: here it is not.
    await admin.query('SELECT pg_terminate_backend($1, 10000)', [waiting]);
  } finally {
    holder.release(true);
  }
  const { rows: paused } = await admin.query(
    'SELECT lane FROM lanes WHERE paused_at IS NOT NULL ORDER BY lane',
  );
  expect(paused).toEqual([{ lane: 'before' }, { lane: 'within' }]);
  const db = createDb(admin);
  const all = await listAudit(db, {}, { limit: 10, offset: 0 });
  expect(all.items).toMatchObject([
    {
      outcome: 'begun',
      status: null,
      endedAt: null,
      target: 'within',
      principalId: 'local',
      requestId: 'pause-within',
      process: `${hostname()}:${api.pid}`,
      request: { note: 'maintenance' },
      after: null,
    },
    { outcome: 'done', status: 200, target: 'before', after: { paused: true } },
  ]);
  const begun = await listAudit(db, { outcome: 'begun' }, { limit: 10, offset: 0 });
  expect(begun.items.map(({ requestId }) => requestId)).toEqual(['pause-within']);
});
