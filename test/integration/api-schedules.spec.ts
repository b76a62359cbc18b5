/** Schedules over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchedulerBeat, LockManager, tick } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { anyText, listIn, startApi, textLike } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const BASE = '/api/v1/schedules';
let names = 0;
const body = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: `nightly ${(names += 1)}`,
  target_type: 'task',
  target_name: 'echo',
  params: { week_ending: '{{ week_ending }}' },
  schedule_type: 'cron',
  cron_expression: '30 2 * * *',
  timezone: 'America/New_York',
  ...more,
});
const create = async (more: Record<string, unknown> = {}): Promise<Json> => {
  const answer = await api.call('POST', BASE, { json: body(more) });
  expect(answer.status, answer.text).toBe(201);
  return answer.body['data'] as Json;
};
const idOf = (schedule: Json): string => String(schedule['schedule_id']);

describe('a schedule', () => {
  it('is created, read, listed, replaced, paused, resumed and deleted', async () => {
    const schedule = await create({ tags: ['finra'], overlap_policy: 'queue', max_instances: 2 });
    const id = idOf(schedule);
    expect(schedule).toMatchObject({
      state: 'active',
      target_name: 'echo',
      work: { kind: 'task', name: 'echo', tags: ['finra'], params: { week_ending: '{{ week_ending }}' } },
      overlap_policy: 'queue',
      misfire_policy: 'fire_once',
      misfire_grace_seconds: 60,
      version: 1,
      next_fire_at: textLike(/T0[67]:30:00\.000Z$/),
    });
    const read = await api.call('GET', `${BASE}/${id}`);
    expect(read.body['data']).toEqual(schedule);
    expect(read.headers.get('etag')).toBe('"1"');
    const listed = await api.call('GET', `${BASE}?target_name=echo&state=active`);
    expect(listIn(listed.body['data']).map(idOf)).toContain(id);

    const replacement = body({ name: schedule['name'], cron_expression: '0 3 * * *' });
    const headers = { 'if-match': '"1"' };
    const replaced = await api.call('PUT', `${BASE}/${id}`, { json: replacement, headers });
    expect(replaced.body['data']).toMatchObject({ cron_expression: '0 3 * * *', version: 2 });
    const stale = await api.call('PUT', `${BASE}/${id}`, { json: replacement, headers });
    expect([stale.status, stale.body['detail']]).toEqual([409, textLike(/at version 2/)]);

    const paused = await api.call('POST', `${BASE}/${id}/pause`);
    expect(paused.body['data']).toMatchObject({ state: 'paused', next_fire_at: null });
    expect((await api.call('POST', `${BASE}/${id}/pause`)).status).toBe(409);
    const resumed = await api.call('POST', `${BASE}/${id}/resume`);
    expect(resumed.body['data']).toMatchObject({ state: 'active', next_fire_at: anyText });

    expect((await api.call('DELETE', `${BASE}/${id}`)).status).toBe(200);
    expect((await api.call('GET', `${BASE}/${id}`)).status).toBe(404);
    expect((await api.call('GET', `${BASE}/${id}/runs`)).status).toBe(200);
    await create({ name: schedule['name'] });
  });

  it('is triggered now, and its history says so', async () => {
    const id = idOf(await create());
    const triggered = await api.call('POST', `${BASE}/${id}/trigger`);
    expect(triggered.status).toBe(202);
    const runId = String((triggered.body['data'] as Json)['run_id']);
    const run = await api.call('GET', `/api/v1/runs/${runId}`);
    expect(run.body['data']).toMatchObject({
      trigger_source: 'schedule',
      params: { week_ending: textLike(/^\d{4}-\d\d-\d\d$/) },
    });
    await Promise.all(Array.from({ length: 5 }, () => api.call('POST', `${BASE}/${id}/trigger`)));
    const pages: Json[] = [];
    let path = `${BASE}/${id}/runs?limit=4`;
    for (;;) {
      const page = await api.call('GET', path);
      pages.push(...listIn(page.body['data']));
      const next = (page.body['page'] as Json)['next_cursor'];
      if (next === null) break;
      path = `${BASE}/${id}/runs?limit=4&cursor=${String(next)}`;
    }
    expect(pages).toHaveLength(6);
    expect(new Set(pages.map((row) => row['run_id'])).size).toBe(6);
    expect(pages.at(-1)).toMatchObject({ origin: 'manual', status: 'FIRED', run_id: runId });
  });

  it('is backfilled over a range, each occurrence once', async () => {
    const id = idOf(
      await create({ schedule_type: 'cron', cron_expression: '0 12 * * MON-FRI', timezone: 'UTC' }),
    );
    const range = { from: '2026-01-05T00:00:00Z', to: '2026-01-19T00:00:00Z' };
    const dry = await api.call('POST', `${BASE}/${id}/backfill`, { json: { ...range, dry_run: true } });
    expect(dry.body['data']).toMatchObject({ occurrences: 10, already_fired: 0, dry_run: true });
    const half = { from: range.from, to: '2026-01-08T00:00:00Z' };
    await api.call('POST', `${BASE}/${id}/backfill`, { json: half });
    const all = await api.call('POST', `${BASE}/${id}/backfill`, { json: { ...range, max_concurrency: 2 } });
    expect(all.body['data']).toMatchObject({ occurrences: 10, already_fired: 3, dry_run: false });
    const started = listIn((all.body['data'] as Json)['started']);
    expect(started.map((row) => row['fire_at'])).toEqual(
      ['08', '09', '12', '13', '14', '15', '16'].map((day) => `2026-01-${day}T12:00:00.000Z`),
    );
    const run = await api.call('GET', `/api/v1/runs/${String(started[0]?.['run_id'])}`);
    expect(run.body['data']).toMatchObject({ lane: 'backfill', params: { week_ending: '2026-01-02' } });
  });

  it('fires by the tick of a scheduler', async () => {
    const id = idOf(await create());
    await api.engine.pool.query(
      `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now()) - interval '1 second' WHERE schedule_id = $1`,
      [id],
    );
    await tick({ ...api.engine, calendars: new Map(), by: 'test' });
    const history = await api.call('GET', `${BASE}/${id}/runs?status=FIRED`);
    expect(listIn(history.body['data'])).toMatchObject([
      { origin: 'schedule', decided_by: 'test', run_status: null },
    ]);
  });
});

describe('a preview', () => {
  it('tells the next times of what need not exist', async () => {
    const answer = await api.call('POST', `${BASE}/preview`, {
      json: {
        schedule_type: 'calendar',
        calendar_rule: { exchange: 'XNYS', period: 'month', nth: -1, at: '16:30' },
        timezone: 'America/New_York',
        after: '2027-01-01T00:00:00Z',
        count: 3,
      },
    });
    expect(answer.body['data']).toEqual({
      fire_times: ['2027-01-29T21:30:00.000Z', '2027-02-26T21:30:00.000Z', '2027-03-31T20:30:00.000Z'],
    });
  });
});

describe('what is refused', () => {
  it.each<[Record<string, unknown>, number, string]>([
    [{ cron_expression: '0 0 31 2 *' }, 400, 'cron_expression'],
    [{ cron_expression: '* * *' }, 400, 'cron_expression'],
    [{ timezone: 'Mars/Olympus' }, 400, 'timezone'],
    [{ schedule_type: 'interval', cron_expression: undefined, interval_seconds: 0 }, 400, 'interval_seconds'],
    [{ starts_at: '2027-02-02T00:00:00Z', ends_at: '2027-02-01T00:00:00Z' }, 400, 'ends_at'],
    [{ params: { at: '{{ constructor }}' } }, 400, 'params.at'],
    [{ target_type: 'step' }, 400, 'target_type'],
    [{ idempotency_key: 'k' }, 400, 'idempotency_key'],
    [{ state: 'completed' }, 400, 'state'],
    [{ version: 7 }, 400, 'version'],
    [{ max_instances: 0 }, 400, 'max_instances'],
    [{ exclusions: [{ from: '2027-02-30' }] }, 400, 'exclusions[0].from'],
    [{ exclusions: [{ from: '2020-01-01', to: '9999-12-31' }] }, 400, 'cron_expression'],
    [{ target_name: 'sleep', params: { seconds: 'soon' } }, 400, 'params.seconds'],
    [
      {
        overlap_policy: 'queue',
        concurrency: ['a', 'b', 'c', 'd', 'e'].map((each) => ({ key: each, limit: 1 })),
      },
      400,
      'concurrency',
    ],
    [{ name: '' }, 400, 'name'],
  ])('%j', async (more, status, field) => {
    const answer = await api.call('POST', BASE, { json: body(more) });
    expect([answer.status, listIn(answer.body['errors'])[0]?.['field']]).toEqual([status, field]);
  });

  it('a name that is taken', async () => {
    const schedule = await create();
    const answer = await api.call('POST', BASE, { json: body({ name: schedule['name'] }) });
    expect([answer.status, answer.body['code']]).toEqual([409, 'CONFLICT']);
  });

  it('more frequent schedules than the quota', async () => {
    const every = {
      schedule_type: 'interval',
      cron_expression: undefined,
      interval_seconds: 1,
      paused: false,
    };
    await api.engine.pool.query(`UPDATE schedules SET state = 'deleted', next_fire_at = NULL`);
    const answers = await Promise.all(
      Array.from({ length: 110 }, () => api.call('POST', BASE, { json: body(every) })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(100);
    const refused = answers.find(({ status }) => status !== 201);
    expect([refused?.status, refused?.body['code']]).toEqual([429, 'QUOTA_EXCEEDED']);
    const waiting = await create({ ...every, paused: true });
    const resumed = await api.call('POST', `${BASE}/${idOf(waiting)}/resume`);
    expect([resumed.status, resumed.body['code']]).toEqual([429, 'QUOTA_EXCEEDED']);
  });

  it('ids that name nothing', async () => {
    const none = '01890000-0000-7000-8000-000000000000';
    for (const [method, path] of [
      ['GET', none],
      ['PUT', none],
      ['DELETE', none],
      ['GET', `${none}/runs`],
      ['POST', `${none}/trigger`],
      ['POST', `${none}/pause`],
      ['POST', `${none}/resume`],
      ['GET', 'not-an-id'],
    ] as const) {
      const answer = await api.call(method, `${BASE}/${path}`, method === 'PUT' ? { json: body() } : {});
      expect(answer.status, `${method} ${path}`).toBe(404);
    }
  });
});

describe('locks and the health of the schedulers', () => {
  it('are shown, and a lock is taken by force', async () => {
    const health = async (): Promise<Json> =>
      (await api.call('GET', '/api/v1/scheduler/health')).body['data'] as Json;
    // Nobody fires what the tests before this one have made: none of it may fall due meanwhile.
    await api.engine.pool.query(
      `UPDATE schedules SET next_fire_at = next_fire_at + interval '1 day' WHERE next_fire_at IS NOT NULL`,
    );
    expect(await health()).toMatchObject({ status: 'leaderless', schedulers: [], late: 0 });
    const locks = new LockManager({ db: api.engine.db, owner: 'host:1' });
    const beat = createSchedulerBeat({ ...api.engine, locks, owner: 'host:1' });
    beat.start();
    await waitFor(async () => String((await health())['status']) === 'ok');
    expect(await health()).toMatchObject({ schedulers: ['host:1'], active_locks: [] });
    // However many others there are, those of the schedulers are seen.
    await api.engine.pool.query(`INSERT INTO locks (lock_key, owner, token, expires_at)
      SELECT 'many-' || i, 'test', i, now() + interval '1 hour' FROM generate_series(1, 1000) AS i`);
    expect(await health()).toMatchObject({ status: 'ok', schedulers: ['host:1'] });
    await api.engine.pool.query(`DELETE FROM locks WHERE lock_key LIKE 'many-%'`);
    await create({ name: 'due' });
    await api.engine.pool.query(
      `UPDATE schedules SET next_fire_at = now() - interval '10 seconds' WHERE name = 'due'`,
    );
    expect(await health()).toMatchObject({ status: 'late', late: 1 });
    await locks.acquire('key/with:slash', 60_000, 'a note');
    const listed = await api.call('GET', '/api/v1/locks?prefix=key');
    expect(listIn(listed.body['data'])).toMatchObject([{ owner: 'host:1', active: true, note: 'a note' }]);
    const path = `/api/v1/locks/${encodeURIComponent('key/with:slash')}`;
    expect((await api.call('DELETE', path)).status).toBe(200);
    expect((await api.call('DELETE', path)).status).toBe(404);
    await beat.stop();
    expect(await health()).toMatchObject({ status: 'leaderless' });
  });
});
