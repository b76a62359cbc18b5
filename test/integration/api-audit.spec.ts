/** The audit log: who changed what, refused attempts too, and that nobody rewrites it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiKeyFacts,
  createPool,
  endAudit,
  handlerStats,
  listAudit,
  listDeadLetters,
  listRuns,
  runNamespace,
  runStats,
  runTimeline,
  runTraces,
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
      outcome: 'done',
      request: { interval_seconds: 7_200 },
      before: { interval_seconds: 3_600, version: 1, created_by: 'static:1' },
      after: { interval_seconds: 7_200, version: 2 },
    });
    expect(paused).toMatchObject({ before: { state: 'active' }, after: { state: 'paused' } });
    expect(deleted).toMatchObject({ method: 'DELETE', before: { name: 'nightly' }, after: null });
    const [created] = await audited('request_id=made-1');
    expect(created).toMatchObject({ status: 201, before: null, after: { name: 'nightly' }, targets: {} });
  });

  it('has what is expected, planned and said of data as it was and as it became', async () => {
    const expected = {
      cadence: 'weekly',
      partition_template: { week_ending: '{week_ending}' },
      required_stages: ['INGESTED'],
      expected_delay_hours: 72,
    };
    await call('PUT', '/expected-schedules/audited/weekly', { json: expected });
    await call('PUT', '/expected-schedules/audited/weekly', {
      json: { ...expected, expected_delay_hours: 24 },
    });
    await call('DELETE', '/expected-schedules/audited/weekly');
    expect(await audited('target=weekly')).toMatchObject([
      { before: { expected_delay_hours: 24 }, after: null },
      { before: { expected_delay_hours: 72 }, after: { expected_delay_hours: 24 } },
      { before: null, after: { expected_delay_hours: 72 } },
    ]);
    const run = { kind: 'task', name: 'echo' };
    const plan = { domain: 'audited', source: 'files', reason: 'GAP', run, partition_keys: [{ day: 'one' }] };
    const made = await call('POST', '/backfills', { json: plan });
    const id = String(made.body['data']?.['backfill_id']);
    await call('PATCH', `/backfills/${id}`, { json: { concurrency: 3 } });
    await call('DELETE', `/backfills/${id}`);
    expect(await audited(`target=${id}`)).toMatchObject([
      { method: 'DELETE', before: { domain: 'audited', concurrency: 3 }, after: null },
      { method: 'PATCH', request: { concurrency: 3 }, after: { concurrency: 3 } },
    ]);
    await call('PUT', '/assets/audited%2Ffile', { json: { domain: 'audited', description: 'first' } });
    await call('PUT', '/assets/audited%2Ffile', { json: { domain: 'audited', description: 'second' } });
    const [second, first] = await audited('target=audited/file');
    expect(first).toMatchObject({ before: null, after: { description: 'first' } });
    expect(second).toMatchObject({ before: { description: 'first' }, after: { description: 'second' } });
    const judged = await call('POST', '/readiness/certify', {
      json: { domain: 'audited', workflow: 'weekly', partition_key: { day: 'one' }, ready_for: 'reports' },
    });
    expect(judged.body['data']).toMatchObject({ certified_by: 'static:1' });
  });

  it('has of runs what state they were in and which they came to', async () => {
    const made = await call('POST', '/runs', { json: { kind: 'task', name: 'echo' } });
    const id = String(made.body['data']?.['run_id']);
    await call('POST', `/runs/${id}/pause`, { json: { reason: 'wait' } });
    await call('POST', `/runs/${id}/resume`);
    await call('POST', `/runs/${id}/cancel`);
    const again = await call('POST', `/runs/${id}/retry`);
    expect(await audited(`target=${id}`)).toMatchObject([
      { after: { run_id: String(again.body['data']?.['run_id']) } },
      { before: { status: 'queued' }, after: { status: 'cancelled' } },
      { before: { status: 'paused' }, after: { status: 'queued' } },
      { before: { status: 'queued' }, after: { status: 'paused' }, request: { reason: 'wait' } },
    ]);
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

  it.each([
    'UPDATE audit_log SET principal_id = principal_id',
    'DELETE FROM audit_log',
    'TRUNCATE audit_log',
  ])('is not rewritten: %s', async (sql) => {
    await expect(api.engine.pool.query(sql)).rejects.toMatchObject({ code: '42501' });
    await expect(admin.query(sql)).rejects.toThrow('audit_log is append only');
  });

  it('has of bulk calls what was asked for and how many that has changed, without secrets and documents', async () => {
    const ids: string[] = [];
    for (const tag of ['bulk', 'bulk', 'other']) {
      const made = await call('POST', '/runs', { json: { kind: 'task', name: 'echo', tags: [tag] } });
      ids.push(String(made.body['data']?.['run_id']));
    }
    const filter = { tag: 'bulk', since: '2020-01-01T00:00:00Z' };
    const reason = 'first line\nsecond line';
    await call('POST', '/runs/cancel', { json: { filter, dry_run: true } });
    await call('POST', '/runs/cancel', { json: { filter, reason } });
    await call('POST', '/runs/retry', { json: { filter: { tag: 'bulk', status: ['cancelled'] }, limit: 1 } });
    const [retry] = await audited('route=/api/v1/runs/retry');
    expect(retry).toMatchObject({ touched: 1, request: { filter: { tag: 'bulk' }, limit: 1 } });
    const [cancelled, dryRun] = await audited('route=/api/v1/runs/cancel');
    expect(dryRun).toMatchObject({ touched: 0, request: { filter, dry_run: true } });
    expect(cancelled).toMatchObject({
      outcome: 'done',
      touched: 2,
      request: { filter, reason: { $omitted: { bytes: reason.length } } },
    });
    await call('POST', '/dlq/resolve', { json: { filter: { handler: 'nobody' }, note: 'n', token: 's' } });
    await call('POST', '/dlq/purge', { json: { older_than_days: 30 } });
    const [resolved] = await audited('route=/api/v1/dlq/resolve');
    expect(resolved).toMatchObject({ status: 400, touched: null, request: { token: '[REDACTED]' } });
    expect(await audited('route=/api/v1/dlq/purge')).toMatchObject([
      { touched: 0, request: { older_than_days: 30 } },
    ]);
    // Work that was asked for stands with its run.
    const started = await call('POST', '/workflows/nowhere/run', { json: { params: { a: 1 } } });
    expect(started.status).toBe(404);
    expect(await audited('target=nowhere')).toMatchObject([{ outcome: 'refused', request: null }]);
  });

  it('what cannot be recorded is not done; what cannot be ended is done, and stays begun', async () => {
    await admin.query('ALTER TABLE audit_log RENAME TO audit_log_away');
    try {
      expect((await call('POST', '/queues/away/pause')).status).toBe(500);
      // But for what makes the table, where there is none yet.
      expect((await call('POST', '/database/init', { json: { dry_run: true } })).status).toBe(200);
    } finally {
      await admin.query('ALTER TABLE audit_log_away RENAME TO audit_log');
    }
    expect((await call('POST', '/queues/away/resume')).status).toBe(409);
    await admin.query('REVOKE UPDATE (status) ON audit_log FROM spine_app');
    try {
      expect((await call('POST', '/queues/away/pause')).status).toBe(200);
    } finally {
      await admin.query('GRANT UPDATE (status) ON audit_log TO spine_app');
    }
    const [begun, refused, ...others] = await audited('target=away');
    expect(others).toEqual([]);
    expect(refused).toMatchObject({ outcome: 'refused', status: 409 });
    expect(begun).toMatchObject({ outcome: 'begun', status: null, ended_at: null, after: null });
    expect(await audited('outcome=begun')).toEqual([begun]);
  });

  it('an end is given once, by whoever has begun, and to nothing else', async () => {
    const { rows } = await admin.query<{ audit_id: number }>(
      'SELECT audit_id FROM audit_log WHERE status IS NULL',
    );
    const [open] = rows;
    const id = String(open?.audit_id);
    const end = { status: 200, before: null, after: '{"paused": true}', touched: null };
    const rewrites = [
      `UPDATE audit_log SET status = 200, ended_at = now(), principal_id = 'key:other' WHERE audit_id = ${id}`,
      `UPDATE audit_log SET ended_at = now() WHERE audit_id = ${id}`,
      `UPDATE audit_log SET status = 200, ended_at = at - interval '1 s' WHERE audit_id = ${id}`,
    ];
    for (const rewrite of rewrites) {
      await expect(admin.query(rewrite)).rejects.toThrow('audit_log is append only');
    }
    expect(await endAudit(api.engine.pool, id, end)).toBe(true);
    expect(await endAudit(api.engine.pool, id, { ...end, status: 500 })).toBe(false);
    await expect(
      api.engine.pool.query(`UPDATE audit_log SET status = 201 WHERE audit_id = ${id}`),
    ).rejects.toThrow('audit_log is append only');
    expect(await audited('outcome=begun')).toEqual([]);
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
      SELECT now() - n * interval '1 second', 'key', 'key:' || n % 50, 'k', 'POST',
        CASE WHEN n % 500 = 0 THEN '/rare' ELSE '/r' END, '{}', 't' || n,
        CASE WHEN n % 1000 = 0 THEN NULL WHEN n % 1000 = 1 THEN 503 WHEN n % 1000 = 2 THEN 409 ELSE 200 END, 'r' || n, '::1'
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
    ['those without an end', (db) => listAudit(db, { outcome: 'begun' }, PAGE), ['audit_log_open']],
    ['those that failed', (db) => listAudit(db, { outcome: 'failed' }, PAGE), ['audit_log_unsuccessful']],
    [
      'those that were refused',
      (db) => listAudit(db, { outcome: 'refused' }, PAGE),
      ['audit_log_unsuccessful'],
    ],
    ['those of a route', (db) => listAudit(db, { route: '/rare' }, PAGE), ['audit_log_route']],
    ['that of a request', (db) => listAudit(db, { requestId: 'r7' }, PAGE), ['audit_log_request']],
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

  it('whose a run and a key are, and in which traces runs are, is one look at their primary key', async () => {
    const asked = [
      ...(await sentBy((db) => runTraces(db, [UUID]))),
      ...(await sentBy((db) => runNamespace(db, UUID))),
      ...(await sentBy((db) => apiKeyFacts(db, UUID))),
    ];
    const plans = await Promise.all(asked.map((sent) => planOf(admin, 'force_generic_plan', sent)));
    expect(plans.map(({ seqScans }) => seqScans)).toEqual([[], [], []]);
    expect(plans.flatMap(({ indexes }) => indexes)).toEqual(['runs_pkey', 'runs_pkey', 'api_keys_pkey']);
  });
});
