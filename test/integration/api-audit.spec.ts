/** The audit log: who changed what, refused attempts too, and that nobody rewrites it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiKeyFacts,
  createPool,
  handlerStats,
  listAudit,
  listDeadLetters,
  listRuns,
  runNamespace,
  runStats,
  runTimeline,
} from '@spine/database';
import type { Db, Pool } from '@spine/database';
import { planOf, sentBy, watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, CallInit, Json } from './api-support.ts';

const ADMIN = randomKey();

let api: Api;
let reader: string;
let admin: Pool;

beforeAll(async () => {
  api = await startApi({ keys: [ADMIN] });
  admin = createPool({ connectionString: api.database.connectionString, role: null });
  const json = { name: 'reader', scopes: ['read'] };
  const made = await api.call('POST', '/api/v1/keys', { json, headers: { 'x-api-key': ADMIN } });
  reader = String(made.body['data']?.['key']);
});
afterAll(async () => {
  await admin.end();
  await api.close();
});

function call(method: string, path: string, init: CallInit = {}, key = ADMIN): Promise<Answer> {
  return api.call(method, `/api/v1${path}`, { ...init, headers: { 'x-api-key': key, ...init.headers } });
}

async function audited(query: string): Promise<readonly Json[]> {
  const { status, body, text } = await call('GET', `/audit?limit=1000&${query}`);
  expect(status, text).toBe(200);
  return listIn(body['data']);
}

const SCHEDULE = {
  name: 'nightly',
  target_type: 'task',
  target_name: 'echo',
  schedule_type: 'interval',
  interval_seconds: 3_600,
};

describe('the audit log', () => {
  it('has each change of a definition as it was and as it became', async () => {
    const made = await call('POST', '/schedules', { json: SCHEDULE, headers: { 'x-request-id': 'made-1' } });
    expect(made.status, made.text).toBe(201);
    const id = String(made.body['data']?.['schedule_id']);
    await call('PUT', `/schedules/${id}`, { json: { ...SCHEDULE, interval_seconds: 7_200 } });
    await call('POST', `/schedules/${id}/pause`);
    await call('DELETE', `/schedules/${id}`);
    const [deleted, paused, replaced] = await audited(`target=${id}`);
    expect(replaced).toMatchObject({
      principal: { type: 'static', id: 'static:1', name: 'SPINE_API_KEYS #1', namespace: null },
      method: 'PUT',
      route: '/api/v1/schedules/:schedule_id',
      targets: { schedule_id: id },
      status: 200,
      before: { interval_seconds: 3_600, version: 1, created_by: 'static:1' },
      after: { interval_seconds: 7_200, version: 2 },
    });
    expect(paused).toMatchObject({ before: { state: 'active' }, after: { state: 'paused' } });
    expect(deleted).toMatchObject({ method: 'DELETE', before: { name: 'nightly' }, after: null });
    const [created] = await audited('request_id=made-1');
    expect(created).toMatchObject({ status: 201, before: null, after: { name: 'nightly' }, targets: {} });
  });

  it('has breakers, lanes and keys, and no secret', async () => {
    await call('POST', '/breakers/vendor/open', { json: { note: 'maintenance' } });
    await call('POST', '/queues/slow/pause');
    const [breaker] = await audited('target=vendor');
    expect(breaker).toMatchObject({
      route: '/api/v1/breakers/:name/open',
      before: null,
      after: { state: 'open', changed_by: 'static:1', note: 'maintenance' },
    });
    const [lane] = await audited('target=slow');
    expect(lane).toMatchObject({ before: { paused: false }, after: { paused: true, by: 'static:1' } });
    const [key] = await audited('route=/api/v1/keys');
    expect(key).toMatchObject({ after: { name: 'reader', scopes: ['read'] } });
    expect(JSON.stringify(key)).not.toContain(reader.split('.')[1]);
  });

  it('has what was refused, and what failed', async () => {
    const before = (await audited('method=POST')).length;
    expect((await call('POST', '/runs', { json: { kind: 'task', name: 'echo' } }, reader)).status).toBe(403);
    expect((await call('POST', '/queues/x/pause', {}, reader)).status).toBe(403);
    expect((await call('POST', '/queues/x/resume')).status).toBe(409);
    const records = await audited('method=POST');
    expect(records.length - before).toBe(3);
    expect(records.slice(0, 3)).toMatchObject([
      { status: 409, route: '/api/v1/queues/:lane/resume' },
      { status: 403, targets: { lane: 'x' }, principal: { type: 'key', name: 'reader' } },
      { status: 403, route: '/api/v1/runs', principal: { type: 'key' } },
    ]);
    const id = String(records[1]?.['principal']?.['id']);
    expect((await audited(`principal=${id}`)).length).toBe(2);
  });

  it('has neither reads, nor submits, which say for themselves who they are of', async () => {
    const before = await audited('');
    await call('GET', '/runs');
    await call('POST', '/schedules/preview', {
      json: { schedule_type: 'interval', interval_seconds: 60, count: 1 },
    });
    const { body } = await call('POST', '/runs', { json: { kind: 'task', name: 'echo' } });
    await call('POST', '/runs', { json: { kind: 'task' } });
    await api.call('POST', '/api/v1/queues/x/pause');
    expect(await audited('')).toEqual(before);
    const run = await call('GET', `/runs/${String(body['data']?.['run_id'])}`);
    expect(run.body['data']).toMatchObject({ submitted_by: 'static:1' });
  });

  it('is paged from the newest on, and asked for by time', async () => {
    const all = await audited('');
    const ids: string[] = [];
    let path = '/audit?limit=2';
    for (;;) {
      const { body } = await call('GET', path);
      ids.push(...listIn(body['data']).map((record) => String(record['audit_id'])));
      const next = body['page']?.['next_cursor'];
      if (next === undefined || String(next) === 'null') break;
      path = `/audit?limit=2&cursor=${String(next)}`;
    }
    expect(ids).toEqual(all.map((record) => String(record['audit_id'])));
    const until = String(all[0]?.['at']);
    const earlier = await audited(`until=${until}`);
    expect(earlier.every((record) => String(record['at']) < until)).toBe(true);
    expect(await audited(`since=${until}&until=${until}`)).toEqual([]);
    expect((await call('GET', '/audit?cursor=bm90aGluZw')).status).toBe(400);
    expect((await call('GET', "/audit?principal=' OR 1=1 --")).body['data']).toEqual([]);
  });

  it('is only for admins', async () => {
    expect((await call('GET', '/audit', {}, reader)).status).toBe(403);
  });

  it.each(['UPDATE audit_log SET status = 200', 'DELETE FROM audit_log', 'TRUNCATE audit_log'])(
    'is not rewritten: %s',
    async (sql) => {
      await expect(api.engine.pool.query(sql)).rejects.toMatchObject({ code: '42501' });
      await expect(admin.query(sql)).rejects.toThrow('audit_log is append only');
    },
  );

  it('a record that cannot be written does not undo what was done', async () => {
    await admin.query('ALTER TABLE audit_log RENAME TO audit_log_away');
    try {
      expect((await call('POST', '/queues/away/pause')).status).toBe(200);
    } finally {
      await admin.query('ALTER TABLE audit_log_away RENAME TO audit_log');
    }
    expect(await audited('target=away')).toEqual([]);
    expect((await call('POST', '/queues/away/resume')).status).toBe(200);
    expect(await audited('target=away')).toHaveLength(1);
  });
});

describe('among many', () => {
  const UUID = '01930000-0000-7000-8000-00000000abcd';
  const PAGE = { limit: 50, offset: 0 };
  const RARE = { namespace: 'rare' };
  let watched: WatchedDb;
  afterAll(() => watched.close());

  beforeAll(async () => {
    await admin.query(`INSERT INTO audit_log (at, principal_type, principal_id, principal_name, method, route, targets, target,
        status, request_id, remote_address)
      SELECT now() - n * interval '1 second', 'key', 'key:' || n % 50, 'k', 'POST', '/r', '{}', 't' || n, 200, 'r', '::1'
      FROM generate_series(1, 20000) n`);
    await admin.query(`INSERT INTO runs (id, kind, name, lane, priority, status, params, trigger_source, metadata, tags,
        max_attempts, retry_delay_ms, timeout_ms, dead_letter, available_at, dispatch_after, namespace)
      SELECT spine_run_id_at(now() - n * interval '1 second'), 'task', 'echo', 'default', 2, 'queued', '{}', 'api', '{}', '{}',
        1, 0, 1, true, now(), now(), CASE WHEN n % 100 = 0 THEN 'rare' END
      FROM generate_series(1, 20000) n`);
    await admin.query(`INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count)
      SELECT id, kind, name, lane, params, '{}', 'INTERNAL', 1, 0 FROM runs`);
    await admin.query(`INSERT INTO api_keys (key_id, name, scopes, secret_hash, created_by)
      SELECT gen_random_uuid(), 'k', '{read}', sha256(n::text::bytea), 'local' FROM generate_series(1, 5000) n`);
    await admin.query('ANALYZE audit_log, runs, dead_letters, api_keys');
    watched = watchedDb(api.database.connectionString);
  });

  it.each<[string, (db: Db) => Promise<unknown>, string[]]>([
    ['the newest', (db) => listAudit(db, {}, PAGE), ['audit_log_at']],
    ['those of a key', (db) => listAudit(db, { principalId: 'key:7' }, PAGE), ['audit_log_principal']],
    ['those of a target', (db) => listAudit(db, { target: 't7' }, PAGE), ['audit_log_target']],
    ['the runs of a namespace', (db) => listRuns(db, RARE, { limit: 50, offset: 0 }), ['runs_namespace']],
    ['its statistics', (db) => runStats(db, 24, undefined, 'rare'), ['runs_namespace']],
    ['its handlers', (db) => handlerStats(db, 24, undefined, 'rare'), ['runs_namespace']],
    ['its days', (db) => runTimeline(db, 24, 60, undefined, 'rare'), ['runs_namespace']],
    ['its dead letters', (db) => listDeadLetters(db, RARE, PAGE), ['dead_letters_namespace']],
  ])('%s are found by their index', async (_, ask, wanted) => {
    const { seqScans, indexes } = await watched.planOf(ask);
    // All there are, counted up to a limit, may be read from any index.
    expect(seqScans.filter((table) => table !== 'audit_log')).toEqual([]);
    expect(indexes).toEqual(expect.arrayContaining(wanted));
  });

  it('whose a run and a key are is one look at their primary key', async () => {
    const asked = [
      ...(await sentBy((db) => runNamespace(db, UUID))),
      ...(await sentBy((db) => apiKeyFacts(db, UUID))),
    ];
    const plans = await Promise.all(asked.map((sent) => planOf(admin, 'force_generic_plan', sent)));
    expect(plans.map(({ seqScans }) => seqScans)).toEqual([[], []]);
    expect(plans.flatMap(({ indexes }) => indexes)).toEqual(['runs_pkey', 'api_keys_pkey']);
  });
});
